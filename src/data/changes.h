/*
 * changes.h - the newest changes of a dict or list, for those who watch it.
 *
 * A ring of records in a block of ILI_CHANGES_BYTES, made when the object is first watched; until then nothing
 * is noted and noting costs one load. All calls are under the object's guard. A record is written where nobody
 * looks and counts once `end` covers it; noting the changes of a version again is a no-op, so that repair may
 * make a change's steps again.
 */
#ifndef ILI_DATA_CHANGES_H
#define ILI_DATA_CHANGES_H

#include "arena/guard.h"
#include "arena/names.h"
#include "arena/waitq.h"
#include "sync/waiting.h"

#define ILI_CHANGES_BYTES 65536u

struct ili_changes {
    _Atomic ili_off ring;        /* 0: never watched */
    _Atomic uint64_t begin, end; /* bytes ever dropped, ever counted: the ring's are between them */
    _Atomic uint64_t written;    /* `end`, and what was written of a version that is not complete */
    _Atomic uint64_t last_version; /* of the newest record that counts */
    _Atomic uint64_t
        missing; /* what this version changed, or an older one, is not all in the ring */
    struct ili_waitq watchers;
};
_Static_assert(sizeof(struct ili_changes) == 64, "shared layout");

/* One change. KEY (a dict's, up to IL_KEY_MAX_BYTES) is borrowed. */
struct ili_changed {
    uint32_t what; /* IL_CHANGED_... */
    uint64_t version;
    int64_t index;
    uint64_t count;
    const char *key;
    uint32_t key_bytes;
    bool more; /* out: another change of this version follows */
};

/* Notes CHANGE, if the object is watched; its version is larger than those before. Several changes of one
 * version (an update of several keys) are noted one after the other with `more` but for the last, which makes all
 * of them count. The watchers are told by ili_changes_tell(). */
void ili_changes_note(struct ili_member *member, struct ili_changes *changes,
                      const struct ili_changed *change, bool more);

/* Tells those who watch to look. They are woken by ili_waiting_wake() after the guard was freed. */
void ili_changes_tell(struct ili_member *member, struct ili_agent *self,
                      const struct ili_waiting *waiting);

/* From now on changes are noted; VERSION is the object's now. No-op if they are already. By pending[0] of SELF.
 * IL_ENOMEM, IL_EBUSY. */
il_status ili_changes_start(struct ili_member *member, struct ili_agent *self,
                            struct ili_changes *changes, uint64_t version);

/* Where a watcher stands: its own, not in the arena. */
struct ili_changes_place {
    uint64_t version; /* the newest that it has seen whole */
    uint64_t at;      /* where it looks first; 0: it does not know */
};

/* Whether ili_changes_next() has something to tell. */
bool ili_changes_due(const struct ili_changes *changes, const struct ili_changes_place *place);

/* The change that follows *PLACE, which then covers it: IL_OK, the key copied into KEY (IL_KEY_MAX_BYTES + 1, ends
 * with NUL). Where some were dropped, or PLACE is none of this object, one of IL_CHANGED_MISSED comes first; its
 * version is the one that all that follows lies behind. IL_ETIMEOUT: there is none yet. */
il_status ili_changes_next(struct ili_member *member, const struct ili_changes *changes,
                           struct ili_changes_place *place, struct ili_changed *out, char *key);

/* Frees the ring, as a kind's dispose; needs no place of `pending`. IL_EBUSY: call again. */
il_status ili_changes_dispose(struct ili_member *member, struct ili_agent *self,
                              struct ili_changes *changes);

/* After DEAD died under the guard, before anything else is put right: the block of an unfinished start is either
 * the ring or left to be freed; what was noted of a version that is not complete is forgotten, to be noted anew;
 * what cannot be trusted is dropped. VERSION is the object's. The queue of watchers is the caller's to repair
 * (ili_waiting_repair()). */
void ili_changes_repair(struct ili_member *member, struct ili_changes *changes,
                        struct ili_agent *dead, uint64_t version);

/* Under the guard: IL_ECORRUPT if an invariant of changes.c does not hold. */
il_status ili_changes_check(const struct ili_member *member, const struct ili_changes *changes);

#endif

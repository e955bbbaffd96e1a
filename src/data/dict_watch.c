/*
 * dict_watch.c - watching a dict: what dict.h says of it. The changes are kept by changes.c, noted by dict_store.c
 * and dict_many.c together with the commit of each.
 */
#include "data/dict_many.h"
#include "data/dict_store.h"

#define load ili_dict_load

il_status ili_dict_watch(struct ili_member *member, struct ili_dict *dict,
                         struct ili_changes_place *place) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_dict_enter(member, dict, &self);
    if (status != IL_OK) return status;
    uint64_t version = load(&dict->version);
    status = ili_changes_start(member, self, &dict->changes, version);
    if (status == IL_OK && place->version == 0) place->version = version;
    ili_guard_unlock(member, self, &dict->guard);
    return status;
}

il_status ili_dict_changed(struct ili_member *member, struct ili_dict *dict,
                           struct ili_changes_place *place, struct ili_changed *out, char *key,
                           int64_t deadline_ns) {
    struct ili_agent *self;
    struct ili_waiting waiting = ili_dict_waiting(dict);
    for (;;) {
        il_status status = ili_dict_enter(member, dict, &self);
        if (status != IL_OK) return status;
        status = ili_changes_next(member, &dict->changes, place, out, key);
        bool waits = status == IL_ETIMEOUT && deadline_ns != 0;
        if (waits) ili_waiting_begin(member, &waiting, self, 0, 0);
        ili_guard_unlock(member, self, &dict->guard);
        if (!waits) return status;
        status = ili_waiting_sleep(member, self, &waiting, deadline_ns, NULL);
        if (status != IL_OK) return status;
    }
}

il_status ili_dict_enqueue(struct ili_member *member, struct ili_dict *dict,
                           const struct ili_changes_place *place, struct ili_agent *waiter) {
    struct ili_agent *self;
    struct ili_waiting waiting = ili_dict_waiting(dict);
    il_status status = ili_dict_enter(member, dict, &self);
    if (status != IL_OK) return status;
    if (!ili_changes_due(&dict->changes, place)) {
        ili_waiting_begin(member, &waiting, waiter, 0, 0);
        status = IL_ETIMEOUT;
    }
    ili_guard_unlock(member, self, &dict->guard);
    return status;
}

il_status ili_dict_withdraw(struct ili_member *member, struct ili_dict *dict,
                            struct ili_agent *waiter) {
    struct ili_waiting waiting = ili_dict_waiting(dict);
    return ili_waiting_withdraw(member, &waiting, waiter, NULL);
}

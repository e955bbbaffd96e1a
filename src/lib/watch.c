/*
 * watch.c - il_watch_… : checks, and which door.
 *
 * Dicts, lists and values wake who waits for them. Queues and locks know of no watchers: they are looked at every
 * 20 ms, and told if they are not as they were told last.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "data/dict.h"
#include "data/list.h"
#include "lib/cells.h"
#include "lib/domain.h"
#include "lib/grant.h"

#define LOOK_NS INT64_C(20000000)

/* What is compared of an object that is looked at. */
struct state {
    uint64_t count, token;
    uint32_t owner, held_back;
};

struct il_watch {
    uint32_t kind;
    struct ili_member *member; /* NULL: remote */
    const struct ili_handle *handle;
    void *object;
    struct ili_changes_place place; /* of a dict or list; of a value its version */
    bool begun;                     /* what is told must be another state than `state` */
    struct state state;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_watch *remote;
    char key[IL_KEY_MAX_BYTES + 1];
};

static const char *word_of(uint32_t kind) { return ili_kind_word(kind); }

/* ---- which object --------------------------------------------------------------------------------- */

/* What a handle of any kind that can be watched has. */
struct parts {
    void *object; /* NULL: remote */
    const struct ili_handle *handle;
    const struct ili_remote_ops *remote_ops;
    void *remote;
};

#define PARTS(handle_, field)                                                                      \
    (struct parts) {                                                                               \
        (handle_)->field, &(handle_)->handle, (handle_)->remote_ops, (handle_)->remote             \
    }

/* False: KIND cannot be watched. */
static bool take_apart(uint32_t kind, void *object, struct parts *parts) {
    switch (kind) {
    case IL_KIND_DICT: *parts = PARTS((il_dict *)object, dict); return true;
    case IL_KIND_LIST: *parts = PARTS((il_list *)object, list); return true;
    case IL_KIND_VALUE: *parts = PARTS(&((il_value *)object)->h, place.cells); return true;
    case IL_KIND_QUEUE: *parts = PARTS((il_queue *)object, queue); return true;
    case IL_KIND_LOCK: *parts = PARTS((il_lock *)object, lock); return true;
    case IL_KIND_RLOCK: *parts = PARTS((il_rlock *)object, lock); return true;
    default: return false;
    }
}

/* ---- the newest state ----------------------------------------------------------------------------- */

static il_status look(const struct il_watch *w, struct state *state) {
    struct ili_lock_view view;
    memset(state, 0, sizeof *state);
    il_status status = ili_member_check(w->member);
    if (status != IL_OK) return status;
    if (w->kind == IL_KIND_QUEUE) {
        state->count = ili_queue_size(w->object);
        return ili_queue_state(w->object) == ILI_QUEUE_DELETED ? IL_EDELETED : IL_OK;
    }
    ili_lock_look(w->member, w->object, &view); /* an rlock begins with its lock */
    state->token = view.token;
    state->owner = view.owner;
    state->held_back = view.held_back;
    return view.deleted ? IL_EDELETED : IL_OK;
}

/* Until it is time to look again. */
static il_status doze(const struct il_watch *w, int64_t deadline_ns) {
    struct ili_agent *self;
    int64_t until = ili_deadline_in(LOOK_NS);
    if (deadline_ns == 0) return IL_ETIMEOUT;
    il_status status = ili_agent_current(w->member, &self);
    if (status != IL_OK) return status;
    status = ili_agent_sleep_as_hub(w->member, self, until < deadline_ns ? until : deadline_ns);
    return status == IL_ETIMEOUT && ili_now_ns() < deadline_ns ? IL_OK : status;
}

static void tell_state(struct il_watch *w, const struct state *now, il_changed *changed) {
    uint64_t last = w->state.token;
    changed->what = IL_CHANGED_STATE;
    if (w->kind == IL_KIND_QUEUE) {
        changed->count = now->count;
        changed->id = now->count + 1;
    } else {
        il_owner owner = {.struct_bytes = sizeof owner};
        changed->id = now->token;
        changed->token = now->owner ? now->token : 0;
        changed->count = last && now->token > last + 1 ? now->token - last - 1 : 0;
        if (now->owner && ili_local_owner(w->handle, w->object, &owner) == IL_OK &&
            owner.token == now->token) {
            changed->key_bytes = (uint32_t)strnlen(owner.label, sizeof owner.label - 1);
            memcpy(changed->key, owner.label, changed->key_bytes);
        }
    }
    w->state = *now;
    w->begun = true;
}

static il_status next_state(struct il_watch *w, il_changed *changed, int64_t deadline_ns) {
    struct state now;
    il_status status;
    while ((status = look(w, &now)) == IL_OK) {
        if (!w->begun || memcmp(&now, &w->state, sizeof now) != 0) {
            tell_state(w, &now, changed);
            return IL_OK;
        }
        status = doze(w, deadline_ns);
        if (status != IL_OK) return status;
    }
    return status;
}

static il_status next_of_value(struct il_watch *w, il_changed *changed, int64_t deadline_ns) {
    il_status status = IL_OK;
    if (w->begun) {
        status = ili_cells_watch(w->member, w->object, &w->place.version, deadline_ns);
    } else {
        status = ili_cells_observe(w->member, w->object, &w->place.version);
    }
    if (status != IL_OK) return status;
    w->begun = true;
    changed->what = IL_CHANGED_STATE;
    changed->id = w->place.version;
    return IL_OK;
}

/* ---- changes -------------------------------------------------------------------------------------- */

static il_status next_change(struct il_watch *w, il_changed *changed, int64_t deadline_ns) {
    struct ili_changed change;
    il_status status =
        w->kind == IL_KIND_DICT
            ? ili_dict_changed(w->member, w->object, &w->place, &change, w->key, deadline_ns)
            : ili_list_changed(w->member, w->object, &w->place, &change, w->key, deadline_ns);
    if (status != IL_OK) return status;
    changed->what = change.what;
    changed->id = change.version;
    changed->index = change.index;
    changed->count = change.count;
    changed->more = change.more;
    if (w->kind == IL_KIND_DICT && change.key) {
        changed->key_bytes = change.key_bytes;
        memcpy(changed->key, change.key, change.key_bytes);
    }
    return IL_OK;
}

/* ---- open, next, close ---------------------------------------------------------------------------- */

static il_status begin(struct il_watch *w, uint64_t after) {
    struct ili_changes_place now = {0};
    il_status status;
    switch (w->kind) {
    case IL_KIND_DICT: status = ili_dict_watch(w->member, w->object, &now); break;
    case IL_KIND_LIST: status = ili_list_watch(w->member, w->object, &now); break;
    case IL_KIND_VALUE:
        status = ili_cells_observe(w->member, w->object, &now.version);
        w->begun = true;
        break;
    default: status = look(w, &w->state); w->begun = after == 0;
    }
    if (status == IL_OK) w->place = after ? (struct ili_changes_place){.version = after} : now;
    return status;
}

il_status il_watch_open(uint32_t kind, void *object, uint64_t after, il_watch **out) {
    struct parts parts;
    if (!object) return ili_fail(IL_EINVAL, "object: expected an object, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the watch, got NULL");
    if (!take_apart(kind, object, &parts)) {
        return ili_fail(IL_EUNSUPPORTED, "kind: a %s cannot be watched", word_of(kind));
    }
    il_watch *w = calloc(1, sizeof *w);
    if (!w) return ili_fail(IL_ENOMEM, "this process has no memory");
    il_status status;
    w->kind = kind;
    if (parts.object) {
        w->member = parts.handle->member;
        w->handle = parts.handle;
        w->object = parts.object;
        status = ili_report(begin(w, after), word_of(kind));
    } else {
        w->remote_ops = parts.remote_ops;
        status = w->remote_ops->watch_open(kind, parts.remote, after, &w->remote);
    }
    if (status != IL_OK) {
        free(w);
        return status;
    }
    *out = w;
    return IL_OK;
}

static il_status next_local(struct il_watch *w, il_changed *changed, int64_t timeout_ns) {
    int64_t deadline_ns = timeout_ns == 0 ? 0 : ili_deadline_in(timeout_ns);
    switch (w->kind) {
    case IL_KIND_DICT:
    case IL_KIND_LIST: return next_change(w, changed, deadline_ns);
    case IL_KIND_VALUE: return next_of_value(w, changed, deadline_ns);
    default: return next_state(w, changed, deadline_ns);
    }
}

il_status il_watch_next(il_watch *watch, il_changed *changed, int64_t timeout_ns) {
    il_changed all = {0};
    il_status status;
    if (!watch) return ili_fail(IL_EINVAL, "watch: expected a watch, got NULL");
    if (!changed) return ili_fail(IL_EINVAL, "changed: expected a place for it, got NULL");
    if (changed->struct_bytes < sizeof *changed) {
        return ili_fail(IL_EINVAL, "changed.struct_bytes: expected sizeof(il_changed)");
    }
    if (timeout_ns < IL_FOREVER) {
        return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
    }
    if (watch->member) {
        status = ili_report(next_local(watch, &all, timeout_ns), word_of(watch->kind));
    } else {
        status = watch->remote_ops->watch_next(watch->remote, &all, timeout_ns);
    }
    if (status != IL_OK) return status;
    all.struct_bytes = changed->struct_bytes;
    memcpy(changed, &all, sizeof all);
    return IL_OK;
}

il_status il_watch_close(il_watch *watch) {
    if (!watch) return IL_OK;
    if (!watch->member) (void)watch->remote_ops->watch_close(watch->remote);
    free(watch);
    return IL_OK;
}

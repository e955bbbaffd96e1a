/*
 * watch.c - see watch.h.
 *
 * Dicts and lists: a long poll gives all changes after the last one that was told; they are handed out one by one,
 * and then it is asked again. The rest: the view is asked for every 20 ms, as the server itself looks at a queue for
 * those who watch it.
 */
#include "client/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/owned.h"

#define LOOK_NS INT64_C(20000000)

/* What is compared of an object that is looked at. */
struct state {
    uint64_t count, token;
    uint64_t print; /* of a value, or who has a lock */
    char label[64];
};

struct ili_remote_watch {
    const struct ili_remote_object *object; /* borrowed */
    bool keeps;                             /* a dict or list: it keeps its changes */
    bool begun;                             /* what is told must be another state than `state` */
    uint64_t after;
    /* of one that keeps changes: the newest answer; its list is walked */
    struct ili_call call;
    bool asked, missed;
    struct ili_json changes, next;
    struct ili_json_walk walk;
    struct state state;
};

/* ---- changes -------------------------------------------------------------------------------------- */

static uint64_t version_of(struct ili_json change) {
    uint64_t version = 0;
    (void)ili_json_number_text(ili_json_member(change, "version"), &version);
    return version;
}

static void drop_answer(struct ili_remote_watch *w) {
    if (w->asked) ili_call_end(&w->call);
    w->asked = false;
    w->next = (struct ili_json){0};
}

/* Whether the answer brings no change, but only the place from which to go on. */
static bool brings_none(const struct ili_call *call) {
    struct ili_json changes = ili_json_member(call->object, "changes");
    return json_is_array(changes.json) && json_array_size(changes.json) == 0 &&
           !ili_json_is(ili_json_member(call->object, "missed"), "true");
}

/* Asks once, as long as WAIT lasts. *AGAIN: nothing came, and it is worth asking again. */
static il_status ask(struct ili_remote_watch *w, const struct ili_wait *wait, bool *again) {
    struct ili_call *call = &w->call;
    uint64_t after;
    *again = false;
    drop_answer(w);
    il_status status = ili_remote_domain_check(w->object->domain);
    if (status != IL_OK) return status;
    ili_remote_object_begin(call, w->object, "POST", "changes");
    if (w->begun) ili_call_field_number_text(call, "after", w->after);
    call->vain = brings_none;
    w->asked = true;
    status = ili_remote_object_gone(ili_call_poll(call, wait, again));
    bool placed = ili_json_number_text(ili_json_member(call->object, "after"), &after);
    w->begun |= placed;
    w->changes = ili_json_member(call->object, "changes");
    if (status == IL_OK && !(placed && json_is_array(w->changes.json))) {
        return ili_call_nonsense(call, "something that lacks changes");
    }
    if (status == IL_OK) {
        w->missed = ili_json_is(ili_json_member(call->object, "missed"), "true");
        w->walk = (struct ili_json_walk){0};
        w->next = ili_json_next(w->changes, &w->walk);
    }
    if (placed && !w->next.json) w->after = after;
    return status;
}

static uint32_t what_of(struct ili_json change) {
    static const char *const words[] = {"\"set\"", "\"removed\"", "\"inserted\"", "\"cleared\"",
                                        "\"order\""};
    struct ili_json what = ili_json_member(change, "what");
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (ili_json_is(what, words[i])) return i + 1;
    }
    return 0;
}

static bool read_key(struct ili_json key, il_changed *changed) {
    struct ili_buffer text = {0};
    if (!key.json) return true;
    bool read = ili_json_string(key, &text) && text.bytes <= IL_KEY_MAX_BYTES;
    if (read && text.bytes) memcpy(changed->key, text.data, text.bytes);
    if (read) changed->key_bytes = (uint32_t)text.bytes;
    ili_buffer_free(&text);
    return read;
}

/* The change that is next in the answer. */
static il_status take(struct ili_remote_watch *w, il_changed *changed) {
    struct ili_json change = w->next;
    uint64_t version = version_of(change), index = 0;
    if (w->missed) { /* before all others */
        w->missed = false;
        changed->what = IL_CHANGED_MISSED;
        changed->id = change.json && version ? version - 1 : w->after;
        return IL_OK;
    }
    changed->what = what_of(change);
    changed->id = version;
    (void)ili_json_number(ili_json_member(change, "index"), &index);
    (void)ili_json_number(ili_json_member(change, "count"), &changed->count);
    changed->index = (int64_t)index;
    if (!changed->what || !version || !read_key(ili_json_member(change, "key"), changed)) {
        return ili_call_nonsense(&w->call, "a change that makes no sense");
    }
    w->next = ili_json_next(w->changes, &w->walk);
    changed->more = w->next.json && version_of(w->next) == version;
    if (!changed->more) w->after = version;
    return IL_OK;
}

static il_status next_change(struct ili_remote_watch *w, const struct ili_wait *wait,
                             il_changed *changed) {
    bool again = true;
    il_status status = w->next.json || w->missed ? IL_OK : IL_ETIMEOUT;
    while (status == IL_ETIMEOUT && again) status = ask(w, wait, &again);
    if (status == IL_OK) status = take(w, changed);
    if (!w->next.json && !w->missed) drop_answer(w);
    return status;
}

/* ---- the newest state ----------------------------------------------------------------------------- */

static uint64_t print_of(const char *text, size_t bytes) {
    uint64_t print = UINT64_C(1469598103934665603); /* FNV-1a */
    for (size_t i = 0; i < bytes; i++) {
        print = (print ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    }
    return print;
}

static il_status look_at_value(const struct ili_remote_watch *w, struct state *state) {
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, w->object);
    if (status == IL_OK) {
        struct ili_json value = ili_json_member(call.object, "value");
        if (!value.json) value = ili_json_member(call.object, "base64");
        state->print = print_of(value.at, value.bytes);
    }
    ili_call_end(&call);
    return status;
}

static il_status look_at_lock(const struct ili_remote_watch *w, struct state *state) {
    il_owner owner = {.struct_bytes = sizeof owner};
    il_status status = ili_remote_owned_owner(w->object, &owner);
    if (status != IL_OK) return status;
    state->token = owner.token;
    if (owner.token) memcpy(state->label, owner.label, sizeof state->label);
    return IL_OK;
}

static il_status look(const struct ili_remote_watch *w, struct state *state) {
    memset(state, 0, sizeof *state);
    switch (w->object->kind) {
    case IL_KIND_QUEUE: return ili_remote_object_number(w->object, "size", &state->count);
    case IL_KIND_VALUE: return look_at_value(w, state);
    default: return look_at_lock(w, state);
    }
}

/* Until it is time to look again. IL_ETIMEOUT: WAIT is over; IL_EINTR, IL_ECANCELLED. */
static il_status doze(const struct ili_wait *wait) {
    il_status asked = wait->now ? IL_OK : ili_host->take_request();
    int64_t now = ili_host->now_ns(), until = now + LOOK_NS;
    if (asked != IL_OK) return ili_remote_fail(asked, NULL);
    if (wait->now || now >= wait->deadline_ns) return ili_remote_fail(IL_ETIMEOUT, NULL);
    if (wait->deadline_ns < until) until = wait->deadline_ns;
    int64_t limit = ili_host->cancelled_at_ns();
    if (limit < until) until = limit < now ? now : limit;
    struct pollfd polled = {.fd = ili_host->wake_fd(), .events = POLLIN};
    int ready = poll(&polled, 1, (int)((until - now + 999999) / 1000000));
    if (ready < 0 && errno == EINTR) ili_host->signalled();
    if (ready != 0) {
        asked = ili_host->take_request();
        if (asked != IL_OK) return ili_remote_fail(asked, NULL);
        uint64_t count; /* readable though nothing is asked: it was taken elsewhere */
        ssize_t ignored = read(polled.fd, &count, sizeof count);
        (void)ignored;
    }
    return IL_OK;
}

static void tell(struct ili_remote_watch *w, const struct state *now, il_changed *changed) {
    uint64_t last = w->after; /* of a lock: the newest token that was seen */
    changed->what = IL_CHANGED_STATE;
    changed->token = now->token;
    changed->count = now->count;
    if (w->object->kind == IL_KIND_QUEUE) {
        changed->id = now->count + 1;
    } else if (w->object->kind == IL_KIND_VALUE) {
        changed->id = ++w->after;
    } else {
        if (now->token) w->after = now->token;
        changed->id = w->after;
        changed->count = last && now->token > last + 1 ? now->token - last - 1 : 0;
        changed->key_bytes = (uint32_t)strnlen(now->label, sizeof now->label - 1);
        memcpy(changed->key, now->label, changed->key_bytes);
    }
    w->state = *now;
    w->begun = true;
}

static il_status next_state(struct ili_remote_watch *w, const struct ili_wait *wait,
                            il_changed *changed) {
    struct state now;
    il_status status;
    while ((status = look(w, &now)) == IL_OK) {
        if (!w->begun || memcmp(&now, &w->state, sizeof now) != 0) {
            tell(w, &now, changed);
            return IL_OK;
        }
        status = doze(wait);
        if (status != IL_OK) return status;
    }
    return status;
}

/* ---- open, next, close ---------------------------------------------------------------------------- */

il_status ili_remote_watch_open(uint32_t kind, void *object, uint64_t after,
                                struct ili_remote_watch **out) {
    struct ili_remote_watch *w = calloc(1, sizeof *w);
    if (!w) return ili_remote_fail(IL_ENOMEM, "this process has no memory");
    w->object = object;
    w->keeps = kind == IL_KIND_DICT || kind == IL_KIND_LIST;
    w->after = after;
    il_status status = IL_OK;
    if (w->keeps) {
        struct ili_wait now = {.now = true};
        bool again;
        w->begun = after != 0;
        if (!w->begun) { /* where it is now */
            status = ask(w, &now, &again);
            if (status == IL_ETIMEOUT) status = IL_OK;
            drop_answer(w);
        }
    } else if (after == 0) {
        status = look(w, &w->state);
        w->after = w->state.token;
        w->begun = true;
    }
    if (status != IL_OK) {
        free(w);
        return status;
    }
    *out = w;
    return IL_OK;
}

il_status ili_remote_watch_next(struct ili_remote_watch *watch, il_changed *changed,
                                int64_t timeout_ns) {
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    return watch->keeps ? next_change(watch, &wait, changed) : next_state(watch, &wait, changed);
}

il_status ili_remote_watch_close(struct ili_remote_watch *watch) {
    drop_answer(watch);
    free(watch);
    return IL_OK;
}

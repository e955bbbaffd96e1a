#include "client/several.h"

#include <stdlib.h>
#include <string.h>

#include "client/owned.h"
#include "client/self.h"

#define TARGET_BYTES 4096u /* of an answer, for one of its grants */

/* One attempt: the targets, and an entry of the table for each that may be granted. */
struct several {
    struct ili_remote_domain *domain;
    struct ili_remote_target *targets;
    size_t count;
    struct ili_remote_grant **grants; /* NULL: of a kind that is not acquired, or handed on */
};

static void forget(struct several *s) {
    for (size_t i = 0; s->grants && i < s->count; i++) free(s->grants[i]);
    free(s->grants);
}

static uint32_t permits(const struct ili_remote_target *target) {
    return target->count ? target->count : 1;
}

/* Makes the entries, within SESSION. */
static il_status prepare(struct several *s, const struct ili_remote_session_ref *session) {
    s->grants = calloc(s->count, sizeof *s->grants);
    bool good = s->grants;
    for (size_t i = 0; good && i < s->count; i++) {
        const struct ili_remote_target *target = &s->targets[i];
        struct ili_remote_ask ask = {.mode = target->mode, .count = permits(target)};
        if (!ili_remote_kind_is_acquired(target->kind)) continue;
        s->grants[i] = ili_remote_owned_prepare(target->object, session, &ask);
        good = s->grants[i];
    }
    return good ? IL_OK : ili_remote_fail(IL_ENOMEM, "no memory for grants");
}

static void write_target(struct ili_buffer *body, const struct ili_remote_target *target) {
    const struct ili_remote_object *object = target->object;
    ili_buffer_add_text(body, "{\"kind\":\"");
    ili_buffer_add_text(body, ili_remote_kind_word(target->kind));
    ili_buffer_add_text(body, "\",\"name\":");
    ili_json_quote(body, object->name, object->name_bytes);
    if (target->kind == IL_KIND_RWLOCK) {
        ili_buffer_add_text(body, target->mode == IL_SHARED ? ",\"mode\":\"shared\""
                                                            : ",\"mode\":\"exclusive\"");
    }
    if (target->kind == IL_KIND_PIPE) {
        ili_buffer_add_text(body, target->mode == IL_PIPE_A ? ",\"end\":\"a\"" : ",\"end\":\"b\"");
    }
    if (target->kind == IL_KIND_SEMAPHORE) {
        ili_buffer_add_text(body, ",\"count\":");
        ili_buffer_add_number(body, permits(target));
    }
    ili_buffer_add_text(body, "}");
}

static void write_body(struct several *s, struct ili_call *call,
                       const struct ili_remote_session_ref *session) {
    call->keyed = true;
    call->answer_max += s->count * TARGET_BYTES;
    ili_call_field(call, "targets");
    for (size_t i = 0; i < s->count; i++) {
        ili_buffer_add_text(&call->body, i ? "," : "[");
        write_target(&call->body, &s->targets[i]);
    }
    ili_buffer_add_text(&call->body, "]");
    ili_remote_session_name(call, session, ili_remote_self());
}

/* Target I was granted, as ANSWER tells. */
static il_status take(struct several *s, struct ili_call *call, size_t i, struct ili_json answer) {
    uint64_t token = 0;
    struct ili_remote_grant *grant = s->grants[i];
    s->grants[i] = NULL;
    il_status status = ili_remote_owned_granted(call, answer, grant, &token);
    if (status != IL_OK && status != IL_EOWNERDEAD) return status;
    s->targets[i].status = status;
    s->targets[i].token = token;
    return IL_OK;
}

static il_status read_all(struct several *s, struct ili_call *call) {
    struct ili_json grants = ili_json_member(call->object, "grants");
    struct ili_json_walk walk = {0};
    if (json_array_size(grants.json) != s->count) {
        return ili_call_nonsense(call, "another number of grants than it was asked for");
    }
    il_status status = IL_OK;
    for (size_t i = 0; i < s->count; i++) { /* to the end: each that is a grant is noted */
        il_status one = take(s, call, i, ili_json_next(grants, &walk));
        if (status == IL_OK) status = one;
    }
    return status;
}

static il_status read_one(struct several *s, struct ili_call *call, size_t *index) {
    uint32_t which;
    il_status status = ili_remote_answer_count(call, "index", &which);
    if (status != IL_OK) return status;
    if (which >= s->count) return ili_call_nonsense(call, "an index beyond the targets");
    if (s->grants[which]) {
        status = take(s, call, which, call->object);
    } else {
        s->targets[which].status = IL_OK;
        s->targets[which].token = 0;
    }
    if (status == IL_OK) *index = which;
    return status;
}

/* Within the session that stands now. INDEX NULL: all of them. */
static il_status ask_once(struct several *s, const struct ili_wait *wait, size_t *index) {
    struct ili_remote_session_ref session;
    il_status status = ili_remote_session_use(s->domain, &session);
    if (status != IL_OK) return status;
    status = prepare(s, &session);
    if (status == IL_OK) {
        struct ili_call call;
        ili_call_begin(&call, s->domain, "POST", index ? "wait" : "acquire", NULL, 0, NULL);
        write_body(s, &call, &session);
        status = ili_remote_object_gone(ili_call_wait(&call, wait));
        if (status == IL_ESESSION) ili_remote_session_ended(s->domain, session.number);
        if (status == IL_OK) status = index ? read_one(s, &call, index) : read_all(s, &call);
        ili_call_end(&call);
    }
    forget(s);
    return status;
}

static il_status ask(struct several *s, int64_t timeout_ns, size_t *index) {
    il_status status = ili_remote_domain_check(s->domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    int attempt = 0;
    do {
        status = ask_once(s, &wait, index);
    } while (status == IL_ESESSION && ++attempt < ILI_SESSION_ATTEMPTS);
    return status;
}

/* All targets are of the first one's domain: of another they would name other objects. */
static il_status begin(struct ili_remote_target *targets, size_t count, struct several *s) {
    struct ili_remote_domain *domain = ((struct ili_remote_object *)targets[0].object)->domain;
    *s = (struct several){.domain = domain, .targets = targets, .count = count};
    for (size_t i = 1; i < count; i++) {
        if (((struct ili_remote_object *)targets[i].object)->domain == domain) continue;
        return ili_remote_fail(IL_EINVAL, "targets[%zu]: expected an object of the same domain", i);
    }
    return IL_OK;
}

il_status ili_remote_acquire_all(struct ili_remote_target *targets, size_t count,
                                 int64_t timeout_ns) {
    struct several s;
    il_status status = begin(targets, count, &s);
    if (status != IL_OK) return status;
    return ask(&s, timeout_ns, NULL);
}

il_status ili_remote_wait_any(struct ili_remote_target *targets, size_t count, int64_t timeout_ns,
                              size_t *index) {
    struct several s;
    il_status status = begin(targets, count, &s);
    if (status != IL_OK) return status;
    return ask(&s, timeout_ns, index);
}

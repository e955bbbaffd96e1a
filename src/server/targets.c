#include "server/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/pipes.h"
#include "server/reply.h"
#include "server/rwmode.h"
#include "server/server.h"

static il_status wrong(struct ili_fault *fault, const char *field, size_t index, const char *member,
                       const char *expected) {
    char where[sizeof fault->field];
    snprintf(where, sizeof where, "%s[%zu]%s%.30s", field, index, member ? "." : "",
             member ? member : "");
    return ili_fault_expected(fault, where, expected);
}

static const struct ili_kind *kind_named(const char *word, bool wait) {
    for (uint32_t number = 1; word && number < ILI_KINDS_END; number++) {
        const struct ili_kind *kind = ili_kind_of(number);
        if (!kind || strcmp(kind->word, word) != 0) continue;
        bool right = wait ? ili_target_can_wait(number) : ili_target_is_acquired(number);
        return right ? kind : NULL;
    }
    return NULL;
}

struct members {
    const struct ili_kind *kind;
    bool mode, count, end;
    uint32_t pipe_end;
};

static il_status read_member(const char *key, const struct ili_value *value, const char *field,
                             size_t index, bool wait, struct ili_named_target *t, struct members *m,
                             struct ili_fault *fault) {
    const char *text = json_string_value(value->json);
    uint64_t count = 1;
    char where[sizeof fault->field];
    snprintf(where, sizeof where, "%s[%zu].%.30s", field, index, key);
    if (strcmp(key, "kind") == 0) {
        m->kind = kind_named(text, wait);
        if (m->kind) return IL_OK;
        return wrong(fault, field, index, key,
                     wait ? "lock, rlock, rwlock, semaphore, event, latch, queue or pipe"
                          : "lock, rlock, rwlock or semaphore");
    }
    if (strcmp(key, "name") == 0) {
        size_t bytes = text ? json_string_length(value->json) : 0;
        if (!text || ili_name_check(text, bytes, NULL) != IL_OK) {
            return wrong(fault, field, index, key, "1 to 255 bytes of UTF-8 without NUL");
        }
        memcpy(t->name, text, bytes);
        t->name_bytes = (uint8_t)bytes;
        return IL_OK;
    }
    if (strcmp(key, "mode") == 0) {
        m->mode = true;
        return ili_mode_parse(text, where, &t->claim.ask.mode, fault);
    }
    if (strcmp(key, "count") == 0) {
        size_t bytes = json_is_number(value->json) ? value->bytes : 0;
        m->count = true;
        il_status status =
            ili_params_count(where, value->at, bytes, 1, IL_SEMAPHORE_MAX, &count, fault);
        t->claim.ask.count = (uint32_t)count;
        return status;
    }
    if (strcmp(key, "end") == 0) {
        m->end = true;
        return ili_pipe_end_parse(text, where, &m->pipe_end, fault);
    }
    return wrong(fault, field, index, key, "one of kind, name, mode, count, end");
}

static il_status read_one(const struct ili_value *value, const char *field, size_t index, bool wait,
                          struct ili_named_target *t, struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value member;
    struct members m = {0};
    t->claim.ask = (struct ili_ask){.mode = IL_EXCLUSIVE, .count = 1};
    if (!json_is_object(value->json)) {
        return wrong(fault, field, index, NULL, "an object with kind and name");
    }
    while (ili_value_next(value, &walk, &member)) {
        il_status status = read_member(walk.key, &member, field, index, wait, t, &m, fault);
        if (status != IL_OK) return status;
    }
    if (!m.kind) return wrong(fault, field, index, "kind", "to be given");
    if (t->name_bytes == 0) return wrong(fault, field, index, "name", "to be given");
    if (m.mode && m.kind->number != ILI_KIND_RWLOCK) {
        return wrong(fault, field, index, "mode", "to be given for an rwlock only");
    }
    if (m.count && m.kind->number != ILI_KIND_SEMAPHORE) {
        return wrong(fault, field, index, "count", "to be given for a semaphore only");
    }
    bool pipe = m.kind->number == ILI_KIND_PIPE;
    if (m.end != pipe) {
        return wrong(fault, field, index, "end",
                     pipe ? "to be given" : "to be given for a pipe only");
    }
    t->claim.of = ili_grantable_of(m.kind->number);
    t->target = (struct ili_target){.kind = m.kind->number,
                                    .mode = pipe ? m.pipe_end : t->claim.ask.mode,
                                    .count = t->claim.ask.count};
    return IL_OK;
}

static bool is_same(const struct ili_named_target *a, const struct ili_named_target *b) {
    bool pipes = a->target.kind == ILI_KIND_PIPE;
    if (pipes && a->target.mode != b->target.mode) return false;
    return a->target.kind == b->target.kind && a->name_bytes == b->name_bytes &&
           memcmp(a->name, b->name, a->name_bytes) == 0;
}

il_status ili_targets_read(const struct ili_value *value, const char *field, bool wait,
                           struct ili_targets *targets, struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value one;
    size_t count = json_array_size(value->json); /* 0 also if it is no array */
    if (count < 1 || count > ILI_TARGETS_MOST) {
        return ili_fault_set(fault, IL_EINVAL, field, "an array of 1 to 64 objects",
                             "%s: expected an array of 1 to 64 objects", field);
    }
    targets->at = calloc(count, sizeof *targets->at);
    if (!targets->at) {
        return ili_fault_set(fault, IL_ENOMEM, NULL, NULL,
                             "the server has no memory for the request");
    }
    while (ili_value_next(value, &walk, &one)) {
        size_t index = targets->count++;
        il_status status = read_one(&one, field, index, wait, &targets->at[index], fault);
        if (status != IL_OK) return status;
        for (size_t i = 0; i < index; i++) {
            if (!is_same(&targets->at[i], &targets->at[index])) continue;
            return wrong(fault, field, index, NULL, "another object than those before");
        }
    }
    return IL_OK;
}

bool ili_targets_open(struct ili_request *request, struct ili_targets *targets) {
    for (size_t i = 0; i < targets->count; i++) {
        struct ili_named_target *t = &targets->at[i];
        void *object;
        il_status status = ili_pin_name(request->server, ili_kind_of(t->target.kind), t->name,
                                        t->name_bytes, NULL, 0, NULL, &object);
        if (status != IL_OK) {
            ili_targets_problem(request, targets, i, status);
            return false;
        }
        t->claim.object = t->target.object = object;
        t->claim.at = ili_off_of(&ili_server_member(request->server)->arena, object);
    }
    return true;
}

void ili_target_refuse(struct ili_request *request, struct ili_named_target *target) {
    struct ili_claim *claim = &target->claim;
    if (!claim->of) return;
    claim->owner_died = target->target.status == IL_EOWNERDEAD;
    ili_claim_refuse(request, claim, target->target.token);
    target->target.token = 0;
}

void ili_targets_drop(struct ili_server *server, struct ili_targets *targets) {
    for (size_t i = 0; i < targets->count; i++) ili_claim_drop(server, &targets->at[i].claim);
    free(targets->at);
    *targets = (struct ili_targets){0, NULL};
}

void ili_target_write(struct ili_out *out, const struct ili_named_target *target) {
    ili_out_key(out, "kind");
    ili_out_string(out, ili_kind_word(target->target.kind));
    ili_out_key(out, "name");
    ili_out_text(out, target->name, target->name_bytes);
    if (target->target.kind != ILI_KIND_PIPE) return;
    ili_out_key(out, "end");
    ili_out_string(out, ili_pipe_end_word(target->target.mode));
}

void ili_targets_problem(struct ili_request *request, const struct ili_targets *targets,
                         size_t index, il_status status) {
    const struct ili_named_target *t = &targets->at[index];
    const struct ili_status_info *info = ili_status_info(status);
    char detail[IL_NAME_MAX_BYTES + 160];
    snprintf(detail, sizeof detail, "the %s \"%.*s\": %s", ili_kind_word(t->target.kind),
             t->name_bytes, t->name, info ? info->text : "unknown failure");
    ili_reply_problem(request, status, detail);
}

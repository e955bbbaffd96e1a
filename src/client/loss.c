#include "client/loss.h"

#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "client/call.h"
#include "client/kinds.h"

static bool read_loss(struct ili_json told, il_loss *loss) {
    struct ili_json name = ili_json_member(told, "name"), code = ili_json_member(told, "code");
    const char *why = json_string_value(code.json);
    const struct ili_status_info *info = why ? ili_status_by_code(why) : NULL;
    size_t bytes = json_string_length(name.json);
    *loss = (il_loss){.kind = ili_remote_kind_read(ili_json_member(told, "kind"))};
    if (!loss->kind || !info || bytes > IL_NAME_MAX_BYTES ||
        !ili_json_number_text(ili_json_member(told, "token"), &loss->token)) {
        return false;
    }
    loss->why = info->status;
    loss->name_bytes = (uint32_t)bytes;
    if (bytes) memcpy(loss->name, json_string_value(name.json), bytes);
    ili_text_copy(loss->reason, sizeof loss->reason,
                  json_string_value(ili_json_member(told, "reason").json));
    return true;
}

/* Adds what CALL told behind number AFTER of the session REF, unless another thread did so before. */
static il_status read_losses(struct ili_remote_domain *domain, struct ili_call *call,
                             const struct ili_remote_session_ref *ref, uint64_t after) {
    struct ili_remote_session *session = &domain->session;
    struct ili_json losses = ili_json_member(call->object, "losses"), told;
    struct ili_json_walk walk = {0};
    uint64_t now;
    if (!json_is_array(losses.json) ||
        !ili_json_number_text(ili_json_member(call->object, "after"), &now)) {
        return ili_call_nonsense(call, "no list of losses");
    }
    pthread_mutex_lock(&session->mutex);
    bool first = session->ref.number != ref->number || session->losses_after == after;
    if (session->ref.number == ref->number && first) session->losses_after = now;
    pthread_mutex_unlock(&session->mutex);
    il_status status = IL_OK;
    while (first && (told = ili_json_next(losses, &walk)).at) {
        il_loss loss;
        if (read_loss(told, &loss)) {
            ili_remote_losses_add(&domain->losses, &loss);
        } else {
            status = ili_call_nonsense(call, "what is no loss");
        }
    }
    return status;
}

/* Asks for more within the session that stands now. */
static il_status ask_once(struct ili_remote_domain *domain, const struct ili_wait *wait) {
    struct ili_remote_session_ref ref;
    il_status status = ili_remote_session_use(domain, &ref);
    if (status != IL_OK) return status;
    pthread_mutex_lock(&domain->session.mutex);
    uint64_t after = domain->session.ref.number == ref.number ? domain->session.losses_after : 0;
    pthread_mutex_unlock(&domain->session.mutex);

    struct ili_call call;
    ili_call_begin(&call, domain, "POST", "sessions", ref.id, strlen(ref.id), "losses");
    call.answer_max *= 4; /* 512 losses, with their names and reasons */
    if (after) {
        ili_call_field_number_text(&call, "after", after);
    }
    status = ili_call_wait(&call, wait);
    if (status == IL_OK) status = read_losses(domain, &call, &ref, after);
    if (status == IL_ESESSION || status == IL_ENOTFOUND) {
        ili_remote_session_ended(domain, ref.number);
        status = IL_ESESSION;
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_loss_next(struct ili_remote_domain *domain, il_loss *loss,
                               int64_t timeout_ns) {
    il_status status = ili_remote_domain_check(domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    int ended = 0;
    bool asked = false;
    for (;;) {
        il_loss next;
        if (ili_remote_losses_take(&domain->losses, &next)) {
            next.struct_bytes = loss->struct_bytes;
            *loss = next;
            return IL_OK;
        }
        bool over = wait.now || ili_host->now_ns() >= wait.deadline_ns;
        if (asked && status == IL_OK && over) return ili_remote_fail(IL_ETIMEOUT, NULL);
        if (status == IL_ESESSION && ended == ILI_SESSION_ATTEMPTS) return status;
        if (status != IL_OK && status != IL_ESESSION) return status;
        asked = true;
        status = ask_once(domain, &wait);
        ended = status == IL_ESESSION ? ended + 1 : 0;
    }
}

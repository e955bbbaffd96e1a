#include "client/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/call.h"
#include "client/self.h"

#define RETRY_PARTS 12 /* of the TTL, between renewals that did not reach the server */

void ili_remote_session_init(struct ili_remote_session *session) {
    memset(session, 0, sizeof *session);
    pthread_mutex_init(&session->mutex, NULL);
}

void ili_remote_session_destroy(struct ili_remote_session *session) {
    pthread_mutex_destroy(&session->mutex);
}

/* ---- making one --------------------------------------------------------------------------------- */

/* Under the mutex: reads the session that CALL made. */
static il_status read_session(struct ili_remote_session *session, struct ili_call *call) {
    struct ili_json member = ili_json_member(call->object, "id");
    const char *id = json_string_value(member.json);
    int64_t ttl_ns;
    if (!id || *id == 0 || strlen(id) >= sizeof session->ref.id) {
        return ili_call_nonsense(call, "a session without an id");
    }
    if (!ili_json_seconds(ili_json_member(call->object, "ttl"), &ttl_ns) || ttl_ns == 0) {
        return ili_call_nonsense(call, "a session without a TTL");
    }
    ili_text_copy(session->ref.id, sizeof session->ref.id, id);
    session->ref.number++;
    session->ttl_ns = ttl_ns;
    session->losses_after = 0;
    session->stands = true;
    return IL_OK;
}

/* Under the mutex. */
static il_status make(struct ili_remote_domain *domain) {
    struct ili_remote_session *session = &domain->session;
    char host[65] = "", shown[65];
    gethostname(host, sizeof host - 1);
    ili_text_copy(shown, sizeof shown - 1, ili_utf8_valid(host, strlen(host)) ? host : "");

    struct ili_call call;
    int64_t before = ili_host->now_ns();
    ili_call_begin(&call, domain, "POST", "sessions", NULL, 0, NULL);
    call.keyed = true;
    ili_call_field(&call, "ttl");
    ili_buffer_add_number(&call.body, ILI_SESSION_TTL_SECONDS);
    ili_call_field_text(&call, "label", domain->label, strlen(domain->label));
    ili_call_field_text(&call, "host", shown, strlen(shown));
    il_status status = ili_call_run(&call);
    if (status == IL_OK) status = read_session(session, &call);
    ili_call_end(&call);
    if (status == IL_OK) session->renew_at_ns = ili_renewer_renew_at(before, session->ttl_ns);
    return status;
}

il_status ili_remote_session_use(struct ili_remote_domain *domain,
                                 struct ili_remote_session_ref *ref) {
    struct ili_remote_session *session = &domain->session;
    il_status status = ili_renewer_start(domain);
    if (status != IL_OK) return status;
    int64_t made = ILI_NEVER;
    pthread_mutex_lock(&session->mutex);
    if (!session->stands) {
        status = make(domain);
        if (status == IL_OK) made = session->renew_at_ns;
    }
    if (status == IL_OK) *ref = session->ref;
    pthread_mutex_unlock(&session->mutex);
    ili_renewer_notice(&domain->renewer, made);
    return status;
}

bool ili_remote_session_stands(struct ili_remote_domain *domain,
                               struct ili_remote_session_ref *ref) {
    struct ili_remote_session *session = &domain->session;
    pthread_mutex_lock(&session->mutex);
    bool stands = session->stands;
    if (stands) *ref = session->ref;
    pthread_mutex_unlock(&session->mutex);
    return stands;
}

void ili_remote_session_name(struct ili_call *call, const struct ili_remote_session_ref *ref,
                             uint64_t owner) {
    ili_call_field_text(call, "session", ref->id, strlen(ref->id));
    if (owner == 0) return;
    ili_call_field(call, "owner");
    ili_remote_self_write(&call->body, owner);
}

/* ---- its end ------------------------------------------------------------------------------------ */

void ili_remote_session_ended(struct ili_remote_domain *domain, uint64_t number) {
    struct ili_remote_session *session = &domain->session;
    pthread_mutex_lock(&session->mutex);
    if (session->ref.number == number) session->stands = false;
    ili_remote_grants_lose(&domain->grants, number, &domain->losses);
    pthread_mutex_unlock(&session->mutex);
}

il_status ili_remote_session_verdict(struct ili_remote_domain *domain, uint64_t number,
                                     il_status status) {
    if (status != IL_ESESSION) return status;
    ili_remote_session_ended(domain, number);
    return ili_remote_fail(IL_ELEASE, "the session on the server ended, since it could not be "
                                      "renewed in time or was ended there");
}

void ili_remote_session_finish(struct ili_remote_domain *domain) {
    struct ili_remote_session_ref ref;
    if (!ili_remote_session_stands(domain, &ref)) return;
    struct ili_call call;
    ili_call_begin(&call, domain, "DELETE", "sessions", ref.id, strlen(ref.id), NULL);
    (void)ili_call_run(&call); /* if it was not heard, the TTL ends the session */
    ili_call_end(&call);
}

/* ---- renewal ------------------------------------------------------------------------------------ */

int64_t ili_remote_session_due(struct ili_remote_domain *domain) {
    struct ili_remote_session *session = &domain->session;
    pthread_mutex_lock(&session->mutex);
    int64_t due = session->stands ? session->renew_at_ns : ILI_NEVER;
    pthread_mutex_unlock(&session->mutex);
    return due;
}

void ili_remote_session_renew(struct ili_remote_domain *domain,
                              const struct ili_http_waker *cancel) {
    struct ili_remote_session *session = &domain->session;
    struct ili_remote_session_ref ref;
    if (!ili_remote_session_stands(domain, &ref)) return;
    int64_t before = ili_host->now_ns();
    struct ili_call call;
    ili_call_begin(&call, domain, "POST", "sessions", ref.id, strlen(ref.id), "renew");
    /* a lease that a caller asked for ends unless that caller renews it */
    ili_call_field(&call, "leases");
    ili_buffer_add_text(&call.body, "false");
    il_status status = ili_call_run_until(&call, cancel);
    ili_call_end(&call);
    if (status == IL_ESESSION || status == IL_ENOTFOUND) {
        ili_remote_session_ended(domain, ref.number);
        return;
    }
    pthread_mutex_lock(&session->mutex);
    if (session->ref.number == ref.number) {
        session->renew_at_ns = status == IL_OK ? ili_renewer_renew_at(before, session->ttl_ns)
                                               : ili_host->now_ns() + session->ttl_ns / RETRY_PARTS;
    }
    pthread_mutex_unlock(&session->mutex);
}

#include "server/daemons.h"

#include <stddef.h>

#include "base/text.h"
#include "server/client_sessions.h"
#include "server/server.h"

il_status ili_daemon_check(bool daemon, const char *session, struct ili_fault *fault) {
    if (daemon == (session[0] != 0)) return IL_OK;
    const char *expected = daemon ? "the id of the session that the daemon ends with"
                                  : "nothing, since only a daemon belongs to a session";
    return ili_fault_expected(fault, "session", expected);
}

il_status ili_daemon_bind(struct ili_server *server, struct ili_daemon *daemon, const char *session,
                          void (*end)(struct ili_server *server, struct ili_daemon *daemon),
                          struct ili_fault *fault) {
    struct ili_client_session *s = ili_client_session_named(server, session);
    if (!s) {
        return ili_fault_set(fault, IL_ESESSION, "session", "the id of a session that goes on",
                             "the session \"%s\" has ended, or never was", session);
    }
    ili_client_session_touch(server, s);
    *daemon = (struct ili_daemon){.after = s->daemons, .session = s, .end = end};
    if (s->daemons) s->daemons->before = daemon;
    s->daemons = daemon;
    ili_text_copy(daemon->id, sizeof daemon->id, session);
    return IL_OK;
}

void ili_daemon_unbind(struct ili_daemon *daemon) {
    if (!daemon->session) return;
    *(daemon->before ? &daemon->before->after : &daemon->session->daemons) = daemon->after;
    if (daemon->after) daemon->after->before = daemon->before;
    daemon->before = daemon->after = NULL;
    daemon->session = NULL;
}

void ili_daemons_end(struct ili_server *server, struct ili_client_session *session) {
    while (session->daemons) {
        struct ili_daemon *daemon = session->daemons;
        ili_daemon_unbind(daemon);
        daemon->end(server, daemon);
    }
}

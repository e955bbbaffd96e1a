#include "server/front.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "server/connection.h"
#include "server/server.h"
#include "server/stream.h"

/* A head of a request, and its answer's, must fit in here. */
#define CONNECTION_MEMORY 4096
#define CONNECTION_INCREMENT 256

/* ---- libmicrohttpd's callbacks ----------------------------------------------------------------- */

static void on_connection(void *context, struct MHD_Connection *wire, void **slot,
                          enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(wire, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        const struct sockaddr *address =
            MHD_get_connection_info(wire, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
        bool local = address && address->sa_family == AF_UNIX;
        *slot = ili_connection_begin(context, wire, fd, local);
    } else if (*slot) {
        ili_connection_end(*slot);
        *slot = NULL;
    }
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *wire, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_bytes, void **slot) {
    (void)context;
    struct ili_request *request = *slot;
    struct ili_connection *connection =
        request ? request->connection
                : MHD_get_connection_info(wire, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (!connection) return MHD_NO; /* no memory was left for it */
    int result = ili_request_called(connection, url, method, version, data, data_bytes, &request);
    *slot = request;
    return result ? MHD_YES : MHD_NO;
}

/* Whether the answer can be taken for received: it was written, and the client did not close its
 * socket before reading it, which the kernel tells by an error. An end of file says nothing: the client
 * may have read the answer and closed before sendmsg() returned here. What still lies in the kernel of
 * a client that lives cannot be known. */
static bool was_written(const struct ili_request *request, enum MHD_RequestTerminationCode code) {
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK || !request->answered) return false;
    if (!request->work || !request->work->undo) return true; /* nobody wants to know */
    struct pollfd look = {.fd = request->connection->source.fd};
    return poll(&look, 1, 0) <= 0 || !(look.revents & POLLERR);
}

static void on_completed(void *context, struct MHD_Connection *wire, void **slot,
                         enum MHD_RequestTerminationCode code) {
    struct ili_request *request = *slot;
    (void)context, (void)wire;
    if (!request) return;
    *slot = NULL;
    ili_request_completed(request, was_written(request, code));
}

/* Paths and queries are taken apart before they are decoded, by ourselves. */
static size_t leave_encoded(void *context, struct MHD_Connection *wire, char *text) {
    (void)context, (void)wire;
    return strlen(text);
}

/* ---- engines ------------------------------------------------------------------------------------ */

static void engine_ready(struct ili_source *source, uint32_t events, void *context) {
    (void)events, (void)context;
    ((struct ili_engine *)source)->run = true;
}

static struct ili_engine *start_engine(struct ili_server *server) {
    struct ili_engine *engine = calloc(1, sizeof *engine);
    if (!engine) return NULL;
    engine->server = server;
    /* No internal thread: it stops for ever once its event list is exactly full. No timeouts: the
     * sweep does it, also for those that send a byte now and then. */
    engine->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
                             MHD_USE_SUPPRESS_DATE_NO_CLOCK,
                         0, NULL, NULL, on_request, engine,                                    //
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, engine,                    //
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, engine,                  //
                         MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL,                    //
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)ILI_ENGINE_CONNECTIONS,        //
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,        //
                         MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)CONNECTION_INCREMENT, //
                         MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_END);
    if (!engine->daemon) {
        free(engine);
        return NULL;
    }
    engine->source = (struct ili_source){
        .fd = MHD_get_daemon_info(engine->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
        .ready = engine_ready};
    if (ili_loop_add(&server->loop, &engine->source, EPOLLIN) != IL_OK) {
        MHD_stop_daemon(engine->daemon);
        free(engine);
        return NULL;
    }
    return engine;
}

/* The first engine with room, made if there is none. */
static struct ili_engine *engine_with_room(struct ili_server *server) {
    struct ili_front *f = &server->front;
    for (size_t i = 0; i < f->engine_count; i++) {
        if (f->engines[i]->connections < ILI_ENGINE_CONNECTIONS) return f->engines[i];
    }
    if (f->engine_count == f->engine_room) {
        size_t room = f->engine_room ? f->engine_room * 2 : 8;
        struct ili_engine **engines = realloc(f->engines, room * sizeof *engines);
        if (!engines) return NULL;
        f->engines = engines;
        f->engine_room = room;
    }
    struct ili_engine *engine = start_engine(server);
    if (engine) f->engines[f->engine_count++] = engine;
    return engine;
}

il_status ili_front_add(struct ili_server *server, int fd, const struct sockaddr *address,
                        socklen_t address_bytes) {
    struct ili_engine *engine = engine_with_room(server);
    if (!engine) {
        close(fd);
        return IL_ENOMEM;
    }
    return MHD_add_connection(engine->daemon, fd, address, address_bytes) == MHD_YES ? IL_OK
                                                                                     : IL_ESYSTEM;
}

int64_t ili_front_patience(struct ili_front *front) {
    int64_t patience = -1;
    for (size_t i = 0; i < front->engine_count; i++) {
        struct ili_engine *engine = front->engines[i];
        MHD_UNSIGNED_LONG_LONG wait;
        /* 0: connections are left that it did not get to */
        if (!engine->run && MHD_get_timeout(engine->daemon, &wait) == MHD_YES && wait == 0) {
            engine->run = true;
        }
        if (engine->run) patience = 0;
    }
    return patience;
}

void ili_front_run(struct ili_front *front) {
    for (size_t i = 0; i < front->engine_count; i++) {
        struct ili_engine *engine = front->engines[i];
        if (!engine->run) continue;
        engine->run = false; /* before: a request handled now may set it again */
        MHD_run(engine->daemon);
    }
}

void ili_front_sweep(struct ili_server *server) {
    int64_t oldest = server->now_ns - server->config.idle_timeout_ns;
    struct ili_connection *c = server->front.connections;
    for (; c; c = c->next) {
        const struct ili_request *r = c->request;
        bool parked = r && (r->wait || (r->stream && r->stream->resting));
        if (!parked && c->since_ns < oldest) ili_connection_cut(c);
    }
}

bool ili_front_busy(const struct ili_front *front) {
    for (const struct ili_connection *c = front->connections; c; c = c->next) {
        if (c->request) return true;
    }
    return false;
}

void ili_front_close(struct ili_front *front) {
    for (size_t i = 0; i < front->engine_count; i++) {
        MHD_stop_daemon(front->engines[i]->daemon);
        free(front->engines[i]);
    }
    free(front->engines);
    front->engines = NULL;
    front->engine_count = front->engine_room = 0;
}

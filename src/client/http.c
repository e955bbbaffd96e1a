#include "client/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define IDLE_LINKS 16u
#define SOCKETS 4u /* libcurl races two address families at most */
#define CONNECT_NS INT64_C(5000000000)
#define FAREWELL_NS                                                                                \
    INT64_C(1000000000) /* for the server's last word after the sending half closed */

_Static_assert(ILI_HTTP_WHY_BYTES >= CURL_ERROR_SIZE, "libcurl writes that much");

struct ili_http_link {
    struct ili_http_link *next;
    CURL *easy;
    CURLM *multi;
    curl_socket_t sockets[SOCKETS]; /* open ones; CURL_SOCKET_BAD: none */
    bool connected;                 /* an exchange before left a connection */
    bool leaving;                   /* the sending half is closed: no new connection */
    /* of the exchange that runs */
    struct ili_http_pool *pool;
    struct ili_http_answer *answer;
    const struct ili_http_request *request;
    size_t answer_max;
    curl_off_t moved;     /* bytes in both directions */
    int64_t last_sign_ns; /* when `moved` last grew */
    bool too_long;
};

/* ---- what libcurl calls ------------------------------------------------------------------------- */

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *a) {
    struct ili_http_link *link = context;
    (void)purpose;
    /* libcurl sends a request again, by itself, if a kept connection proves dead. */
    if (link->leaving) return CURL_SOCKET_BAD;
    if (link->connected) link->answer->resent = true;
    for (unsigned i = 0; i < SOCKETS; i++) {
        if (link->sockets[i] != CURL_SOCKET_BAD) continue;
        int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
        return link->sockets[i] = fd < 0 ? CURL_SOCKET_BAD : fd;
    }
    return CURL_SOCKET_BAD;
}

static int close_socket(void *context, curl_socket_t fd) {
    struct ili_http_link *link = context;
    for (unsigned i = 0; i < SOCKETS; i++) {
        if (link->sockets[i] == fd) link->sockets[i] = CURL_SOCKET_BAD;
    }
    return close(fd);
}

static size_t receive(char *data, size_t size, size_t count, void *context) {
    struct ili_http_link *link = context;
    const struct ili_http_request *request = link->request;
    size_t bytes = size * count;
    if (request->sink) {
        long status = 0;
        curl_easy_getinfo(link->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && status < 300) {
            return request->sink(request->sink_context, data, bytes) ? bytes : 0;
        }
    }
    if (bytes > link->answer_max - link->answer->body.bytes) {
        link->too_long = true;
        return 0;
    }
    ili_buffer_add(&link->answer->body, data, bytes);
    return link->answer->body.failed ? 0 : bytes;
}

static int progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                    curl_off_t up) {
    struct ili_http_link *link = context;
    (void)down_total, (void)up_total;
    if (down + up != link->moved) {
        link->moved = down + up;
        link->last_sign_ns = link->pool->now_ns();
    }
    return 0;
}

/* ---- links -------------------------------------------------------------------------------------- */

static void link_free(struct ili_http_link *link) {
    if (!link) return;
    curl_easy_cleanup(link->easy);
    curl_multi_cleanup(link->multi);
    free(link);
}

static struct ili_http_link *link_new(struct ili_http_pool *pool) {
    struct ili_http_link *link = calloc(1, sizeof *link);
    if (!link) return NULL;
    link->pool = pool;
    for (unsigned i = 0; i < SOCKETS; i++) link->sockets[i] = CURL_SOCKET_BAD;
    CURL *easy = link->easy = curl_easy_init();
    link->multi = curl_multi_init();
    if (!easy || !link->multi) {
        link_free(link);
        return NULL;
    }
    curl_multi_setopt(link->multi, CURLMOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* long waits and half-closed connections: none */
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "libinterlock");
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L); /* a wait without end notices a dead host */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(pool->connect_timeout_ns / 1000000));
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, link);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, link);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, link);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, link);
    if (pool->socket &&
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, pool->socket) != CURLE_OK) {
        link_free(link);
        return NULL;
    }
    return link;
}

static struct ili_http_link *link_take(struct ili_http_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    struct ili_http_link *link = pool->idle;
    if (link) {
        pool->idle = link->next;
        pool->idle_count--;
    }
    pthread_mutex_unlock(&pool->mutex);
    return link ? link : link_new(pool);
}

static void link_put(struct ili_http_pool *pool, struct ili_http_link *link) {
    pthread_mutex_lock(&pool->mutex);
    if (pool->idle_count < IDLE_LINKS) {
        link->next = pool->idle;
        pool->idle = link;
        pool->idle_count++;
        link = NULL;
    }
    pthread_mutex_unlock(&pool->mutex);
    link_free(link);
}

void ili_http_pool_init(struct ili_http_pool *pool, const char *base, const char *socket,
                        int64_t (*now_ns)(void)) {
    *pool = (struct ili_http_pool){
        .base = base, .socket = socket, .now_ns = now_ns, .connect_timeout_ns = CONNECT_NS};
    pthread_mutex_init(&pool->mutex, NULL);
}

void ili_http_pool_end(struct ili_http_pool *pool) {
    while (pool->idle) {
        struct ili_http_link *link = pool->idle;
        pool->idle = link->next;
        link_free(link);
    }
    pthread_mutex_destroy(&pool->mutex);
}

/* ---- one exchange ------------------------------------------------------------------------------- */

/* Closes the sending half. False: there is no connection to wait for. */
static bool leave(struct ili_http_link *link) {
    bool any = false;
    link->leaving = true;
    for (unsigned i = 0; i < SOCKETS; i++) {
        if (link->sockets[i] != CURL_SOCKET_BAD) any |= shutdown(link->sockets[i], SHUT_WR) == 0;
    }
    return any;
}

/* When the exchange is to be given up. */
static int64_t late_at(const struct ili_http_link *link, const struct ili_http_request *request) {
    if (request->until_ns == ILI_NEVER) return ILI_NEVER;
    int64_t since = link->last_sign_ns;
    if (since < request->until_ns) since = request->until_ns;
    return since + (link->answer->resent ? request->resent_patience_ns : request->patience_ns);
}

static int poll_ms(int64_t now, int64_t until) {
    int64_t left = until - now;
    if (until == ILI_NEVER || left > INT64_C(60000000000)) return 60000;
    return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

/* Runs the transfer until it ends or is given up; what it was given up for, else ANSWERED. */
static enum ili_http_end run(struct ili_http_link *link, const struct ili_http_request *request,
                             bool *woken) {
    struct ili_http_pool *pool = link->pool;
    enum ili_http_end given_up = ILI_HTTP_ANSWERED;
    int64_t farewell_ends = ILI_NEVER;
    for (;;) {
        int running = 0;
        if (curl_multi_perform(link->multi, &running) != CURLM_OK) return ILI_HTTP_NO_MEMORY;
        if (!running) return given_up;

        int64_t now = pool->now_ns();
        int64_t until = link->leaving ? farewell_ends : late_at(link, request);
        if (now >= until) {
            if (link->leaving) return given_up; /* the network is dead, or the server is */
            given_up = ILI_HTTP_LATE;
        } else {
            bool listening = request->waker.fd >= 0 && !link->leaving;
            struct curl_waitfd waker = {.fd = request->waker.fd, .events = CURL_WAIT_POLLIN};
            errno = 0; /* libcurl says nothing of a signal, but leaves this as it was */
            curl_multi_poll(link->multi, &waker, listening ? 1 : 0, poll_ms(now, until), NULL);
            bool signalled = listening && errno == EINTR && request->waker.signalled;
            if (signalled) request->waker.signalled();
            if (!listening || (!waker.revents && !signalled) ||
                !request->waker.woken(request->waker.context)) {
                continue;
            }
            *woken = true;
            given_up = ILI_HTTP_WOKEN;
        }
        farewell_ends = now + FAREWELL_NS;
        if (!leave(link)) return given_up;
    }
}

static struct curl_slist *headers_of(const struct ili_http_request *request) {
    char key[300];
    struct curl_slist *all = NULL, *more = NULL;
    snprintf(key, sizeof key, "Idempotency-Key: %s", request->key ? request->key : "");
    const char *lines[] = {"Content-Type: application/json", "Expect:", request->key ? key : NULL,
                           request->header};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!lines[i]) continue;
        more = curl_slist_append(all, lines[i]);
        if (!more) {
            curl_slist_free_all(all);
            return NULL;
        }
        all = more;
    }
    return all;
}

static bool prepare(struct ili_http_link *link, const struct ili_http_request *request,
                    struct curl_slist *headers, struct ili_http_answer *answer) {
    CURL *easy = link->easy;
    struct ili_buffer url = {0};
    ili_buffer_add_text(&url, link->pool->base);
    ili_buffer_add_text(&url, request->path);
    const char *text = ili_buffer_text(&url);
    bool sends = request->method[0] == 'P';
    bool done = text && curl_easy_setopt(easy, CURLOPT_URL, text) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    ili_buffer_free(&url);
    if (sends) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
    }
    done = done && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, answer->why);
    link->answer = answer;
    link->request = request;
    link->answer_max = request->answer_max;
    link->leaving = link->too_long = false;
    link->moved = 0;
    link->last_sign_ns = link->pool->now_ns();
    return done;
}

/* The end of a transfer that libcurl finished by itself. */
static enum ili_http_end judge(const struct ili_http_link *link, CURLcode code) {
    switch (code) {
    case CURLE_OK: return ILI_HTTP_ANSWERED;
    case CURLE_OUT_OF_MEMORY: return ILI_HTTP_NO_MEMORY;
    case CURLE_WRITE_ERROR:
        if (link->too_long) return ILI_HTTP_TOO_LONG;
        return link->answer->body.failed ? ILI_HTTP_NO_MEMORY : ILI_HTTP_BROKEN;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: /* of the connecting, no other is set */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return ILI_HTTP_UNREACHABLE;
    default: return ILI_HTTP_BROKEN;
    }
}

/* The system's reason if there is one: libcurl's own words for a failed connection do not tell it. */
static void explain(const struct ili_http_link *link, CURLcode code,
                    struct ili_http_answer *answer) {
    long error = 0;
    curl_easy_getinfo(link->easy, CURLINFO_OS_ERRNO, &error);
    if (code == CURLE_COULDNT_CONNECT && error != 0) {
        snprintf(answer->why, sizeof answer->why, "%s", strerror((int)error));
    } else if (answer->why[0] == 0) {
        snprintf(answer->why, sizeof answer->why, "%s", curl_easy_strerror(code));
    }
}

static void exchange(struct ili_http_link *link, const struct ili_http_request *request,
                     struct ili_http_answer *answer) {
    answer->end = ILI_HTTP_NO_MEMORY;
    struct curl_slist *headers = headers_of(request);
    if (!headers) return;
    if (prepare(link, request, headers, answer) &&
        curl_multi_add_handle(link->multi, link->easy) == CURLM_OK) {
        enum ili_http_end given_up = run(link, request, &answer->woken);
        int left = 0;
        CURLMsg *message = curl_multi_info_read(link->multi, &left);
        enum ili_http_end end =
            message && message->msg == CURLMSG_DONE ? judge(link, message->data.result) : given_up;
        bool whole = end == ILI_HTTP_ANSWERED && message;
        answer->end = whole || given_up == ILI_HTTP_ANSWERED ? end : given_up;
        if (whole) curl_easy_getinfo(link->easy, CURLINFO_RESPONSE_CODE, &answer->status);
        if (!whole && message) explain(link, message->data.result, answer);
        curl_multi_remove_handle(link->multi, link->easy);
    }
    curl_easy_setopt(link->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(link->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
}

void ili_http_exchange(struct ili_http_pool *pool, const struct ili_http_request *request,
                       struct ili_http_answer *answer) {
    answer->end = ILI_HTTP_NO_MEMORY;
    answer->status = 0;
    answer->woken = answer->resent = false;
    answer->why[0] = 0;
    answer->body.bytes = 0;
    answer->body.failed = false;
    struct ili_http_link *link = link_take(pool);
    if (!link) return;

    /* TLS writes without MSG_NOSIGNAL: a SIGPIPE it may cause must not reach the program. */
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    bool guarded = strncmp(pool->base, "https:", 6) == 0 &&
                   pthread_sigmask(SIG_BLOCK, &pipe_only, &before) == 0;
    exchange(link, request, answer);
    if (guarded && !sigismember(&before, SIGPIPE)) {
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0, 0}) < 0 && errno == EINTR) {
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }

    link->connected = link->sockets[0] != CURL_SOCKET_BAD || link->sockets[1] != CURL_SOCKET_BAD;
    if (answer->end == ILI_HTTP_ANSWERED && !answer->woken) {
        link_put(pool, link);
    } else {
        link_free(link); /* its connection is in no known state */
    }
}

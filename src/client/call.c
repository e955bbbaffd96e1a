#include "client/call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"

#define SECOND_NS INT64_C(1000000000)

void ili_call_begin(struct ili_call *call, struct ili_remote_domain *domain, const char *method,
                    const char *collection, const char *name, size_t name_bytes,
                    const char *operation) {
    memset(call, 0, sizeof *call);
    call->domain = domain;
    call->method = method;
    call->answer_max = ILI_CALL_ANSWER_BYTES;
    ili_buffer_add_text(&call->path, "/v1/");
    ili_buffer_add_text(&call->path, collection);
    if (name) {
        ili_buffer_add_text(&call->path, "/");
        /* "." and ".." would be taken for steps in the path */
        bool dots = (name_bytes == 1 && name[0] == '.') ||
                    (name_bytes == 2 && name[0] == '.' && name[1] == '.');
        if (dots) {
            ili_buffer_add_text(&call->path, name_bytes == 1 ? "%2E" : "%2E%2E");
        } else {
            ili_buffer_add_percent(&call->path, name, name_bytes);
        }
    }
    if (operation) {
        ili_buffer_add_text(&call->path, "/");
        ili_buffer_add_text(&call->path, operation);
    }
    ili_buffer_add_text(&call->body, "{");
}

void ili_call_field(struct ili_call *call, const char *key) {
    if (call->body.bytes > 1) ili_buffer_add_text(&call->body, ",");
    ili_buffer_add_text(&call->body, "\"");
    ili_buffer_add_text(&call->body, key);
    ili_buffer_add_text(&call->body, "\":");
}

void ili_call_field_text(struct ili_call *call, const char *key, const char *text, size_t bytes) {
    ili_call_field(call, key);
    ili_json_quote(&call->body, text, bytes);
}

void ili_call_field_number_text(struct ili_call *call, const char *key, uint64_t number) {
    ili_call_field(call, key);
    ili_buffer_add_text(&call->body, "\"");
    ili_buffer_add_number(&call->body, number);
    ili_buffer_add_text(&call->body, "\"");
}

void ili_call_field_token(struct ili_call *call, uint64_t token) {
    ili_call_field_number_text(call, "token", token);
}

void ili_call_field_bool(struct ili_call *call, const char *key, bool value) {
    ili_call_field(call, key);
    ili_buffer_add_text(&call->body, value ? "true" : "false");
}

void ili_call_field_deadlock(struct ili_call *call, uint32_t flags) {
    ili_call_field(call, "on_deadlock");
    ili_buffer_add_text(&call->body, flags & IL_DEADLOCK_REPORT ? "\"report\"" : "\"fail\"");
}

void ili_call_end(struct ili_call *call) {
    ili_buffer_free(&call->path);
    ili_buffer_free(&call->body);
    ili_buffer_free(&call->answer.body);
    ili_json_free(&call->object);
}

il_status ili_call_nonsense(struct ili_call *call, const char *what) {
    const char *path = ili_buffer_text(&call->path);
    return ili_remote_fail(IL_EPROTOCOL, "%s answered %s %.200s with %s", call->domain->base,
                           call->method, path ? path : "", what);
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* Appends an operator's reason to the DETAIL of a broken grant, unless it is told there. */
static void add_reason(const struct ili_call *call, struct ili_buffer *detail) {
    const char *reason = json_string_value(ili_json_member(call->object, "reason").json);
    const char *told = ili_buffer_text(detail);
    if (!reason || *reason == 0 || (told && strstr(told, reason))) return;
    if (detail->bytes) ili_buffer_add_text(detail, ": ");
    ili_buffer_add_text(detail, reason);
}

/* What the server's problem details stand for. */
static il_status problem(struct ili_call *call) {
    char what[80];
    struct ili_buffer code = {0}, detail = {0};
    const struct ili_status_info *info = NULL;
    if (ili_json_string(ili_json_member(call->object, "code"), &code)) {
        const char *text = ili_buffer_text(&code);
        info = text ? ili_status_by_code(text) : NULL;
    }
    il_status status;
    if (info && info->status != IL_OK && info->status != IL_EOWNERDEAD) {
        bool told = ili_json_string(ili_json_member(call->object, "detail"), &detail);
        add_reason(call, &detail);
        const char *text = told || detail.bytes ? ili_buffer_text(&detail) : NULL;
        status =
            text ? ili_remote_fail(info->status, "%s", text) : ili_remote_fail(info->status, NULL);
    } else {
        snprintf(what, sizeof what, "HTTP status %ld and no code that is known here",
                 call->answer.status);
        status = ili_call_nonsense(call, what);
    }
    ili_buffer_free(&code);
    ili_buffer_free(&detail);
    return status;
}

static il_status read_answer(struct ili_call *call) {
    const struct ili_buffer *body = &call->answer.body;
    bool good = call->answer.status >= 200 && call->answer.status < 300;
    if (good && body->bytes == 0) return IL_OK;
    bool object = body->bytes > 0 &&
                  ili_json_load(body->data, body->bytes, ILI_JSON_DEPTH, &call->object) &&
                  json_is_object(call->object.json);
    if (!object) ili_json_free(&call->object);
    if (good && !object) return ili_call_nonsense(call, "a body that is not a JSON object");
    return good ? IL_OK : problem(call);
}

/* Why there is no answer. */
static il_status unanswered(struct ili_call *call, bool late_is_timeout) {
    const struct ili_http_answer *answer = &call->answer;
    const char *base = call->domain->base;
    switch (answer->end) {
    case ILI_HTTP_WOKEN: return ili_remote_fail(IL_EINTR, NULL);
    case ILI_HTTP_NO_MEMORY: return ili_remote_fail(IL_ENOMEM, "no memory for a request");
    case ILI_HTTP_TOO_LONG: return ili_call_nonsense(call, "more bytes than any answer has");
    case ILI_HTTP_LATE:
        if (late_is_timeout) return ili_remote_fail(IL_ETIMEOUT, NULL);
        return ili_remote_fail(IL_ECONNECT, "%s takes requests, but did not answer in time", base);
    case ILI_HTTP_UNREACHABLE: return ili_remote_fail(IL_ECONNECT, "%s: %s", base, answer->why);
    default:
        return ili_remote_fail(IL_ECONNECT, "%s closed the connection before it answered: %s", base,
                               answer->why);
    }
}

/* ---- sending and repeating ---------------------------------------------------------------------- */

/* Waits a little before attempt number ATTEMPT. False: woken. */
static bool pause_before(int attempt, const struct ili_http_waker *waker) {
    static const int pauses_ms[ILI_CALL_ATTEMPTS] = {0, 0, 50, 250};
    struct pollfd fd = {.fd = waker->fd, .events = POLLIN};
    int ready = poll(&fd, 1, pauses_ms[attempt]);
    bool signalled = ready < 0 && errno == EINTR && waker->signalled;
    if (signalled) waker->signalled();
    return (ready <= 0 && !signalled) || !waker->woken(waker->context);
}

static il_status send_body(struct ili_call *call, int64_t until_ns, bool waits,
                           const struct ili_http_waker *waker) {
    struct ili_remote_domain *domain = call->domain;
    char key[64];
    snprintf(
        key, sizeof key, "%s-%llu", domain->key_prefix,
        (unsigned long long)atomic_fetch_add_explicit(&domain->key_count, 1, memory_order_relaxed));
    const char *path = ili_buffer_text(&call->path);
    if (!path || call->body.failed) {
        return ili_remote_fail(IL_ENOMEM, "no memory for a request");
    }
    struct ili_http_request request = {
        .method = call->method,
        .path = path,
        .key = call->keyed ? key : NULL,
        .body = call->body.data,
        .body_bytes = call->body.bytes,
        .answer_max = call->answer_max,
        .until_ns = until_ns,
        .patience_ns = call->sole ? 0 : domain->patience_ns,
        /* A repeat has the first one's body, and so its timeout: it may end later than asked. */
        .resent_patience_ns = waits ? 0 : domain->patience_ns,
        .waker = *waker,
        .header = call->header,
        .sink = call->sink,
        .sink_context = call->sink_context,
    };
    call->resent = false;
    for (int attempt = 0;; attempt++) {
        bool last = call->sole || attempt == ILI_CALL_ATTEMPTS - 1;
        ili_json_free(&call->object);
        ili_http_exchange(&domain->pool, &request, &call->answer);
        call->resent |= call->answer.resent || attempt > 0;
        switch (call->answer.end) {
        case ILI_HTTP_ANSWERED: {
            il_status status = read_answer(call);
            if (status != IL_EINPROGRESS || last || call->answer.woken) return status;
            break;
        }
        case ILI_HTTP_BROKEN:
            if (last) return unanswered(call, false);
            break;
        case ILI_HTTP_UNREACHABLE: /* a server that restarts after it broke off is worth waiting for */
            if (last || attempt == 0) return unanswered(call, false);
            break;
        default: return unanswered(call, call->sole || (waits && call->resent));
        }
        if (!pause_before(attempt + 1, waker)) {
            call->answer.woken = true;
            return ili_remote_fail(IL_EINTR, NULL);
        }
        request.patience_ns = request.resent_patience_ns;
    }
}

/* Sends the body with TIMEOUT_NS (negative: none given) and its closing brace. */
static il_status send_timed(struct ili_call *call, int64_t timeout_ns, int64_t until_ns, bool waits,
                            const struct ili_http_waker *waker) {
    size_t before = call->body.bytes;
    if (timeout_ns >= 0) {
        ili_call_field(call, "timeout");
        ili_buffer_add_seconds(&call->body, (uint64_t)timeout_ns);
    }
    ili_buffer_add_text(&call->body, "}");
    il_status status = send_body(call, until_ns, waits, waker);
    call->body.bytes = before;
    return status;
}

il_status ili_call_run_until(struct ili_call *call, const struct ili_http_waker *cancel) {
    static const struct ili_http_waker nobody = {.fd = -1};
    return send_timed(call, -1, ili_host->now_ns(), false, cancel ? cancel : &nobody);
}

il_status ili_call_run(struct ili_call *call) { return ili_call_run_until(call, NULL); }

/* ---- waiting ------------------------------------------------------------------------------------ */

/* The waker of a calling thread. */
struct ear {
    int fd;
    il_status asked; /* IL_OK: nothing yet */
};

static bool is_asked(void *context) {
    struct ear *ear = context;
    ear->asked = ili_host->take_request();
    if (ear->asked != IL_OK) return true;
    uint64_t count; /* readable though nothing is asked: it was taken elsewhere */
    ssize_t ignored = read(ear->fd, &count, sizeof count);
    (void)ignored;
    return false;
}

void ili_wait_begin(struct ili_wait *wait, int64_t timeout_ns) {
    int64_t now = ili_host->now_ns();
    wait->deadline_ns =
        timeout_ns < 0 || timeout_ns > ILI_NEVER - now ? ILI_NEVER : now + timeout_ns;
    wait->now = timeout_ns == 0;
    wait->deaf = false;
}

/* Whether the server refused the timeout that was sent. */
static bool timeout_refused(const struct ili_call *call, il_status status) {
    return status == IL_EINVAL &&
           ili_json_is(ili_json_member(call->object, "field"), "\"timeout\"");
}

il_status ili_call_poll(struct ili_call *call, const struct ili_wait *wait, bool *again) {
    /* asked to stop before: what need not wait is still done */
    bool hears = !wait->now && !wait->deaf;
    struct ear ear = {.fd = -1, .asked = hears ? ili_host->take_request() : IL_OK};
    bool blocks = !wait->now && ear.asked == IL_OK;
    if (hears && blocks) ear.fd = ili_host->wake_fd();
    struct ili_http_waker waker = {
        .fd = ear.fd, .woken = is_asked, .signalled = ili_host->signalled, .context = &ear};
    il_status status;
    int64_t now, sent;
    int64_t limit = hears ? ili_host->cancelled_at_ns() : ILI_NEVER;
    int64_t deadline = limit < wait->deadline_ns ? limit : wait->deadline_ns;
    bool endless = deadline == ILI_NEVER;
    for (;;) {
        now = ili_host->now_ns();
        int64_t longest =
            atomic_load_explicit(&call->domain->longest_wait_ns, memory_order_relaxed);
        int64_t left = deadline > now ? deadline - now : 0;
        sent = !blocks ? 0 : endless ? -1 : left < longest ? left : longest;
        int64_t until = sent < 0 || call->late ? ILI_NEVER : now + sent;
        status = send_timed(call, sent, until, blocks, &waker);
        if (call->answer.woken || sent <= SECOND_NS || !timeout_refused(call, status)) break;
        longest = sent / 2 < SECOND_NS ? SECOND_NS : sent / 2;
        atomic_store_explicit(&call->domain->longest_wait_ns, longest, memory_order_relaxed);
    }
    if (status == IL_OK && call->vain && call->vain(call)) {
        status = ili_remote_fail(IL_ETIMEOUT, NULL);
    }
    bool failed = status == IL_ETIMEOUT || status == IL_EINTR;
    *again = false;
    if (failed && deadline < wait->deadline_ns && ear.asked == IL_OK) {
        ear.asked = ili_host->take_request(); /* the time limit may have passed */
    }
    if (ear.asked != IL_OK) {
        if (failed) return ili_remote_fail(ear.asked, NULL);
        if (ear.asked == IL_EINTR) ili_host->raise_interrupt();
    }
    if (status == IL_ETIMEOUT && blocks) *again = endless || ili_host->now_ns() < wait->deadline_ns;
    return status;
}

il_status ili_call_wait(struct ili_call *call, const struct ili_wait *wait) {
    il_status status;
    bool again;
    do {
        status = ili_call_poll(call, wait, &again);
    } while (again && !call->once);
    return status;
}

il_status ili_call_stream(struct ili_call *call, const struct ili_wait *wait) {
    struct ear ear = {.fd = -1, .asked = ili_host->take_request()};
    if (ear.asked != IL_OK) return ili_remote_fail(ear.asked, NULL);
    ear.fd = ili_host->wake_fd();
    struct ili_http_waker waker = {
        .fd = ear.fd, .woken = is_asked, .signalled = ili_host->signalled, .context = &ear};
    int64_t limit = ili_host->cancelled_at_ns();
    int64_t deadline = limit < wait->deadline_ns ? limit : wait->deadline_ns;
    call->sole = true;
    il_status status = send_timed(call, -1, deadline, true, &waker);
    bool failed = status == IL_ETIMEOUT || status == IL_EINTR;
    if (failed && deadline < wait->deadline_ns && ear.asked == IL_OK) {
        ear.asked = ili_host->take_request(); /* the time limit has passed */
    }
    if (ear.asked == IL_OK) return status;
    if (failed) return ili_remote_fail(ear.asked, NULL);
    if (ear.asked == IL_EINTR) ili_host->raise_interrupt();
    return status;
}

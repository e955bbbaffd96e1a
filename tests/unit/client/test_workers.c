/* Pools and tasks over HTTP: what is asked for, and what an answer means. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_workers *workers;
};

#define TASK(state, rest) "{\"id\":\"77\",\"state\":\"" state "\"" rest "}"
#define LINE(index, state, rest) "{\"index\":" #index ",\"state\":\"" state "\"" rest "}\n"

/* Request 0 opens the pool. */
static struct scene begin(const struct fake_rule *rules) {
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->workers_open(s.domain, "p", 1, &s.workers), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->workers_close(s->workers);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static const struct ili_remote_work echo = {.function = "echo", .function_bytes = 4};

static struct ili_remote_task *submit(struct scene *s) {
    struct ili_remote_task *task = NULL;
    il_status status = fake_ops()->workers_submit(s->workers, &echo, &task);
    cr_assert_eq(status, IL_OK, "%s", ili_error_text());
    return task;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static const struct fake_rule queued[] = {{"/tasks", 202, TASK("queued", "")}, {0}};

Test(client_workers, pool_that_is_not_there_cannot_be_opened) {
    static const struct fake_rule none[] = {{"/pools/q", 404, FAKE_PROBLEM("not_found")}, {0}};
    struct scene s = begin(queued);
    struct ili_remote_workers *workers = NULL;
    fake_saw(s.f, 0, "GET /v1/pools/p", NULL);
    fake_rules = none;
    cr_assert_eq(fake_ops()->workers_open(s.domain, "q", 1, &workers), IL_ENOTFOUND);
    cr_assert_null(workers);
    end(&s);
}

Test(client_workers, what_is_not_given_is_left_to_the_pool) {
    struct scene s = begin(queued);
    struct ili_remote_task *task = submit(&s);
    fake_saw(s.f, 1, "POST /v1/pools/p/tasks", "{\"function\":\"echo\"}");
    cr_assert_neq(s.f->requests[1].key[0], 0, "a submission is sent once, however often");
    fake_ops()->task_close(task);
    end(&s);
}

Test(client_workers, arguments_and_options_are_sent) {
    struct scene s = begin(queued);
    struct ili_remote_task *task = NULL;
    il_task_options options = {.struct_bytes = sizeof options,
                               .priority = -3,
                               .retries = 2,
                               .delay_ns = 1500000000,
                               .time_limit_ns = 1000000};
    struct ili_remote_work work = echo;
    work.args = "[1.0, \"x\"]";
    work.args_bytes = strlen(work.args);
    work.kwargs = "{\"k\":1}";
    work.kwargs_bytes = strlen(work.kwargs);
    work.options = &options;
    cr_assert_eq(fake_ops()->workers_submit(s.workers, &work, &task), IL_OK);
    fake_saw(s.f, 1, "POST /v1/pools/p/tasks",
             "{\"function\":\"echo\",\"kwargs\":{\"k\":1},\"priority\":-3,\"retries\":2,"
             "\"delay\":1.5,\"time_limit\":0.001,\"args\":[1.0, \"x\"]}");
    fake_ops()->task_close(task);
    options =
        (il_task_options){.struct_bytes = sizeof options, .flags = IL_TASK_EXPLICIT, .keep_ns = 1};
    work = echo;
    work.options = &options;
    cr_assert_eq(fake_ops()->workers_submit(s.workers, &work, &task), IL_OK);
    fake_saw(s.f, 2, "POST /v1/pools/p/tasks",
             "{\"function\":\"echo\",\"priority\":0,\"retries\":0,\"deadline\":null,"
             "\"time_limit\":null,\"backoff\":0,\"backoff_max\":0,\"keep\":0.000000001}");
    fake_ops()->task_close(task);
    end(&s);
}

Test(client_workers, refusals_are_told) {
    static const struct fake_rule full[] = {{"/tasks", 503, FAKE_PROBLEM("limit_reached")}, {0}};
    static const struct fake_rule unknown[] = {{"/tasks", 404, FAKE_PROBLEM("no_such_function")},
                                               {0}};
    static const struct fake_rule odd[] = {{"/tasks", 202, "{\"state\":\"queued\"}"}, {0}};
    struct scene s = begin(full);
    struct ili_remote_task *task = NULL;
    cr_assert_eq(fake_ops()->workers_submit(s.workers, &echo, &task), IL_ELIMIT);
    fake_rules = unknown;
    cr_assert_eq(fake_ops()->workers_submit(s.workers, &echo, &task), IL_EFUNCTION);
    fake_rules = odd;
    cr_assert_eq(fake_ops()->workers_submit(s.workers, &echo, &task), IL_EPROTOCOL);
    cr_assert_null(task);
    end(&s);
}

/* ---- results --------------------------------------------------------------------------------- */

static const struct fake_rule done[] = {
    {"/tasks/77/wait", 200, TASK("succeeded", ",\"result\":{\"a\": 1.0},\"error\":null")},
    {"/tasks", 202, TASK("queued", "")},
    {0}};

Test(client_workers, result_is_waited_for_once_and_kept) {
    struct scene s = begin(done);
    struct ili_remote_task *task = submit(&s);
    char text[32];
    size_t bytes = 0;
    uint64_t id = 0;
    uint32_t state = 0;
    cr_assert_eq(fake_ops()->task_id(task, &id), IL_OK);
    cr_assert_eq(id, 77);
    cr_assert_eq(fake_ops()->task_result(task, text, 4, &bytes, IL_FOREVER), IL_ETOOBIG);
    cr_assert_eq(bytes, 10, "the room it needs");
    fake_saw(s.f, 2, "POST /v1/tasks/77/wait", "{}");
    cr_assert_eq(fake_ops()->task_result(task, text, sizeof text, &bytes, 0), IL_OK);
    cr_assert_eq(bytes, 10);
    cr_assert(memcmp(text, "{\"a\": 1.0}", 10) == 0, "as it was written");
    cr_assert_eq(fake_ops()->task_state(task, &state), IL_OK);
    cr_assert_eq(state, IL_TASK_SUCCEEDED);
    cr_assert_eq(fake_ops()->task_cancel(task), IL_OK);
    cr_assert_eq(fake_ops()->task_error(task, text, sizeof text, &bytes, 0), IL_ENOTFOUND);
    cr_assert_eq(fake_count(s.f), 3, "nothing more was asked");
    fake_ops()->task_close(task);
    end(&s);
}

Test(client_workers, error_is_told_in_words_and_as_json) {
    static const struct fake_rule failed[] = {
        {"/wait", 200,
         TASK("failed", ",\"result\":null,\"error\":{\"type\":\"ValueError\","
                        "\"message\":\"no \\u00e9\"}")},
        {"/tasks", 202, TASK("running", "")},
        {0}};
    struct scene s = begin(failed);
    struct ili_remote_task *task = submit(&s);
    char text[100] = "";
    size_t bytes = 0;
    cr_assert_eq(fake_ops()->task_result(task, text, sizeof text, &bytes, IL_FOREVER), IL_EFAILED);
    cr_assert(strstr(ili_error_text(), "ValueError: no \xc3\xa9"), "%s", ili_error_text());
    cr_assert_eq(fake_ops()->task_error(task, text, sizeof text - 1, &bytes, 0), IL_OK);
    cr_assert_str_eq(text, "{\"type\":\"ValueError\",\"message\":\"no \\u00e9\"}");
    fake_ops()->task_close(task);
    end(&s);
}

Test(client_workers, each_end_has_its_code) {
    static const struct {
        const char *view;
        il_status status;
    } ends[] = {{TASK("cancelled", ""), IL_ECANCELLED},
                {TASK("timed_out", ""), IL_ETIMEOUT},
                {TASK("lost", ",\"error\":{\"message\":\"signal 9\"}"), IL_ELOST}};
    struct scene s = begin(queued);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const struct fake_rule rules[] = {{"/wait", 200, ends[i].view}, queued[0], {0}};
        size_t bytes;
        fake_rules = rules;
        struct ili_remote_task *task = submit(&s);
        cr_assert_eq(fake_ops()->task_result(task, NULL, 0, &bytes, IL_FOREVER), ends[i].status);
        fake_ops()->task_close(task);
    }
    end(&s);
}

Test(client_workers, glance_at_the_state_and_cancel_ask_the_server) {
    static const struct fake_rule rules[] = {{"GET /v1/tasks/77", 200, TASK("delayed", "")},
                                             {"/cancel", 200, TASK("cancelled", "")},
                                             {"/wait", 409, FAKE_PROBLEM("timeout")},
                                             {"/tasks", 202, TASK("queued", "")},
                                             {0}};
    struct scene s = begin(rules);
    struct ili_remote_task *task = submit(&s);
    uint32_t state = 0;
    cr_assert_eq(fake_ops()->task_state(task, &state), IL_OK);
    cr_assert_eq(state, IL_TASK_DELAYED);
    cr_assert_eq(fake_ops()->task_wait(task, 0), IL_ETIMEOUT);
    cr_assert_eq(fake_ops()->task_cancel(task), IL_OK);
    cr_assert_eq(fake_ops()->task_state(task, &state), IL_OK);
    cr_assert_eq(state, IL_TASK_CANCELLED);
    cr_assert_eq(fake_count(s.f), 5);
    fake_ops()->task_close(task);
    end(&s);
}

/* ---- apply ----------------------------------------------------------------------------------- */

Test(client_workers, apply_takes_one_request) {
    static const struct fake_rule rules[] = {{"/tasks", 200, TASK("succeeded", ",\"result\":5")},
                                             {0}};
    struct scene s = begin(rules);
    struct ili_remote_task *task = NULL;
    char digit = 0;
    size_t bytes = 0;
    cr_assert_eq(fake_ops()->workers_apply(s.workers, &echo, IL_FOREVER, &task), IL_OK);
    cr_assert_eq(fake_ops()->task_result(task, &digit, 1, &bytes, 0), IL_OK);
    cr_assert_eq(digit, '5');
    cr_assert_eq(fake_count(s.f), 2);
    fake_ops()->task_close(task);
    end(&s);
}

Test(client_workers, apply_that_is_over_cancels_its_task) {
    static const struct fake_rule rules[] = {{"/cancel", 200, TASK("cancelled", "")},
                                             {"/wait", 409, FAKE_PROBLEM("timeout")},
                                             {"/tasks", 202, TASK("running", "")},
                                             {0}};
    struct scene s = begin(rules);
    struct ili_remote_task *task = NULL;
    cr_assert_eq(fake_ops()->workers_apply(s.workers, &echo, IL_NOWAIT, &task), IL_ETIMEOUT);
    cr_assert_null(task);
    fake_saw(s.f, fake_count(s.f) - 1, "POST /v1/tasks/77/cancel", "{}");
    ili_host->raise_interrupt();
    cr_assert_eq(fake_ops()->workers_apply(s.workers, &echo, IL_FOREVER, &task), IL_EINTR);
    fake_saw(s.f, fake_count(s.f) - 1, "POST /v1/tasks/77/cancel", "{}");
    end(&s);
}

/* ---- map ------------------------------------------------------------------------------------- */

struct heard {
    char text[400]; /* "index:status:data;" of each */
    int count, enough;
};

static int32_t hear(void *context, const il_map_result *r) {
    struct heard *h = context;
    size_t at = strlen(h->text);
    snprintf(h->text + at, sizeof h->text - at, "%d:%d:%.*s;", (int)r->index, (int)r->status,
             (int)r->bytes, r->data);
    return ++h->count == h->enough;
}

static const il_map_item items[] = {{"1", 1}, {"[2.0]", 5}, {"\"x\"", 3}};

static il_status map(struct scene *s, struct heard *h, uint32_t flags) {
    struct ili_remote_map map = {.work = echo,
                                 .items = items,
                                 .count = 3,
                                 .flags = flags,
                                 .chunk = 2,
                                 .each = hear,
                                 .context = h};
    return fake_ops()->workers_map(s->workers, &map, IL_FOREVER);
}

Test(client_workers, map_is_a_stream_of_results) {
    static const struct fake_rule rules[] = {
        {"/map", 200,
         LINE(2, "succeeded", ",\"task\":\"8\",\"result\":\"x\"") "\n" LINE(
             0, "failed", ",\"error\":{\"type\":\"E\"}") LINE(1, "succeeded", ",\"result\":null")},
        {0}};
    struct scene s = begin(rules);
    struct heard h = {0};
    cr_assert_eq(map(&s, &h, IL_MAP_STAR | IL_MAP_ORDERED), IL_OK, "%s", ili_error_text());
    cr_assert_str_eq(h.text, "2:0:\"x\";0:-40:{\"type\":\"E\"};1:0:null;");
    fake_saw(s.f, 1, "POST /v1/pools/p/map",
             "{\"function\":\"echo\",\"star\":true,\"ordered\":true,\"chunk\":2,"
             "\"items\":[1,[2.0],\"x\"]}");
    end(&s);
}

/* Lines in pieces of one byte. */
static void reply_in_pieces(struct fake *f, int fd, const struct fake_request *r) {
    static const char body[] = LINE(0, "succeeded", ",\"result\":10")
        LINE(1, "succeeded", ",\"result\":11") LINE(2, "lost", "");
    char head[100];
    (void)f;
    if (strcmp(r->method, "GET") == 0) {
        fake_answer(fd, 200, "{}");
        return;
    }
    snprintf(head, sizeof head,
             "HTTP/1.1 200 X\r\nContent-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
             sizeof body - 1);
    fake_raw(fd, head);
    for (size_t i = 0; i < sizeof body - 1; i++) fake_write(fd, body + i, 1);
}

Test(client_workers, lines_are_cut_wherever_they_break) {
    struct scene s = begin(NULL);
    struct heard h = {0};
    s.f->reply = reply_in_pieces;
    cr_assert_eq(map(&s, &h, 0), IL_OK, "%s", ili_error_text());
    cr_assert_str_eq(h.text, "0:0:10;1:0:11;2:-41:;");
    end(&s);
}

/* Two lines, and the end of the connection. */
static void reply_half(struct fake *f, int fd, const struct fake_request *r) {
    (void)f, (void)r;
    fake_raw(fd,
             "HTTP/1.1 200 X\r\nContent-Type: application/x-ndjson\r\nContent-Length: 500\r\n"
             "\r\n" LINE(0, "succeeded", ",\"result\":0") LINE(1, "succeeded", ",\"result\":1"));
    shutdown(fd, SHUT_RDWR);
}

Test(client_workers, map_whose_answer_breaks_off_is_not_sent_again) {
    struct scene s = begin(NULL);
    struct heard h = {0};
    s.f->reply = reply_half;
    cr_assert_eq(map(&s, &h, 0), IL_ECONNECT);
    cr_assert_eq(h.count, 2);
    cr_assert_eq(fake_count(s.f), 2, "once");
    end(&s);
}

Test(client_workers, map_ends_when_the_caller_has_enough) {
    static const struct fake_rule rules[] = {{"/map", 200,
                                              LINE(0, "succeeded", ",\"result\":0")
                                                  LINE(1, "succeeded", ",\"result\":1")
                                                      LINE(2, "succeeded", ",\"result\":2")},
                                             {0}};
    struct scene s = begin(rules);
    struct heard h = {.enough = 2};
    cr_assert_eq(map(&s, &h, 0), IL_ECANCELLED);
    cr_assert_eq(h.count, 2);
    end(&s);
}

/* The server says nothing until the client leaves. */
static void reply_never(struct fake *f, int fd, const struct fake_request *r) {
    (void)r;
    fake_await_leaving(f, fd);
}

Test(client_workers, map_that_is_over_is_given_up) {
    struct scene s = begin(NULL);
    struct heard h = {0};
    struct ili_remote_map map = {
        .work = echo, .items = items, .count = 3, .each = hear, .context = &h};
    s.f->reply = reply_never;
    cr_assert_eq(fake_ops()->workers_map(s.workers, &map, 30000000), IL_ETIMEOUT);
    cr_assert(fake_reaches(s.f, &s.f->left, 1), "the server was not told");
    ili_host->raise_interrupt();
    cr_assert_eq(fake_ops()->workers_map(s.workers, &map, IL_FOREVER), IL_EINTR);
    end(&s);
}

Test(client_workers, lines_that_are_no_results_are_refused) {
    static const char *const lines[] = {"{\"index\":3,\"state\":\"succeeded\"}\n", "[]\n", "{\n",
                                        LINE(0, "running", ""), LINE(0, "succeeded", "")};
    struct scene s = begin(NULL);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct fake_rule rules[] = {{"/map", 200, lines[i]}, {0}};
        struct heard h = {0};
        fake_rules = rules;
        cr_assert_eq(map(&s, &h, 0), IL_EPROTOCOL, "line %zu", i);
    }
    end(&s);
}

/* ---- the lane -------------------------------------------------------------------------------- */

Test(client_workers, lanes_are_what_the_pool_says) {
    static const struct {
        const char *view;
        uint32_t count, retries;
    } pools[] = {
        {"{\"workers\":4,\"retries\":2,\"functions\":[\"echo\",\"interlock.lane\"]}", 4, 2},
        {"{\"workers\":4,\"functions\":[\"echo\"]}", 0, 0},
        {"{\"workers\":4,\"functions\":[\"other\",\"interlock.lane\"]}", 0, 0},
        {"{\"workers\":4,\"functions\":null}", 0, 0},
        {"{\"workers\":4,\"time_limit\":1.5,\"functions\":[\"echo\",\"interlock.lane\"]}", 0, 0},
        {"{\"workers\":4,\"time_limit\":null,\"functions\":[\"echo\",\"interlock.lane\"]}", 4, 0},
        {"{\"workers\":4,\"max_tasks_per_worker\":9,\"functions\":[\"echo\",\"interlock.lane\"]}",
         0, 0},
    };
    struct scene s = begin(NULL);
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        const struct fake_rule rules[] = {{"/pools/p", 200, pools[i].view}, {0}};
        struct ili_remote_lanes lanes = {99, 99};
        fake_rules = rules;
        cr_assert_eq(fake_ops()->workers_lanes(s.workers, "echo", 4, &lanes), IL_OK);
        cr_assert_eq(lanes.count, pools[i].count, "pool %zu", i);
        cr_assert_eq(lanes.retries, pools[i].retries, "pool %zu", i);
    }
    end(&s);
}

/* Messages on their way to the server and back. */
#include "client/call.h"
#include "client/message.h"
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_queue *queue;
};

static const char *answers[FAKE_MAX]; /* by number of the request; a problem if it has a code */
static int statuses[FAKE_MAX];

static void reply(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    fake_answer(fd, statuses[r->number] ? statuses[r->number] : 200, answers[r->number]);
}

/* Request 0 opens the queue. */
static struct scene begin(void) {
    struct scene s = {.f = fake_start(reply)};
    answers[0] = "{\"name\":\"q\"}";
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->queue_open(s.domain, "q", 1, NULL, &s.queue), IL_OK, "%s",
                 ili_error_text());
    return s;
}

static void end(struct scene *s) {
    fake_ops()->queue_close(s->queue);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static il_status put(struct scene *s, const char *text, uint32_t type) {
    return fake_ops()->queue_put(s->queue, text, strlen(text), type, 0);
}

static void message_error(const char *text, size_t bytes, uint32_t type, il_status expected) {
    struct ili_buffer out = {0};
    fake_ops();
    cr_assert_eq(ili_message_write(&out, text, bytes, type), expected, "%s", text);
    cr_assert_eq(out.bytes, 0);
    ili_buffer_free(&out);
}

Test(client_queue, each_type_of_message_has_its_field) {
    struct scene s = begin();
    for (int i = 1; i < 6; i++) answers[i] = "{\"name\":\"q\",\"size\":1}";
    cr_assert_eq(put(&s, "a\"ä\n", IL_TEXT), IL_OK, "%s", ili_error_text());
    cr_assert_eq(put(&s, "\xff\x01", IL_BYTES), IL_OK);
    cr_assert_eq(put(&s, " {\"b\": 1.0, \"a\":123456789012345678901234567890}\n", IL_JSON), IL_OK);
    cr_assert_eq(fake_ops()->queue_put(s.queue, NULL, 0, IL_BYTES, 0), IL_OK);
    cr_assert_eq(fake_ops()->queue_put(s.queue, NULL, 0, IL_TEXT, 0), IL_OK);
    const struct fake_request *r = s.f->requests;
    cr_assert_str_eq(r[1].body, "{\"text\":\"a\\\"ä\\n\",\"timeout\":0}");
    cr_assert_str_eq(r[2].body, "{\"base64\":\"/wE=\",\"timeout\":0}");
    cr_assert_str_eq(r[3].body,
                     "{\"json\":{\"b\": 1.0, \"a\":123456789012345678901234567890},\"timeout\":0}");
    cr_assert_str_eq(r[4].body, "{\"base64\":\"\",\"timeout\":0}");
    cr_assert_str_eq(r[5].body, "{\"text\":\"\",\"timeout\":0}");
    for (int i = 1; i < 6; i++) cr_assert_neq(r[i].key[0], 0);
    end(&s);
}

Test(client_queue, what_is_no_message_is_not_sent) {
    message_error("\xc3", 1, IL_TEXT, IL_EINVAL);
    message_error("1,\"timeout\":9", 13, IL_JSON, IL_EINVAL);
    message_error("", 0, IL_JSON, IL_EINVAL);
    message_error("{\"a\":1}}", 8, IL_JSON, IL_EINVAL);
    char *deep = malloc(200);
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    message_error(deep, 130, IL_JSON, IL_EINVAL);
    free(deep);
    message_error("", (size_t)IL_MESSAGE_MAX_BYTES + 1, IL_BYTES, IL_ETOOBIG);
}

static void got(struct scene *s, const char *text, size_t length, uint32_t expected) {
    char buffer[100];
    size_t bytes = 0;
    uint32_t type = 9;
    cr_assert_eq(fake_ops()->queue_get(s->queue, buffer, sizeof buffer, &bytes, &type, 0), IL_OK,
                 "%s", ili_error_text());
    cr_assert_eq(bytes, length);
    cr_assert_eq(type, expected);
    cr_assert_arr_eq(buffer, text, length);
}

Test(client_queue, messages_come_back_as_they_were) {
    struct scene s = begin();
    answers[1] = "{\"name\":\"q\",\"type\":\"text\",\"text\":\"a\\u0000\\u00e4\"}";
    answers[2] = "{\"name\":\"q\",\"type\":\"bytes\",\"base64\":\"/wE=\"}";
    answers[3] =
        "{\"json\" : { \"b\":1.0,\"a\":123456789012345678901234567890 } ,\"type\":\"json\"}";
    answers[4] = "{\"type\":\"bytes\",\"base64\":\"\"}";
    answers[5] = "{\"type\":\"json\",\"json\":null}";
    got(&s, "a\0ä", 4, IL_TEXT);
    got(&s, "\xff\x01", 2, IL_BYTES);
    got(&s, "{ \"b\":1.0,\"a\":123456789012345678901234567890 }", 46, IL_JSON);
    got(&s, "", 0, IL_BYTES);
    got(&s, "null", 4, IL_JSON);
    end(&s);
}

Test(client_queue, wrong_types_are_a_protocol_error) {
    static const char *const wrong[] = {
        "{\"type\":\"text\"}",
        "{\"type\":\"text\",\"text\":5}",
        "{\"type\":\"text\",\"text\":null}",
        "{\"type\":\"text\",\"text\":\"\\ud800\"}",
        "{\"type\":\"bytes\",\"base64\":\"Zg\"}",
        "{\"type\":\"bytes\",\"base64\":[]}",
        "{\"type\":\"bytes\",\"text\":\"x\"}",
        "{\"type\":\"json\"}",
        "{\"type\":\"number\",\"json\":1}",
        "{\"type\":1,\"json\":1}",
        "{\"text\":\"x\"}",
        "{}",
        "[]",
        "{\"type\":\"json\",\"json\":}",
        "",
    };
    struct scene s = begin();
    for (int i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
        char buffer[10];
        size_t bytes = 77;
        uint32_t type = 9;
        answers[1 + i] = wrong[i];
        cr_assert_eq(fake_ops()->queue_get(s.queue, buffer, 10, &bytes, &type, 0), IL_EPROTOCOL,
                     "%s: %s", wrong[i], ili_error_text());
        cr_assert_eq(bytes, 77);
        cr_assert_eq(type, 9);
    }
    end(&s);
}

Test(client_queue, server_keeps_what_does_not_fit) {
    struct scene s = begin();
    char buffer[10];
    size_t bytes = 0;
    answers[1] = "{\"code\":\"too_large\",\"bytes\":5000}";
    answers[2] = "{\"code\":\"too_large\"}";
    statuses[1] = statuses[2] = 413;
    cr_assert_eq(fake_ops()->queue_get(s.queue, buffer, 10, &bytes, NULL, 0), IL_ETOOBIG);
    cr_assert_eq(bytes, 5000);
    cr_assert_not_null(strstr(s.f->requests[1].body, "\"max_bytes\":10"));
    cr_assert_eq(fake_ops()->queue_get(s.queue, NULL, 100, &bytes, NULL, 0), IL_ETOOBIG);
    cr_assert_eq(bytes, IL_MESSAGE_MAX_BYTES, "room for any, if the server does not say");
    cr_assert_not_null(strstr(s.f->requests[2].body, "\"max_bytes\":0"));
    end(&s);
}

Test(client_queue, peek_into_a_small_buffer_tells_the_room) {
    struct scene s = begin();
    char buffer[4] = "xyz";
    size_t bytes = 0;
    answers[1] = "{\"type\":\"text\",\"text\":\"hello\"}";
    cr_assert_eq(fake_ops()->queue_peek(s.queue, buffer, 4, &bytes, NULL), IL_ETOOBIG);
    cr_assert_eq(bytes, 5);
    cr_assert_str_eq(buffer, "xyz");
    end(&s);
}

/* ---- many ------------------------------------------------------------------------------------ */

static const il_message abc[] = {
    {.data = "a", .bytes = 1, .type = IL_TEXT},
    {.data = "b", .bytes = 1, .type = IL_BYTES},
    {.data = "3", .bytes = 1, .type = IL_JSON},
};

Test(client_queue, put_many_is_one_request_if_there_is_room) {
    struct scene s = begin();
    size_t done = 9;
    answers[1] = "{\"put\":3}";
    cr_assert_eq(fake_ops()->queue_put_many(s.queue, abc, 3, &done, IL_FOREVER), IL_OK, "%s",
                 ili_error_text());
    cr_assert_eq(done, 3);
    cr_assert_str_eq(s.f->requests[1].body, "{\"items\":[{\"text\":\"a\"},{\"base64\":\"Yg==\"},"
                                            "{\"json\":3}],\"timeout\":0}");
    end(&s);
}

Test(client_queue, put_many_waits_for_room_with_one_message) {
    struct scene s = begin();
    size_t done = 9;
    answers[1] = "{\"code\":\"timeout\",\"put\":1}";
    statuses[1] = 409;
    answers[2] = "{\"size\":1}"; /* b */
    answers[3] = "{\"code\":\"closed\"}";
    statuses[3] = 409;
    cr_assert_eq(fake_ops()->queue_put_many(s.queue, abc, 3, &done, IL_FOREVER), IL_ECLOSED);
    cr_assert_eq(done, 2);
    cr_assert_str_eq(s.f->requests[2].path, "/v1/queues/q/put");
    cr_assert_str_eq(s.f->requests[2].body, "{\"base64\":\"Yg==\"}");
    cr_assert_str_eq(s.f->requests[3].body, "{\"items\":[{\"json\":3}],\"timeout\":0}");
    end(&s);
}

Test(client_queue, put_many_without_waiting_tells_how_many) {
    struct scene s = begin();
    size_t done = 9;
    answers[1] = "{\"code\":\"timeout\",\"put\":2}";
    statuses[1] = 409;
    cr_assert_eq(fake_ops()->queue_put_many(s.queue, abc, 3, &done, 0), IL_ETIMEOUT);
    cr_assert_eq(done, 2);
    answers[2] = "{\"put\":4}";
    cr_assert_eq(fake_ops()->queue_put_many(s.queue, abc, 3, &done, 0), IL_EPROTOCOL);
    end(&s);
}

Test(client_queue, bad_message_stops_put_many_behind_the_good_ones) {
    struct scene s = begin();
    const il_message some[] = {abc[0], {.data = "{", .bytes = 1, .type = IL_JSON}};
    size_t done = 9;
    answers[1] = "{\"put\":1}";
    cr_assert_eq(fake_ops()->queue_put_many(s.queue, some, 2, &done, 0), IL_EINVAL);
    cr_assert_eq(done, 1);
    end(&s);
}

Test(client_queue, get_many_fills_buffer_and_descriptions) {
    struct scene s = begin();
    char buffer[10];
    il_message found[4];
    size_t done = 9;
    answers[1] =
        "{\"items\":[{\"type\":\"text\",\"text\":\"ab\"},{\"type\":\"bytes\",\"base64\":\"\"},"
        "{\"type\":\"json\",\"json\":[1, 2]}]}";
    cr_assert_eq(fake_ops()->queue_get_many(s.queue, buffer, 10, found, 4, &done, 0), IL_OK, "%s",
                 ili_error_text());
    cr_assert_eq(done, 3);
    cr_assert_arr_eq(buffer, "ab[1, 2]", 8);
    cr_assert_eq(found[0].data, buffer);
    cr_assert_eq(found[0].bytes, 2);
    cr_assert_eq(found[1].bytes, 0);
    cr_assert_eq(found[1].type, IL_BYTES);
    cr_assert_eq(found[2].data, buffer + 2);
    cr_assert_eq(found[2].bytes, 6);
    cr_assert_eq(found[2].type, IL_JSON);
    cr_assert_not_null(strstr(s.f->requests[1].body, "\"max\":4,\"max_bytes\":10"));
    end(&s);
}

Test(client_queue, get_many_takes_no_more_than_it_asked_for) {
    static const char *const wrong[] = {
        "{\"items\":[]}",
        "{\"items\":5}",
        "{}",
        "{\"items\":[5]}",
        "{\"items\":[{\"type\":\"text\",\"text\":\"abcdefghijk\"}]}",
        "{\"items\":[{\"type\":\"text\",\"text\":\"\"},{\"type\":\"text\",\"text\":\"\"},{},{}]}",
    };
    struct scene s = begin();
    for (int i = 0; i < 6; i++) {
        char buffer[10];
        il_message found[2] = {{.bytes = 9}, {.bytes = 9}};
        size_t done = 77;
        answers[1 + i] = wrong[i];
        cr_assert_eq(fake_ops()->queue_get_many(s.queue, buffer, 10, found, 2, &done, 0),
                     IL_EPROTOCOL, "%s", wrong[i]);
        cr_assert_eq(done, 77);
        cr_assert_eq(found[0].bytes, 9);
    }
    end(&s);
}

Test(client_queue, options_are_sent_and_conflicts_told) {
    struct scene s = begin();
    struct ili_remote_queue *queue = NULL;
    uint64_t maxsize = UINT64_C(1) << 40;
    cr_assert_str_eq(s.f->requests[0].body, "{}");
    answers[1] = answers[2] = "{\"code\":\"conflict\",\"detail\":\"maxsize is 3\"}";
    statuses[1] = statuses[2] = 409;
    cr_assert_eq(fake_ops()->queue_open(s.domain, "q", 1, &maxsize, &queue), IL_ECONFLICT);
    cr_assert_null(queue);
    cr_assert_str_eq(s.f->requests[1].body, "{\"maxsize\":1099511627776}");
    cr_assert_eq(fake_ops()->queue_open(s.domain, "q", 1, NULL, &queue), IL_OK, "as it is");
    fake_ops()->queue_close(queue);
    end(&s);
}

Test(client_queue, view_answers_the_glances) {
    struct scene s = begin();
    uint64_t size = 0, maxsize = 0;
    int32_t full = 7;
    answers[1] = answers[2] = answers[3] = "{\"size\":3,\"maxsize\":5,\"full\":false}";
    cr_assert_eq(fake_ops()->queue_size(s.queue, &size), IL_OK);
    cr_assert_eq(fake_ops()->queue_maxsize(s.queue, &maxsize), IL_OK);
    cr_assert_eq(fake_ops()->queue_full(s.queue, &full), IL_OK);
    cr_assert(size == 3 && maxsize == 5 && full == 0);
    answers[4] = "{\"size\":\"3\"}";
    cr_assert_eq(fake_ops()->queue_size(s.queue, &size), IL_EPROTOCOL);
    answers[5] = "{\"code\":\"not_found\"}";
    statuses[5] = 404;
    cr_assert_eq(fake_ops()->queue_size(s.queue, &size), IL_EDELETED);
    answers[6] = "{\"closed\":true}";
    cr_assert_eq(fake_ops()->queue_shut(s.queue), IL_OK);
    end(&s);
}

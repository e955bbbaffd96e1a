/* Dicts over HTTP: what is asked, and what becomes of the answers. */
#include "client/call.h"
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_dict *dict;
};

static const char *answers[FAKE_MAX]; /* by number of the request; a problem if it has a status */
static int statuses[FAKE_MAX];

static void reply(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    const char *answer = answers[r->number] ? answers[r->number] : "{}";
    fake_answer(fd, statuses[r->number] ? statuses[r->number] : 200, answer);
}

/* Request 0 opens the dict. */
static struct scene begin(void) {
    struct scene s = {.f = fake_start(reply)};
    il_data_options options = {sizeof options, 0, 7, 0, 9000};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->dict_open(s.domain, "d e", 3, &options, &s.dict), IL_OK, "%s",
                 ili_error_text());
    return s;
}

static void end(struct scene *s) {
    fake_ops()->dict_close(s->dict);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static const il_message text = {"v", 1, IL_TEXT, 0};

Test(client_dict, opening_tells_the_limits_that_are_none_of_the_defaults) {
    struct scene s = begin();
    fake_saw(s.f, 0, "PUT /v1/dicts/d%20e", "{\"max_entries\":7,\"max_bytes\":9000}");
    cr_assert_eq(fake_ops()->dict_delete(s.domain, "d e", 3), IL_OK);
    fake_saw(s.f, 1, "DELETE /v1/dicts/d%20e", NULL);
    end(&s);
}

Test(client_dict, a_condition_is_a_version_or_null_or_nothing) {
    struct scene s = begin();
    uint64_t version = IL_VERSION_ANY;
    answers[1] = answers[2] = answers[3] =
        "{\"key\":\"k\",\"version\":\"18446744073709551614\",\"created\":true}";
    cr_assert_eq(fake_ops()->dict_set(s.dict, "a\"\0", 3, &text, &version), IL_OK, "%s",
                 ili_error_text());
    cr_assert_eq(version, UINT64_MAX - 1);
    version = IL_VERSION_NONE;
    cr_assert_eq(fake_ops()->dict_set(s.dict, "k", 1, &text, &version), IL_OK);
    version = 17;
    cr_assert_eq(fake_ops()->dict_set(s.dict, NULL, 0, &text, &version), IL_OK);
    cr_assert_eq(fake_ops()->dict_remove(s.dict, "k", 1, 17), IL_OK);
    cr_assert_eq(fake_ops()->dict_remove(s.dict, "k", 1, IL_VERSION_ANY), IL_OK);
    fake_saw(s.f, 1, "POST /v1/dicts/d%20e/set", "{\"key\":\"a\\\"\\u0000\",\"text\":\"v\"}");
    fake_saw(s.f, 2, "POST /v1/dicts/d%20e/set", "{\"key\":\"k\",\"text\":\"v\",\"version\":null}");
    fake_saw(s.f, 3, "POST /v1/dicts/d%20e/set",
             "{\"key\":\"\",\"text\":\"v\",\"version\":\"17\"}");
    fake_saw(s.f, 4, "POST /v1/dicts/d%20e/remove", "{\"key\":\"k\",\"version\":\"17\"}");
    fake_saw(s.f, 5, "POST /v1/dicts/d%20e/remove", "{\"key\":\"k\"}");
    for (int i = 1; i < 6; i++) cr_assert_neq(s.f->requests[i].key[0], 0, "done once");
    end(&s);
}

Test(client_dict, a_value_comes_with_its_type_and_version) {
    struct scene s = begin();
    char room[20];
    il_item item = {0};
    int32_t created = -1;
    answers[1] = "{\"key\":\"k\",\"type\":\"json\",\"json\": [1.0] ,\"version\":\"5\"}";
    answers[2] = "{\"key\":\"k\",\"type\":\"bytes\",\"base64\":\"/wE=\",\"version\":\"6\","
                 "\"created\":true}";
    answers[3] = "{\"key\":\"k\",\"type\":\"text\",\"text\":\"\",\"version\":\"7\"}";
    cr_assert_eq(fake_ops()->dict_get(s.dict, "k", 1, room, sizeof room, &item), IL_OK, "%s",
                 ili_error_text());
    cr_assert_eq(item.bytes, 5);
    cr_assert_arr_eq(room, "[1.0]", 5);
    cr_assert_eq(item.type, IL_JSON);
    cr_assert_eq(item.version, 5);
    cr_assert_eq(
        fake_ops()->dict_set_default(s.dict, "k", 1, &text, room, sizeof room, &item, &created),
        IL_OK, "%s", ili_error_text());
    cr_assert_eq(item.bytes, 2);
    cr_assert_arr_eq(room, "\xff\x01", 2);
    cr_assert_eq(item.version, 6);
    cr_assert_eq(created, 1);
    cr_assert_eq(fake_ops()->dict_pop(s.dict, "k", 1, NULL, 20, &item), IL_OK);
    cr_assert_eq(item.bytes, 0);
    cr_assert_eq(item.type, IL_TEXT);
    fake_saw(s.f, 1, "POST /v1/dicts/d%20e/get", "{\"key\":\"k\"}");
    fake_saw(s.f, 2, "POST /v1/dicts/d%20e/setdefault",
             "{\"key\":\"k\",\"text\":\"v\",\"max_bytes\":20}");
    fake_saw(s.f, 3, "POST /v1/dicts/d%20e/pop", "{\"key\":\"k\",\"max_bytes\":0}");
    cr_assert_eq(s.f->requests[1].key[0], 0, "reading needs no key");
    cr_assert_neq(s.f->requests[3].key[0], 0);
    end(&s);
}

Test(client_dict, what_does_not_fit_is_told) {
    struct scene s = begin();
    char room[4] = "abc";
    il_item item = {0};
    il_entry entry = {0};
    answers[1] = "{\"type\":\"text\",\"text\":\"12345\",\"version\":\"5\"}";
    answers[2] = answers[3] = "{\"code\":\"too_large\",\"bytes\":70}";
    statuses[2] = statuses[3] = 413;
    cr_assert_eq(fake_ops()->dict_get(s.dict, "k", 1, room, 4, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 5);
    cr_assert_eq(fake_ops()->dict_pop(s.dict, "k", 1, room, 4, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 70);
    cr_assert_eq(fake_ops()->dict_pop_item(s.dict, room, 4, &entry), IL_ETOOBIG);
    cr_assert_eq(entry.key_bytes + entry.item.bytes, 70);
    cr_assert_str_eq(room, "abc");
    end(&s);
}

Test(client_dict, wrong_answers_are_a_protocol_error) {
    static const char *const wrong[] = {
        "{}",
        "{\"type\":\"text\",\"text\":\"x\"}",
        "{\"type\":\"text\",\"text\":\"x\",\"version\":5}",
        "{\"type\":\"text\",\"text\":\"x\",\"version\":\"-5\"}",
        "{\"type\":\"text\",\"text\":\"x\",\"version\":\"18446744073709551616\"}",
        "{\"type\":\"text\",\"version\":\"5\"}",
        "{\"text\":\"x\",\"version\":\"5\"}",
        "[]",
    };
    struct scene s = begin();
    int n = 1;
    for (int i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
        char room[10];
        il_item item = {.bytes = 77};
        uint64_t version = 77, length = 77;
        int32_t found = 77;
        answers[n] = answers[n + 1] = answers[n + 2] = wrong[i];
        cr_assert_eq(fake_ops()->dict_get(s.dict, "k", 1, room, 10, &item), IL_EPROTOCOL, "%s",
                     wrong[i]);
        cr_assert_eq(item.bytes, 77);
        cr_assert_eq(fake_ops()->dict_contains(s.dict, "k", 1, &found), IL_EPROTOCOL, "%s",
                     wrong[i]);
        cr_assert_eq(found, 77);
        cr_assert_eq(fake_ops()->dict_length(s.dict, &length, &version), IL_EPROTOCOL, "%s",
                     wrong[i]);
        cr_assert_eq(length, 77);
        n += 3;
    }
    end(&s);
}

Test(client_dict, an_update_is_one_request) {
    struct scene s = begin();
    uint64_t version = 0;
    const il_dict_change changes[] = {
        {IL_CHANGE_SET, IL_BYTES, "a", 1, "\xff\x01", 2, IL_VERSION_ANY},
        {IL_CHANGE_REMOVE, 0, "b", 1, NULL, 0, 9},
        {IL_CHANGE_EXPECT, 0, "c", 1, NULL, 0, IL_VERSION_NONE},
    };
    answers[1] = "{\"changes\":3,\"version\":\"10\"}";
    answers[2] = "{\"code\":\"changed\",\"detail\":\"changes[1]: because\"}";
    statuses[2] = 412;
    cr_assert_eq(fake_ops()->dict_update(s.dict, changes, 3, &version), IL_OK, "%s",
                 ili_error_text());
    cr_assert_eq(version, 10);
    cr_assert_eq(fake_ops()->dict_update(s.dict, changes, 3, &version), IL_ECHANGED);
    cr_assert_not_null(strstr(ili_error_text(), "changes[1]: because"));
    fake_saw(s.f, 1, "POST /v1/dicts/d%20e/update",
             "{\"changes\":[{\"set\":\"a\",\"base64\":\"/wE=\"},{\"remove\":\"b\","
             "\"version\":\"9\"},{\"expect\":\"c\",\"version\":null}]}");
    cr_assert_neq(s.f->requests[1].key[0], 0);
    end(&s);
}

Test(client_dict, a_walk_goes_from_page_to_page) {
    struct scene s = begin();
    char room[40];
    il_entry entries[5];
    il_cursor cursor = {0};
    size_t done = 0;
    answers[1] = "{\"items\":[{\"key\":\"a\",\"type\":\"text\",\"text\":\"one\",\"version\":\"1\"},"
                 "{\"key\":\"b\",\"type\":\"json\",\"json\":2,\"version\":\"2\"}],"
                 "\"cursor\":\"1f-fedcba9876543210-9\"}";
    answers[2] = "{\"items\":[{\"key\":\"c\",\"type\":\"text\",\"text\":\"\",\"version\":\"3\"}],"
                 "\"cursor\":\"20-0-ffffffff\"}";
    answers[3] = "{\"code\":\"too_large\",\"bytes\":50}";
    statuses[3] = 413;
    answers[4] = "{\"items\":[],\"cursor\":null}";
    cr_assert_eq(fake_ops()->dict_items(s.dict, &cursor, IL_KEYS | IL_VALUES, room, sizeof room,
                                        entries, 5, &done),
                 IL_OK, "%s", ili_error_text());
    cr_assert_eq(done, 3, "what did not fit is for the next call");
    cr_assert_arr_eq(room, "aoneb2c", 7);
    cr_assert_eq((const char *)entries[1].data, room + 5);
    cr_assert_eq(entries[1].item.version, 2);
    cr_assert_eq(entries[2].key, room + 6);
    cr_assert_eq(entries[2].item.bytes, 0);
    cr_assert_eq(cursor.finished, 0);
    cr_assert_eq(fake_ops()->dict_items(s.dict, &cursor, IL_KEYS | IL_VALUES, room, sizeof room,
                                        entries, 5, &done),
                 IL_OK);
    cr_assert_eq(done, 0);
    cr_assert_eq(cursor.finished, 1);
    fake_saw(s.f, 1, "GET /v1/dicts/d%20e/items?limit=5&max_bytes=40", NULL);
    fake_saw(s.f, 2, "GET /v1/dicts/d%20e/items?limit=3&max_bytes=34&cursor=1f-fedcba9876543210-9",
             NULL);
    fake_saw(s.f, 4, "GET /v1/dicts/d%20e/items?limit=5&max_bytes=40&cursor=20-0-ffffffff", NULL);
    end(&s);
}

Test(client_dict, a_walk_over_keys_asks_for_no_values) {
    struct scene s = begin();
    char room[4];
    il_entry entries[2];
    il_cursor cursor = {0};
    size_t done = 0;
    answers[1] = "{\"items\":[{\"key\":\"ab\",\"type\":\"bytes\",\"bytes\":900,\"version\":\"1\"}],"
                 "\"cursor\":null}";
    answers[2] = "{\"code\":\"too_large\",\"bytes\":5}";
    statuses[2] = 413;
    cr_assert_eq(fake_ops()->dict_items(s.dict, &cursor, IL_KEYS, room, 4, entries, 2, &done),
                 IL_OK, "%s", ili_error_text());
    cr_assert_eq(done, 1);
    cr_assert_null(entries[0].data);
    cr_assert_eq(entries[0].item.bytes, 900);
    cr_assert_eq(entries[0].item.type, IL_BYTES);
    cr_assert_eq(cursor.finished, 1);
    cursor = (il_cursor){0};
    cr_assert_eq(fake_ops()->dict_items(s.dict, &cursor, IL_KEYS, room, 4, entries, 2, &done),
                 IL_ETOOBIG);
    cr_assert_eq(done, 5);
    fake_saw(s.f, 1, "GET /v1/dicts/d%20e/items?limit=2&max_bytes=4&values=false", NULL);
    end(&s);
}

Test(client_dict, pages_of_nonsense_are_a_protocol_error) {
    static const char *const wrong[] = {
        "{}",
        "{\"items\":[]}",
        "{\"items\":[],\"cursor\":\"1-2-3\"}",
        "{\"items\":[{\"type\":\"text\",\"text\":\"x\",\"version\":\"1\"}],\"cursor\":null}",
        "{\"items\":[{\"key\":\"k\",\"type\":\"text\",\"text\":\"longer than is asked for\","
        "\"version\":\"1\"}],\"cursor\":null}",
        "{\"items\":[{\"key\":\"k\",\"type\":\"text\",\"text\":\"\",\"version\":\"1\"}],"
        "\"cursor\":\"1-2\"}",
        "{\"items\":[{\"key\":\"k\",\"type\":\"text\",\"text\":\"\",\"version\":\"1\"}],"
        "\"cursor\":\"1-2-z\"}",
        "{\"items\":[{\"key\":\"k\",\"type\":\"text\",\"text\":\"\",\"version\":\"1\"}],"
        "\"cursor\":\"1-2-fffffffff\"}",
    };
    struct scene s = begin();
    for (int i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
        char room[10];
        il_entry entries[2];
        il_cursor cursor = {0};
        size_t done = 77;
        answers[1 + i] = wrong[i];
        cr_assert_eq(fake_ops()->dict_items(s.dict, &cursor, IL_KEYS | IL_VALUES, room, 10, entries,
                                            2, &done),
                     IL_EPROTOCOL, "%s", wrong[i]);
        cr_assert_eq(done, 77);
        cr_assert_eq(cursor.finished, 0);
    }
    end(&s);
}

Test(client_dict, no_such_dict_is_one_that_was_deleted) {
    struct scene s = begin();
    uint64_t length;
    char room[4];
    il_item item;
    for (int i = 1; i < 5; i++) {
        answers[i] = "{\"code\":\"not_found\",\"detail\":\"no\"}";
        statuses[i] = 404;
    }
    answers[4] = "{\"code\":\"no_such_key\",\"detail\":\"no\"}";
    cr_assert_eq(fake_ops()->dict_length(s.dict, &length, NULL), IL_EDELETED);
    cr_assert_eq(fake_ops()->dict_get(s.dict, "k", 1, room, 4, &item), IL_EDELETED);
    cr_assert_eq(fake_ops()->dict_clear(s.dict), IL_EDELETED);
    cr_assert_eq(fake_ops()->dict_get(s.dict, "k", 1, room, 4, &item), IL_ENOKEY);
    end(&s);
}

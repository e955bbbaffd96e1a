/* Lists over HTTP: what is asked, and what becomes of the answers. */
#include "client/call.h"
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_list *list;
};

static const char *answers[FAKE_MAX]; /* by number of the request */
static int statuses[FAKE_MAX];

static void reply(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    const char *answer = answers[r->number] ? answers[r->number] : "{\"version\":\"1\"}";
    fake_answer(fd, statuses[r->number] ? statuses[r->number] : 200, answer);
}

/* Request 0 opens the list. */
static struct scene begin(void) {
    struct scene s = {.f = fake_start(reply)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->list_open(s.domain, "l", 1, NULL, &s.list), IL_OK, "%s",
                 ili_error_text());
    return s;
}

static void end(struct scene *s) {
    fake_ops()->list_close(s->list);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static const il_message text = {"v", 1, IL_TEXT, 0};

Test(client_list, opening_takes_it_as_it_is) {
    struct scene s;
    answers[0] = "{\"code\":\"conflict\",\"detail\":\"other limits\"}";
    statuses[0] = 409;
    s = begin();
    fake_saw(s.f, 0, "PUT /v1/lists/l", "{}");
    end(&s);
}

Test(client_list, one_item_is_changed_by_an_update) {
    struct scene s = begin();
    uint64_t version = IL_VERSION_ANY;
    answers[1] = "{\"length\":1,\"version\":\"8\"}";
    cr_assert_eq(fake_ops()->list_set(s.list, -1, &text, &version), IL_OK, "%s", ili_error_text());
    cr_assert_eq(version, 8);
    cr_assert_eq(fake_ops()->list_set(s.list, INT64_MAX, &text, &version), IL_OK);
    cr_assert_eq(fake_ops()->list_remove_at(s.list, INT64_MIN, 9), IL_OK);
    cr_assert_eq(fake_ops()->list_remove_at(s.list, 0, IL_VERSION_ANY), IL_OK);
    fake_saw(s.f, 1, "POST /v1/lists/l/update", "{\"changes\":[{\"set\":-1,\"text\":\"v\"}]}");
    fake_saw(s.f, 2, "POST /v1/lists/l/update",
             "{\"changes\":[{\"set\":9007199254740991,\"text\":\"v\",\"version\":\"8\"}]}");
    fake_saw(s.f, 3, "POST /v1/lists/l/update",
             "{\"changes\":[{\"remove\":-9007199254740991,\"version\":\"9\"}]}");
    fake_saw(s.f, 4, "POST /v1/lists/l/update", "{\"changes\":[{\"remove\":0}]}");
    for (int i = 1; i < 5; i++) cr_assert_neq(s.f->requests[i].key[0], 0, "done once");
    end(&s);
}

Test(client_list, an_item_comes_with_its_type_and_version) {
    struct scene s = begin();
    char room[4];
    il_item item = {0};
    answers[1] = "{\"index\":2,\"type\":\"json\",\"json\":1.0,\"version\":\"5\"}";
    answers[2] = "{\"index\":2,\"type\":\"json\",\"json\":12345,\"version\":\"5\"}";
    answers[3] = "{\"code\":\"too_large\",\"bytes\":5}";
    statuses[3] = 413;
    answers[4] = "{\"code\":\"out_of_range\",\"detail\":\"the length is 2\"}";
    statuses[4] = 404;
    cr_assert_eq(fake_ops()->list_get(s.list, 2, room, 4, &item), IL_OK, "%s", ili_error_text());
    cr_assert_eq(item.bytes, 3);
    cr_assert_arr_eq(room, "1.0", 3);
    cr_assert_eq(item.version, 5);
    cr_assert_eq(item.type, IL_JSON);
    cr_assert_eq(fake_ops()->list_get(s.list, 2, room, 4, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 5);
    item.bytes = 0;
    cr_assert_eq(fake_ops()->list_pop(s.list, -1, room, 4, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 5);
    cr_assert_eq(fake_ops()->list_pop(s.list, -1, NULL, 4, &item), IL_ERANGE);
    cr_assert_not_null(strstr(ili_error_text(), "the length is 2"));
    fake_saw(s.f, 1, "GET /v1/lists/l/items/2", NULL);
    fake_saw(s.f, 3, "POST /v1/lists/l/pop", "{\"index\":-1,\"max_bytes\":4}");
    fake_saw(s.f, 4, "POST /v1/lists/l/pop", "{\"index\":-1,\"max_bytes\":0}");
    cr_assert_eq(s.f->requests[1].key[0], 0);
    cr_assert_neq(s.f->requests[3].key[0], 0);
    end(&s);
}

Test(client_list, finding_asks_with_the_value) {
    struct scene s = begin();
    uint64_t number = 77;
    answers[1] = "{\"index\":4}";
    answers[2] = "{\"count\":2}";
    answers[4] = "{\"code\":\"no_such_key\",\"detail\":\"none\"}";
    statuses[4] = 404;
    answers[5] = "{\"index\":-1}";
    cr_assert_eq(fake_ops()->list_index(s.list, &text, -3, INT64_MAX, &number), IL_OK);
    cr_assert_eq(number, 4);
    cr_assert_eq(fake_ops()->list_count(s.list, &text, &number), IL_OK);
    cr_assert_eq(number, 2);
    cr_assert_eq(fake_ops()->list_remove(s.list, &text), IL_OK);
    cr_assert_eq(fake_ops()->list_index(s.list, &text, 0, 9, &number), IL_ENOKEY);
    cr_assert_eq(fake_ops()->list_index(s.list, &text, 0, 9, &number), IL_EPROTOCOL);
    cr_assert_eq(number, 2);
    fake_saw(s.f, 1, "POST /v1/lists/l/index", "{\"text\":\"v\",\"start\":-3}");
    fake_saw(s.f, 2, "POST /v1/lists/l/count", "{\"text\":\"v\"}");
    fake_saw(s.f, 3, "POST /v1/lists/l/remove", "{\"text\":\"v\"}");
    fake_saw(s.f, 4, "POST /v1/lists/l/index", "{\"text\":\"v\",\"start\":0,\"stop\":9}");
    cr_assert_eq(s.f->requests[2].key[0], 0, "reading needs no key");
    cr_assert_neq(s.f->requests[3].key[0], 0);
    end(&s);
}

Test(client_list, what_goes_to_the_end_is_an_extend_else_a_splice) {
    struct scene s = begin();
    uint64_t version = 3;
    const il_message two[] = {{"a", 1, IL_TEXT, 0}, {"\xff", 1, IL_BYTES, 0}};
    answers[2] = "{\"length\":1,\"version\":\"4\"}";
    cr_assert_eq(fake_ops()->list_splice(s.list, INT64_MAX, INT64_MAX, two, 2, NULL), IL_OK);
    cr_assert_eq(fake_ops()->list_splice(s.list, INT64_MAX, INT64_MAX, two, 1, &version), IL_OK);
    cr_assert_eq(version, 4);
    cr_assert_eq(fake_ops()->list_splice(s.list, -2, 7, two, 1, NULL), IL_OK);
    version = IL_VERSION_NONE;
    cr_assert_eq(fake_ops()->list_splice(s.list, 0, INT64_MAX, NULL, 0, &version), IL_OK);
    fake_saw(s.f, 1, "POST /v1/lists/l/extend",
             "{\"messages\":[{\"text\":\"a\"},{\"base64\":\"/w==\"}]}");
    fake_saw(s.f, 2, "POST /v1/lists/l/splice",
             "{\"start\":9007199254740991,\"messages\":[{\"text\":\"a\"}],\"version\":\"3\"}");
    fake_saw(s.f, 3, "POST /v1/lists/l/splice",
             "{\"start\":-2,\"stop\":7,\"messages\":[{\"text\":\"a\"}]}");
    fake_saw(s.f, 4, "POST /v1/lists/l/splice", "{\"start\":0,\"messages\":[],\"version\":null}");
    for (int i = 1; i < 5; i++) cr_assert_neq(s.f->requests[i].key[0], 0, "done once");
    end(&s);
}

#define ITEM(letter) "{\"type\":\"text\",\"text\":\"" letter "\",\"version\":\"1\"}"

Test(client_list, pages_of_one_version_are_one_slice) {
    struct scene s = begin();
    char room[20];
    il_list_item items[10];
    size_t done = 0;
    uint64_t version = 0;
    answers[1] = "{\"items\":[" ITEM("ab") "," ITEM("") "],\"version\":\"6\",\"next\":7}";
    answers[2] = "{\"items\":[" ITEM("c") "],\"version\":\"6\",\"next\":null}";
    cr_assert_eq(
        fake_ops()->list_slice(s.list, -5, -1, room, sizeof room, items, 10, &done, &version),
        IL_OK, "%s", ili_error_text());
    cr_assert_eq(done, 3);
    cr_assert_arr_eq(room, "abc", 3);
    cr_assert_eq(items[0].data, room);
    cr_assert_null(items[1].data);
    cr_assert_eq(items[2].data, room + 2);
    cr_assert_eq(version, 6);
    fake_saw(s.f, 1, "GET /v1/lists/l/items?start=-5&limit=10&max_bytes=20&stop=-1", NULL);
    fake_saw(s.f, 2, "GET /v1/lists/l/items?start=7&limit=8&max_bytes=18&stop=-1", NULL);
    end(&s);
}

Test(client_list, a_page_of_another_version_ends_the_slice) {
    struct scene s = begin();
    char room[20];
    il_list_item items[10];
    size_t done = 0;
    uint64_t version = 0;
    answers[1] = "{\"items\":[" ITEM("a") "],\"version\":\"6\",\"next\":1}";
    answers[2] = "{\"items\":[" ITEM("x") "],\"version\":\"7\",\"next\":2}";
    cr_assert_eq(
        fake_ops()->list_slice(s.list, 0, INT64_MAX, room, sizeof room, items, 10, &done, &version),
        IL_OK, "%s", ili_error_text());
    cr_assert_eq(done, 1);
    cr_assert_eq(room[0], 'a');
    cr_assert_eq(version, 6);
    cr_assert_eq(fake_count(s.f), 3, "two pages were asked for");
    end(&s);
}

Test(client_list, pages_of_nonsense_are_a_protocol_error) {
    static const char *const wrong[] = {
        "{}",
        "{\"items\":[],\"version\":\"6\",\"next\":1}",
        "{\"items\":[" ITEM("a") "],\"version\":\"6\",\"next\":-1}",
        "{\"items\":[" ITEM("a") "],\"version\":6,\"next\":null}",
        "{\"items\":[" ITEM("longer") "],\"version\":\"6\",\"next\":null}",
        "{\"items\":[" ITEM("a") "," ITEM("b") "," ITEM("c") "],\"version\":\"6\",\"next\":null}",
        "{\"items\":[{\"type\":\"text\",\"text\":\"a\"}],\"version\":\"6\",\"next\":null}",
    };
    struct scene s = begin();
    for (int i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
        char room[4] = "abc";
        il_list_item items[3];
        size_t done = 77;
        answers[1 + i] = wrong[i];
        cr_assert_eq(fake_ops()->list_slice(s.list, 0, INT64_MAX, room, 4, items, 2, &done, NULL),
                     IL_EPROTOCOL, "%s", wrong[i]);
        cr_assert_eq(done, 77);
        cr_assert_str_eq(room, "abc");
    }
    end(&s);
}

Test(client_list, an_item_that_fits_no_buffer_is_told) {
    struct scene s = begin();
    il_list_item item;
    size_t done = 0;
    answers[1] = "{\"code\":\"too_large\",\"bytes\":300}";
    statuses[1] = 413;
    cr_assert_eq(fake_ops()->list_slice(s.list, 0, 1, NULL, 99, &item, 1, &done, NULL), IL_ETOOBIG);
    cr_assert_eq(done, 300);
    fake_saw(s.f, 1, "GET /v1/lists/l/items?start=0&limit=1&max_bytes=0&stop=1", NULL);
    end(&s);
}

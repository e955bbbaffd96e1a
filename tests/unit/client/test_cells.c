/* Values and arrays over HTTP. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_cells *cells;
};

/* Request 0 opens it; VIEW is the answer. */
static struct scene begin(uint32_t kind, struct ili_remote_cells_shape shape, const char *view) {
    static struct fake_rule rules[2];
    rules[0] = (struct fake_rule){"PUT", 201, view};
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->cells_open(s.domain, kind, "c", 1, true, &shape, &s.cells), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_ops()->cells_close(s->cells);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static const struct ili_remote_cells_shape one_u64 = {IL_U64, 0, 1}, many = {IL_F64, 0, 9},
                                           text = {IL_FIXED_TEXT, 20, 1};

Test(client_cells, calls_of_a_value_are_its_routes) {
    static const struct fake_rule rules[] = {
        {"/load", 200, "{\"value\":18446744073709551615}"},
        {"/add", 200, "{\"before\":18446744073709551615,\"value\":1}"},
        {"/compare_exchange", 200, "{\"swapped\":false,\"value\":7}"},
        {"/store", 200, "{\"value\":5}"},
        {0}};
    const struct ili_remote_ops *ops = fake_ops();
    uint64_t number = 2, was = 0;
    int32_t swapped = -1;
    struct scene s = begin(IL_KIND_VALUE, one_u64, "{\"type\":\"u64\"}");
    fake_rules = rules;
    cr_assert_eq(ops->cells_load(s.cells, 0, IL_U64, &was), IL_OK);
    cr_assert_eq(was, UINT64_MAX);
    cr_assert_eq(ops->cells_add(s.cells, 0, IL_U64, &number, &was), IL_OK);
    cr_assert_eq(was, UINT64_MAX);
    cr_assert_eq(ops->cells_compare_exchange(s.cells, 0, IL_U64, &was, &number, &swapped), IL_OK);
    cr_assert(swapped == 0 && was == 7);
    cr_assert_eq(ops->cells_store(s.cells, 0, IL_U64, &number), IL_OK);
    fake_saw(s.f, 0, "PUT /v1/values/c", "{\"type\":\"u64\"}");
    fake_saw(s.f, 2, "POST /v1/values/c/add", "{\"value\":2}");
    fake_saw(s.f, 3, "POST /v1/values/c/compare_exchange",
             "{\"expected\":18446744073709551615,\"value\":2}");
    end(&s);
}

Test(client_cells, elements_of_an_array_have_an_index) {
    static const struct fake_rule rules[] = {{"/items", 200, "{\"items\":[0.5,\"-inf\"]}"},
                                             {"/write", 200, "{\"written\":2}"},
                                             {"/store", 200, "{\"value\":0.5}"},
                                             {0}};
    const struct ili_remote_ops *ops = fake_ops();
    double numbers[] = {0.5, -1}, got[2] = {0, 0};
    struct scene s = begin(IL_KIND_ARRAY, many, "{\"type\":\"f64\",\"length\":9}");
    fake_rules = rules;
    cr_assert_eq(ops->cells_store(s.cells, -3, IL_F64, numbers), IL_OK);
    cr_assert_eq(ops->cells_write(s.cells, 4, 2, IL_F64, numbers), IL_OK);
    cr_assert_eq(ops->cells_read(s.cells, 4, 2, IL_F64, got), IL_OK);
    cr_assert(got[0] == 0.5 && got[1] < -1e300);
    fake_saw(s.f, 0, "PUT /v1/arrays/c", "{\"type\":\"f64\",\"length\":9}");
    fake_saw(s.f, 1, "POST /v1/arrays/c/store", "{\"index\":-3,\"value\":0.5}");
    fake_saw(s.f, 2, "POST /v1/arrays/c/write", "{\"start\":4,\"values\":[0.5,-1.0]}");
    end(&s);
}

Test(client_cells, text_is_a_string) {
    static const struct fake_rule rules[] = {
        {"/load", 200, "{\"value\":\"two\\nlines\"}"}, {"/store", 200, "{\"value\":\"\"}"}, {0}};
    const struct ili_remote_ops *ops = fake_ops();
    char room[20];
    uint64_t bytes = 0;
    struct scene s = begin(IL_KIND_VALUE, text, "{\"type\":\"text\",\"room\":20}");
    fake_rules = rules;
    cr_assert_eq(ops->cells_get(s.cells, 0, room, 4, &bytes), IL_ETOOBIG);
    cr_assert_eq(bytes, 9);
    cr_assert_eq(ops->cells_get(s.cells, 0, room, sizeof room, &bytes), IL_OK);
    cr_assert_eq(memcmp(room, "two\nlines", 9), 0);
    cr_assert_eq(ops->cells_set(s.cells, 0, "\"", 1), IL_OK);
    fake_saw(s.f, 0, "PUT /v1/values/c", "{\"type\":\"text\",\"room\":20}");
    fake_saw(s.f, 3, "POST /v1/values/c/store", "{\"value\":\"\\\"\"}");
    end(&s);
}

Test(client_cells, nonsense_is_a_protocol_error) {
    static const struct fake_rule rules[] = {{"/load", 200, "{\"value\":-1}"},
                                             {"/items", 200, "{\"items\":[]}"},
                                             {"/add", 200, "{\"value\":1}"},
                                             {0}};
    const struct ili_remote_ops *ops = fake_ops();
    uint64_t number = 4;
    struct scene s = begin(IL_KIND_VALUE, one_u64, "{\"type\":\"u64\"}");
    fake_rules = rules;
    cr_assert_eq(ops->cells_load(s.cells, 0, IL_U64, &number), IL_EPROTOCOL);
    cr_assert_eq(ops->cells_add(s.cells, 0, IL_U64, &number, &number), IL_EPROTOCOL);
    cr_assert_eq(ops->cells_read(s.cells, 0, 1, IL_U64, &number), IL_EPROTOCOL);
    cr_assert_eq(number, 4);
    end(&s);
}

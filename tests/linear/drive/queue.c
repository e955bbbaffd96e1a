/*
 * queue.c - queues in a campaign. An item is a number and its length, then as many letters: what was
 * torn is seen at once.
 */
#include <stdlib.h>
#include <string.h>

#include "linear/drive/worker.h"

#define LEVEL_MOST 30 /* about how many items an unbounded queue may have: the model knows 100 */
#define ITEM_MOST 20000

static void draw(struct linear_object *object, uint64_t *random) {
    static const uint32_t sizes[] = {0, 1, 2, 5};
    object->number = sizes[worker_random(random) % 4];
}

static il_status queue_open(il_domain *domain, const struct linear_object *object, void **handle) {
    il_queue_options options = {.struct_bytes = sizeof options, .maxsize = object->number};
    return il_queue_open(domain, object->name, strlen(object->name), &options, (il_queue **)handle);
}
static il_status queue_close(void *handle) { return il_queue_close(handle); }

static size_t write_item(struct worker *w, uint64_t number, char *text) {
    uint32_t kind = worker_draw(w, 40);
    uint32_t letters = kind == 0 ? 8000 + worker_draw(w, 4000) : worker_draw(w, 100);
    size_t bytes = (size_t)sprintf(text, "%llu %u ", (unsigned long long)number, letters);
    memset(text + bytes, 'a' + (int)(number % 26), letters);
    text[bytes + letters] = 0;
    return bytes + letters;
}

/* The item's number; 0: it is not as it was put. */
static uint64_t read_item(struct worker *w, uint32_t object, const char *text, size_t bytes) {
    char *end = NULL;
    uint64_t number = strtoull(text, &end, 10);
    size_t letters = strtoull(end, &end, 10);
    bool whole = *end == ' ' && (size_t)(end + 1 - text) + letters == bytes;
    for (size_t i = 0; whole && i < letters; i++) whole = end[1 + i] == 'a' + (char)(number % 26);
    if (whole) return number;
    board_trouble(w->board, "%s gave a torn item of %zu bytes", w->board->objects[object].name,
                  bytes);
    return 0;
}

static void put(struct worker *w, uint32_t number, int64_t timeout_ns) {
    char text[ITEM_MOST];
    uint64_t item = atomic_fetch_add(&w->board->items, 1) + 1;
    size_t bytes = write_item(w, item, text);
    struct linear_call *call = worker_begin(w, number, OP_PUT);
    il_status status;
    call->argument = item;
    if (timeout_ns == IL_NOWAIT) call->flags |= CALL_NOWAIT;
    if (worker_is_http(w)) {
        json_t *body = worker_body(w, timeout_ns);
        json_object_set_new(body, "text", json_string(text));
        status = worker_post(w, call, "put", body, NULL);
    } else {
        status = il_queue_put(w->handles[number], text, bytes, IL_TEXT, timeout_ns);
    }
    worker_end(w, call, status, 0);
    if (status == IL_OK) atomic_fetch_add(&w->board->level[number], 1);
}

/* Takes, or with PEEK looks at, an item. */
static il_status get(struct worker *w, uint32_t number, int64_t timeout_ns, bool peek) {
    char text[ITEM_MOST];
    size_t bytes = 0;
    uint64_t item = 0;
    struct linear_call *call = worker_begin(w, number, peek ? OP_PEEK : OP_GET);
    il_status status;
    if (timeout_ns == IL_NOWAIT || peek) call->flags |= CALL_NOWAIT;
    if (worker_is_http(w)) {
        json_t *answer = NULL, *body = worker_body(w, peek ? -1 : timeout_ns);
        status = worker_post(w, call, peek ? "peek" : "get", body, &answer);
        const char *found = json_string_value(json_object_get(answer, "text"));
        bytes = found ? strlen(found) : 0;
        if (bytes < sizeof text) memcpy(text, found ? found : "", bytes + 1);
        json_decref(answer);
    } else if (peek) {
        status = il_queue_peek(w->handles[number], text, sizeof text - 1, &bytes, NULL);
    } else {
        status = il_queue_get(w->handles[number], text, sizeof text - 1, &bytes, NULL, timeout_ns);
    }
    if (status == IL_OK) {
        text[bytes] = 0;
        item = read_item(w, number, text, bytes);
    }
    worker_end(w, call, status, item);
    if (status == IL_OK && !peek) atomic_fetch_sub(&w->board->level[number], 1);
    return status;
}

static void shut(struct worker *w, uint32_t number) {
    struct linear_call *call = worker_begin(w, number, OP_CLOSE);
    il_status status = worker_is_http(w) ? worker_post(w, call, "close", worker_body(w, -1), NULL)
                                         : il_queue_shut(w->handles[number]);
    worker_end(w, call, status, 0);
}

static void act(struct worker *w, uint32_t number) {
    uint32_t what = worker_draw(w, 4096);
    if (what == 0) {
        shut(w, number);
    } else if (what % 16 == 1) {
        (void)get(w, number, IL_NOWAIT, true);
    } else if (what % 2 && atomic_load(&w->board->level[number]) < LEVEL_MOST) {
        put(w, number, worker_draw_timeout(w));
    } else {
        (void)get(w, number, worker_draw_timeout(w), false);
    }
}

/* Takes what is left: what was put and cannot be seen here was taken before. */
static void finish(struct worker *w, uint32_t number) {
    for (int i = 0; i < 150; i++) {
        if (get(w, number, IL_NOWAIT, false) != IL_OK) return;
    }
    board_trouble(w->board, "%s does not become empty", w->board->objects[number].name);
}

const struct linear_kind linear_kind_queue = {.kind = IL_KIND_QUEUE,
                                              .collection = "queues",
                                              .library = true,
                                              .sessionless = true,
                                              .draw = draw,
                                              .open = queue_open,
                                              .close = queue_close,
                                              .remove = il_queue_delete,
                                              .act = act,
                                              .settle = worker_holds_nothing,
                                              .finish = finish};

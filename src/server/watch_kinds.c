#include "server/watch_kinds.h"

#include <stdlib.h>
#include <string.h>

#include "data/cells.h"
#include "data/dict.h"
#include "data/list.h"
#include "data/queue.h"
#include "server/item.h"
#include "server/server.h"
#include "sync/lock.h"
#include "work/pool.h"

#define ITEM_BYTES 65536u /* of an item that an event brings along */

/* ---- queues, locks, tasks: looked at -------------------------------------------------------------- */

static void look_at_queue(const struct ili_watched *watched, struct ili_sample *sample) {
    const struct ili_queue *queue = watched->object;
    sample->word[0] = ili_queue_size(queue);
    sample->word[1] = ili_queue_state(queue);
}

static void look_at_lock(const struct ili_watched *watched, struct ili_sample *sample) {
    struct ili_lock_view view;
    ili_lock_look(ili_server_member(watched->server), watched->object, &view);
    sample->word[0] = view.token;
    sample->word[1] = view.owner;
    sample->word[2] = view.held_back;
}

/* Text that is the same gives the same number, and other text most likely another. */
static uint64_t print_of(const char *text, size_t bytes) {
    uint64_t print = UINT64_C(1469598103934665603); /* FNV-1a */
    for (size_t i = 0; text && i < bytes; i++) {
        print = (print ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    }
    return print;
}

static void look_at_task(const struct ili_watched *watched, struct ili_sample *sample) {
    const struct ili_task *task = ili_task_find(&watched->server->pools, watched->task);
    if (!task) return;
    sample->word[0] = 1 + (uint64_t)task->state;
    sample->word[1] = (uint64_t)task->attempts << 1 | task->cancelling;
    sample->word[2] = print_of(task->progress, task->progress_bytes);
}

static bool task_is_over(const struct ili_sample *sample) {
    return sample->word[0] > ILI_TASK_SUCCEEDED;
}

/* ---- values: told by the doorbell ------------------------------------------------------------------- */

static il_status observe_value(struct ili_member *member, void *object, uint64_t *version) {
    return ili_cells_observe(member, object, version);
}

static il_status enqueue_value(struct ili_member *member, void *object, uint64_t version,
                               struct ili_agent *waiter) {
    return ili_cells_enqueue(member, object, version, waiter);
}

static il_status withdraw_value(struct ili_member *member, void *object, struct ili_agent *waiter) {
    return ili_cells_withdraw(member, object, waiter);
}

/* ---- dicts and lists: they keep their changes ----------------------------------------------------- */

/* ITEM, which STATUS says whether it was got, if it is of the version that CHANGE says. */
static void write_item(struct ili_out *out, const struct ili_changed *change, il_status status,
                       struct ili_item *item) {
    if (status == IL_OK && item->version == change->version) {
        const struct ili_taken message = {
            .data = item->data, .bytes = item->bytes, .type = item->type};
        ili_item_write(out, &message);
    } else if (status == IL_ETOOBIG) {
        ili_out_key(out, "bytes"); /* it is to be fetched by who wants it */
        ili_out_number(out, item->bytes);
    }
    if (status == IL_OK) free(item->data);
}

static void item_of_dict(struct ili_member *member, void *object, const struct ili_changed *change,
                         struct ili_out *out) {
    struct ili_item item = {.room = ITEM_BYTES};
    il_status status = ili_dict_get(member, object, change->key, change->key_bytes, &item);
    write_item(out, change, status, &item);
}

static void item_of_list(struct ili_member *member, void *object, const struct ili_changed *change,
                         struct ili_out *out) {
    struct ili_item item = {.room = ITEM_BYTES};
    il_status status = ili_list_get(member, object, change->index, &item, NULL);
    write_item(out, change, status, &item);
}

static il_status begin_dict(struct ili_member *member, void *object,
                            struct ili_changes_place *place) {
    return ili_dict_watch(member, object, place);
}

static il_status next_of_dict(struct ili_member *member, void *object,
                              struct ili_changes_place *place, struct ili_changed *out, char *key) {
    return ili_dict_changed(member, object, place, out, key, 0);
}

static il_status enqueue_dict(struct ili_member *member, void *object, uint64_t version,
                              struct ili_agent *waiter) {
    struct ili_changes_place place = {.version = version};
    return ili_dict_enqueue(member, object, &place, waiter);
}

static il_status withdraw_dict(struct ili_member *member, void *object, struct ili_agent *waiter) {
    return ili_dict_withdraw(member, object, waiter);
}

static il_status begin_list(struct ili_member *member, void *object,
                            struct ili_changes_place *place) {
    return ili_list_watch(member, object, place);
}

static il_status next_of_list(struct ili_member *member, void *object,
                              struct ili_changes_place *place, struct ili_changed *out, char *key) {
    return ili_list_changed(member, object, place, out, key, 0);
}

static il_status enqueue_list(struct ili_member *member, void *object, uint64_t version,
                              struct ili_agent *waiter) {
    struct ili_changes_place place = {.version = version};
    return ili_list_enqueue(member, object, &place, waiter);
}

static il_status withdraw_list(struct ili_member *member, void *object, struct ili_agent *waiter) {
    return ili_list_withdraw(member, object, waiter);
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const struct ili_watch_kind kinds[] = {
    {.collection = "queues", .look = look_at_queue},
    {.collection = "locks", .look = look_at_lock, .has_ids = true, .has_tokens = true},
    {.collection = "rlocks", .look = look_at_lock, .has_ids = true, .has_tokens = true},
    {.collection = "dicts",
     .enqueue = enqueue_dict,
     .withdraw = withdraw_dict,
     .begin = begin_dict,
     .next = next_of_dict,
     .item = item_of_dict,
     .has_keys = true},
    {.collection = "lists",
     .enqueue = enqueue_list,
     .withdraw = withdraw_list,
     .begin = begin_list,
     .next = next_of_list,
     .item = item_of_list},
    {.collection = "values",
     .observe = observe_value,
     .enqueue = enqueue_value,
     .withdraw = withdraw_value,
     .has_ids = true},
    {.collection = "tasks", .look = look_at_task, .is_over = task_is_over},
};

const struct ili_watch_kind *ili_watch_kind_of(const char *collection) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].collection, collection) == 0) return &kinds[i];
    }
    return NULL;
}

/* ---- changes -------------------------------------------------------------------------------------- */

const char *ili_watch_word(uint32_t what) {
    static const char *const words[] = {NULL,      "set",   "removed", "inserted",
                                        "cleared", "order", "state",   "missed"};
    return what < sizeof words / sizeof *words && words[what] ? words[what] : "state";
}

void ili_watch_write_change(struct ili_out *out, const struct ili_watch_kind *kind,
                            const struct ili_changed *change) {
    bool all = change->what == IL_CHANGED_CLEARED || change->what == IL_CHANGED_ORDER;
    bool counts = change->what == IL_CHANGED_REMOVED || change->what == IL_CHANGED_INSERTED;
    if (!all && kind->has_keys) {
        ili_out_key(out, "key");
        ili_out_text(out, change->key, change->key_bytes);
    } else if (!all) {
        ili_out_key(out, "index");
        ili_out_signed(out, change->index);
    }
    if (counts && !kind->has_keys) {
        ili_out_key(out, "count");
        ili_out_number(out, change->count);
    }
    ili_out_key(out, "version");
    ili_out_token(out, change->version);
}

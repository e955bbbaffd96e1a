/* list_prepare.c - new items of a list, before it has them: see list_change.h. */
#include <stdlib.h>
#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"
#include "data/list_change.h"

static void store(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

il_status ili_list_overflow(struct ili_refusal *refusal, const char *what, uint64_t limit,
                            uint64_t which) {
    if (refusal) {
        refusal->what = what;
        refusal->limit = limit;
        refusal->which = which;
    }
    return IL_EOVERFLOW;
}

static il_status prepare_item(struct ili_member *m, struct ili_agent *self,
                              const struct ili_payload *message, uint64_t *slot) {
    ili_off at;
    uint64_t bytes = sizeof(struct ili_list_item) + message->bytes;
    il_status status = ili_alloc_chained(m, self, 2, bytes, &at);
    if (status != IL_OK) return status;
    struct ili_list_item *item = ili_at(&m->arena, at, bytes);
    if (!item) return IL_ECORRUPT;
    store(&item->bytes, message->bytes);
    atomic_store_explicit(&item->type, message->type, memory_order_relaxed);
    if (message->bytes) memcpy(item + 1, message->data, message->bytes);
    *slot = ili_list_slot(at, ili_alloc_size(bytes));
    return IL_OK;
}

il_status ili_list_prepare(struct ili_member *member, struct ili_agent *self,
                           const struct ili_list *list, const struct ili_payload *messages,
                           size_t count, struct ili_list_batch *batch,
                           struct ili_refusal *refusal) {
    const struct ili_limits *limits = &list->limits;
    *batch = (struct ili_list_batch){.count = count};
    batch->slots = batch->few;
    if (count > limits->max_entries)
        return ili_list_overflow(refusal, "max_entries", limits->max_entries, 0);
    for (size_t i = 0; i < count; i++) {
        if (messages[i].bytes > limits->max_entry_bytes || messages[i].bytes > IL_MESSAGE_MAX_BYTES)
            return ili_list_overflow(refusal, "max_entry_bytes", limits->max_entry_bytes, i);
        batch->bytes += ili_alloc_size(sizeof(struct ili_list_item) + messages[i].bytes);
        if (batch->bytes > limits->max_bytes)
            return ili_list_overflow(refusal, "max_bytes", limits->max_bytes, i);
    }
    if (count > ILI_LIST_FEW) batch->slots = malloc(count * sizeof *batch->slots);
    if (!batch->slots) return IL_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        il_status status = prepare_item(member, self, &messages[i], &batch->slots[i]);
        if (status != IL_OK) return status;
        ILI_POINT("list.prepare.item");
    }
    return IL_OK;
}

void ili_list_batch_end(struct ili_list_batch *batch) {
    if (batch->slots != batch->few) free(batch->slots);
}

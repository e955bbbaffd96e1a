/* cells.c - what il_value_… and il_array_… share: opening, checks, the slow paths, and which door. */
#include "lib/cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lib/share.h"

static const char *word_of(uint32_t kind) { return kind == ILI_KIND_VALUE ? "value" : "array"; }

static const struct ili_kind *kind_of(uint32_t kind) {
    return kind == ILI_KIND_VALUE ? &ili_value_kind : &ili_array_kind;
}

il_status ili_cells_missing(const char *argument) {
    return ili_fail(IL_EINVAL, "%s: expected an address, got NULL", argument);
}

/* ---- its own lock --------------------------------------------------------------------------------- */

/* "value:NAME" */
struct lock_name {
    char text[IL_NAME_MAX_BYTES + 8];
    size_t bytes;
};

static il_status name_lock(uint32_t kind, const char *name, size_t name_bytes,
                           struct lock_name *out) {
    size_t prefix = strlen(word_of(kind)) + 1;
    if (prefix + name_bytes > IL_NAME_MAX_BYTES) {
        return ili_fail(IL_ETOOBIG, "lock: the name \"%s:…\" would have %zu bytes, at most 255",
                        word_of(kind), prefix + name_bytes);
    }
    memcpy(out->text, word_of(kind), prefix - 1);
    out->text[prefix - 1] = ':';
    memcpy(out->text + prefix, name, name_bytes);
    out->bytes = prefix + name_bytes;
    return IL_OK;
}

il_status ili_cells_lock(struct ili_cells_handle *h, il_rlock **out) {
    struct lock_name name = {.bytes = 0};
    il_rlock *opened, *none = NULL;
    if (!out) return ili_cells_missing("out");
    /* acquire: pairs with the exchange: the handle is whole */
    opened = atomic_load_explicit(&h->lock, memory_order_acquire);
    if (!opened) {
        il_status status = name_lock(h->kind, h->name, h->name_bytes, &name);
        if (status == IL_OK) {
            status = il_rlock_open(h->domain, name.text, name.bytes, NULL, &opened);
        }
        if (status != IL_OK) return status;
        if (!atomic_compare_exchange_strong_explicit(&h->lock, &none, opened, memory_order_acq_rel,
                                                     memory_order_acquire)) {
            (void)il_rlock_close(opened); /* another thread was faster */
            opened = none;
        }
    }
    *out = opened;
    return IL_OK;
}

/* ---- open and close ------------------------------------------------------------------------------- */

static void say_options(char *room, size_t room_bytes, const struct ili_cells_options *o) {
    const char *word = ili_cells_type_word(o->type);
    snprintf(room, room_bytes, "type=%s room=%u length=%" PRIu64, word ? word : "?", o->room,
             o->length);
}

static struct ili_cells *cells_of(const struct ili_handle *handle) {
    if (!handle->kind) return NULL; /* it was not opened */
    return ili_object_at(&handle->member->arena, handle->object, handle->kind->number);
}

/* The object exists: whether it is as OPTIONS (NULL: any) say. */
static il_status check_same(const struct ili_handle *handle,
                            const struct ili_cells_options *options) {
    char has[80], asked[80];
    const struct ili_cells *cells = cells_of(handle);
    if (!cells) return ili_report(IL_ECORRUPT, handle->kind->word);
    if (!options || handle->kind->same(cells, options)) return IL_OK;
    struct ili_cells_options own = {cells->type, cells->room, cells->length};
    say_options(has, sizeof has, &own);
    say_options(asked, sizeof asked, options);
    return ili_fail(IL_ECONFLICT, "%s: it exists with %s, the call asks for %s", handle->kind->word,
                    has, asked);
}

/* Opens the object, which is not made in vain: its memory is there before. */
static il_status open_object(il_domain *domain, const struct ili_kind *kind, const char *name,
                             size_t name_bytes, const struct ili_cells_options *options,
                             struct ili_handle *handle, ili_off *spare) {
    bool lazy = options && !(kind == &ili_value_kind && ili_cells_is_number(options->type));
    bool must_exist = !options && kind == &ili_array_kind;
    il_status status = IL_ENOTFOUND;
    if (name && (lazy || must_exist)) {
        status = ili_handle_open_existing(domain, kind, name, name_bytes, handle);
        if (status == IL_ENOTFOUND && must_exist) return ili_report(status, kind->word);
        if (status == IL_OK) {
            status = check_same(handle, options);
            if (status != IL_OK) (void)ili_handle_close(handle);
            return status;
        }
        if (status != IL_ENOTFOUND) return status;
    }
    if (lazy) {
        status = ili_cells_prepare(&domain->member, options, spare);
        if (status != IL_OK) return ili_report(status, kind->word);
    }
    return ili_handle_open(domain, kind, name, name_bytes, options, handle);
}

/* Who adopts CELLS, which have no name, finds their lock, which has none either. */
static void tell_lock(struct ili_cells *cells, const il_rlock *lock) {
    uint32_t birth = lock->lock->lock.object.birth;
    atomic_store_explicit(&cells->lock_birth, birth, memory_order_relaxed);
    /* release: pairs with ili_cells_adopted() */
    atomic_store_explicit(&cells->lock, lock->handle.object, memory_order_release);
}

il_status ili_cells_adopted(il_domain *domain, uint32_t kind, struct ili_cells_handle *h) {
    char name[IL_NAME_MAX_BYTES + 1];
    void *lock = NULL;
    struct ili_cells *cells = cells_of(&h->handle);
    h->kind = kind;
    h->domain = domain;
    h->member = &domain->member;
    il_status status = cells ? ili_cells_look(&domain->member, cells, &h->place) : IL_ECORRUPT;
    if (status != IL_OK) {
        status = ili_report(status, word_of(kind));
    } else if ((h->name_bytes = ili_object_name(&domain->member.arena, &cells->object, name)) !=
               0) {
        memcpy(h->name, name, h->name_bytes);
    } else {
        /* acquire: pairs with tell_lock() */
        ili_off at = atomic_load_explicit(&cells->lock, memory_order_acquire);
        uint32_t birth = atomic_load_explicit(&cells->lock_birth, memory_order_relaxed);
        status = ili_adopt(domain, IL_KIND_RLOCK, at, birth, 0, &lock);
        atomic_init(&h->lock, lock);
    }
    if (status != IL_OK) (void)ili_handle_close(&h->handle);
    return status;
}

static il_status open_local(il_domain *domain, const char *name, size_t name_bytes,
                            const struct ili_cells_options *options, struct ili_cells_handle *h) {
    const struct ili_kind *kind = kind_of(h->kind);
    il_rlock *lock = NULL;
    ili_off spare = 0;
    il_status status = open_object(domain, kind, name, name_bytes, options, &h->handle, &spare);
    if (status != IL_OK) {
        ili_cells_give_up(&domain->member, spare);
        return status;
    }
    struct ili_cells *cells = cells_of(&h->handle);
    status = cells ? ili_cells_ready(&domain->member, cells, spare, &h->place) : IL_ECORRUPT;
    if (status != IL_OK) {
        status = ili_report(status, kind->word);
    } else if (!name) { /* opened with it, so that a fork inherits both */
        status = il_rlock_open(domain, NULL, 0, NULL, &lock);
        atomic_init(&h->lock, lock);
        if (status == IL_OK) tell_lock(cells, lock);
    }
    if (status != IL_OK) (void)ili_handle_close(&h->handle);
    h->member = &domain->member;
    return status;
}

static il_status open_remote(il_domain *domain, const char *name, size_t name_bytes,
                             const struct ili_cells_options *options, struct ili_cells_handle *h) {
    struct ili_remote_cells_shape shape = {0};
    if (options) {
        shape = (struct ili_remote_cells_shape){options->type, options->room, options->length};
    }
    h->remote_ops = domain->remote_ops;
    il_status status = h->remote_ops->cells_open(domain->remote, h->kind, name, name_bytes,
                                                 options != NULL, &shape, &h->remote);
    if (status != IL_OK) return status;
    h->place.type = shape.type;
    h->place.room = shape.room;
    h->place.length = shape.length;
    return IL_OK;
}

/* Whether OPTIONS can be had in DOMAIN. */
static il_status check_options(const il_domain *domain, uint32_t kind,
                               const struct ili_cells_options *o) {
    bool number = ili_cells_is_number(o->type);
    if (!ili_cells_type_word(o->type)) {
        return ili_fail(IL_EINVAL, "options.type: expected IL_I8 (1) to IL_FIXED_TEXT (12), got %u",
                        o->type);
    }
    if (number && o->room) {
        return ili_fail(IL_EINVAL, "options.room: expected 0 for a number, got %u", o->room);
    }
    if (!number && (o->room < 1 || o->room > IL_ROOM_MAX_BYTES)) {
        return ili_fail(IL_EINVAL, "options.room: expected 1 to %u bytes, got %u",
                        IL_ROOM_MAX_BYTES, o->room);
    }
    if (o->length == 0) return ili_fail(IL_EINVAL, "options.length: expected 1 or more, got 0");
    if (domain->remote_ops) return IL_OK;
    uint64_t most = ili_arena_share(&domain->member.arena);
    if (ili_cells_bytes(o) > most) {
        return ili_fail(IL_ENOMEM, "%s: expected at most %" PRIu64 " bytes, half of the arena",
                        word_of(kind), most);
    }
    return IL_OK;
}

il_status ili_cells_open(il_domain *domain, uint32_t kind, const char *name, size_t name_bytes,
                         const struct ili_cells_options *options, size_t bytes, void *out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) {
        return ili_fail(IL_EINVAL, "out: expected a place for the %s, got NULL", word_of(kind));
    }
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK && options) status = check_options(domain, kind, options);
    if (status == IL_OK && !name && !options && kind == ILI_KIND_ARRAY) {
        status = ili_fail(IL_EINVAL, "options: an array without a name needs them");
    }
    if (status != IL_OK) return status;
    struct ili_cells_handle *h = calloc(1, bytes);
    if (!h) return ili_fail(IL_ENOMEM, "this process has no memory");
    h->kind = kind;
    h->domain = domain;
    if (name) {
        h->name_bytes = name_bytes;
        memcpy(h->name, name, name_bytes);
    }
    status = domain->remote_ops ? open_remote(domain, name, name_bytes, options, h)
                                : open_local(domain, name, name_bytes, options, h);
    if (status != IL_OK) {
        free(h);
        return status;
    }
    *(void **)out = h;
    return IL_OK;
}

il_status ili_cells_close(struct ili_cells_handle *h) {
    if (!h) return IL_OK;
    il_rlock *lock = atomic_load_explicit(&h->lock, memory_order_acquire);
    il_status unlocked = il_rlock_close(lock);
    il_status status =
        h->place.first ? ili_handle_close(&h->handle) : h->remote_ops->cells_close(h->remote);
    const char *word = word_of(h->kind);
    free(h);
    if (status != IL_OK) return ili_report(status, word);
    return unlocked;
}

il_status ili_cells_delete(il_domain *domain, uint32_t kind, const char *name, size_t name_bytes) {
    struct lock_name lock = {.bytes = 0};
    struct ili_agent *self;
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->cells_delete(domain->remote, kind, name, name_bytes);
    }
    status = ili_handle_delete(domain, kind_of(kind), name, name_bytes);
    if (status != IL_OK || name_lock(kind, name, name_bytes, &lock) != IL_OK) return status;
    status = ili_agent_current(&domain->member, &self);
    if (status == IL_OK) {
        status = ili_names_delete(&domain->member, self, &ili_rlock_kind, lock.text, lock.bytes);
    }
    return status == IL_ENOTFOUND ? IL_OK : ili_report(status, "rlock");
}

/* ---- checks ------------------------------------------------------------------------------------------ */

static il_status out_of_range(const struct ili_cells_handle *h, int64_t index) {
    return ili_fail(IL_ERANGE, "index: the array's length is %" PRIu64 ", got %" PRId64,
                    h->place.length, index);
}

static bool in_range(const struct ili_cells_handle *h, int64_t index) {
    uint64_t at = index < 0 ? (uint64_t)index + h->place.length : (uint64_t)index;
    return at < h->place.length;
}

/* The local element of INDEX; NULL: remote. */
static il_status find(const struct ili_cells_handle *h, int64_t index, void **element) {
    *element = NULL;
    if (!in_range(h, index)) return out_of_range(h, index);
    if (!h->place.first) return IL_OK;
    il_status status = ili_cells_check_live(h->member, h->place.cells);
    if (status != IL_OK) return ili_report(status, word_of(h->kind));
    *element = ili_cells_at(&h->place, index);
    return IL_OK;
}

il_status ili_cells_number(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                           void **element) {
    if (!ili_cells_is_number(type)) {
        return ili_fail(IL_EINVAL, "type: expected IL_I8 (1) to IL_F64 (10), got %u", type);
    }
    if (type != h->place.type) {
        return ili_fail(IL_ETYPE, "type: the %s holds %s, the call asks for %s", word_of(h->kind),
                        ili_cells_type_word(h->place.type), ili_cells_type_word(type));
    }
    return find(h, index, element);
}

il_status ili_cells_fixed(const struct ili_cells_handle *h, int64_t index, void **element) {
    if (ili_cells_is_number(h->place.type)) {
        return ili_fail(IL_ETYPE, "the %s holds %s, the call is for bytes or text",
                        word_of(h->kind), ili_cells_type_word(h->place.type));
    }
    return find(h, index, element);
}

il_status ili_cells_range(const struct ili_cells_handle *h, int64_t *start, uint64_t count) {
    uint64_t from = *start < 0 ? (uint64_t)*start + h->place.length : (uint64_t)*start;
    /* an empty range may begin at the end */
    if (from > h->place.length || count > h->place.length - from) {
        return ili_fail(IL_ERANGE,
                        "start, count: the array's length is %" PRIu64 ", got %" PRId64
                        " and %" PRIu64,
                        h->place.length, *start, count);
    }
    *start = (int64_t)from;
    return IL_OK;
}

il_status ili_cells_type(const struct ili_cells_handle *h, uint32_t *type, uint32_t *room) {
    if (!type) return ili_cells_missing("type");
    *type = h->place.type;
    if (room) {
        *room = ili_cells_is_number(h->place.type) ? ili_cell_bytes(h->place.type) : h->place.room;
    }
    return IL_OK;
}

il_status ili_cells_memory(const struct ili_cells_handle *h, void **memory, uint64_t *bytes) {
    if (!memory) return ili_cells_missing("memory");
    if (!h->place.first) {
        return ili_fail(IL_EUNSUPPORTED, "memory: it is not shared over HTTP; use a unix: domain");
    }
    if (!ili_cells_is_number(h->place.type)) {
        return ili_fail(IL_ETYPE, "memory: the %s holds %s, only numbers can be used in place",
                        word_of(h->kind), ili_cells_type_word(h->place.type));
    }
    il_status status = ili_cells_check_live(h->member, h->place.cells);
    if (status != IL_OK) return ili_report(status, word_of(h->kind));
    if (bytes) *bytes = h->place.length * h->place.step;
    *memory = h->place.first;
    return IL_OK;
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

/* A number was changed. The object may have been deleted meanwhile: then nobody sees the change. */
static il_status changed(const struct ili_cells_handle *h) {
    ili_cells_changed(h->handle.member, h->place.cells);
    uint32_t flags = atomic_load_explicit(&h->place.cells->flags, memory_order_relaxed);
    return flags & ILI_CELLS_DELETED ? ili_report(IL_EDELETED, word_of(h->kind)) : IL_OK;
}

il_status ili_cells_call_load(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                              void *out) {
    void *at = NULL;
    if (!out) return ili_cells_missing("out");
    il_status status = ili_cells_number(h, index, type, &at);
    if (status != IL_OK) return status;
    if (!at) return h->remote_ops->cells_load(h->remote, index, type, out);
    ili_cell_load(type, at, out);
    return IL_OK;
}

il_status ili_cells_call_store(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                               const void *in) {
    void *at = NULL;
    if (!in) return ili_cells_missing("in");
    il_status status = ili_cells_number(h, index, type, &at);
    if (status != IL_OK) return status;
    if (!at) return h->remote_ops->cells_store(h->remote, index, type, in);
    ili_cell_store(type, at, in);
    return changed(h);
}

il_status ili_cells_call_add(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                             const void *delta, void *before) {
    void *at = NULL;
    if (!delta) return ili_cells_missing("delta");
    il_status status = ili_cells_number(h, index, type, &at);
    if (status != IL_OK) return status;
    if (!at) return h->remote_ops->cells_add(h->remote, index, type, delta, before);
    ili_cell_add(type, at, delta, before);
    return changed(h);
}

il_status ili_cells_call_exchange(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                                  const void *in, void *before) {
    void *at = NULL;
    if (!in) return ili_cells_missing("in");
    il_status status = ili_cells_number(h, index, type, &at);
    if (status != IL_OK) return status;
    if (!at) return h->remote_ops->cells_exchange(h->remote, index, type, in, before);
    ili_cell_exchange(type, at, in, before);
    return changed(h);
}

il_status ili_cells_call_compare_exchange(const struct ili_cells_handle *h, int64_t index,
                                          uint32_t type, void *expected, const void *desired,
                                          int32_t *swapped) {
    void *at = NULL;
    if (!expected) return ili_cells_missing("expected");
    if (!desired) return ili_cells_missing("desired");
    if (!swapped) return ili_cells_missing("swapped");
    il_status status = ili_cells_number(h, index, type, &at);
    if (status != IL_OK) return status;
    if (!at) {
        return h->remote_ops->cells_compare_exchange(h->remote, index, type, expected, desired,
                                                     swapped);
    }
    bool done = ili_cell_compare_exchange(type, at, expected, desired);
    status = done ? changed(h) : IL_OK;
    if (status == IL_OK) *swapped = done;
    return status;
}

/* ---- bytes and text -------------------------------------------------------------------------------- */

static il_status too_big(const struct ili_cells_handle *h, size_t bytes) {
    return ili_fail(IL_ETOOBIG, "bytes: the %s has room for %u, got %zu", word_of(h->kind),
                    h->place.room, bytes);
}

static il_status check_content(const struct ili_cells_handle *h, const char *argument,
                               const void *data, size_t bytes) {
    if (!data && bytes) return ili_cells_missing(argument);
    if (h->place.type == IL_FIXED_TEXT && bytes && !ili_utf8_valid(data, bytes)) {
        return ili_fail(IL_EINVAL, "%s: expected UTF-8, since the %s holds text", argument,
                        word_of(h->kind));
    }
    return IL_OK;
}

il_status ili_cells_call_get(const struct ili_cells_handle *h, int64_t index, void *buffer,
                             size_t capacity, size_t *bytes) {
    char nothing;
    void *at = NULL;
    if (!bytes) return ili_cells_missing("bytes");
    il_status status = ili_cells_fixed(h, index, &at);
    if (status != IL_OK) return status;
    struct ili_item item = {.data = buffer ? buffer : &nothing, .room = buffer ? capacity : 0};
    if (at) {
        status = ili_cells_get(h->handle.member, &h->place, at, &item);
        if (status != IL_OK && status != IL_ETOOBIG) ili_report(status, word_of(h->kind));
    } else {
        status = h->remote_ops->cells_get(h->remote, index, item.data, item.room, &item.bytes);
    }
    if (status == IL_ETOOBIG) {
        ili_fail(status, "capacity: the %s holds %llu bytes", word_of(h->kind),
                 (unsigned long long)item.bytes);
    }
    if (status == IL_OK || status == IL_ETOOBIG) *bytes = item.bytes;
    return status;
}

il_status ili_cells_call_set(const struct ili_cells_handle *h, int64_t index, const void *data,
                             size_t bytes) {
    void *at = NULL;
    il_status status = ili_cells_fixed(h, index, &at);
    if (status == IL_OK) status = check_content(h, "data", data, bytes);
    if (status != IL_OK) return status;
    if (bytes > h->place.room) return too_big(h, bytes);
    if (!at) return h->remote_ops->cells_set(h->remote, index, data, bytes);
    status = ili_cells_set(h->handle.member, &h->place, at, data, bytes);
    return ili_report(status, word_of(h->kind));
}

il_status ili_cells_call_compare_set(const struct ili_cells_handle *h, int64_t index,
                                     const void *expected, size_t expected_bytes,
                                     const void *desired, size_t desired_bytes, int32_t *swapped) {
    void *at = NULL;
    bool done = false;
    if (!swapped) return ili_cells_missing("swapped");
    il_status status = ili_cells_fixed(h, index, &at);
    if (status == IL_OK) status = check_content(h, "expected", expected, expected_bytes);
    if (status == IL_OK) status = check_content(h, "desired", desired, desired_bytes);
    if (status != IL_OK) return status;
    if (desired_bytes > h->place.room) return too_big(h, desired_bytes);
    if (!at) {
        return h->remote_ops->cells_compare_set(h->remote, index, expected, expected_bytes, desired,
                                                desired_bytes, swapped);
    }
    status = ili_cells_compare_set(h->handle.member, &h->place, at, expected, expected_bytes,
                                   desired, desired_bytes, &done);
    if (status == IL_OK) *swapped = done;
    return ili_report(status, word_of(h->kind));
}

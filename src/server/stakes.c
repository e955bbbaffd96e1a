#include "server/stakes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/pin.h"
#include "server/server.h"

#define SWEEP_NS INT64_C(1000000000)
#define SWEEP_BUCKETS 4096
#define DELETED_KEPT_NS INT64_C(60000000000)
#define GRANTS_LOOKED_AT 65536u

static size_t bucket_of(const struct ili_stakes *h, uint32_t slot, uint64_t hash) {
    return (hash ^ slot * UINT64_C(0x9E3779B97F4A7C15)) & (h->bucket_count - 1);
}

static struct ili_object *object_of(struct ili_server *server, const struct ili_stake *stake) {
    return ili_object_at(&ili_server_member(server)->arena, stake->object, stake->kind);
}

static bool grow(struct ili_stakes *h) {
    size_t count = h->bucket_count ? h->bucket_count * 2 : 256;
    struct ili_stake **buckets = calloc(count, sizeof(struct ili_stake *));
    if (!buckets) return h->bucket_count > 0; /* fuller chains do as well */
    struct ili_stake **old = h->buckets;
    size_t before = h->bucket_count;
    h->buckets = buckets;
    h->bucket_count = count;
    for (size_t i = 0; i < before; i++) {
        while (old[i]) {
            struct ili_stake *one = old[i];
            size_t to = bucket_of(h, one->holder->slot, one->hash);
            old[i] = one->next;
            one->next = buckets[to];
            buckets[to] = one;
        }
    }
    free(old);
    return true;
}

static struct ili_stake *find(struct ili_server *server, const struct ili_holder *holder,
                              ili_off at) {
    struct ili_stakes *h = &server->stakes;
    const struct ili_object *object = ili_at(&ili_server_member(server)->arena, at, sizeof *object);
    if (!object || h->count == 0) return NULL;
    struct ili_stake *one = h->buckets[bucket_of(h, holder->slot, object->hash)];
    while (one && (one->holder != holder || one->object != at)) one = one->next;
    return one;
}

il_status ili_stake_add(struct ili_server *server, struct ili_holder *holder, void *object) {
    struct ili_stakes *h = &server->stakes;
    const struct ili_object *o = object;
    ili_off at = ili_off_of(&ili_server_member(server)->arena, object);
    struct ili_stake *one = find(server, holder, at);
    if (one) {
        one->grants++;
        ili_unpin(server, object);
        return IL_OK;
    }
    if (h->count >= h->bucket_count && !grow(h)) return IL_ENOMEM;
    one = calloc(1, sizeof *one);
    if (!one) return IL_ENOMEM;
    one->holder = holder;
    one->object = at;
    one->hash = o->hash;
    one->kind = o->kind;
    one->grants = 1;
    size_t bucket = bucket_of(h, holder->slot, one->hash);
    one->next = h->buckets[bucket];
    h->buckets[bucket] = one;
    h->count++;
    one->older = holder->stakes;
    if (one->older) one->older->newer = one;
    holder->stakes = one;
    return IL_OK;
}

void ili_stake_drop(struct ili_server *server, struct ili_stake *stake) {
    struct ili_stakes *h = &server->stakes;
    struct ili_holder *holder = stake->holder;
    struct ili_stake **at = &h->buckets[bucket_of(h, holder->slot, stake->hash)];
    while (*at != stake) at = &(*at)->next;
    *at = stake->next;
    if (stake->newer) stake->newer->older = stake->older;
    if (stake->older) stake->older->newer = stake->newer;
    if (holder->stakes == stake) holder->stakes = stake->older;
    h->count--;
    void *object = object_of(server, stake);
    if (object) ili_unpin(server, object);
    free(stake);
}

const struct ili_grant *ili_grants_of(struct ili_server *server, void *object, size_t *count) {
    struct ili_stakes *h = &server->stakes;
    const struct ili_kind *kind = ili_kind_of(((const struct ili_object *)object)->kind);
    *count = 0;
    if (!kind || !kind->grants) return NULL;
    size_t found = kind->grants(ili_server_member(server), object, h->grants, h->grant_room);
    if (found > h->grant_room && found <= GRANTS_LOOKED_AT) {
        struct ili_grant *grown = realloc(h->grants, found * 2 * sizeof *grown);
        if (grown) {
            h->grants = grown;
            h->grant_room = found * 2;
            found = kind->grants(ili_server_member(server), object, h->grants, h->grant_room);
        }
    }
    *count = found < h->grant_room ? found : h->grant_room;
    return h->grants;
}

/* Whether HOLDER holds something of it; also if it cannot be seen. */
static bool is_held(struct ili_server *server, const struct ili_stake *stake) {
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    struct ili_object *object = object_of(server, stake);
    if (!object) return false;
    const struct ili_kind *kind = ili_kind_of(stake->kind);
    if (kind->claimed && kind->claimed(ili_server_member(server), server->domain.self, object,
                                       stake->holder->slot)) {
        return true;
    }
    size_t count;
    const struct ili_grant *grants = ili_grants_of(server, object, &count);
    for (size_t i = 0; i < count; i++) {
        if (ili_agent_slot(arena, grants[i].owner) == stake->holder->slot) return true;
    }
    return count == GRANTS_LOOKED_AT;
}

void ili_stake_less(struct ili_server *server, struct ili_holder *holder, ili_off object,
                    bool lost) {
    struct ili_stake *one = holder ? find(server, holder, object) : NULL;
    if (!one) return;
    if (one->grants > 0 && !lost) one->grants--;
    if ((one->grants == 0 || lost) && !is_held(server, one)) ili_stake_drop(server, one);
}

bool ili_stake_was_deleted(struct ili_server *server, const struct ili_holder *holder,
                           uint32_t kind, const char *name, size_t name_bytes) {
    struct ili_stakes *h = &server->stakes;
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    char own[IL_NAME_MAX_BYTES + 1];
    if (h->count == 0) return false;
    uint64_t hash = ili_name_hash(arena, kind, name, name_bytes);
    struct ili_stake *one = h->buckets[bucket_of(h, holder->slot, hash)];
    for (; one; one = one->next) {
        if (one->holder != holder || one->hash != hash || one->kind != kind) continue;
        const struct ili_object *object = object_of(server, one);
        if (!object || atomic_load_explicit(&object->deleted, memory_order_acquire) == 0) continue;
        if (ili_object_name(arena, object, own) == name_bytes &&
            memcmp(own, name, name_bytes) == 0) {
            return true;
        }
    }
    return false;
}

void ili_stakes_mark(struct ili_server *server, const struct ili_holder *holder, uint64_t *bits) {
    for (struct ili_stake *one = holder->stakes; one; one = one->older) {
        struct ili_object *object = object_of(server, one);
        size_t count = 0;
        const struct ili_grant *grants = object ? ili_grants_of(server, object, &count) : NULL;
        for (size_t i = 0; i < count; i++) {
            uint32_t owner = grants[i].owner;
            if (owner <= ILI_AGENTS_MAX) bits[owner / 64] |= UINT64_C(1) << (owner % 64);
        }
    }
}

/* Drops what is there for nothing. */
static void look_at(struct ili_server *server, struct ili_stake *one) {
    const struct ili_object *object = object_of(server, one);
    bool deleted = object && atomic_load_explicit(&object->deleted, memory_order_acquire) != 0;
    if (deleted && one->deleted_ns == 0) one->deleted_ns = server->now_ns;
    bool stays =
        deleted ? server->now_ns - one->deleted_ns < DELETED_KEPT_NS : is_held(server, one);
    if (!stays) ili_stake_drop(server, one);
}

static void sweep(struct ili_timer *timer, void *context) {
    struct ili_server *server = context;
    struct ili_stakes *h = &server->stakes;
    for (unsigned i = 0; i < SWEEP_BUCKETS && i < h->bucket_count; i++) {
        if (h->swept >= h->bucket_count) h->swept = 0;
        struct ili_stake *one = h->buckets[h->swept++], *next;
        for (; one; one = next) {
            next = one->next;
            look_at(server, one);
        }
    }
    (void)ili_timers_set(&server->timers, timer, server->now_ns + SWEEP_NS);
}

void ili_stakes_open(struct ili_server *server) {
    server->stakes.sweep.fire = sweep;
    (void)ili_timers_set(&server->timers, &server->stakes.sweep, server->now_ns + SWEEP_NS);
}

void ili_stakes_close(struct ili_server *server) {
    struct ili_stakes *h = &server->stakes;
    for (size_t i = 0; i < h->bucket_count; i++) {
        for (struct ili_stake *one = h->buckets[i], *next; one; one = next) {
            next = one->next;
            ili_stake_drop(server, one);
        }
    }
    ili_timers_clear(&server->timers, &h->sweep);
    free(h->buckets);
    free(h->grants);
    memset(h, 0, sizeof *h);
}

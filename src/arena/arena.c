/*
 * arena.c - see arena.h.
 *
 * The header's first lines, up to hash_key, are written once by the maker, before anyone else can
 * map the arena, and only read afterwards.
 */
#include "arena/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/futex.h"
#include "arena/names.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)
#define HEADER_BYTES 4096u

static uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high) {
    return n < low ? low : n > high ? high : n;
}

static uint64_t power_of_two_below(uint64_t n) {
    uint64_t p = 1;
    while (p * 2 <= n) p *= 2;
    return p;
}

uint64_t ili_layout_stamp(void) {
    static const uint64_t numbers[] = {4, /* raise it for a change of meaning that moves nothing */
                                       sizeof(struct ili_header),
                                       sizeof(struct ili_slot),
                                       sizeof(struct ili_agent),
                                       sizeof(struct ili_chunk),
                                       sizeof(struct ili_lease),
                                       sizeof(struct ili_loss),
                                       sizeof(struct ili_object),
                                       sizeof(struct ili_stripe),
                                       offsetof(struct ili_header, token_floor),
                                       offsetof(struct ili_header, alloc),
                                       offsetof(struct ili_agent, held),
                                       offsetof(struct ili_agent, wait_object),
                                       ILI_CHUNK_BYTES,
                                       ILI_PIECE_CLASSES,
                                       ILI_STRIPES,
                                       ILI_SEGMENT_BUCKETS};
    uint64_t stamp = UINT64_C(14695981039346656037); /* FNV-1a, over words */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        stamp = (stamp ^ numbers[i]) * UINT64_C(1099511628211);
    }
    for (uint32_t kind = 1; kind < ILI_KINDS_END && ili_kind_of; kind++) {
        if (!ili_kind_of(kind)) continue;
        stamp = (stamp ^ ili_kind_of(kind)->bytes) * UINT64_C(1099511628211);
    }
    return stamp;
}

/* A served arena has room for the sessions of HTTP clients besides processes. */
static struct ili_regions plan(uint64_t bytes, bool served) {
    struct ili_regions r = {0};
    r.slots = (uint32_t)clamp(bytes >> (served ? 16 : 18), 64, served ? ILI_SLOTS_MAX : 4096);
    r.agents = (uint32_t)clamp(bytes >> 14, ILI_AGENTS_STEP, ILI_AGENTS_MAX);
    r.agents = r.agents / ILI_AGENTS_STEP * ILI_AGENTS_STEP;
    r.leases = (uint32_t)clamp(bytes >> 10, ILI_LEASES_STEP, ILI_LEASES_MAX);
    r.leases = r.leases / ILI_LEASES_STEP * ILI_LEASES_STEP;
    r.buckets = (uint32_t)power_of_two_below(clamp(bytes >> 10, 1024, UINT64_C(1) << 24));
    uint64_t most_chunks = bytes / ILI_CHUNK_BYTES;

    uint64_t at = HEADER_BYTES;
    r.slots_at = at;
    at = round_up(at + r.slots * sizeof(struct ili_slot), 4096);
    r.chunks_at = at;
    at = round_up(at + most_chunks * sizeof(struct ili_chunk), 4096);
    r.bitmap_at = at;
    at = round_up(at + most_chunks / 8 + 8, 4096);
    r.directory_at = at;
    at = round_up(at + r.buckets / ILI_SEGMENT_BUCKETS * sizeof(ili_off), 4096);
    r.stripes_at = at;
    at = round_up(at + ILI_STRIPES * sizeof(struct ili_stripe), 4096);
    r.rung_at = at; /* leaf words, then one summary word for 64 of them */
    at = round_up(at + r.agents / 8 + (r.agents / 64 + 63) / 64 * 8, 4096);
    r.changed_at = at;
    at = round_up(at + r.leases / 8 + (r.leases / 64 + 63) / 64 * 8, 4096);
    r.losses_at = at;
    at = round_up(at + ILI_LOSSES * sizeof(struct ili_loss), ILI_CHUNK_BYTES);
    r.agents_at = at;
    at = round_up(at + r.agents * sizeof(struct ili_agent), ILI_CHUNK_BYTES);
    r.leases_at = at;
    at = round_up(at + r.leases * sizeof(struct ili_lease), ILI_CHUNK_BYTES);
    r.data_at = at;
    r.chunks = bytes > at ? (uint32_t)((bytes - at) / ILI_CHUNK_BYTES) : 0;
    return r;
}

/* Fills in OUT for memory that is mapped at BASE. */
static void view(struct ili_arena *out, uint8_t *base, uint64_t bytes, int fd,
                 const struct ili_regions *r) {
    memset(out, 0, sizeof *out);
    out->base = base;
    out->bytes = r->data_at + (uint64_t)r->chunks * ILI_CHUNK_BYTES;
    if (out->bytes > bytes) out->bytes = bytes;
    out->fd = fd;
    out->header = (struct ili_header *)base;
    out->regions = *r;
    out->slots = (struct ili_slot *)(base + r->slots_at);
    out->chunks = (struct ili_chunk *)(base + r->chunks_at);
    out->bitmap = (_Atomic uint64_t *)(base + r->bitmap_at);
    out->directory = (_Atomic ili_off *)(base + r->directory_at);
    out->stripes = (struct ili_stripe *)(base + r->stripes_at);
    out->rung = (_Atomic uint64_t *)(base + r->rung_at);
    out->changed = (_Atomic uint64_t *)(base + r->changed_at);
    out->losses = (struct ili_loss *)(base + r->losses_at);
    out->leases = (struct ili_lease *)(base + r->leases_at);
    out->agents = (struct ili_agent *)(base + r->agents_at);
}

static void fill_header(struct ili_arena *a, bool served, uint64_t token_floor,
                        const uint64_t key[2]) {
    struct ili_header *h = a->header;
    h->stamp = ili_layout_stamp();
    h->bytes = a->bytes;
    h->served = served;
    h->regions = a->regions;
    memcpy(h->hash_key, key, sizeof h->hash_key);
    memcpy(a->hash_key, key, sizeof a->hash_key);
    atomic_init(&h->token_floor, token_floor);
    h->alloc.kind = ILI_GUARD_ALLOC;
    for (unsigned i = 0; i < ILI_STRIPES; i++) a->stripes[i].guard.kind = ILI_GUARD_NAMES;
    for (uint32_t i = 0; i < a->regions.chunks; i++) {
        uint64_t word = atomic_load_explicit(&a->bitmap[i / 64], memory_order_relaxed);
        atomic_store_explicit(&a->bitmap[i / 64], word | UINT64_C(1) << (i % 64),
                              memory_order_relaxed);
    }
    atomic_init(&h->free_chunks, a->regions.chunks);
    h->magic = ILI_ARENA_MAGIC;
}

il_status ili_arena_create(uint64_t bytes, bool served, uint64_t token_floor,
                           struct ili_arena *out) {
    if (bytes < ILI_ARENA_MIN_BYTES || bytes > ILI_ARENA_MAX_BYTES) return IL_EINVAL;
    il_status status = IL_ESYSTEM;
    uint8_t *base = MAP_FAILED;
    bytes = round_up(bytes, ILI_CHUNK_BYTES);
    struct ili_regions regions = plan(bytes, served);
    if (regions.chunks == 0) return IL_EINVAL;
    uint64_t key[2];
    int fd = memfd_create("interlock", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) goto cleanup;
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key) goto cleanup;
    if (ftruncate(fd, (off_t)bytes) != 0) goto cleanup;
    if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) != 0) goto cleanup;
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        status = IL_ENOMEM;
        goto cleanup;
    }
    struct ili_arena made;
    view(&made, base, bytes, fd, &regions);
    status = ili_arena_commit(&made, 0, regions.agents_at);
    if (status != IL_OK) goto cleanup;
    fill_header(&made, served, token_floor, key);
    *out = made;
    return IL_OK;

cleanup:
    if (base != MAP_FAILED) munmap(base, bytes);
    if (fd >= 0) close(fd);
    return status;
}

il_status ili_arena_map(int fd, struct ili_arena *out) {
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS) return IL_EPROTOCOL;
    if (fstat(fd, &st) != 0) return IL_ESYSTEM;
    uint64_t bytes = (uint64_t)st.st_size;
    if (bytes < ILI_ARENA_MIN_BYTES || bytes > ILI_ARENA_MAX_BYTES) return IL_EPROTOCOL;
    uint8_t *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return IL_ENOMEM;
    const struct ili_header *header = (const struct ili_header *)base;
    struct ili_regions regions = header->regions;
    struct ili_regions expected = plan(bytes, header->served != 0);
    il_status status = IL_OK;
    if (header->magic != ILI_ARENA_MAGIC || header->stamp != ili_layout_stamp()) {
        status = IL_EPROTOCOL;
    } else if (memcmp(&regions, &expected, sizeof regions) != 0) {
        status = IL_ECORRUPT;
    }
    if (status != IL_OK) {
        munmap(base, bytes);
        return status;
    }
    view(out, base, bytes, fd, &expected);
    memcpy(out->hash_key, header->hash_key, sizeof out->hash_key);
    return IL_OK;
}

void ili_arena_unmap(struct ili_arena *arena) {
    if (arena->base) munmap(arena->base, arena->bytes);
    if (arena->fd >= 0) close(arena->fd);
    memset(arena, 0, sizeof *arena);
    arena->fd = -1;
}

il_status ili_arena_commit(const struct ili_arena *arena, ili_off at, uint64_t bytes) {
    int result;
    do {
        result = ili_system.fallocate(arena->fd, 0, (off_t)at, (off_t)bytes);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? IL_OK : IL_ENOMEM;
}

void ili_arena_decommit(const struct ili_arena *arena, ili_off at, uint64_t bytes) {
    /* A failure costs memory, nothing else. */
    (void)ili_system.fallocate(arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
                               (off_t)bytes);
}

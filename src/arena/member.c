#include "arena/member.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena/agent.h"
#include "arena/futex.h"
#include "base/clock.h"
#include "base/text.h"

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ili_member *list;
static uint64_t last_id;

void ili_members_lock(void) { pthread_mutex_lock(&list_mutex); }
void ili_members_unlock(void) { pthread_mutex_unlock(&list_mutex); }

void ili_members_each_held(void (*visit)(struct ili_member *member, void *context), void *context) {
    for (struct ili_member *m = list; m; m = m->next) visit(m, context);
}

void ili_members_each(void (*visit)(struct ili_member *member, void *context), void *context) {
    ili_members_lock();
    ili_members_each_held(visit, context);
    ili_members_unlock();
}

uint64_t ili_member_new_id(void) { return ++last_id; }

void ili_member_enter(struct ili_member *member, const struct ili_arena *arena, uint32_t slot,
                      int doorbell_fd) {
    memset(member, 0, sizeof *member);
    member->arena = *arena;
    member->slot = slot;
    member->doorbell_fd = doorbell_fd;
    member->patience_ns = ILI_NEVER;
    member->served = arena->header->served != 0;
    pthread_mutex_init(&member->open_mutex, NULL);
    ili_members_lock();
    member->id = ili_member_new_id();
    member->next = list;
    list = member;
    ili_members_unlock();
    atomic_store_explicit(&member->self, slot + 1, memory_order_release);
}

void ili_member_leave(struct ili_member *member) {
    ili_members_lock();
    for (struct ili_member **at = &list; *at; at = &(*at)->next) {
        if (*at != member) continue;
        *at = member->next;
        break;
    }
    ili_members_unlock();
    if (member->doorbell_fd >= 0) close(member->doorbell_fd);
    ili_arena_unmap(&member->arena);
    pthread_mutex_destroy(&member->open_mutex);
    free(member->open_free);
    free(member->open_pages);
    member->open_free = NULL;
    member->open_pages = NULL;
}

void ili_member_stop(struct ili_member *member, il_status trouble) {
    int32_t none = IL_OK;
    /* the first trouble is the one that callers see */
    atomic_compare_exchange_strong_explicit(&member->trouble, &none, trouble, memory_order_release,
                                            memory_order_relaxed);
    atomic_store_explicit(&member->self, 0, memory_order_release);
    uint32_t mine = member->slot + 1;
    uint32_t count =
        atomic_load_explicit(&member->arena.header->agents_committed, memory_order_relaxed);
    for (uint32_t number = 1; number <= count; number++) {
        struct ili_agent *agent = ili_agent_at(&member->arena, number);
        if (!agent) break;
        if (atomic_load_explicit(&agent->owner, memory_order_relaxed) != mine) continue;
        atomic_fetch_or_explicit(&agent->park, ILI_PARK_POKED, memory_order_relaxed);
        ili_futex_wake(&agent->park, 1);
    }
}

uint64_t ili_process_start_time(uint32_t pid) {
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) return 0;
    text[length] = 0;
    /* the second field is the program's name in parentheses and may hold anything: start behind it */
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

static void read_command(uint32_t pid, char *room, size_t room_bytes) {
    char path[32];
    memset(room, 0, room_bytes);
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t length = read(fd, room, room_bytes - 1);
    close(fd);
    for (ssize_t i = 0; i + 1 < length; i++) {
        if (room[i] == 0) room[i] = ' '; /* arguments are separated by NUL */
    }
}

/* A free slot, TAKEN now; NULL: there is none. */
static struct ili_slot *take_slot(struct ili_arena *arena) {
    for (uint32_t i = 0; i < arena->regions.slots; i++) {
        struct ili_slot *s = &arena->slots[i];
        uint32_t unused = ILI_SLOT_FREE;
        /* relaxed: a look before the attempt, which writes to the line */
        if (atomic_load_explicit(&s->state, memory_order_relaxed) != ILI_SLOT_FREE) continue;
        /* acquire: pairs with ili_slot_free() */
        if (atomic_compare_exchange_strong_explicit(&s->state, &unused, ILI_SLOT_TAKEN,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return s;
        }
    }
    return NULL;
}

/* The slot is filled in but for these. */
static void make_live(struct ili_arena *arena, struct ili_slot *s, const char *label,
                      uint32_t flags) {
    ili_text_copy(s->label, sizeof s->label, label);
    s->since_seconds = ili_wall_seconds();
    atomic_store_explicit(&s->open_pages, 0, memory_order_relaxed);
    atomic_store_explicit(&s->flags, flags, memory_order_relaxed);
    atomic_store_explicit(&s->home, 0, memory_order_relaxed);
    /* release: who sees it live sees it filled in */
    atomic_store_explicit(&s->state, ILI_SLOT_LIVE, memory_order_release);
    atomic_fetch_add_explicit(&arena->header->roster, 1, memory_order_release);
}

il_status ili_slot_claim(struct ili_arena *arena, uint32_t pid, uint32_t uid, const char *label,
                         uint32_t *slot) {
    struct ili_slot *s = take_slot(arena);
    if (!s) return IL_ELIMIT;
    char command[sizeof s->command];
    read_command(pid, command, sizeof command);
    ili_text_copy(s->command, sizeof s->command, command);
    if (!label || !*label) {
        char *end = strchr(command, ' ');
        if (end) *end = 0;
        const char *slash = strrchr(command, '/');
        label = slash ? slash + 1 : command;
    }
    atomic_store_explicit(&s->uid, uid, memory_order_relaxed);
    atomic_store_explicit(&s->start_time, ili_process_start_time(pid), memory_order_relaxed);
    atomic_store_explicit(&s->pid, pid, memory_order_relaxed);
    make_live(arena, s, label, 0);
    *slot = (uint32_t)(s - arena->slots);
    return IL_OK;
}

il_status ili_slot_claim_client(struct ili_arena *arena, const char *label, uint32_t *slot) {
    struct ili_slot *s = take_slot(arena);
    if (!s) return IL_ELIMIT;
    memset(s->command, 0, sizeof s->command);
    atomic_store_explicit(&s->uid, 0, memory_order_relaxed);
    atomic_store_explicit(&s->start_time, 0, memory_order_relaxed);
    atomic_store_explicit(&s->pid, 0, memory_order_relaxed);
    make_live(arena, s, label, ILI_SLOT_CLIENT);
    *slot = (uint32_t)(s - arena->slots);
    return IL_OK;
}

void ili_slot_free(struct ili_arena *arena, uint32_t slot) {
    struct ili_slot *s = &arena->slots[slot];
    atomic_fetch_add_explicit(&s->generation, 1, memory_order_relaxed);
    atomic_store_explicit(&s->pid, 0, memory_order_relaxed);
    atomic_store_explicit(&s->state, ILI_SLOT_FREE, memory_order_release);
}

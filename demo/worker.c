/*
 * worker.c - takes lines from queues through the host door and counts them.
 *
 *   worker SOCKET TALLY LABEL QUEUE...
 *
 * A message is "NUMBER:LINE"; what is counted of LINE is what wc counts. The sums go into the file
 * TALLY, which all workers share, under the lock "tally". So that a worker may die anywhere:
 *   - what is about to be added is written down first, sums included, and takes effect by one store
 *     (`pending`); whoever gets the lock next and finds it set does it again from there;
 *   - each line that was counted has its bit: a line that comes twice is seen, and after the end the
 *     lines that a dead worker had taken and not counted are the bits that are missing;
 *   - the file keeps the newest token that wrote to it, and an older one is refused: a holder that
 *     was too slow cannot write into a later one's turn.
 * tally.py has the same in Python, for the worker behind the HTTP door.
 *
 * SIGUSR1 and SIGUSR2 make a worker stand still in its next turn, for whoever wants to kill it at the
 * worst moment: when it has the lock and has written nothing, or when it has half of it written.
 */
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <interlock.h>

#define BATCH 256 /* lines of one turn; the file has room for 1,024 */

struct sums {
    uint64_t lines, words, bytes;
};

struct tally {
    uint64_t token; /* the newest that wrote */
    struct sums sums;
    uint64_t twice;           /* lines that came although they were counted */
    _Atomic uint64_t pending; /* how many numbers of `planned` are to be applied, 0: none */
    struct sums next;
    uint64_t planned_token;
    uint64_t reserved[6];
    uint64_t planned[1024];
    uint8_t counted[]; /* a bit a line */
};
_Static_assert(offsetof(struct tally, planned) == 128, "tally.py knows it");

struct worker {
    const char *label;
    il_domain *domain;
    il_lock *lock;
    struct tally *tally;
    uint64_t line_count; /* that the file has bits for */
};

static volatile sig_atomic_t stand_still; /* SIGUSR1, SIGUSR2, or 0 */

static void on_signal(int number) { stand_still = number; }

static void here(int number) {
    while (stand_still == number) pause();
}

static _Noreturn void fail(const struct worker *w, const char *what) {
    fprintf(stderr, "%s: %s: %s\n", w->label, what, il_error_message());
    exit(1);
}

/* ---- the tally ---------------------------------------------------------------------------------- */

static void open_tally(struct worker *w, const char *path) {
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) fail(w, path);
    w->tally = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (w->tally == MAP_FAILED) fail(w, "mmap");
    w->line_count = ((uint64_t)st.st_size - sizeof *w->tally) * 8;
    close(fd);
}

/* Does what was planned; again, if a dead worker was in the middle of it. */
static uint64_t apply(struct tally *t) {
    uint64_t count = atomic_load_explicit(&t->pending, memory_order_acquire);
    for (uint64_t i = 0; i < count; i++) {
        if (i == count / 2) here(SIGUSR2);
        t->counted[t->planned[i] / 8] |= (uint8_t)(1u << (t->planned[i] % 8));
    }
    t->sums = t->next;
    t->token = t->planned_token;
    atomic_store_explicit(&t->pending, 0, memory_order_release);
    return count;
}

static int is_counted(const struct tally *t, uint64_t line) {
    return t->counted[line / 8] >> (line % 8) & 1;
}

/* Under the lock. */
static void add(struct worker *w, uint64_t token, const uint64_t *numbers, const struct sums *each,
                size_t count) {
    struct tally *t = w->tally;
    uint64_t planned = 0;
    if (token <= t->token) fail(w, "the tally has seen a newer token");
    t->next = t->sums;
    for (size_t i = 0; i < count; i++) {
        if (is_counted(t, numbers[i])) {
            t->twice++;
            continue;
        }
        t->planned[planned++] = numbers[i];
        t->next.lines += each[i].lines;
        t->next.words += each[i].words;
        t->next.bytes += each[i].bytes;
    }
    t->planned_token = token;
    atomic_store_explicit(&t->pending, planned, memory_order_release);
    apply(t);
}

static void add_locked(struct worker *w, const uint64_t *numbers, const struct sums *each,
                       size_t count) {
    uint64_t token;
    il_status status = il_lock_acquire(w->lock, IL_FOREVER, &token);
    if (status == IL_EOWNERDEAD) {
        fprintf(stderr, "%s: the lock's owner died holding it\n", w->label);
    } else if (status != IL_OK) {
        fail(w, "il_lock_acquire");
    }
    if (atomic_load_explicit(&w->tally->pending, memory_order_acquire)) {
        uint64_t lines = apply(w->tally);
        fprintf(stderr, "%s: finished its turn, of %llu lines\n", w->label,
                (unsigned long long)lines);
    }
    here(SIGUSR1);
    add(w, token, numbers, each, count);
    if (il_lock_release(w->lock, token) != IL_OK) fail(w, "il_lock_release");
}

/* ---- counting ----------------------------------------------------------------------------------- */

static struct sums count_line(const char *line, size_t bytes) {
    struct sums sums = {.bytes = bytes};
    int inside = 0;
    for (size_t i = 0; i < bytes; i++) {
        int space = isspace((unsigned char)line[i]) != 0;
        if (!space && !inside) sums.words++;
        if (line[i] == '\n') sums.lines++;
        inside = !space;
    }
    return sums;
}

static void count_batch(struct worker *w, const il_message *messages, size_t count) {
    uint64_t numbers[BATCH];
    struct sums each[BATCH];
    for (size_t i = 0; i < count; i++) {
        const char *text = messages[i].data, *colon = memchr(text, ':', messages[i].bytes);
        numbers[i] = strtoull(text, NULL, 10);
        if (!colon || numbers[i] >= w->line_count) fail(w, "a message that is no line");
        each[i] = count_line(colon + 1, messages[i].bytes - (size_t)(colon + 1 - text));
    }
    add_locked(w, numbers, each, count);
}

/* Until the queue is closed and empty. */
static void drain(struct worker *w, const char *name) {
    il_queue *queue;
    il_message messages[BATCH];
    size_t room = 1 << 20, done;
    char *buffer = malloc(room);
    if (!buffer || il_queue_open(w->domain, name, strlen(name), NULL, &queue) != IL_OK) {
        fail(w, name);
    }
    for (;;) {
        il_status status =
            il_queue_get_many(queue, buffer, room, messages, BATCH, &done, IL_FOREVER);
        if (status == IL_ECLOSED) break;
        if (status == IL_ETOOBIG) {
            free(buffer);
            room = done;
            if (!(buffer = malloc(room))) fail(w, "malloc");
            continue;
        }
        if (status != IL_OK) fail(w, "il_queue_get_many");
        count_batch(w, messages, done);
    }
    free(buffer);
    il_queue_close(queue);
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fputs("worker SOCKET TALLY LABEL QUEUE...\n", stderr);
        return 2;
    }
    struct worker w = {.label = argv[3]};
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    il_domain_options options = {.struct_bytes = sizeof options, .label = w.label};
    char address[4096];
    snprintf(address, sizeof address, "unix:%s", argv[1]);
    if (il_domain_open(address, &options, &w.domain) != IL_OK) fail(&w, address);
    if (il_lock_open(w.domain, "tally", 5, NULL, &w.lock) != IL_OK) fail(&w, "tally");
    open_tally(&w, argv[2]);
    for (int i = 4; i < argc; i++) drain(&w, argv[i]);
    il_lock_close(w.lock);
    il_domain_close(w.domain);
    return 0;
}

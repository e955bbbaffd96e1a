/*
 * indexer.c - counts words of a text into a dict that others, behind other doors, count into as well.
 *
 *   indexer SOCKET TEXT BLOCK LABEL [thread]       thread: a thread does the work, the first one waits for it
 *
 * A word is a run of ASCII letters, in lower case. Who takes which block of BLOCK bytes is said by the value
 * "next-block", to which each adds 1. The words of a block are counted in memory, and then added to the dict
 * "words" in batches: read, and changed in one update that names the versions that were read. If somebody else
 * has changed one of them meanwhile (IL_ECHANGED) nothing was done, and it is tried again with half as many.
 * words_http.py has the same in Python, behind the HTTP door.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <interlock.h>

#define TABLE                                                                                      \
    (1u << 17) /* slots for the words of a block; a block has at most half as many bytes */
#define BATCH_MOST 256

struct word {
    const char *letters; /* in the text, in any case */
    size_t bytes;        /* 0: the slot is free */
    uint64_t count;
};

struct indexer {
    const char *label;
    il_domain *domain;
    il_value *next;
    il_dict *words;
    const char *text;
    size_t text_bytes, block_bytes;
    struct word table[TABLE];
    uint64_t blocks, counted, updates, conflicts;
};

static _Noreturn void fail(const struct indexer *x, const char *what) {
    fprintf(stderr, "%s: %s: %s\n", x->label, what, il_error_message());
    exit(1);
}

/* ---- words -------------------------------------------------------------------------------------- */

static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static int is_same(const struct word *word, const char *letters, size_t bytes) {
    if (word->bytes != bytes) return 0;
    for (size_t i = 0; i < bytes; i++) {
        if (lower(word->letters[i]) != lower(letters[i])) return 0;
    }
    return 1;
}

static void count_word(struct indexer *x, const char *letters, size_t bytes) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (unsigned char)lower(letters[i])) * 16777619u;
    uint32_t at = hash % TABLE;
    while (x->table[at].bytes > 0 && !is_same(&x->table[at], letters, bytes)) at = (at + 1) % TABLE;
    x->table[at].letters = letters;
    x->table[at].bytes = bytes;
    x->table[at].count++;
    x->counted++;
}

/* The words that begin in the block; the last one may end behind it. */
static void count_block(struct indexer *x, size_t start) {
    const char *at = x->text + start, *text_end = x->text + x->text_bytes;
    const char *end = text_end - at > (ptrdiff_t)x->block_bytes ? at + x->block_bytes : text_end;
    memset(x->table, 0, sizeof x->table);
    while (start > 0 && at < text_end && is_letter(at[-1]) && is_letter(*at)) at++;
    while (at < end) {
        const char *word = at;
        while (at < text_end && is_letter(*at)) at++;
        if (at > word) {
            count_word(x, word, (size_t)(at - word));
        } else {
            at++;
        }
    }
}

/* ---- the dict ----------------------------------------------------------------------------------- */

struct draft {
    char key[IL_KEY_MAX_BYTES], number[24];
};

/* One change: the word's count, and COUNT more. */
static void prepare(struct indexer *x, const struct word *word, struct draft *draft,
                    il_dict_change *change) {
    il_item item;
    char old[24] = "";
    size_t bytes = word->bytes < sizeof draft->key ? word->bytes : sizeof draft->key;
    for (size_t i = 0; i < bytes; i++) draft->key[i] = lower(word->letters[i]);
    uint64_t version = IL_VERSION_NONE;
    il_status status = il_dict_get(x->words, draft->key, bytes, old, sizeof old - 1, &item);
    if (status == IL_OK) {
        version = item.version;
        old[item.bytes] = 0;
    } else if (status != IL_ENOKEY) {
        fail(x, "il_dict_get");
    }
    int length = snprintf(draft->number, sizeof draft->number, "%" PRIu64,
                          (uint64_t)strtoull(old, NULL, 10) + word->count);
    *change = (il_dict_change){.what = IL_CHANGE_SET,
                               .type = IL_JSON,
                               .key = draft->key,
                               .key_bytes = bytes,
                               .data = draft->number,
                               .bytes = (uint64_t)length,
                               .version = version};
}

/* COUNT of the words, or none of them. */
static int add_batch(struct indexer *x, const struct word *words, size_t count) {
    static _Thread_local struct draft drafts[BATCH_MOST];
    il_dict_change changes[BATCH_MOST];
    for (size_t i = 0; i < count; i++) prepare(x, &words[i], &drafts[i], &changes[i]);
    il_status status = il_dict_update(x->words, changes, count, NULL);
    x->updates++;
    if (status == IL_ECHANGED) x->conflicts++;
    if (status != IL_OK && status != IL_ECHANGED) fail(x, "il_dict_update");
    return status == IL_OK;
}

static void add_block(struct indexer *x) {
    size_t count = 0, batch = BATCH_MOST;
    for (size_t i = 0; i < TABLE; i++) {
        if (x->table[i].bytes > 0) x->table[count++] = x->table[i];
    }
    for (size_t at = 0; at < count;) {
        size_t some = count - at < batch ? count - at : batch;
        if (add_batch(x, x->table + at, some)) {
            at += some;
            batch = batch * 2 < BATCH_MOST ? batch * 2 : BATCH_MOST;
        } else {
            batch = batch > 1 ? batch / 2 : 1;
        }
    }
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static void *work(void *argument) {
    struct indexer *x = argument;
    const int64_t one = 1;
    int64_t block;
    for (;;) {
        if (il_value_add(x->next, IL_I64, &one, &block) != IL_OK) fail(x, "il_value_add");
        if ((uint64_t)block * x->block_bytes >= x->text_bytes) return NULL;
        count_block(x, (size_t)block * x->block_bytes);
        add_block(x);
        x->blocks++;
    }
}

static void open_text(struct indexer *x, const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) fail(x, path);
    x->text_bytes = (size_t)st.st_size;
    x->text = mmap(NULL, x->text_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (x->text == MAP_FAILED) fail(x, "mmap");
    close(fd);
}

/* All begin together. */
static void meet(struct indexer *x) {
    il_barrier *start;
    if (il_barrier_open(x->domain, "start", 5, NULL, &start) != IL_OK) fail(x, "start");
    if (il_barrier_wait(start, INT64_C(20000000000), NULL) != IL_OK) fail(x, "il_barrier_wait");
    il_barrier_close(start);
}

int main(int argc, char **argv) {
    static struct indexer x;
    il_thread *thread;
    char address[4096];
    if (argc < 5) {
        fputs("indexer SOCKET TEXT BLOCK LABEL [thread]\n", stderr);
        return 2;
    }
    x.label = argv[4];
    x.block_bytes = strtoull(argv[3], NULL, 10);
    if (x.block_bytes == 0 || x.block_bytes > TABLE) fail(&x, "BLOCK");
    open_text(&x, argv[2]);
    il_domain_options options = {.struct_bytes = sizeof options, .label = x.label};
    snprintf(address, sizeof address, "unix:%s", argv[1]);
    if (il_domain_open(address, &options, &x.domain) != IL_OK) fail(&x, address);
    if (il_value_open(x.domain, "next-block", 10, NULL, &x.next) != IL_OK) fail(&x, "next-block");
    if (il_dict_open(x.domain, "words", 5, NULL, &x.words) != IL_OK) fail(&x, "words");
    meet(&x);
    if (argc == 5) {
        work(&x);
    } else if (il_thread_create(work, &x, NULL, &thread) != IL_OK ||
               il_thread_start(thread) != IL_OK ||
               il_thread_join(thread, IL_FOREVER, NULL) != IL_OK) {
        fail(&x, "il_thread");
    } else {
        il_thread_close(thread);
    }
    printf("%s: %" PRIu64 " blocks, %" PRIu64 " words, %" PRIu64 " updates, %" PRIu64
           " of them tried again\n",
           x.label, x.blocks, x.counted, x.updates, x.conflicts);
    il_dict_close(x.words);
    il_value_close(x.next);
    return il_domain_close(x.domain) == IL_OK ? 0 : 1;
}

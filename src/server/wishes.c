#include "server/wishes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define SECONDS_MOST 1e9 /* far beyond what any server waits */
#define SPACE " \t"

/* Where the element at TEXT ends: a comma outside of quotes, or the end. */
static const char *element_end(const char *text) {
    bool quoted = false;
    for (; *text && (quoted || *text != ','); text++) {
        if (*text == '"') quoted = !quoted;
        if (quoted && *text == '\\' && text[1]) text++;
    }
    return text;
}

/* How long the part of TEXT[0..BYTES) before one of STOPS is, without space at its end. */
static size_t part(const char *text, size_t bytes, const char *stops) {
    size_t length = 0;
    while (length < bytes && !strchr(stops, text[length])) length++;
    while (length > 0 && strchr(SPACE, text[length - 1])) length--;
    return length;
}

static bool is(const char *text, size_t bytes, const char *word) {
    return strlen(word) == bytes && strncasecmp(text, word, bytes) == 0;
}

/* Digits, perhaps with a fraction. */
static bool read_seconds(const char *text, size_t bytes, int64_t *ns) {
    char room[32];
    if (bytes >= 2 && text[0] == '"' && text[bytes - 1] == '"') {
        text++;
        bytes -= 2;
    }
    if (bytes == 0 || bytes >= sizeof room) return false;
    memcpy(room, text, bytes);
    room[bytes] = 0;
    size_t digits = strspn(room, "0123456789");
    size_t fraction = room[digits] == '.' ? strspn(room + digits + 1, "0123456789") : 0;
    if (digits == 0 || digits + (fraction ? fraction + 1 : 0) != bytes) return false;
    double seconds = strtod(room, NULL);
    *ns = seconds >= SECONDS_MOST ? ILI_NEVER : (int64_t)(seconds * 1e9);
    return true;
}

/* One preference: NAME [= VALUE] [; parameters]. */
static void read_preference(struct ili_wishes *wishes, const char *at, size_t bytes) {
    bytes = part(at, bytes, ";");
    size_t name = part(at, bytes, "=");
    if (wishes->waits || wishes->bad_wait || !is(at, name, "wait")) return;
    const char *equals = memchr(at, '=', bytes);
    wishes->waits = true;
    wishes->wait_ns = ILI_NEVER;
    if (!equals) return;
    const char *value = equals + 1;
    const char *end = at + bytes;
    while (value < end && strchr(SPACE, *value)) value++;
    wishes->bad_wait = !read_seconds(value, (size_t)(end - value), &wishes->wait_ns);
}

/* One media range: TYPE [; q=…]. */
static void read_range(struct ili_wishes *wishes, const char *at, size_t bytes) {
    size_t type = part(at, bytes, ";");
    const char *q = memchr(at, ';', bytes);
    while (q && q < at + bytes && strchr(SPACE ";", *q)) q++;
    if (q && strncasecmp(q, "q=", 2) == 0 && strtod(q + 2, NULL) == 0) return; /* not wanted */
    if (is(at, type, "application/x-ndjson")) wishes->ndjson = true;
    if (is(at, type, "application/json")) wishes->json = true;
}

static void each(struct ili_wishes *wishes, const char *value,
                 void (*read)(struct ili_wishes *wishes, const char *at, size_t bytes)) {
    while (*value) {
        value += strspn(value, SPACE ",");
        const char *end = element_end(value);
        if (end > value) read(wishes, value, (size_t)(end - value));
        value = end;
    }
}

void ili_wishes_prefer(struct ili_wishes *wishes, const char *value) {
    each(wishes, value, read_preference);
}

void ili_wishes_accept(struct ili_wishes *wishes, const char *value) {
    each(wishes, value, read_range);
}

il_status ili_wishes_check(const struct ili_wishes *wishes, struct ili_fault *fault) {
    if (!wishes->bad_wait) return IL_OK;
    return ili_fault_set(fault, IL_EINVAL, "Prefer", "wait=N, a number of seconds",
                         "Prefer: the value of wait is not a number of seconds");
}

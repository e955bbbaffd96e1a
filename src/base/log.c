#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"debug", "info", "warn", "error"};
static enum ili_log_level least = ILI_LOG_INFO;

void ili_log_set_level(enum ili_log_level level) { least = level; }

bool ili_log_level_named(const char *name, enum ili_log_level *level) {
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *level = (enum ili_log_level)i;
        return true;
    }
    return false;
}

/* Room is kept for the end of the line. */
static void add(struct ili_log_line *line, const char *text, size_t bytes) {
    size_t left = sizeof line->text - 2 - line->bytes;
    if (bytes > left) bytes = left;
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += bytes;
}

static void add_key(struct ili_log_line *line, const char *key) {
    if (line->bytes) add(line, " ", 1);
    add(line, key, strlen(key));
    add(line, "=", 1);
}

void ili_log_begin(struct ili_log_line *line, enum ili_log_level level, const char *event) {
    line->bytes = 0;
    line->wanted = level >= least;
    if (!line->wanted) return;
    struct timespec now;
    struct tm parts;
    char stamp[40], milliseconds[8];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(milliseconds, sizeof milliseconds, ".%03dZ", (int)(now.tv_nsec / 1000000) % 1000);
    add_key(line, "ts");
    add(line, stamp, length);
    add(line, milliseconds, strlen(milliseconds));
    ili_log_text(line, "level", names[level]);
    ili_log_text(line, "event", event);
}

static bool plain(const char *value) {
    if (!*value) return false;
    for (; *value; value++) {
        if (*value <= ' ' || *value > '~' || *value == '"' || *value == '=' || *value == '\\') {
            return false;
        }
    }
    return true;
}

void ili_log_text(struct ili_log_line *line, const char *key, const char *value) {
    if (!line->wanted) return;
    add_key(line, key);
    if (!value) value = "";
    if (plain(value)) {
        add(line, value, strlen(value));
        return;
    }
    add(line, "\"", 1);
    for (; *value; value++) {
        char escaped[8];
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\') {
            snprintf(escaped, sizeof escaped, "\\%c", c);
        } else if (c < ' ' || c > '~') {
            snprintf(escaped, sizeof escaped, "\\x%02x", c);
        } else {
            snprintf(escaped, sizeof escaped, "%c", c);
        }
        add(line, escaped, strlen(escaped));
    }
    add(line, "\"", 1);
}

void ili_log_number(struct ili_log_line *line, const char *key, int64_t value) {
    char text[24];
    if (!line->wanted) return;
    snprintf(text, sizeof text, "%" PRId64, value);
    ili_log_text(line, key, text);
}

void ili_log_token(struct ili_log_line *line, const char *key, uint64_t value) {
    char text[24];
    if (!line->wanted) return;
    snprintf(text, sizeof text, "%" PRIu64, value);
    ili_log_text(line, key, text);
}

void ili_log_end(struct ili_log_line *line) {
    if (!line->wanted) return;
    line->text[line->bytes++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line->text, line->bytes);
    (void)ignored; /* nowhere is left to say it */
}

void ili_log_event(enum ili_log_level level, const char *event, const char *detail) {
    struct ili_log_line line;
    ili_log_begin(&line, level, event);
    if (detail) ili_log_text(&line, "detail", detail);
    ili_log_end(&line);
}

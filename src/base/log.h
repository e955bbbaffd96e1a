/*
 * log.h - what a server says of itself: one line an event on stderr, in logfmt.
 *
 *   ts=2026-03-01T12:00:00.123Z level=info event=session.ended pid=4711 label="a worker"
 *
 *     struct ili_log_line line;
 *     ili_log_begin(&line, ILI_LOG_INFO, "session.ended");
 *     ili_log_number(&line, "pid", pid);
 *     ili_log_text(&line, "label", label);
 *     ili_log_end(&line);
 *
 * A line is one write(2), so lines of several threads do not mix. Text is quoted if it has to be, and
 * control characters and bytes beyond ASCII's printable ones are escaped, so no value can fake a line.
 */
#ifndef ILI_BASE_LOG_H
#define ILI_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ili_log_level { ILI_LOG_DEBUG, ILI_LOG_INFO, ILI_LOG_WARN, ILI_LOG_ERROR };

struct ili_log_line {
    bool wanted; /* false: the level is switched off, and all calls are nothing */
    size_t bytes;
    char text[1024]; /* what does not fit is left out */
};

/* Lines below LEVEL are not written. Before other threads run; the default is INFO. */
void ili_log_set_level(enum ili_log_level level);

/* False: NAME is none of debug, info, warn, error. */
bool ili_log_level_named(const char *name, enum ili_log_level *level);

void ili_log_begin(struct ili_log_line *line, enum ili_log_level level, const char *event);
void ili_log_text(struct ili_log_line *line, const char *key, const char *value);
void ili_log_number(struct ili_log_line *line, const char *key, int64_t value);
void ili_log_token(struct ili_log_line *line, const char *key, uint64_t value);
void ili_log_end(struct ili_log_line *line);

/* An event with nothing but a text, under the key `detail`; NULL: none. */
void ili_log_event(enum ili_log_level level, const char *event, const char *detail);

#endif

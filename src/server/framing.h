/*
 * framing.h - the rules about headers: what libmicrohttpd lets through and this server does not.
 *
 * Two programs that read one stream differently can be made to see different requests in it. So a
 * request whose head is not exactly NAME ":" SPACE VALUE CRLF, line after line, is refused: folded
 * lines, bare line feeds, NULs, empty names, several Content-Lengths and what else RFC 9112 forbids.
 * libmicrohttpd parses a head in place, and this looks at where it left the parts.
 *
 * And since a browser on this machine can reach the server too: no foreign Host (a name that was
 * rebound to 127.0.0.1), no Origin that is not allowed, no body that a form could send.
 */
#ifndef ILI_SERVER_FRAMING_H
#define ILI_SERVER_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "server/wishes.h"

/* What a head says; all pointers are libmicrohttpd's. Zero to begin, `next` is where the first
 * header's name must be. */
struct ili_head {
    const char *next;
    bool broken; /* the chain of names and values has a gap, or a forbidden character */
    uint8_t hosts, lengths, encodings, keys, origins, types, matches, none_matches;
    struct ili_wishes wishes;
    const char *host, *length, *encoding, *content_type, *origin, *fetch_site, *expect, *key;
    const char *match, *none_match; /* If-Match, If-None-Match */
};

/* One header, in order. VALUE may be NULL (nothing but the name). */
void ili_head_add(struct ili_head *head, const char *name, size_t name_bytes, const char *value,
                  size_t value_bytes);

/* The request line and the head's end. METHOD, URL and VERSION lie in one buffer of HEAD_BYTES, as
 * they came, but ended by NULs; ARGUMENTS: how many the query has. Call it after the last header. */
void ili_head_close(struct ili_head *head, const char *method, const char *url, const char *version,
                    size_t head_bytes, int arguments);

/* Where the first header must be, for ili_head.next. */
const char *ili_head_start(const char *version);

/* Whether the framing is right. IL_EINVAL: answer and close the connection. */
il_status ili_head_check_framing(const struct ili_head *head, const char *method, const char *url,
                                 const char *version, struct ili_fault *fault);

/* Which of ORIGINS the request comes from; NULL: none of them. */
const char *ili_head_origin(const struct ili_head *head, char *const *origins, size_t origin_count);

/* Who asks. ORIGINS: those allowed. LOCAL: on the Unix socket, any Host will do; LISTEN: the HOST:PORT
 * this server was told. IL_EACCESS. */
il_status ili_head_check_sender(const struct ili_head *head, bool local, const char *listen,
                                char *const *origins, size_t origin_count, struct ili_fault *fault);

/* Whether CONTENT_TYPE (NULL: absent) is JSON in UTF-8. */
bool ili_content_type_is_json(const char *content_type);

/* Whether KEY will do as an Idempotency-Key: 1 to 255 visible ASCII characters. */
bool ili_idempotency_key_valid(const char *key);

/* The Content-Length, UINT64_MAX if it is too large for a number; 0 if there is none. */
uint64_t ili_head_length(const struct ili_head *head);

#endif

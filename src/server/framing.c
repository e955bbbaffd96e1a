#include "server/framing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of the bits 0 to 127, those of !#$%&'*+-.^_`|~, digits and letters (RFC 9110, token). */
static const uint64_t token_chars[2] = {UINT64_C(0x03ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe)};

static bool is_token_char(unsigned char c) {
    return c < 128 && (token_chars[c / 64] >> c % 64 & 1);
}

static bool is_token(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (!is_token_char((unsigned char)text[i])) return false;
    }
    return bytes > 0;
}

static bool is_value(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 32 && c != '\t') || c == 127) return false;
    }
    return true;
}

static bool is(const char *name, size_t bytes, const char *what) {
    return strlen(what) == bytes && strncasecmp(name, what, bytes) == 0;
}

static void count(uint8_t *counter) {
    if (*counter < UINT8_MAX) ++*counter;
}

static void note(struct ili_head *head, const char *name, size_t bytes, const char *value) {
    switch (bytes) { /* most headers are none of these */
    case 4:
        if (is(name, bytes, "host")) {
            count(&head->hosts);
            head->host = value;
        }
        break;
    case 6:
        if (is(name, bytes, "origin")) {
            count(&head->origins);
            head->origin = value;
        } else if (is(name, bytes, "expect")) {
            head->expect = value;
        } else if (is(name, bytes, "prefer")) {
            ili_wishes_prefer(&head->wishes, value);
        } else if (is(name, bytes, "accept")) {
            ili_wishes_accept(&head->wishes, value);
        }
        break;
    case 8:
        if (is(name, bytes, "if-match")) {
            count(&head->matches);
            head->match = value;
        }
        break;
    case 12:
        if (is(name, bytes, "content-type")) {
            count(&head->types);
            head->content_type = value;
        }
        break;
    case 13:
        if (is(name, bytes, "if-none-match")) {
            count(&head->none_matches);
            head->none_match = value;
        }
        break;
    case 14:
        if (is(name, bytes, "content-length")) {
            count(&head->lengths);
            head->length = value;
        } else if (is(name, bytes, "sec-fetch-site")) {
            head->fetch_site = value;
        }
        break;
    case 15:
        if (is(name, bytes, "idempotency-key")) {
            count(&head->keys);
            head->key = value;
        }
        break;
    case 17:
        if (is(name, bytes, "transfer-encoding")) {
            count(&head->encodings);
            head->encoding = value;
        }
        break;
    default: break;
    }
}

void ili_head_add(struct ili_head *head, const char *name, size_t name_bytes, const char *value,
                  size_t value_bytes) {
    if (head->broken) return;
    if (!name || !value || name != head->next || !is_token(name, name_bytes) ||
        !is_value(value, value_bytes)) {
        head->broken = true;
        return;
    }
    /* libmicrohttpd made NULs of the colon, the CR and the LF, and skipped the space between. */
    const char *at = name + name_bytes + 1;
    while (at < value && (*at == ' ' || *at == '\t')) at++;
    if (at != value || value[value_bytes] != 0 || value[value_bytes + 1] != 0) {
        head->broken = true;
        return;
    }
    head->next = value + value_bytes + 2;
    note(head, name, name_bytes, value);
}

#define VERSION_BYTES 8 /* HTTP/1.1 */

const char *ili_head_start(const char *version) { return version + VERSION_BYTES + 2; }

void ili_head_close(struct ili_head *head, const char *method, const char *url, const char *version,
                    size_t head_bytes, int arguments) {
    if (head->broken) return;
    size_t url_bytes = strlen(url);
    bool line = strlen(version) == VERSION_BYTES && version[VERSION_BYTES + 1] == 0 &&
                url == method + strlen(method) + 1 && !strchr(url, ' ');
    /* without arguments only a "?" may lie between the path and the version */
    if (arguments == 0 && version != url + url_bytes + 1 && version != url + url_bytes + 2) {
        line = false;
    }
    bool end = head->next + 2 == method + head_bytes && head->next[0] == 0 && head->next[1] == 0;
    if (!line || !end) head->broken = true;
}

static il_status refuse(struct ili_fault *fault, const char *field, const char *expected,
                        const char *detail) {
    return ili_fault_set(fault, IL_EINVAL, field, expected, "%s", detail);
}

static bool is_number(const char *text) {
    if (!*text) return false;
    while (*text >= '0' && *text <= '9') text++;
    return !*text;
}

il_status ili_head_check_framing(const struct ili_head *head, const char *method, const char *url,
                                 const char *version, struct ili_fault *fault) {
    bool old = strcmp(version, "HTTP/1.0") == 0;
    if (head->broken) {
        return refuse(fault, "head", "lines of NAME: VALUE ended by CR LF",
                      "the request's head is not well-formed");
    }
    if (!old && strcmp(version, "HTTP/1.1") != 0) {
        return refuse(fault, "head", "HTTP/1.1 or HTTP/1.0", "unknown version of HTTP");
    }
    if (!is_token(method, strlen(method)) || strcmp(method, "CONNECT") == 0) {
        return refuse(fault, "method", "an HTTP method other than CONNECT",
                      "the method is refused");
    }
    if (*url != '/') {
        return refuse(fault, "path", "a path that begins with /",
                      "the request's target is not a path");
    }
    if (head->hosts > 1 || (head->hosts == 0 && !old)) {
        return refuse(fault, "Host", "exactly one Host", "expected exactly one Host header");
    }
    if (head->lengths > 1) {
        return refuse(fault, "Content-Length", "at most one", "several Content-Length headers");
    }
    if (head->length && !is_number(head->length)) {
        return refuse(fault, "Content-Length", "digits", "Content-Length is not a number");
    }
    if (head->encodings > 0 && (head->lengths > 0 || old)) {
        return refuse(fault, "Transfer-Encoding", "to be absent",
                      "Transfer-Encoding with Content-Length, or with HTTP/1.0");
    }
    if (head->encodings > 1 || (head->encoding && strcasecmp(head->encoding, "chunked") != 0)) {
        return refuse(fault, "Transfer-Encoding", "chunked", "only exactly chunked is understood");
    }
    if (head->expect && strcasecmp(head->expect, "100-continue") != 0) {
        return refuse(fault, "Expect", "100-continue", "only 100-continue is understood");
    }
    return IL_OK;
}

/* Whether HOST is NAME, perhaps with a port. */
static bool host_is(const char *host, const char *name, size_t name_bytes) {
    if (strncasecmp(host, name, name_bytes) != 0) return false;
    host += name_bytes;
    if (!*host) return true;
    size_t digits = strspn(host + 1, "0123456789");
    return *host == ':' && digits > 0 && digits <= 5 && host[1 + digits] == 0;
}

static bool host_is_ours(const char *host, const char *listen) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (host_is(host, names[i], strlen(names[i]))) return true;
    }
    const char *colon = strrchr(listen, ':');
    return colon && host_is(host, listen, (size_t)(colon - listen));
}

const char *ili_head_origin(const struct ili_head *head, char *const *origins,
                            size_t origin_count) {
    for (size_t i = 0; head->origins == 1 && head->origin && i < origin_count; i++) {
        if (strcmp(head->origin, origins[i]) == 0) return origins[i];
    }
    return NULL;
}

il_status ili_head_check_sender(const struct ili_head *head, bool local, const char *listen,
                                char *const *origins, size_t origin_count,
                                struct ili_fault *fault) {
    bool allowed = ili_head_origin(head, origins, origin_count) != NULL;
    if (!local && head->host && !host_is_ours(head->host, listen)) {
        return ili_fault_set(fault, IL_EACCESS, "Host", "localhost, 127.0.0.1 or [::1]",
                             "this server does not answer for the Host \"%s\"", head->host);
    }
    if (head->origins > 1) {
        return ili_fault_set(fault, IL_EACCESS, "Origin", "at most one", "several Origin headers");
    }
    if (head->origin && !allowed) {
        return ili_fault_set(fault, IL_EACCESS, "Origin", "to be absent, or one that is allowed",
                             "web pages of the Origin \"%s\" may not use this server",
                             head->origin);
    }
    if (head->fetch_site && strcasecmp(head->fetch_site, "cross-site") == 0 && !allowed) {
        return ili_fault_set(fault, IL_EACCESS, "Sec-Fetch-Site", "not cross-site",
                             "web pages of other sites may not use this server");
    }
    return IL_OK;
}

bool ili_content_type_is_json(const char *content_type) {
    static const char json[] = "application/json";
    if (content_type && strcmp(content_type, json) == 0) return true; /* as nearly always */
    if (!content_type || strncasecmp(content_type, json, sizeof json - 1) != 0) return false;
    const char *at = content_type + sizeof json - 1;
    for (;;) {
        at += strspn(at, " \t");
        if (!*at) return true;
        if (*at++ != ';') return false;
        at += strspn(at, " \t");
        size_t length = strcspn(at, ";");
        if (strncasecmp(at, "charset=", 8) == 0) {
            const char *value = at + 8;
            size_t bytes = length - 8;
            while (bytes && (value[bytes - 1] == ' ' || value[bytes - 1] == '\t')) bytes--;
            bool plain = bytes == 5 && strncasecmp(value, "utf-8", 5) == 0;
            bool quoted = bytes == 7 && strncasecmp(value, "\"utf-8\"", 7) == 0;
            if (!plain && !quoted) return false;
        }
        at += length;
    }
}

bool ili_idempotency_key_valid(const char *key) {
    size_t length = 0;
    for (; key[length]; length++) {
        if (key[length] < 0x21 || key[length] > 0x7e) return false;
    }
    return length >= 1 && length <= 255;
}

uint64_t ili_head_length(const struct ili_head *head) {
    uint64_t number = 0;
    for (const char *at = head->length; at && *at; at++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number)) {
            return UINT64_MAX;
        }
    }
    return number;
}

/* The rules about heads, without a server: heads as libmicrohttpd leaves them in its buffer. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "server/framing.h"

/* Takes HEAD apart in place as libmicrohttpd does: NULs for spaces, colons and line ends. */
static il_status check(const char *text, struct ili_head *head, struct ili_fault *fault) {
    static char buffer[4096];
    size_t bytes = strlen(text);
    memcpy(buffer, text, bytes + 1);
    char *method = buffer, *url = strchr(buffer, ' ') + 1;
    char *version = strchr(url, ' ') + 1, *end = strstr(version, "\r\n");
    url[-1] = version[-1] = end[0] = end[1] = 0;
    memset(head, 0, sizeof *head);
    head->next = ili_head_start(version);
    char *line = end + 2;
    while (line[0] != '\r' && *line) {
        char *colon = strchr(line, ':');
        char *stop = strstr(colon, "\r\n");
        char *value = colon + 1;
        while (*value == ' ' || *value == '\t') value++;
        *colon = stop[0] = stop[1] = 0;
        ili_head_add(head, line, (size_t)(colon - line), value, (size_t)(stop - value));
        line = stop + 2;
    }
    line[0] = line[1] = 0;
    ili_head_close(head, method, url, version, bytes, 0);
    return ili_head_check_framing(head, method, url, version, fault);
}

#define HOST "Host: localhost\r\n"

Test(server_framing, sound_heads_are_taken) {
    static const char *const good[] = {
        "GET /v1/health HTTP/1.1\r\n" HOST "\r\n",
        "GET /v1/health HTTP/1.0\r\n\r\n",
        "POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n",
        "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
        "BREW /x HTTP/1.1\r\nhOST:localhost\r\nX-Empty: \r\n\r\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct ili_head head;
        struct ili_fault fault = {0};
        cr_assert_eq(check(good[i], &head, &fault), IL_OK, "%s: %s", good[i], fault.detail);
    }
}

Test(server_framing, what_two_readers_could_read_differently_is_refused) {
    static const struct {
        const char *head, *field;
    } bad[] = {
        {"GET /x HTTP/1.1\r\n\r\n", "Host"},
        {"GET /x HTTP/1.1\r\n" HOST HOST "\r\n", "Host"},
        {"GET /x HTTP/1.2\r\n" HOST "\r\n", "head"},
        {"CONNECT /x HTTP/1.1\r\n" HOST "\r\n", "method"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "path"},
        {"GET http://a/x HTTP/1.1\r\n" HOST "\r\n", "path"},
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
         "Content-Length"},
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", "Content-Length"},
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "Transfer-Encoding"},
        {"POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
         "Transfer-Encoding"},
        {"POST /x HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding"},
        {"POST /x HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", "Expect"},
        {"GET /x HTTP/1.1\r\n" HOST "X-A : 1\r\n\r\n", "head"},
        {"GET /x HTTP/1.1\r\n" HOST ": 1\r\n\r\n", "head"},
        {"GET /x HTTP/1.1\r\n" HOST "X-A: \x01\r\n\r\n", "head"},
        {"GET /x HTTP/1.1\r\n" HOST " folded: 1\r\n\r\n", "head"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ili_head head;
        struct ili_fault fault = {0};
        cr_assert_eq(check(bad[i].head, &head, &fault), IL_EINVAL, "%s", bad[i].head);
        cr_assert_str_eq(fault.field, bad[i].field, "%s: %s", bad[i].head, fault.field);
    }
}

Test(server_framing, a_gap_between_headers_is_seen) {
    struct ili_head head = {0};
    static const char text[] = "A\0 1\0\0 B\0 2\0\0";
    head.next = text;
    ili_head_add(&head, text, 1, text + 3, 1);
    cr_assert_not(head.broken);
    ili_head_add(&head, text + 7, 1, text + 10, 1);
    cr_assert(head.broken);
}

static il_status sender(const char *host, const char *origin, const char *site, bool local) {
    static char allowed[] = "https://good.example";
    char *origins[] = {allowed};
    struct ili_head head = {.host = host,
                            .origin = origin,
                            .fetch_site = site,
                            .hosts = host != NULL,
                            .origins = origin != NULL};
    struct ili_fault fault;
    return ili_head_check_sender(&head, local, "127.0.0.2:80", origins, 1, &fault);
}

Test(server_framing, only_this_host_is_served) {
    static const char *const good[] = {"localhost", "LOCALHOST:80", "127.0.0.1:7717",
                                       "[::1]",     "[::1]:1",      "127.0.0.2:9"};
    static const char *const bad[] = {"",
                                      "example.org",
                                      "localhost.evil",
                                      "localhost:",
                                      "localhost:x",
                                      "127.0.0.1.x",
                                      "localhost:123456",
                                      "::1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(sender(good[i], NULL, NULL, false), IL_OK, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(sender(bad[i], NULL, NULL, false), IL_EACCESS, "%s", bad[i]);
        cr_assert_eq(sender(bad[i], NULL, NULL, true), IL_OK, "%s", bad[i]);
    }
}

Test(server_framing, web_pages_need_leave) {
    cr_assert_eq(sender("localhost", "https://good.example", "cross-site", false), IL_OK);
    cr_assert_eq(sender("localhost", "https://evil.example", NULL, false), IL_EACCESS);
    cr_assert_eq(sender("localhost", "null", NULL, true), IL_EACCESS);
    cr_assert_eq(sender("localhost", NULL, "cross-site", false), IL_EACCESS);
    cr_assert_eq(sender("localhost", NULL, "same-origin", false), IL_OK);
}

Test(server_framing, content_types) {
    static const char *const good[] = {"application/json", "Application/JSON;charset=UTF-8",
                                       "application/json ; a=b; charset=\"utf-8\""};
    static const char *const bad[] = {"", "text/plain", "application/jsonx", "application/json,",
                                      "application/json; charset=latin1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert(ili_content_type_is_json(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_not(ili_content_type_is_json(bad[i]), "%s", bad[i]);
    }
    cr_assert_not(ili_content_type_is_json(NULL));
}

Test(server_framing, idempotency_keys) {
    char key[257];
    memset(key, 'k', 256);
    key[256] = 0;
    cr_assert_not(ili_idempotency_key_valid(key));
    key[255] = 0;
    cr_assert(ili_idempotency_key_valid(key));
    cr_assert_not(ili_idempotency_key_valid(""));
    cr_assert_not(ili_idempotency_key_valid("a b"));
    cr_assert_not(ili_idempotency_key_valid("\xc3\xa9"));
}

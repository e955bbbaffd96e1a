#include "cli/http.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

#define ANSWER_MAX ((size_t)16 * 1024 * 1024)

struct cli_http {
    CURL *easy;
    const char *address; /* for people; borrowed */
    char *base;          /* owned */
    char *text;          /* the answer; owned */
    size_t bytes;
};

static size_t receive(char *data, size_t size, size_t count, void *context) {
    struct cli_http *http = context;
    size_t bytes = size * count;
    char *text = bytes > ANSWER_MAX - http->bytes ? NULL : realloc(http->text, http->bytes + bytes);
    if (!text) return 0;
    memcpy(text + http->bytes, data, bytes);
    http->text = text;
    http->bytes += bytes;
    return bytes;
}

struct cli_http *cli_http_open(const char *address) {
    bool local = strncmp(address, "unix:", 5) == 0;
    if (!local && strncmp(address, "http://", 7) != 0 && strncmp(address, "https://", 8) != 0) {
        cli_say("\"%s\" is no interlockd; expected unix:PATH, http://… or https://…", address);
        return NULL;
    }
    struct cli_http *http = calloc(1, sizeof *http);
    if (http) http->base = strdup(local ? "http://localhost" : address);
    if (http) http->easy = curl_easy_init();
    if (!http || !http->base || !http->easy) {
        cli_http_close(http);
        cli_say("no memory for a connection");
        return NULL;
    }
    size_t length = strlen(http->base);
    while (length > 0 && http->base[length - 1] == '/') http->base[--length] = 0;
    http->address = address;
    if (local) curl_easy_setopt(http->easy, CURLOPT_UNIX_SOCKET_PATH, address + 5);
    curl_easy_setopt(http->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(http->easy, CURLOPT_USERAGENT, "interlock");
    curl_easy_setopt(http->easy, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(http->easy, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(http->easy, CURLOPT_WRITEDATA, http);
    return http;
}

/* What an answer says that is no success. */
static void refused(const struct cli_http *http, const char *path, long status, json_t *body) {
    const char *detail = json_string_value(json_object_get(body, "detail"));
    cli_say("%s%s: HTTP status %ld%s%s", http->address, path, status, detail ? ": " : "",
            detail ? detail : "");
}

int cli_http_get(struct cli_http *http, const char *path, json_t **answer) {
    char *url = NULL;
    long status = 0;
    http->bytes = 0;
    if (asprintf(&url, "%s%s", http->base, path) < 0) {
        cli_say("no memory for a request");
        return CLI_FAILED;
    }
    curl_easy_setopt(http->easy, CURLOPT_URL, url);
    CURLcode code = curl_easy_perform(http->easy);
    free(url);
    if (code != CURLE_OK) {
        long error = 0;
        curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &error);
        bool told = code == CURLE_COULDNT_CONNECT && error != 0;
        cli_say("%s: %s", http->address, told ? strerror((int)error) : curl_easy_strerror(code));
        return CLI_FAILED;
    }
    curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
    json_t *body = http->bytes ? json_loadb(http->text, http->bytes, JSON_ALLOW_NUL, NULL) : NULL;
    if (status == 200 && json_is_object(body)) {
        *answer = body;
        return CLI_OK;
    }
    if (status == 200) {
        cli_say("%s%s: the answer is not what an interlockd says", http->address, path);
    } else {
        refused(http, path, status, body);
    }
    json_decref(body);
    return CLI_FAILED;
}

void cli_http_close(struct cli_http *http) {
    if (!http) return;
    curl_easy_cleanup(http->easy);
    free(http->base);
    free(http->text);
    free(http);
}

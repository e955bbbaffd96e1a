#include "client/address.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool has(CURLU *url, CURLUPart part) {
    char *value = NULL;
    bool there = curl_url_get(url, part, &value, 0) == CURLUE_OK && value && *value;
    curl_free(value);
    return there;
}

il_status ili_address_parse(const char *address, char **base, const char **why) {
    il_status status = IL_EINVAL;
    char *text = NULL, *copy = NULL;
    CURLU *url = curl_url();
    if (!url) return IL_ENOMEM;

    CURLUcode code = curl_url_set(url, CURLUPART_URL, address, 0);
    if (code == CURLUE_OUT_OF_MEMORY) {
        status = IL_ENOMEM;
        goto cleanup;
    }
    *why = NULL;
    if (code != CURLUE_OK) {
        *why = curl_url_strerror(code);
    } else if (has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD)) {
        *why = "a user name or password in an address is not supported";
    } else if (has(url, CURLUPART_QUERY) || has(url, CURLUPART_FRAGMENT)) {
        *why = "an address has no query (?) and no fragment (#)";
    }
    if (*why) goto cleanup;

    status = IL_ENOMEM;
    if (curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK) goto cleanup;
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/') length--;
    copy = strndup(text, length);
    if (!copy) goto cleanup;
    *base = copy;
    status = IL_OK;

cleanup:
    curl_free(text);
    curl_url_cleanup(url);
    return status;
}

/*
 * http.h - asks an interlockd something over HTTP: what `ps` shows is not in the C ABI.
 * A unix: domain's socket speaks HTTP as well.
 */
#ifndef ILI_CLI_HTTP_H
#define ILI_CLI_HTTP_H

#include <jansson.h>

struct cli_http;

/* NULL, after having said why: ADDRESS is not one that speaks HTTP, or no memory. */
struct cli_http *cli_http_open(const char *address);

/* GETs PATH. *ANSWER is a JSON object, owned: json_decref(). CLI_OK, or the exit code after having
 * said what went wrong. */
int cli_http_get(struct cli_http *http, const char *path, json_t **answer);

void cli_http_close(struct cli_http *http);

#endif

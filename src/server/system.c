#include "server/system.h"

#include <inttypes.h>
#include <stdio.h>

#include "arena/arena.h"
#include "server/reply.h"

#define API_VERSION 1 /* of the routes below /v1 */

void ili_system_health(struct ili_request *request) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "status");
    ili_out_string(&out, "ok"); /* a server that stops has answered before it came here */
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_system_version(struct ili_request *request) {
    struct ili_out out = {0};
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", IL_VERSION_MAJOR, IL_VERSION_MINOR, IL_VERSION_PATCH);
    ili_out_open(&out, '{');
    ili_out_key(&out, "version");
    ili_out_string(&out, text);
    ili_out_key(&out, "api");
    ili_out_number(&out, API_VERSION);
    ili_out_key(&out, "abi");
    ili_out_number(&out, IL_ABI_VERSION);
    snprintf(text, sizeof text, "%016" PRIx64, ili_layout_stamp());
    ili_out_key(&out, "layout");
    ili_out_string(&out, text);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

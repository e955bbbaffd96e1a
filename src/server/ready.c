#include "server/ready.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 32u /* of one length: about as many as one turn of the loop needs */

bool ili_ready_headers(struct MHD_Response *response, const char *type) {
    if (MHD_add_response_header(response, "Cache-Control", "no-store") != MHD_YES) return false;
    return !type || MHD_add_response_header(response, "Content-Type", type) == MHD_YES;
}

static void destroy(struct ili_ready *ready) {
    MHD_destroy_response(ready->response);
    free(ready);
}

static struct ili_ready *make(size_t bytes) {
    struct ili_ready *ready = malloc(sizeof *ready + bytes);
    if (!ready) return NULL;
    ready->bytes = bytes;
    ready->response = MHD_create_response_from_buffer(bytes, ready->data, MHD_RESPMEM_PERSISTENT);
    if (ready->response && ili_ready_headers(ready->response, "application/json")) return ready;
    if (ready->response) MHD_destroy_response(ready->response);
    free(ready);
    return NULL;
}

struct ili_ready *ili_ready_take(struct ili_readies *readies, const char *data, size_t bytes) {
    struct ili_ready *ready = readies->spare[bytes].first;
    if (ready) {
        readies->spare[bytes].first = ready->next;
        readies->spare[bytes].count--;
    } else {
        ready = make(bytes);
        if (!ready) return NULL;
    }
    memcpy(ready->data, data, bytes);
    return ready;
}

void ili_ready_give(struct ili_readies *readies, struct ili_ready *ready) {
    size_t bytes = ready->bytes;
    if (readies->spare[bytes].count == KEPT) {
        destroy(ready);
        return;
    }
    ready->next = readies->spare[bytes].first;
    readies->spare[bytes].first = ready;
    readies->spare[bytes].count++;
}

void ili_readies_free(struct ili_readies *readies) {
    for (size_t i = 0; i <= ILI_READY_BYTES; i++) {
        while (readies->spare[i].first) {
            struct ili_ready *ready = readies->spare[i].first;
            readies->spare[i].first = ready->next;
            destroy(ready);
        }
        readies->spare[i].count = 0;
    }
}

/*
 * ready.h - responses that are kept to be sent again.
 *
 * Making one costs libmicrohttpd a dozen allocations, most of them for headers that never change, so
 * short JSON answers are written into responses that were used before. Since a response's length is
 * fixed when it is made, they are kept by length.
 */
#ifndef ILI_SERVER_READY_H
#define ILI_SERVER_READY_H

#include <stdbool.h>
#include <stddef.h>

struct MHD_Response;

#define ILI_READY_BYTES 256u /* of the longest answer that is kept */

struct ili_ready {
    struct ili_ready *next;
    struct MHD_Response *response;
    size_t bytes;
    char data[]; /* what the response sends */
};

struct ili_readies {
    struct {
        struct ili_ready *first;
        unsigned count;
    } spare[ILI_READY_BYTES + 1]; /* by length */
};

/* A response that sends DATA[0..BYTES), at most ILI_READY_BYTES; NULL: no memory. */
struct ili_ready *ili_ready_take(struct ili_readies *readies, const char *data, size_t bytes);

/* Gives READY back, which is not being sent any more. */
void ili_ready_give(struct ili_readies *readies, struct ili_ready *ready);

void ili_readies_free(struct ili_readies *readies);

/* Adds the headers that every answer has; TYPE NULL: it has no body. False: no memory. */
bool ili_ready_headers(struct MHD_Response *response, const char *type);

#endif

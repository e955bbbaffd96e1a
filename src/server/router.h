/*
 * router.h - the one table of what is served; 404, 405, Allow and OPTIONS follow from it.
 */
#ifndef ILI_SERVER_ROUTER_H
#define ILI_SERVER_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ili_request;
struct ili_path;

enum ili_method { /* bits */
                  ILI_GET = 1,
                  ILI_HEAD = 2,
                  ILI_PUT = 4,
                  ILI_POST = 8,
                  ILI_DELETE = 16,
                  ILI_OPTIONS = 32,
};

/* flags */
#define ILI_ROUTE_ITEMS 1u      /* its body holds items of a queue: the large limit */
#define ILI_ROUTE_IDEMPOTENT 2u /* takes an Idempotency-Key */
#define ILI_ROUTE_QUERY 4u      /* reads its query */
#define ILI_ROUTE_WAITS 8u      /* waits, unless its "timeout" is 0 */
#define ILI_ROUTE_ALONE 16u     /* cannot be part of a batch */
#define ILI_ROUTE_PART 32u      /* /v1/COLLECTION/NAME/OPERATION/PART: a key or an index */

struct ili_route {
    uint16_t method; /* ILI_GET answers HEAD too */
    uint16_t flags;
    const char *collection; /* "locks" */
    bool named;             /* /v1/COLLECTION/NAME */
    const char *operation;  /* /v1/COLLECTION/NAME/OPERATION; NULL: none */
    void (*handle)(struct ili_request *request);
};

/* The table, ended by a row without handler. */
extern const struct ili_route ili_routes[];

/* The bit of METHOD; 0: one that no route has. */
uint16_t ili_method_named(const char *method);

/* The route of PATH and METHOD (HEAD finds GET). *METHODS becomes all methods PATH has, with HEAD and
 * OPTIONS; 0: no route has the path. NULL: none. */
const struct ili_route *ili_router_find(const struct ili_path *path, uint16_t method,
                                        uint16_t *methods);

/* Writes METHODS as the value of Allow: "GET, HEAD, OPTIONS". */
void ili_router_allow(uint16_t methods, char *room, size_t room_bytes);

#endif

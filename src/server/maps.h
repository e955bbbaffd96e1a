/*
 * maps.h - one function over many items (work/map.h): POST /v1/pools/NAME/map, and /v1/maps.
 *
 * A map is answered in one of three ways. As NDJSON (Accept): a line for each element, as they end or
 * in their order; the map is cancelled if its client leaves. With Prefer: wait: all results in one
 * array; and otherwise with its id, under which it is found until `keep` after its end. In these two it
 * goes on whatever becomes of the client.
 */
#ifndef ILI_SERVER_MAPS_H
#define ILI_SERVER_MAPS_H

#include "work/map.h"

struct ili_request;

void ili_maps_submit(struct ili_request *request);
void ili_maps_get(struct ili_request *request);
void ili_maps_wait(struct ili_request *request);
void ili_maps_cancel(struct ili_request *request);
void ili_maps_delete(struct ili_request *request);

/* The map that the path names. NULL: there is none, and the request was answered. */
struct ili_map *ili_maps_of_path(struct ili_request *request);

void ili_maps_reply(struct ili_request *request, unsigned http_status, const struct ili_map *map);

/* Waits until MAP has ended, or DEADLINE_NS. LATE 0: answers with its view, or a timeout. LATE 202: with
 * its results, or if it has not ended in time, with that and its view, which also stands for the
 * Idempotency-Key if the client leaves. */
void ili_maps_await(struct ili_request *request, struct ili_map *map, int64_t deadline_ns,
                    unsigned late);

#endif

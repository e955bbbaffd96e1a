/* map_results.h - what has come of a map: as one array, or line by line while it runs. */
#ifndef ILI_SERVER_MAP_RESULTS_H
#define ILI_SERVER_MAP_RESULTS_H

#include <stdbool.h>

#include "work/map.h"

struct ili_request;

/* GET /v1/maps/ID/results?ordered=true */
void ili_map_results_get(struct ili_request *request);

/* Answers with {"map", "results"} of MAP, which has ended; or with the first error, if one of its elements
 * did not succeed. */
void ili_map_results_reply(struct ili_request *request, const struct ili_map *map);

/* Answers with a line for each element. OURS: the map is REQUEST's, and is cancelled if its client leaves
 * before the last line. */
void ili_map_results_stream(struct ili_request *request, struct ili_map *map, bool ordered,
                            bool ours);

#endif

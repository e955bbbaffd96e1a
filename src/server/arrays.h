/* arrays.h - arrays over HTTP: many elements in one call; cells.h has what can be done with one. */
#ifndef ILI_SERVER_ARRAYS_H
#define ILI_SERVER_ARRAYS_H

#include "server/objects.h"

extern const struct ili_collection ili_arrays;

/* GET /v1/arrays/{name}/items?start=&count= */
void ili_arrays_items(struct ili_request *request);

/* POST /v1/arrays/{name}/write {"start", "values"}: all, or none if one of them cannot be written. */
void ili_arrays_write(struct ili_request *request);

#endif

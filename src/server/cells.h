/*
 * cells.h - values and arrays over HTTP: what can be done with one element, and how they are made and removed.
 *
 * The handlers of values and arrays are the same; an array's element is named by "index".
 */
#ifndef ILI_SERVER_CELLS_H
#define ILI_SERVER_CELLS_H

#include "server/cell_json.h"
#include "server/objects.h"

/* As the members of a struct ili_collection; the options "type", "room" and, of an array, "length". */
bool ili_cells_read_options(struct ili_request *request, union ili_object_options *room,
                            const void **options);
void ili_cells_drop_options(struct ili_server *server, union ili_object_options *room);
il_status ili_cells_made(struct ili_server *server, void *object, union ili_object_options *room);
void ili_cells_differ(const void *object, const void *options, struct ili_difference *difference);

/* The view's members that values and arrays share. */
void ili_cells_write_type(struct ili_out *out, const struct ili_cells_place *place);

/* Pins the object that REQUEST names and looks at it; a value that does not exist is made. NULL: the request was
 * answered. */
struct ili_cells *ili_cells_pin(struct ili_request *request, struct ili_cells_place *place);

/* Lets go of CELLS, and answers with FAULT. */
void ili_cells_refuse(struct ili_request *request, struct ili_cells *cells,
                      const struct ili_fault *fault);

/* "index: the array's length is 3, got 5", as a fault. */
il_status ili_cells_no_index(const struct ili_cells_place *place, const char *field, int64_t index,
                             struct ili_fault *fault);

/* Handlers. */
void ili_cells_op_load(struct ili_request *request);
void ili_cells_op_store(struct ili_request *request);
void ili_cells_op_add(struct ili_request *request);
void ili_cells_op_exchange(struct ili_request *request);
void ili_cells_op_compare_exchange(struct ili_request *request);
void ili_cells_op_delete(struct ili_request *request); /* its own lock goes with it */

#endif

/*
 * cells.h - values and arrays of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_CELLS_H
#define ILI_CLIENT_CELLS_H

#include "client/object.h"
#include "lib/remote.h"

struct ili_remote_cells {
    struct ili_remote_object object;
    struct ili_remote_cells_shape shape; /* as it was when it was opened */
};

il_status ili_remote_cells_open(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                                size_t name_bytes, bool given, struct ili_remote_cells_shape *shape,
                                struct ili_remote_cells **out);
il_status ili_remote_cells_close(struct ili_remote_cells *cells);
il_status ili_remote_cells_delete(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                                  size_t name_bytes);
il_status ili_remote_cells_load(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                                void *out);
il_status ili_remote_cells_store(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                                 const void *in);
il_status ili_remote_cells_add(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                               const void *delta, void *before);
il_status ili_remote_cells_exchange(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                                    const void *in, void *before);
il_status ili_remote_cells_compare_exchange(struct ili_remote_cells *cells, int64_t index,
                                            uint32_t type, void *expected, const void *desired,
                                            int32_t *swapped);
il_status ili_remote_cells_get(struct ili_remote_cells *cells, int64_t index, void *buffer,
                               uint64_t capacity, uint64_t *bytes);
il_status ili_remote_cells_set(struct ili_remote_cells *cells, int64_t index, const void *data,
                               uint64_t bytes);
il_status ili_remote_cells_compare_set(struct ili_remote_cells *cells, int64_t index,
                                       const void *expected, uint64_t expected_bytes,
                                       const void *desired, uint64_t desired_bytes,
                                       int32_t *swapped);
il_status ili_remote_cells_read(struct ili_remote_cells *cells, uint64_t start, uint64_t count,
                                uint32_t type, void *out);
il_status ili_remote_cells_write(struct ili_remote_cells *cells, uint64_t start, uint64_t count,
                                 uint32_t type, const void *in);

#endif

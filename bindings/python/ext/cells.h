/* cells.h - what Value and Array share: the types of their elements, and Python's objects for these. */
#ifndef ILPY_CELLS_H
#define ILPY_CELLS_H

#include "data.h"

union ilpy_cell {
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    float f32;
    double f64;
};

typedef struct ilpy_cells {
    ilpy_handle handle;
    uint32_t type, room; /* room: bytes of an element */
    uint64_t length;     /* of an array */
} ilpy_cells;

struct ilpy_cell_type {
    const char *name;
    const char *format; /* of a buffer; NULL: bytes or text */
    uint32_t bytes;
};

/* Of IL_I8 ... IL_FIXED_TEXT. */
extern const struct ilpy_cell_type ilpy_cell_types[IL_FIXED_TEXT + 1];

static inline bool ilpy_cells_fixed(const ilpy_cells *cells) {
    return cells->type >= IL_FIXED_BYTES;
}

/* The number of a type's NAME; -1: ValueError. */
int ilpy_cell_type_of(const char *name, uint32_t *type);
/* OBJECT as a number of TYPE. DELTA: what does not fit wraps around. -1: exception set, which says ARGUMENT. */
int ilpy_cell_from(PyObject *object, const char *argument, uint32_t type, bool delta,
                   union ilpy_cell *cell);
/* A number at DATA, not aligned. */
PyObject *ilpy_cell_to(const void *data, uint32_t type);
/* The str or buffer of a fixed type, and a result of one. -1, NULL: exception set. */
int ilpy_fixed_from(PyObject *object, uint32_t type, Py_buffer *view, const char **data,
                    size_t *bytes);
PyObject *ilpy_fixed_to(const char *data, size_t bytes, uint32_t type);

/* Py_bf_getbuffer's work: MEMORY of BYTES, as one number or as an array of them. The native object stays open
 * until the buffer is released. */
int ilpy_cells_buffer(ilpy_cells *cells, void *memory, uint64_t bytes, bool array, Py_buffer *view,
                      int flags);
void ilpy_cells_release(PyObject *self, Py_buffer *view);

/* LOCK, which belongs to CELLS, as an RLock of its own. PREFIX: of its name over HTTP. */
PyObject *ilpy_cells_lock(ilpy_cells *cells, il_status (*lock_of)(void *object, il_rlock **out),
                          const char *prefix);

#endif

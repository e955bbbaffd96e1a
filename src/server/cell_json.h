/*
 * cell_json.h - what values and arrays hold, as JSON: numbers as numbers, exactly, but "nan", "inf" and "-inf" as
 * strings; text as a string; bytes as a string of base64.
 */
#ifndef ILI_SERVER_CELL_JSON_H
#define ILI_SERVER_CELL_JSON_H

#include "base/fault.h"
#include "base/out.h"
#include "data/cells.h"
#include "work/value.h"

/* What an element is to hold. */
struct ili_cell_content {
    uint8_t number[8]; /* of the element's type */
    const void *data;  /* bytes and text: in the request's body */
    uint64_t bytes;
};

/* Reads VALUE as what an element of PLACE may hold; text and bytes are decoded where they stand. WHERE names it in
 * faults ("value", "values[3]"). IL_EINVAL, IL_ETYPE, IL_ETOOBIG. */
il_status ili_cell_json_read(const struct ili_cells_place *place, const struct ili_value *value,
                             const char *where, struct ili_cell_content *out,
                             struct ili_fault *fault);

/* Writes a number of TYPE as a value. */
void ili_cell_json_number(struct ili_out *out, uint32_t type, const void *number);

/* The same for bytes and text (TYPE). */
void ili_cell_json_data(struct ili_out *out, uint32_t type, const void *data, uint64_t bytes);

/* Reads the element and writes it as a value. IL_EDELETED, IL_EBUSY, IL_ENOMEM …: nothing was written. */
il_status ili_cell_json_element(struct ili_out *out, struct ili_member *member,
                                const struct ili_cells_place *place, const void *element);

#endif

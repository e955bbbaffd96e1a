#include "server/values.h"

#include "server/cells.h"
#include "server/server.h"

/* Bytes and text only of one value: a list would be as long as all of them together, and reading them may take
 * the guard. */
static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    struct ili_cells_place place;
    struct ili_member *m = ili_server_member(server);
    struct ili_cells *cells = (struct ili_cells *)(uintptr_t)object;
    if (ili_cells_look(m, cells, &place) != IL_OK) { /* nonsense, or without memory yet */
        ili_out_key(out, "type");
        ili_out_string(out, ili_cells_type_word(ili_once32(&cells->type)));
        return;
    }
    ili_cells_write_type(out, &place);
    if (whole || ili_cells_is_number(place.type)) {
        ili_out_key(out, "value");
        if (ili_cell_json_element(out, m, &place, place.first) != IL_OK) ili_out_null(out);
    }
    ili_out_key(out, "watchers");
    ili_out_number(out, ili_waitq_count(&cells->watchers));
}

const struct ili_collection ili_values = {
    .name = "values",
    .kind = &ili_value_kind,
    .read = ili_cells_read_options,
    .drop = ili_cells_drop_options,
    .made = ili_cells_made,
    .differ = ili_cells_differ,
    .view = view,
};

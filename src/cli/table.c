#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void no_memory(void) {
    fputs("interlock: no memory for a table\n", stderr);
    exit(69);
}

void cli_table_row(struct cli_table *table) {
    if (table->count == table->room) {
        size_t room = table->room ? 2 * table->room : 16;
        void *rows = reallocarray(table->rows, room, sizeof *table->rows);
        if (!rows) no_memory();
        table->rows = rows;
        table->room = room;
    }
    memset(table->rows[table->count++], 0, sizeof *table->rows);
}

void cli_table_cell(struct cli_table *table, size_t column, const char *format, ...) {
    char **cell = &table->rows[table->count - 1][column];
    va_list arguments;
    va_start(arguments, format);
    free(*cell);
    if (vasprintf(cell, format, arguments) < 0) no_memory();
    va_end(arguments);
    for (char *c = *cell; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    }
}

/* In characters, as far as code points are that. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; text && *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void print_row(const char *const *cells, const size_t *widths, FILE *out) {
    size_t last = 0;
    for (size_t i = 0; i < CLI_COLUMNS; i++) {
        if (cells[i] && *cells[i]) last = i;
    }
    for (size_t i = 0; i <= last; i++) {
        const char *text = cells[i] ? cells[i] : "";
        size_t gap = i == last ? 0 : widths[i] + 2 - width_of(text);
        fprintf(out, "%s%*s", text, (int)gap, "");
    }
    fputc('\n', out);
}

void cli_table_print(const struct cli_table *table, const char *title, FILE *out) {
    size_t widths[CLI_COLUMNS] = {0};
    if (table->count == 0) {
        fprintf(out, "%s: none\n", title);
        return;
    }
    for (size_t i = 0; i < CLI_COLUMNS; i++) {
        widths[i] = width_of(table->heads[i]);
        for (size_t row = 0; row < table->count; row++) {
            size_t width = width_of(table->rows[row][i]);
            if (width > widths[i]) widths[i] = width;
        }
    }
    fprintf(out, "%s\n", title);
    print_row(table->heads, widths, out);
    for (size_t row = 0; row < table->count; row++) {
        print_row((const char *const *)table->rows[row], widths, out);
    }
}

void cli_table_free(struct cli_table *table) {
    for (size_t row = 0; row < table->count; row++) {
        for (size_t i = 0; i < CLI_COLUMNS; i++) free(table->rows[row][i]);
    }
    free(table->rows);
    table->rows = NULL;
    table->count = table->room = 0;
}

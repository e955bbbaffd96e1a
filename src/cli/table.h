/*
 * table.h - columns for people. Cells are shown as they are, but for control characters, which would
 * reach the terminal: they become '?'.
 */
#ifndef ILI_CLI_TABLE_H
#define ILI_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define CLI_COLUMNS 8

struct cli_table {
    const char *heads[CLI_COLUMNS]; /* NULL: no further column */
    char *(*rows)[CLI_COLUMNS];     /* owned */
    size_t count, room;
};

/* Begins a row of empty cells; cells are set by cli_table_cell(). Ends the program without memory. */
void cli_table_row(struct cli_table *table);

/* Writes a cell of the last row. */
void cli_table_cell(struct cli_table *table, size_t column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* TITLE, the heads and the rows; "TITLE: none" if there are no rows. */
void cli_table_print(const struct cli_table *table, const char *title, FILE *out);

void cli_table_free(struct cli_table *table);

#endif

#include "cli/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void prints(const struct cli_table *table, const char *expected) {
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    cli_table_print(table, "TITLE", out);
    fclose(out);
    cr_assert_str_eq(text, expected);
    free(text);
}

Test(cli_table, columns_are_as_wide_as_their_widest_cell) {
    struct cli_table table = {.heads = {"NAME", "N"}};
    cli_table_row(&table);
    cli_table_cell(&table, 0, "äöü");
    cli_table_cell(&table, 1, "%d", 7);
    cli_table_row(&table);
    cli_table_cell(&table, 0, "longer");
    cli_table_row(&table);
    cli_table_cell(&table, 1, "8");
    prints(&table, "TITLE\nNAME    N\näöü     7\nlonger\n        8\n");
    cli_table_free(&table);
}

Test(cli_table, nothing_is_said) {
    struct cli_table table = {.heads = {"NAME"}};
    prints(&table, "TITLE: none\n");
}

Test(cli_table, control_characters_do_not_reach_the_terminal) {
    struct cli_table table = {.heads = {"N"}};
    cli_table_row(&table);
    cli_table_cell(&table, 0, "a\x1b[31m\n\x7f");
    prints(&table, "TITLE\nN\na?[31m??\n");
    cli_table_free(&table);
}

Test(cli_table, grows) {
    struct cli_table table = {.heads = {"N"}};
    for (int i = 0; i < 1000; i++) {
        cli_table_row(&table);
        cli_table_cell(&table, 0, "%d", i);
    }
    cr_assert_str_eq(table.rows[999][0], "999");
    cli_table_free(&table);
}

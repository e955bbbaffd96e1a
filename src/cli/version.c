/* version.c - `interlock version`. */
#include <stdio.h>

#include "cli/command.h"

static int run(const char *domain, int argc, char **argv) {
    (void)domain, (void)argv;
    if (argc > 1) return cli_wrong("version", "version takes no arguments");
    printf("interlock %s (ABI %u)\n", il_version(), il_abi_version());
    return CLI_OK;
}

const struct cli_command cli_version = {
    .name = "version",
    .summary = "print the version",
    .help = "Usage: interlock version\n",
    .run = run,
};

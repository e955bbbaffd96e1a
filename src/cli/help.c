/* help.c - `interlock help [COMMAND]`. */
#include <stdio.h>

#include "cli/command.h"

static const char head[] =
    "Usage: interlock [--domain ADDRESS] COMMAND …\n"
    "Locks and queues shared with everything else that speaks to the same interlockd.\n"
    "\n";

static const char tail[] =
    "\n"
    "ADDRESS is unix:PATH, http://HOST:PORT or https://HOST:PORT. Without --domain it is\n"
    "$INTERLOCK_DOMAIN; else unix:/run/interlock/interlock.sock if that is there; else\n"
    "unix:$XDG_RUNTIME_DIR/interlock.sock; else unix:/tmp/interlock-UID/interlock.sock.\n"
    "\n"
    "Exit codes: 0 done; 64 the command line is wrong; 65 a message is not what it is said to\n"
    "be; 69 no server, or it refused; 74 the output cannot be written; 75 not in time; 128+N\n"
    "ended by signal N. `lock` passes on what its command returned.\n";

static int run(const char *domain, int argc, char **argv) {
    (void)domain;
    if (argc > 2) return cli_wrong(NULL, "help takes one command");
    if (argc == 2) {
        const struct cli_command *command = cli_command_named(argv[1]);
        if (!command) return cli_wrong(NULL, "there is no command \"%s\"", argv[1]);
        fputs(command->help, stdout);
        return CLI_OK;
    }
    fputs(head, stdout);
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("  %-8s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    }
    fputs(tail, stdout);
    return CLI_OK;
}

const struct cli_command cli_help = {
    .name = "help",
    .summary = "say more about a command",
    .help = "Usage: interlock help [COMMAND]\n",
    .run = run,
};

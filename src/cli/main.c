/* main.c - `interlock`: which domain, which command. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/place.h"
#include "cli/command.h"

/* The address when none is given: a server for the whole machine goes before the user's own. */
static int default_domain(char *room, size_t room_bytes) {
    char path[256];
    const char *from_environment = getenv("INTERLOCK_DOMAIN");
    if (from_environment && *from_environment) {
        int length = snprintf(room, room_bytes, "%s", from_environment);
        if ((size_t)length < room_bytes) return CLI_OK;
        cli_say("INTERLOCK_DOMAIN is too long");
        return CLI_USAGE;
    }
    if (access(ILI_SYSTEM_SOCKET, F_OK) == 0) {
        snprintf(room, room_bytes, "unix:%s", ILI_SYSTEM_SOCKET);
        return CLI_OK;
    }
    switch (ili_default_socket(path, sizeof path)) {
    case IL_OK: snprintf(room, room_bytes, "unix:%s", path); return CLI_OK;
    case IL_EACCESS:
        cli_say("%s lies in a folder of somebody else; say which --domain you mean", path);
        return CLI_FAILED;
    default:
        cli_say("the path of the default socket is too long; say which --domain you mean");
        return CLI_FAILED;
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"domain", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    char room[512];
    const char *domain = NULL, *name = NULL;
    int option;
    /* +: what comes behind the command is the command's */
    while ((option = getopt_long(argc, argv, "+d:hV", options, NULL)) != -1) {
        switch (option) {
        case 'd': domain = optarg; break;
        case 'h': name = "help"; break;
        case 'V': name = "version"; break;
        default: return cli_wrong(NULL, "unknown option, or one that lacks its value");
        }
    }
    if (name) return cli_command_named(name)->run(NULL, 1, (char *[]){(char *)name, NULL});
    if (optind == argc) return cli_wrong(NULL, "which command?");
    const struct cli_command *command = cli_command_named(argv[optind]);
    if (!command) return cli_wrong(NULL, "there is no command \"%s\"", argv[optind]);
    if (!domain && command != &cli_help && command != &cli_version) {
        int code = default_domain(room, sizeof room);
        if (code != CLI_OK) return code;
        domain = room;
    }
    argc -= optind;
    argv += optind;
    optind = 0; /* 0, not 1: glibc's way to begin anew, with another kind of option string */
    return command->run(domain, argc, argv);
}

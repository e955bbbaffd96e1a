#include "cli/command.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_command *const cli_commands[] = {
    &cli_lock, &cli_queue, &cli_ps, &cli_version, &cli_help, NULL,
};

const struct cli_command *cli_command_named(const char *name) {
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) return cli_commands[i];
    }
    return NULL;
}

void cli_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("interlock: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void cli_complain(const char *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("interlock: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nTry: interlock help%s%s\n", command ? " " : "", command ? command : "");
    va_end(arguments);
}

int cli_failed(const char *what, il_status status) {
    cli_say("%s: %s", what, il_error_message());
    switch (status) {
    case IL_ETIMEOUT: return CLI_TIMEOUT;
    case IL_EINVAL:
    case IL_ETOOBIG: return CLI_DATA;
    default: return CLI_FAILED;
    }
}

int cli_parse_timeout(const char *command, const char *text, int64_t *timeout_ns) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !isfinite(seconds) || seconds < 0) {
        return cli_wrong(command, "--timeout: expected seconds, got \"%s\"", text);
    }
    *timeout_ns = seconds >= 9e9 ? INT64_MAX : (int64_t)(seconds * 1e9);
    return CLI_OK;
}

int cli_open(const char *address, il_domain **domain) {
    il_status status = il_domain_open(address, NULL, domain);
    if (status == IL_OK) return CLI_OK;
    int code = cli_failed(address, status);
    return code == CLI_DATA ? CLI_USAGE : CLI_FAILED;
}

/*
 * command.h - what a command of `interlock` is, and what all of them share: the domain, the words on
 * stderr, the exit codes.
 */
#ifndef ILI_CLI_COMMAND_H
#define ILI_CLI_COMMAND_H

#include <stdint.h>

#include <interlock.h>

/* Those of sysexits.h where it has one; `interlock help` lists them. */
enum cli_exit {
    CLI_OK = 0,
    CLI_USAGE = 64,   /* the command line is wrong */
    CLI_DATA = 65,    /* the message is not what it is said to be */
    CLI_FAILED = 69,  /* no server, no such object, the lock was lost, … */
    CLI_OUTPUT = 74,  /* what was got cannot be written */
    CLI_TIMEOUT = 75, /* not in time; a later attempt may succeed */
    CLI_CANNOT_RUN = 126,
    CLI_NOT_FOUND = 127,
    CLI_SIGNAL = 128, /* plus the signal's number */
};

struct cli_command {
    const char *name;
    const char *summary; /* for the list of commands */
    const char *help;    /* the whole text of `interlock help NAME` */
    /* ARGV[0] is the command's name. DOMAIN is the address. Returns the exit code. */
    int (*run)(const char *domain, int argc, char **argv);
};

extern const struct cli_command cli_help, cli_lock, cli_ps, cli_queue, cli_version;

/* All of them, ended by NULL. */
extern const struct cli_command *const cli_commands[];

/* The command NAME, or NULL. */
const struct cli_command *cli_command_named(const char *name);

/* "interlock: TEXT" and a newline on stderr. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and where to read about COMMAND (NULL: about all). */
void cli_complain(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, as the exit code CLI_USAGE. */
#define cli_wrong(command, ...) (cli_complain(command, __VA_ARGS__), CLI_USAGE)

/* Says WHAT and the library's last error; the exit code that STATUS stands for. */
int cli_failed(const char *what, il_status status);

/* Seconds, fractions allowed, into nanoseconds. CLI_OK, or CLI_USAGE after having said why. */
int cli_parse_timeout(const char *command, const char *text, int64_t *timeout_ns);

/* Opens ADDRESS; CLI_OK, or the exit code after having said why. */
int cli_open(const char *address, il_domain **domain);

#endif

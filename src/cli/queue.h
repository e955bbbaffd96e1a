/* queue.h - the two halves of `interlock queue`. */
#ifndef ILI_CLI_QUEUE_H
#define ILI_CLI_QUEUE_H

/* ARGV[0] is "put" or "get". As cli_command.run. */
int cli_queue_put(const char *address, int argc, char **argv);
int cli_queue_get(const char *address, int argc, char **argv);

#endif

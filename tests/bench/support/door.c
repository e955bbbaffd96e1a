#include "support/door.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/measure.h"

const char *bench_beside(const char *file) {
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) bench_die("readlink");
    path[length] = 0;
    for (int up = 0; up < 2; up++) { /* build/bench/PROGRAM */
        char *slash = strrchr(path, '/');
        if (slash) *slash = 0;
    }
    size_t at = strlen(path);
    snprintf(path + at, sizeof path - at, "/%s", file);
    return path;
}

/* The server's path: $INTERLOCKD, or that of the build tree. */
static const char *server_path(void) {
    const char *given = getenv("INTERLOCKD");
    return given ? given : bench_beside("bin/interlockd");
}

/* Writes TEXT into FILE of the server's directory. */
static void write_config(const char *file, const char *text) {
    FILE *out = fopen(file, "w");
    if (!out || fputs(text, out) < 0 || fclose(out) != 0) bench_die(file);
}

/* Reads the line "interlockd ready http=127.0.0.1:PORT socket=…". */
static int read_ready(struct bench_server *s) {
    char line[512];
    size_t length = 0;
    while (length < sizeof line - 1 && read(s->output, line + length, 1) == 1) {
        if (line[length++] != '\n') continue;
        line[length] = 0;
        const char *http = strstr(line, " http=127.0.0.1:");
        if (strncmp(line, "interlockd ready", 16) == 0 && http) {
            s->http_port = atoi(http + strlen(" http=127.0.0.1:"));
            return 1;
        }
        length = 0;
    }
    return 0;
}

int bench_server_start(struct bench_server *server) {
    return bench_server_start_with(server, NULL);
}

int bench_server_start_with(struct bench_server *server, const char *config) {
    char file[96];
    int ends[2];
    const char *path = server_path();
    strcpy(server->directory, "/tmp/interlock-bench-XXXXXX");
    if (!mkdtemp(server->directory) || pipe(ends) != 0) bench_die("mkdtemp, pipe");
    snprintf(server->socket, sizeof server->socket, "%s/socket", server->directory);
    snprintf(file, sizeof file, "%s/config", server->directory);
    if (config) write_config(file, config);
    server->pid = fork();
    if (server->pid < 0) bench_die("fork");
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (!freopen("/dev/null", "w", stderr)) _exit(127);
        execl(path, path, "--http", "127.0.0.1:0", "--socket", server->socket,
              config ? "--config" : (char *)NULL, file, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    server->output = ends[0];
    if (read_ready(server)) return 1;
    fprintf(stderr, "bench: %s does not start; the doors that need it are left out\n", path);
    bench_server_stop(server);
    return 0;
}

void bench_server_stop(struct bench_server *server) {
    kill(server->pid, SIGTERM);
    waitpid(server->pid, NULL, 0);
    close(server->output);
    static const char *const files[] = {"socket", "config", "interlock.epoch"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char file[128];
        snprintf(file, sizeof file, "%s/%s", server->directory, files[i]);
        unlink(file);
    }
    rmdir(server->directory);
}

il_domain *bench_domain(const char *address) {
    il_domain *domain;
    if (il_domain_open(address, NULL, &domain) != IL_OK) bench_die(address);
    return domain;
}

const char *bench_host_address(const struct bench_server *server) {
    static char address[128];
    snprintf(address, sizeof address, "unix:%s", server->socket);
    return address;
}

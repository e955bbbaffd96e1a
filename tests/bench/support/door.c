#include "support/door.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/measure.h"

/* The server's path: $INTERLOCKD, or ../bin/interlockd seen from this program. */
static const char *server_path(void) {
    static char path[4096];
    const char *given = getenv("INTERLOCKD");
    if (given) return given;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 32);
    if (length < 0) return "interlockd";
    path[length] = 0;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');
        if (slash) *slash = 0;
    }
    return strcat(path, "/bin/interlockd");
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
    int ends[2];
    const char *path = server_path();
    strcpy(server->directory, "/tmp/interlock-bench-XXXXXX");
    if (!mkdtemp(server->directory) || pipe(ends) != 0) bench_die("mkdtemp, pipe");
    snprintf(server->socket, sizeof server->socket, "%s/socket", server->directory);
    server->pid = fork();
    if (server->pid < 0) bench_die("fork");
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (!freopen("/dev/null", "w", stderr)) _exit(127);
        execl(path, path, "--http", "127.0.0.1:0", "--socket", server->socket, (char *)NULL);
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
    unlink(server->socket);
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

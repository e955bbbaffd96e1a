#include "support/wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/measure.h"

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int bench_connect(int port) {
    struct sockaddr_in address = loopback(port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        bench_die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int bench_listens(int port) {
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int listens = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) close(fd);
    return listens;
}

int bench_free_port(void) {
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        bench_die("bind");
    }
    close(fd);
    return ntohs(address.sin_port);
}

size_t bench_http_post(char *out, size_t room, const char *path, const char *body) {
    int length = snprintf(out, room,
                          "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          path, strlen(body), body);
    return (size_t)length;
}

size_t bench_http_answer(const char *in, size_t length, int *status) {
    static const char name[] = "Content-Length: ";
    const char *end = memmem(in, length, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - in) + 4;
    const char *value = memmem(in, head, name, sizeof name - 1);
    size_t body = value ? strtoul(value + sizeof name - 1, NULL, 10) : 0;
    *status = atoi(in + strlen("HTTP/1.1 "));
    return head + body <= length ? head + body : 0;
}

size_t bench_json_string(const char *in, size_t length, const char *name, char *out, size_t room) {
    char key[64];
    int key_length = snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *start = memmem(in, length, key, (size_t)key_length);
    if (!start) return 0;
    start += key_length;
    const char *end = memchr(start, '"', length - (size_t)(start - in));
    if (!end || (size_t)(end - start) >= room) return 0;
    memcpy(out, start, (size_t)(end - start));
    out[end - start] = 0;
    return (size_t)(end - start);
}

int bench_exchange(int fd, const char *path, const char *body, char *answer, size_t room) {
    char request[1024];
    size_t length = bench_http_post(request, sizeof request, path, body), have = 0;
    int status;
    if (write(fd, request, length) != (ssize_t)length) bench_die("write to the server");
    do {
        ssize_t n = read(fd, answer + have, room - 1 - have);
        if (n <= 0) bench_die("read from the server");
        have += (size_t)n;
        answer[have] = 0;
    } while (!bench_http_answer(answer, have, &status));
    return status;
}

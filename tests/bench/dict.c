/*
 * dict.c - get and set of a dict through the host door, against Python's Manager().dict() and Redis.
 *
 * Every side has 1,000 keys with values of 64 bytes of text, and one client that does one call after the
 * other: Redis without pipelining, on a connection that stays.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"
#include "support/peers.h"
#include "support/python.h"
#include "support/wire.h"

#define KEYS 1000
#define VALUE_BYTES 64
#define CALLS 1000000
#define PYTHON_CALLS 10000
#define REDIS_CALLS 20000
#define REQUEST_BYTES 160

static char keys[KEYS][12];
static char value[VALUE_BYTES + 1];

static double rate(int calls, int64_t start) {
    return calls * 1e9 / (double)(bench_now_ns() - start);
}

/* ---- Interlock ---------------------------------------------------------------------------------- */

static double interlock_get(void *context) {
    il_dict *dict = context;
    char room[VALUE_BYTES];
    int64_t start = bench_now_ns();
    for (int i = 0; i < CALLS; i++) {
        const char *key = keys[i % KEYS];
        il_item item;
        if (il_dict_get(dict, key, strlen(key), room, sizeof room, &item) != IL_OK ||
            item.bytes != VALUE_BYTES) {
            bench_die("il_dict_get");
        }
    }
    return rate(CALLS, start);
}

static double interlock_set(void *context) {
    il_dict *dict = context;
    int64_t start = bench_now_ns();
    for (int i = 0; i < CALLS; i++) {
        const char *key = keys[i % KEYS];
        if (il_dict_set(dict, key, strlen(key), value, VALUE_BYTES, IL_TEXT, NULL) != IL_OK) {
            bench_die("il_dict_set");
        }
    }
    return rate(CALLS, start);
}

/* ---- peers -------------------------------------------------------------------------------------- */

static double python_get(void *context) {
    (void)context;
    return bench_python_ask("get", PYTHON_CALLS);
}

static double python_set(void *context) {
    (void)context;
    return bench_python_ask("set", PYTHON_CALLS);
}

static int redis;
static char gets[KEYS][REQUEST_BYTES], sets[KEYS][REQUEST_BYTES];

/* Sends REQUEST and reads the answer, of BYTES bytes. */
static void exchange(const char *request, size_t bytes) {
    char answer[VALUE_BYTES + 16];
    size_t have = 0, length = strlen(request);
    if (write(redis, request, length) != (ssize_t)length) bench_die("write to Redis");
    while (have < bytes) {
        ssize_t got = read(redis, answer + have, sizeof answer - have);
        if (got <= 0) bench_die("read from Redis");
        have += (size_t)got;
    }
    if (answer[0] == '-' || have != bytes) bench_die("Redis answers something else");
}

static double redis_get(void *context) {
    (void)context;
    int64_t start = bench_now_ns();
    for (int i = 0; i < REDIS_CALLS; i++) exchange(gets[i % KEYS], 5 + VALUE_BYTES + 2);
    return rate(REDIS_CALLS, start);
}

static double redis_set(void *context) {
    (void)context;
    int64_t start = bench_now_ns();
    for (int i = 0; i < REDIS_CALLS; i++) exchange(sets[i % KEYS], 5);
    return rate(REDIS_CALLS, start);
}

static void prepare(void) {
    for (int i = 0; i < VALUE_BYTES; i++) value[i] = "0123456789abcdef"[i % 16];
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
        snprintf(gets[i], REQUEST_BYTES, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(keys[i]),
                 keys[i]);
        snprintf(sets[i], REQUEST_BYTES, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n",
                 strlen(keys[i]), keys[i], VALUE_BYTES, value);
    }
}

int main(void) {
    struct bench_server server;
    struct bench_peer peer;
    il_dict *dict = NULL;
    prepare();
    if (!bench_server_start(&server)) return 1;
    il_domain *domain = bench_domain(bench_host_address(&server));
    if (il_dict_open(domain, "bench", 5, NULL, &dict) != IL_OK) bench_die("il_dict_open");
    (void)interlock_set(dict);

    bench_python_start("python_dict.py", KEYS, "get");
    struct bench_pair pair = {"dict.host.get.python", "/s", interlock_get, python_get, dict,
                              BENCH_AT_LEAST,         100};
    bench_compare(&pair);
    pair.name = "dict.host.set.python";
    pair.interlock = interlock_set;
    pair.peer = python_set;
    bench_compare(&pair);
    bench_python_stop();

    bench_redis_start(&peer);
    redis = bench_connect(peer.port);
    (void)redis_set(NULL);
    pair.target = 20;
    pair.name = "dict.host.set.redis";
    pair.peer = redis_set;
    bench_compare(&pair);
    pair.name = "dict.host.get.redis";
    pair.interlock = interlock_get;
    pair.peer = redis_get;
    bench_compare(&pair);
    close(redis);
    bench_peer_stop(&peer);

    il_dict_close(dict);
    il_domain_close(domain);
    bench_server_stop(&server);
    return 0;
}

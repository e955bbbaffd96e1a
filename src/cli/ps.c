/* ps.c - `interlock ps`: who is there, who holds what, what waits. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/http.h"
#include "cli/table.h"

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static long long number_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

/* What a session over HTTP does not have is null. */
static void write_number(struct cli_table *table, size_t column, const json_t *object,
                         const char *key) {
    if (json_is_integer(json_object_get(object, key))) {
        cli_table_cell(table, column, "%lld", number_of(object, key));
    } else {
        cli_table_cell(table, column, "-");
    }
}

static void add_session(struct cli_table *table, const json_t *session, bool all) {
    (void)all;
    cli_table_row(table);
    cli_table_cell(table, 0, "%s", text_of(session, "id"));
    write_number(table, 1, session, "pid");
    write_number(table, 2, session, "uid");
    cli_table_cell(table, 3, "%s", text_of(session, "label"));
    cli_table_cell(table, 4, "%s", text_of(session, "since"));
    cli_table_cell(table, 5, "%s", text_of(session, "command"));
}

/* "worker (pid 12)", "curl (http, 12 s left)" */
static void write_holder(struct cli_table *table, size_t column, const json_t *owner) {
    const json_t *lease = json_object_get(owner, "lease_remaining");
    if (!json_is_object(owner)) {
        cli_table_cell(table, column, "-");
    } else if (json_is_number(lease)) {
        cli_table_cell(table, column, "%s (%s, %.0f s left)", text_of(owner, "label"),
                       text_of(owner, "door"), json_number_value(lease));
    } else if (json_is_integer(json_object_get(owner, "pid"))) {
        cli_table_cell(table, column, "%s (pid %lld)", text_of(owner, "label"),
                       number_of(owner, "pid"));
    } else {
        cli_table_cell(table, column, "%s (%s)", text_of(owner, "label"), text_of(owner, "door"));
    }
}

static void add_lock(struct cli_table *table, const json_t *lock, bool all) {
    const json_t *owner = json_object_get(lock, "owner");
    bool busy = json_is_true(json_object_get(lock, "locked")) || number_of(lock, "waiters") > 0;
    if (!busy && !all) return;
    cli_table_row(table);
    cli_table_cell(table, 0, "%s", text_of(lock, "name"));
    write_holder(table, 1, owner);
    cli_table_cell(table, 2, "%lld", number_of(lock, "waiters"));
    cli_table_cell(table, 3, "%s", text_of(lock, "token"));
    cli_table_cell(table, 4, "%s", text_of(owner, "since"));
    cli_table_cell(table, 5, "%s", json_is_true(json_object_get(lock, "fair")) ? "fair" : "");
}

/* An rlock, a rwlock or a semaphore: its first holder stands for all. */
static void add_held(struct cli_table *table, const json_t *object, bool all) {
    const json_t *holders = json_object_get(object, "holders");
    const json_t *first = json_object_get(json_array_get(holders, 0), "owner");
    size_t count = json_array_size(holders);
    if (count == 0 && number_of(object, "waiters") == 0 && !all) return;
    cli_table_row(table);
    cli_table_cell(table, 0, "%s", text_of(object, "name"));
    write_holder(table, 1, first);
    cli_table_cell(table, 2, "%zu", count);
    cli_table_cell(table, 3, "%lld", number_of(object, "waiters"));
    if (json_object_get(object, "mode")) {
        cli_table_cell(table, 4, "%s", text_of(object, "mode"));
    } else {
        write_number(table, 4, object, "value");
    }
}

static void add_queue(struct cli_table *table, const json_t *queue, bool all) {
    (void)all;
    cli_table_row(table);
    cli_table_cell(table, 0, "%s", text_of(queue, "name"));
    cli_table_cell(table, 1, "%lld", number_of(queue, "size"));
    if (number_of(queue, "maxsize") > 0) {
        cli_table_cell(table, 2, "%lld", number_of(queue, "maxsize"));
    } else {
        cli_table_cell(table, 2, "-");
    }
    cli_table_cell(table, 3, "%lld", number_of(queue, "getters"));
    cli_table_cell(table, 4, "%lld", number_of(queue, "putters"));
    cli_table_cell(table, 5, "%s", json_is_true(json_object_get(queue, "closed")) ? "closed" : "");
}

struct part {
    const char *collection, *title;
    const char *heads[CLI_COLUMNS];
    void (*add)(struct cli_table *table, const json_t *item, bool all);
    bool paged;
};

static const struct part parts[] = {
    {"sessions", "SESSIONS", {"ID", "PID", "UID", "LABEL", "SINCE", "COMMAND"}, add_session, false},
    {"locks", "LOCKS", {"NAME", "HOLDER", "WAITERS", "TOKEN", "SINCE", "KIND"}, add_lock, true},
    {"rlocks", "RLOCKS", {"NAME", "HOLDER", "HOLDERS", "WAITERS"}, add_held, true},
    {"rwlocks", "RWLOCKS", {"NAME", "HOLDER", "HOLDERS", "WAITERS", "MODE"}, add_held, true},
    {"semaphores", "SEMAPHORES", {"NAME", "HOLDER", "HOLDERS", "WAITERS", "FREE"}, add_held, true},
    {"queues", "QUEUES", {"NAME", "SIZE", "MAX", "GETTERS", "PUTTERS", "STATE"}, add_queue, true},
};

/* PATH of the page that CURSOR (NULL: the first) names; owned. */
static char *page_path(const struct part *part, const char *cursor) {
    char *path = NULL;
    char *escaped = cursor ? curl_easy_escape(NULL, cursor, 0) : NULL;
    int length = asprintf(&path, "/v1/%s%s%s%s", part->collection, part->paged ? "?limit=1000" : "",
                          escaped ? "&cursor=" : "", escaped ? escaped : "");
    curl_free(escaped);
    return length < 0 ? NULL : path;
}

static int fill(struct cli_http *http, const struct part *part, struct cli_table *table, bool all) {
    json_t *page = NULL;
    const char *cursor = NULL;
    do {
        size_t i;
        json_t *item, *next = NULL;
        char *path = page_path(part, cursor);
        int code = path ? cli_http_get(http, path, &next) : CLI_FAILED;
        free(path);
        json_decref(page); /* CURSOR was its */
        page = next;
        if (code != CLI_OK) return code;
        json_array_foreach(json_object_get(page, part->collection), i, item) {
            part->add(table, item, all);
        }
        cursor = json_string_value(json_object_get(page, "cursor"));
    } while (cursor);
    json_decref(page);
    return CLI_OK;
}

static int show(struct cli_http *http, const struct part *part, bool all) {
    struct cli_table table = {0};
    memcpy(table.heads, part->heads, sizeof table.heads);
    int code = fill(http, part, &table, all);
    /* of the rarer kinds only what there is */
    if (code == CLI_OK && (table.count > 0 || part->add != add_held)) {
        if (part != parts) putchar('\n');
        cli_table_print(&table, part->title, stdout);
    }
    cli_table_free(&table);
    return code;
}

static int run(const char *domain, int argc, char **argv) {
    static const struct option options[] = {{"all", no_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
    bool all = false;
    int option, code = CLI_OK;
    while ((option = getopt_long(argc, argv, "a", options, NULL)) != -1) {
        if (option != 'a') return cli_wrong("ps", "unknown option");
        all = true;
    }
    if (optind < argc) return cli_wrong("ps", "unexpected \"%s\"", argv[optind]);
    struct cli_http *http = cli_http_open(domain);
    if (!http) return CLI_FAILED;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && code == CLI_OK; i++) {
        code = show(http, parts + i, all);
    }
    cli_http_close(http);
    return code;
}

const struct cli_command cli_ps = {
    .name = "ps",
    .summary = "show who takes part, what is held and by whom, what the queues hold",
    .help = "Usage: interlock ps [--all]\n"
            "Shows the sessions (attached processes, and clients over HTTP), the locks, rlocks, "
            "rwlocks\n"
            "and semaphores that are held or waited for, and the queues.\n"
            "\n"
            "  -a, --all  what is free as well\n"
            "\n"
            "A holder is shown with its pid, or, over HTTP, with the rest of its lease.\n",
    .run = run,
};

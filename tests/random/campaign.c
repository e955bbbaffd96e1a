/*
 * campaign.c - the same random operations on Interlock's objects and on plain models in ordinary memory, with
 * kills in between; they must never differ.
 *
 *     campaign [--steps 20000] [--seed 1] [--kill-every 50] [--doors private,unix,http,mixed] [--kinds dict,...]
 *
 * A driver has the models. It gives one operation at a time to a worker, a process behind a door, and compares
 * the answer with the model's. From time to time the worker is killed inside its operation; then the object, read
 * whole through the driver's own door, must be the model before that operation or after it, and the invariants
 * of the object and of the allocator must hold. At the end everything is deleted, and as much memory is
 * available as at the beginning. With doors mixed, several workers use the same objects in turn. The last line
 * is "N passed, N failed", of doors.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear/drive/http.h"
#include "random/kills.h"
#include "random/worker.h"
#include "support/doors.h"
#include "support/world.h"

#define PATIENCE_S 30.0
#define TARGET_MOST 4000
#define WORKERS 3

static const struct random_kind *const kinds[] = {
    &random_value, &random_array, &random_dict, &random_list, &random_pipe, &random_queue,
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct scene {
    const char *name;
    enum way doors[WORKERS];
    uint32_t workers;
    uint32_t share; /* of the steps, in percent */
};

static const struct scene scenes[] = {
    {"private", {DOOR_PRIVATE}, 1, 30},
    {"unix", {DOOR_UNIX}, 1, 25},
    {"http", {DOOR_HTTP}, 1, 15},
    {"mixed", {DOOR_UNIX, DOOR_HTTP, DOOR_UNIX}, 3, 30},
};

struct campaign {
    const struct scene *scene;
    struct world world;
    struct door server; /* its domain is the driver's */
    char http[64], http_address[80];
    struct cast cast;
    struct object objects[OBJECTS];
    void *handles[OBJECTS];
    struct worker workers[WORKERS];
    struct kills *kills;
    uint64_t random, seed, step, steps, kill_every;
    uint32_t killed, at_points, happened, answered, refused;
    bool due;   /* a kill */
    pid_t dead; /* the last that was killed */
    uint64_t made[KINDS];
    const char *only_kinds;
    char why[1200];
};

static bool fails(struct campaign *c, const char *what, const char *why) {
    if (!c->why[0]) snprintf(c->why, sizeof c->why, "%.80s: %.1100s", what, why);
    return false;
}

static bool object_fails(struct campaign *c, const struct object *object, uint32_t code,
                         const char *why) {
    char what[80];
    snprintf(what, sizeof what, "%s, operation %u", object->name, code);
    return fails(c, what, why);
}

/* ---- objects ------------------------------------------------------------------------------------ */

static bool is_listed(const char *list, const char *name) {
    const char *at = list;
    size_t length = strlen(name);
    while (at) {
        if (strncmp(at, name, length) == 0 && (at[length] == 0 || at[length] == ',')) return true;
        if ((at = strchr(at, ','))) at++;
    }
    return !list;
}

static void name_objects(struct campaign *c) {
    c->cast.objects_count = 0;
    for (uint32_t k = 0; k < KINDS; k++) {
        if (!is_listed(c->only_kinds, kinds[k]->name)) continue;
        for (unsigned variant = 0; variant < kinds[k]->variants; variant++) {
            uint32_t number = c->cast.objects_count++;
            struct object *object = &c->objects[number];
            *object = (struct object){
                .kind = kinds[k],
                .variant = variant,
                .number = number,
                .model = kinds[k]->make_model(variant),
                .target = draw_below(&c->random, TARGET_MOST),
                .other = &c->objects[variant ? number - 1 : number + kinds[k]->variants - 1]};
            snprintf(object->name, sizeof object->name, "%s-%u", kinds[k]->name, variant);
        }
    }
}

static bool open_object(struct campaign *c, struct object *object) {
    if (object->kind->open(c->world.domain, object, &c->handles[object->number]) == IL_OK)
        return true;
    c->handles[object->number] = NULL;
    return fails(c, object->name, il_error_message());
}

static void close_object(struct campaign *c, struct object *object) {
    if (c->handles[object->number]) object->kind->close(c->handles[object->number]);
    c->handles[object->number] = NULL;
}

/* It was deleted: the model of a new one, which is empty. */
static void forget(struct object *object) {
    object->kind->free_model(object->model);
    object->model = object->kind->make_model(object->variant);
    object->generation++;
}

/* The driver's handle may be of one that is no more. The old one is closed only when there is a new one: it may
 * be the last to hold the end of a pipe open. */
static bool open_again(struct campaign *c, struct object *object) {
    void *old = c->handles[object->number];
    bool opened = open_object(c, object);
    object->kind->close(old);
    return opened;
}

static bool remove_all(struct campaign *c) {
    for (uint32_t i = 0; i < c->cast.objects_count; i++) {
        struct object *object = &c->objects[i];
        close_object(c, object);
        if (object->kind->remove(c->world.domain, object->name, strlen(object->name)) != IL_OK)
            return fails(c, object->name, il_error_message());
    }
    return true;
}

static bool open_all(struct campaign *c) {
    for (uint32_t i = 0; i < c->cast.objects_count; i++) {
        if (!open_object(c, &c->objects[i])) return false;
    }
    return true;
}

/* ---- an operation ------------------------------------------------------------------------------- */

static uint32_t kind_number(const struct object *object) {
    uint32_t number = 0;
    while (kinds[number] != object->kind) number++;
    return number;
}

static uint32_t share_of(const struct object *object) {
    return 60 * object->kind->weight / object->kind->variants;
}

static void clear_operation(struct operation *op, const struct object *object, uint32_t code) {
    memset(op, 0, offsetof(struct operation, cargo));
    cargo_clear(&op->cargo);
    op->object = object->number;
    op->generation = object->generation;
    op->other_generation = object->other->generation;
    op->code = code;
}

static struct object *draw_object(struct campaign *c) {
    uint32_t all = 0, number = 0;
    for (uint32_t i = 0; i < c->cast.objects_count; i++) all += share_of(&c->objects[i]);
    for (uint32_t left = draw_below(&c->random, all);; number++) {
        uint32_t share = share_of(&c->objects[number]);
        if (left < share) return &c->objects[number];
        left -= share;
    }
}

static void draw_operation(struct campaign *c, struct object *object, struct operation *op) {
    clear_operation(op, object, REMOVE_OBJECT);
    if (draw_below(&c->random, 400) == 0) object->target = draw_below(&c->random, TARGET_MOST);
    if (draw_below(&c->random, 4000) > 0) object->kind->draw(object, op, &c->random);
}

static bool judge(struct campaign *c, struct object *object, const struct operation *op,
                  const struct answer *got) {
    static struct answer expected;
    char why[WHY];
    answer_begin(&expected);
    expected.got = got->status;
    if (op->code != REMOVE_OBJECT) object->kind->apply(object, op, &expected);
    c->refused += expected.status != IL_OK;
    if (!answers_equal(got, &expected, why)) return object_fails(c, object, op->code, why);
    if (op->code != REMOVE_OBJECT) return true;
    forget(object);
    return open_again(c, object);
}

/* ---- kills -------------------------------------------------------------------------------------- */

/* Whether the server has still a connection to somebody who may be dead: what came by it may be under way. */
static bool http_is_quiet(void *context) {
    const struct campaign *c = context;
    char line[300];
    unsigned local, state, port = (unsigned)atoi(strrchr(c->http, ':') + 1);
    bool quiet = true;
    FILE *file = fopen("/proc/net/tcp", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x", &local, &state) != 2 || local != port) continue;
        quiet &= state != 1 && state != 8; /* established; closed by the other side only */
    }
    if (file) fclose(file);
    return quiet;
}

/* Whether nothing is left of the process c->dead; sessions that were made by requests are not counted. */
static bool dead_is_recovered(void *context) {
    const struct campaign *c = context;
    const struct ili_arena *a = &c->world.domain->member.arena;
    for (uint32_t i = 0; i < a->regions.slots; i++) {
        const struct ili_slot *slot = &a->slots[i];
        if (atomic_load(&slot->state) != ILI_SLOT_FREE &&
            atomic_load(&slot->pid) == (uint32_t)c->dead &&
            !(atomic_load(&slot->flags) & ILI_SLOT_CLIENT))
            return false;
    }
    return true;
}

/* Those of a dead client would live on for as long as it had asked for. */
static bool end_sessions(struct campaign *c) {
    static struct http http = {.fd = -1};
    json_t *answer = NULL, *session;
    char path[200];
    size_t i;
    http.address = c->http;
    il_status status = http_call(&http, "GET", "/v1/sessions", NULL, HTTP_WAIT_FOR_ANSWER, &answer);
    json_array_foreach(json_object_get(answer, "sessions"), i, session) {
        const char *id = json_string_value(json_object_get(session, "id"));
        const char *door = json_string_value(json_object_get(session, "door"));
        if (!id || !door || strcmp(door, "http") != 0) continue;
        snprintf(path, sizeof path, "/v1/sessions/%s", id);
        status = http_call(&http, "DELETE", path, NULL, HTTP_WAIT_FOR_ANSWER, NULL);
        if (status != IL_OK) break;
    }
    json_decref(answer);
    http_close(&http, false);
    return status == IL_OK;
}

static bool is_sound(struct campaign *c, struct object *object) {
    if (world_check_alloc(&c->world) != IL_OK)
        return fails(c, object->name, "the allocator is not sound");
    il_status status = object->kind->check(c->world.domain, c->handles[object->number]);
    return status == IL_OK || object_fails(c, object, 0, "its invariants do not hold");
}

/* OBJECT is the model before OP, or after a part of it. */
static bool find_out(struct campaign *c, struct object *object, const struct operation *op) {
    static struct answer unseen;
    char before[WHY], after[WHY] = "the operation has no effect";
    struct object *changed = op->flags & WITH_OTHER ? object->other : object;
    void *handle = c->handles[changed->number];
    if (op->code == REMOVE_OBJECT) {
        if (!open_again(c, object)) return false;
        handle = c->handles[object->number];
        if (object->kind->same(object, handle, before)) {
            object->generation++; /* it may have been as empty as a new one */
            return true;
        }
        c->happened++;
        forget(object);
        return object->kind->same(object, handle, after) ||
               object_fails(c, object, op->code, after);
    }
    if (object->kind->same(changed, handle, before)) return true;
    c->happened++;
    for (uint32_t part = 0;; part++) {
        if (object->kind->apply_part) {
            if (!object->kind->apply_part(object, op, part)) break;
        } else if (part == 0) {
            answer_begin(&unseen);
            object->kind->apply(object, op, &unseen);
        } else {
            break;
        }
        if (object->kind->same(changed, handle, after)) return true;
    }
    char why[1200];
    snprintf(why, sizeof why, "after a death neither as before (%s) nor as after (%s)", before,
             after);
    return object_fails(c, object, op->code, why);
}

/* Waits until WORKER dies by itself at a point, or is done; or for some moments. */
static bool let_die(struct campaign *c, struct worker *worker, uint32_t point) {
    struct answer *answer = &worker->shared->answer;
    if (worker->shared->op.point) {
        if (worker_await(worker)) return false;
        kills_count(c->kills, point);
        c->at_points++;
        return true;
    }
    int64_t delay_ns = INT64_C(500) << draw_below(&c->random, worker->door == DOOR_HTTP ? 11 : 7);
    int64_t end_ns = test_now_ns() + delay_ns + draw_below(&c->random, (uint32_t)delay_ns);
    while (test_now_ns() < end_ns && !atomic_load(&answer->done)) {
    }
    return true;
}

static bool after_death(struct campaign *c, struct worker *worker, struct object *object) {
    const struct operation *op = &worker->shared->op;
    struct answer *answer = &worker->shared->answer;
    char why[WHY];
    c->dead = worker->pid;
    worker_kill(worker);
    c->killed++;
    c->due = false;
    if (worker->door == DOOR_HTTP && !test_wait(http_is_quiet, c, PATIENCE_S))
        return fails(c, "http", "the server does not close the connection of a dead client");
    if (worker->door == DOOR_HTTP && !end_sessions(c))
        return fails(c, "http", "a session cannot be ended");
    if (!test_wait(dead_is_recovered, c, PATIENCE_S))
        return fails(c, object->name, "a dead process is not recovered");
    if (!is_sound(c, object)) return false;
    if (atomic_load(&answer->done)) {
        c->answered++;
        if (!judge(c, object, op, answer)) return false;
        if (!object->kind->same(object, c->handles[object->number], why))
            return object_fails(c, object, op->code, why);
    } else if (!find_out(c, object, op)) {
        return false;
    }
    return is_sound(c, object) &&
           (worker_start(worker, &c->cast) || fails(c, object->name, "a worker does not start"));
}

/* ---- a step ------------------------------------------------------------------------------------- */

static bool let_workers_go(struct campaign *c, const struct object *object) {
    for (uint32_t i = 0; i < c->scene->workers; i++) {
        struct worker *worker = &c->workers[i];
        clear_operation(&worker->shared->op, object, LET_GO);
        if (!worker_begin(worker) || !worker_await(worker))
            return fails(c, object->name, "a worker does not close it");
    }
    return true;
}

static bool make_by_driver(struct campaign *c, struct object *object, struct operation *op) {
    static struct shared own;
    memcpy(&own.op, op, sizeof *op);
    answer_begin(&own.answer);
    if (!let_workers_go(c, object)) return false;
    object->kind->perform(c->handles[object->number], NULL, &own.op, &own.answer);
    return judge(c, object, &own.op, &own.answer);
}

static bool make_step(struct campaign *c) {
    struct object *object = draw_object(c);
    struct worker *worker = &c->workers[draw_below(&c->random, c->scene->workers)];
    struct operation *op = &worker->shared->op;
    uint32_t kind = kind_number(object), point = 0;
    draw_operation(c, object, op);
    c->made[kind]++;
    if (op->flags & BY_DRIVER) return make_by_driver(c, object, op);
    /* One that was to die at a point that it did not pass is made up for. */
    c->due |= draw_below(&c->random, (uint32_t)c->kill_every) == 0;
    bool kill_it = c->due;
    if (kill_it && draw_below(&c->random, 4) > 0) {
        op->point = kills_choose(c->kills, kind, op->code, &c->random, &op->passage, &point);
    }
    if (!worker_begin(worker)) return fails(c, object->name, "a worker has died");
    if (kill_it && let_die(c, worker, point)) return after_death(c, worker, object);
    if (!kill_it && !worker_await(worker)) {
        return object_fails(c, object, op->code, "the worker does not answer");
    }
    kills_learn(c->kills, kind, op->code, &worker->shared->answer);
    return judge(c, object, op, &worker->shared->answer);
}

/* Everything is as the models are. */
static bool compare_all(struct campaign *c) {
    char why[WHY];
    for (uint32_t i = 0; i < c->cast.objects_count; i++) {
        if (!c->objects[i].kind->same(&c->objects[i], c->handles[i], why))
            return object_fails(c, &c->objects[i], 0, why);
        if (!is_sound(c, &c->objects[i])) return false;
    }
    return true;
}

/* ---- a scene ------------------------------------------------------------------------------------ */

static bool raise_world(struct campaign *c) {
    bool served = c->scene->doors[0] != DOOR_PRIVATE;
    memset(&c->world, 0, sizeof c->world);
    memset(&c->server, 0, sizeof c->server);
    if (served) {
        if (!door_serve(&c->server, c->http, NULL)) return fails(c, "interlockd", "does not start");
        snprintf(c->server.address, sizeof c->server.address, "unix:%s", c->server.socket);
        snprintf(c->http_address, sizeof c->http_address, "http://%s", c->http);
    } else {
        strcpy(c->server.address, "private:");
    }
    if (il_domain_open(c->server.address, NULL, &c->server.domain) != IL_OK)
        return fails(c, c->server.address, il_error_message());
    c->world.served = served;
    c->world.domain = c->cast.domain = c->server.domain;
    c->cast.addresses[DOOR_UNIX] = c->server.address;
    c->cast.addresses[DOOR_HTTP] = c->http_address;
    c->cast.objects = c->objects;
    c->cast.handles = c->handles;
    if (!served) world_watch(&c->world);
    return true;
}

static bool play(struct campaign *c) {
    bool well = open_all(c) && remove_all(c); /* from here on the name table has its size */
    uint64_t free_at_first = world_free_bytes(&c->world);
    well = well && open_all(c);
    for (uint32_t i = 0; well && i < c->scene->workers; i++) {
        c->workers[i].door = c->scene->doors[i];
        well = worker_start(&c->workers[i], &c->cast) || fails(c, "worker", "it does not start");
    }
    for (c->step = 0; well && c->step < c->steps; c->step++) well = make_step(c);
    well = well && compare_all(c);
    for (uint32_t i = 0; i < c->scene->workers; i++) {
        if (!worker_end(&c->workers[i]) && well) well = fails(c, "worker", "it does not end well");
    }
    well = well && (test_wait(world_is_alone, &c->world, PATIENCE_S) ||
                    fails(c, "worker", "it is not gone"));
    well = well && remove_all(c);
    if (well && !world_gets_back(&c->world, free_at_first, 5)) {
        char why[80];
        snprintf(why, sizeof why, "%lld bytes are lost",
                 (long long)(free_at_first - world_free_bytes(&c->world)));
        well = fails(c, "the arena", why);
    }
    return well;
}

static bool run_scene(struct campaign *c) {
    int64_t began_ns = test_now_ns();
    c->random = c->seed;
    c->killed = c->at_points = c->happened = c->answered = c->refused = 0;
    memset(c->made, 0, sizeof c->made);
    memset(c->workers, 0, sizeof c->workers);
    c->why[0] = 0;
    c->due = false;
    c->kills = kills_new();
    name_objects(c);
    bool well = raise_world(c) && play(c);
    if (c->server.domain) {
        for (uint32_t i = 0; i < c->cast.objects_count; i++) close_object(c, &c->objects[i]);
        if (!door_close(&c->server) && well) well = fails(c, "interlockd", "it did not end well");
    }
    for (uint32_t i = 0; i < c->cast.objects_count; i++) {
        c->objects[i].kind->free_model(c->objects[i].model);
    }
    printf("%-5s random %-8s %llu steps (", well ? "ok" : "FAIL", c->scene->name,
           (unsigned long long)c->step);
    for (uint32_t k = 0, first = 1; k < KINDS; k++) {
        if (c->made[k] == 0) continue;
        printf("%s%s %llu", first ? "" : ", ", kinds[k]->name, (unsigned long long)c->made[k]);
        first = 0;
    }
    printf(
        "), %u refused; %u kills, %u of them at %u points, %u after the answer, of the others %u "
        "operations had happened; seed %llu; %.1f s\n",
        c->refused, c->killed, c->at_points, kills_points(c->kills), c->answered, c->happened,
        (unsigned long long)c->seed, (double)(test_now_ns() - began_ns) / 1e9);
    if (!well) printf("      step %llu: %s\n", (unsigned long long)c->step, c->why);
    fflush(stdout);
    kills_free(c->kills);
    return well;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"steps", required_argument, NULL, 's'},      {"seed", required_argument, NULL, 'r'},
        {"kill-every", required_argument, NULL, 'k'}, {"doors", required_argument, NULL, 'd'},
        {"kinds", required_argument, NULL, 'o'},      {0}};
    static struct campaign c = {.seed = 1, .kill_every = 50};
    uint64_t steps = 20000;
    const char *doors = NULL;
    uint32_t passed = 0, failed = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case 's': steps = strtoull(optarg, NULL, 0); break;
        case 'r': c.seed = strtoull(optarg, NULL, 0); break;
        case 'k': c.kill_every = strtoull(optarg, NULL, 0); break;
        case 'd': doors = optarg; break;
        case 'o': c.only_kinds = optarg; break;
        default: return 2;
        }
    }
    if (c.kill_every == 0) return 2;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        if (!is_listed(doors, scenes[i].name)) continue;
        c.scene = &scenes[i];
        c.steps = steps * scenes[i].share / 100;
        if (run_scene(&c)) {
            passed++;
        } else {
            failed++;
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}

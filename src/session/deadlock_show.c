/* deadlock_show.c - see deadlock_show.h. */
#include "session/deadlock_show.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "session/session_info.h"

#define HOLDERS_SHOWN 100 /* of one object */
#define TEXT_BYTES 440    /* what fits into an error's text */
#define NAME_SHOWN 64

/* ---- copying ------------------------------------------------------------------------------------------- */

static void describe_party(const struct ili_arena *a, uint32_t number, struct ili_party *party) {
    const struct ili_agent *agent = ili_agent_at(a, number);
    struct ili_session_info info;
    uint32_t slot = ili_agent_slot(a, number);
    *party = (struct ili_party){.agent = number, .slot = slot};
    if (!agent || slot == UINT32_MAX) return;
    party->tid = atomic_load_explicit(&agent->tid, memory_order_relaxed);
    memcpy(party->label, agent->label, sizeof party->label);
    party->label[sizeof party->label - 1] = 0;
    uint32_t flags = atomic_load_explicit(&a->slots[slot].flags, memory_order_relaxed);
    party->client = (flags & ILI_SLOT_CLIENT) || (a->header->served && slot == 0);
    if (!ili_session_info(a, slot, &info)) return;
    party->generation = info.generation;
    party->pid = party->client ? 0 : info.pid;
    memcpy(party->session, info.label, sizeof party->session);
}

static void describe_wait(const struct ili_arena *a, const struct ili_wait_graph *graph,
                          uint32_t index, struct ili_deadlock_wait *wait) {
    const struct ili_seen_wait *seen = &graph->seen[index];
    struct ili_held held;
    ili_held_describe(a, seen->object, &(struct ili_grant){0}, &held);
    *wait = (struct ili_deadlock_wait){
        .agent = seen->agent,
        .kind = held.kind,
        .object = seen->object,
        .want = seen->want,
        .name_bytes = held.name_bytes,
        .turn = seen->turn,
        .since_ns = graph->waits[index].since_ns,
    };
    memcpy(wait->name, held.name, sizeof wait->name);
    describe_party(a, seen->owner, &wait->owner);
}

static int by_object(const void *x, const void *y) {
    const struct ili_deadlock_wait *a = *(struct ili_deadlock_wait *const *)x;
    const struct ili_deadlock_wait *b = *(struct ili_deadlock_wait *const *)y;
    return (a->object > b->object) - (a->object < b->object);
}

/* Adds the holders of what WAIT waits for. */
static il_status add_holders(struct ili_member *m, struct ili_deadlocks *out,
                             struct ili_deadlock_wait *wait) {
    struct ili_grant grants[HOLDERS_SHOWN];
    const struct ili_kind *kind;
    void *object = ili_waited_object(&m->arena, wait->object, &kind);
    wait->holders = out->holder_count;
    if (!object || !kind->grants) return IL_OK;
    size_t count = kind->grants(m, object, grants, HOLDERS_SHOWN);
    if (count > HOLDERS_SHOWN) count = HOLDERS_SHOWN;
    struct ili_deadlock_holder *more =
        realloc(out->holders, (out->holder_count + count + 1) * sizeof *more);
    if (!more) return IL_ENOMEM;
    out->holders = more;
    for (size_t i = 0; i < count; i++) {
        struct ili_deadlock_holder *holder = &out->holders[out->holder_count++];
        holder->grant = grants[i];
        describe_party(&m->arena, grants[i].owner, &holder->owner);
    }
    wait->holder_count = (uint32_t)count;
    return IL_OK;
}

static il_status add_all_holders(struct ili_member *m, struct ili_deadlocks *out) {
    struct ili_deadlock_wait **order = calloc((size_t)out->wait_count + 1, sizeof(void *));
    il_status status = order ? IL_OK : IL_ENOMEM;
    for (uint32_t i = 0; order && i < out->wait_count; i++) order[i] = &out->waits[i];
    if (order) qsort(order, out->wait_count, sizeof(void *), by_object);
    for (uint32_t i = 0; status == IL_OK && i < out->wait_count; i++) {
        if (i > 0 && order[i]->object == order[i - 1]->object) {
            order[i]->holders = order[i - 1]->holders;
            order[i]->holder_count = order[i - 1]->holder_count;
        } else {
            status = add_holders(m, out, order[i]);
        }
    }
    free(order);
    return status;
}

il_status ili_deadlock_show(struct ili_member *member, const struct ili_wait_graph *graph,
                            const struct ili_waitfor_result *result, const uint32_t *cycles,
                            uint32_t count, bool everything, struct ili_deadlocks *out) {
    struct ili_deadlocks shown = {0};
    size_t most = everything ? graph->graph.wait_count : result->step_count;
    shown.waits = calloc(most + 1, sizeof *shown.waits);
    shown.steps = calloc((size_t)result->step_count + 1, sizeof *shown.steps);
    shown.cycles = calloc((size_t)count + 1, sizeof *shown.cycles);
    il_status status = shown.waits && shown.steps && shown.cycles ? IL_OK : IL_ENOMEM;
    for (uint32_t i = 0; status == IL_OK && everything && i < most; i++) {
        describe_wait(&member->arena, graph, i, &shown.waits[shown.wait_count++]);
    }
    for (uint32_t c = 0; status == IL_OK && c < count; c++) {
        const struct ili_waitfor_cycle *from = &result->cycles[cycles[c]];
        struct ili_deadlock_cycle *cycle = &shown.cycles[shown.cycle_count++];
        cycle->steps = shown.step_count;
        cycle->step_count = from->step_count;
        cycle->since_ns = graph->waits[result->steps[from->steps].wait].since_ns;
        for (uint32_t i = 0; i < from->step_count; i++) {
            const struct ili_waitfor_step *step = &result->steps[from->steps + i];
            uint32_t wait = everything ? step->wait : shown.wait_count;
            if (!everything) {
                describe_wait(&member->arena, graph, step->wait, &shown.waits[shown.wait_count++]);
            }
            shown.steps[shown.step_count++] = (struct ili_deadlock_step){wait, step->queued};
        }
    }
    if (status == IL_OK) status = add_all_holders(member, &shown);
    if (status == IL_OK) {
        *out = shown;
    } else {
        ili_deadlocks_free(&shown);
    }
    return status;
}

void ili_deadlocks_free(struct ili_deadlocks *deadlocks) {
    free(deadlocks->waits);
    free(deadlocks->holders);
    free(deadlocks->steps);
    free(deadlocks->cycles);
    *deadlocks = (struct ili_deadlocks){0};
}

/* ---- the last one of the thread ------------------------------------------------------------------------- */

struct last {
    struct ili_deadlocks shown;
    char text[TEXT_BYTES];
};

static pthread_key_t last_key;
static pthread_once_t last_once = PTHREAD_ONCE_INIT;
static bool last_ready;

static void free_last(void *value) {
    struct last *last = value;
    ili_deadlocks_free(&last->shown);
    free(last);
}

static void make_key(void) { last_ready = pthread_key_create(&last_key, free_last) == 0; }

static struct last *get_last(bool make) {
    pthread_once(&last_once, make_key);
    if (!last_ready) return NULL;
    struct last *last = pthread_getspecific(last_key);
    if (last || !make) return last;
    last = calloc(1, sizeof *last);
    if (last && pthread_setspecific(last_key, last) != 0) {
        free(last);
        last = NULL;
    }
    return last;
}

/* Adds to TEXT as much as fits. */
static void say(char text[TEXT_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(char text[TEXT_BYTES], const char *format, ...) {
    size_t length = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, TEXT_BYTES - length, format, arguments);
    va_end(arguments);
}

static void say_party(char text[TEXT_BYTES], const struct ili_party *party) {
    if (party->client) {
        const char *session = party->session[0] ? party->session : "unnamed";
        if (party->slot != 0) {
            say(text, "session \"%s\"%s", session, party->label[0] ? " as " : "");
        } else {
            say(text, "client%s", party->label[0] ? " " : "");
        }
        if (party->label[0]) say(text, "\"%s\"", party->label);
    } else if (party->label[0] && party->tid) {
        say(text, "thread %s (pid %u, tid %u)", party->label, party->pid, party->tid);
    } else if (party->label[0]) {
        say(text, "\"%s\" (pid %u)", party->label, party->pid);
    } else {
        say(text, "pid %u", party->pid);
    }
}

static void say_cycle(char text[TEXT_BYTES], const struct ili_deadlocks *d) {
    const struct ili_deadlock_cycle *cycle = &d->cycles[0];
    text[0] = 0;
    for (uint32_t i = 0; i < cycle->step_count; i++) {
        const struct ili_deadlock_step *step = &d->steps[cycle->steps + i];
        const struct ili_deadlock_step *next =
            &d->steps[cycle->steps + (i + 1) % cycle->step_count];
        const struct ili_deadlock_wait *wait = &d->waits[step->wait];
        const struct ili_kind *kind = ili_kind_of(wait->kind);
        char one[TEXT_BYTES] = "", name[NAME_SHOWN];
        ili_text_copy(name, sizeof name, wait->name);
        if (i > 0) say(one, "; ");
        say_party(one, &wait->owner);
        say(one, " waits for %s \"%s\", %s ", kind ? kind->word : "object", name,
            step->queued ? "behind" : "held by");
        say_party(one, &d->waits[next->wait].owner);
        if (strlen(text) + strlen(one) + sizeof "; …" > TEXT_BYTES && i > 0) {
            say(text, "; …");
            break;
        }
        say(text, "%s", one);
    }
}

void ili_deadlock_note(struct ili_member *member, const struct ili_wait_graph *graph,
                       const struct ili_waitfor_result *result, uint32_t cycle) {
    struct last *last = get_last(true);
    if (!last) return;
    ili_deadlocks_free(&last->shown);
    last->text[0] = 0;
    if (ili_deadlock_show(member, graph, result, &cycle, 1, false, &last->shown) == IL_OK) {
        say_cycle(last->text, &last->shown);
    }
}

const struct ili_deadlocks *ili_deadlock_last(void) {
    const struct last *last = get_last(false);
    return last && last->shown.cycle_count ? &last->shown : NULL;
}

const char *ili_deadlock_text(void) {
    const struct last *last = get_last(false);
    return last ? last->text : "";
}

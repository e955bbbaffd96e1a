/*
 * owners.c - see owners.h. One thread.
 *
 * Every owner is in its bucket and in its holder's list, until its session ends: then it is in neither,
 * has no agent, and is freed with the last request that acts for it.
 */
#include "server/owners.h"

#include <stdlib.h>
#include <string.h>

#include "arena/agent.h"
#include "base/siphash.h"
#include "base/text.h"
#include "server/client_sessions.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/stakes.h"

#define LOOK_LEAST 256u

static size_t bucket_of(const struct ili_server *server, uint32_t slot, const char *key) {
    uint64_t hash = ili_siphash(server->domain.member.arena.hash_key, key, strlen(key));
    return (hash ^ slot * UINT64_C(0x9E3779B97F4A7C15)) & (server->owners.bucket_count - 1);
}

static bool grow(struct ili_server *server) {
    struct ili_owners *o = &server->owners;
    size_t before = o->bucket_count;
    struct ili_owner **old = o->buckets;
    size_t count = before ? before * 2 : 64;
    struct ili_owner **buckets = calloc(count, sizeof(struct ili_owner *));
    if (!buckets) return before > 0; /* fuller chains do as well */
    o->buckets = buckets;
    o->bucket_count = count;
    for (size_t i = 0; i < before; i++) {
        while (old[i]) {
            struct ili_owner *owner = old[i];
            size_t to = bucket_of(server, owner->holder->slot, owner->key);
            old[i] = owner->next;
            owner->next = buckets[to];
            buckets[to] = owner;
        }
    }
    free(old);
    return true;
}

il_status ili_owners_open(struct ili_server *server) {
    struct ili_member *member = ili_server_member(server);
    struct ili_owners *o = &server->owners;
    o->sessionless.slot = member->slot;
    o->sessionless.look_at = LOOK_LEAST;
    o->anonymous = calloc(1, sizeof *o->anonymous);
    if (!o->anonymous || !grow(server)) return IL_ENOMEM;
    il_status status = ili_agent_home(member, &o->anonymous->agent);
    if (status != IL_OK) return status;
    o->anonymous->number = ili_agent_number(&member->arena, o->anonymous->agent);
    o->anonymous->holder = &o->sessionless;
    return IL_OK;
}

/* Out of its bucket and its holder's list; its agent is free. */
static void detach(struct ili_server *server, struct ili_owner *owner) {
    struct ili_owners *o = &server->owners;
    if (!owner->unnamed) {
        struct ili_owner **at = &o->buckets[bucket_of(server, owner->holder->slot, owner->key)];
        while (*at != owner) at = &(*at)->next;
        *at = owner->next;
    }
    if (owner->newer) owner->newer->older = owner->older;
    if (owner->older) owner->older->newer = owner->newer;
    if (owner->holder->owners == owner) owner->holder->owners = owner->older;
    owner->holder->owner_count--;
    o->count--;
    ili_agent_release(ili_server_member(server), owner->agent);
    owner->holder = NULL;
    owner->agent = NULL;
    owner->number = 0;
    if (owner->uses == 0) free(owner);
}

void ili_owners_drop(struct ili_server *server, struct ili_holder *holder) {
    while (holder->owners) detach(server, holder->owners);
}

void ili_owners_close(struct ili_server *server) {
    struct ili_owners *o = &server->owners;
    ili_owners_drop(server, &o->sessionless);
    free(o->anonymous);
    free(o->buckets);
    memset(o, 0, sizeof *o);
}

/* Forgets the owners that hold nothing and for whom nobody acts. */
static void forget_idle(struct ili_server *server, struct ili_holder *holder) {
    uint64_t *holds = calloc(ILI_AGENTS_MAX / 64 + 1, sizeof *holds);
    if (!holds) return;
    ili_stakes_mark(server, holder, holds);
    for (struct ili_owner *owner = holder->owners, *older; owner; owner = older) {
        older = owner->older;
        bool held = holds[owner->number / 64] >> (owner->number % 64) & 1;
        if (owner->uses == 0 && !held) detach(server, owner);
    }
    free(holds);
    uint32_t twice = holder->owner_count * 2, least = LOOK_LEAST;
    if (server->stakes.count / 64 > least) least = (uint32_t)(server->stakes.count / 64);
    holder->look_at = twice < least ? least : twice; /* so that looking costs little for each */
}

/* KEY NULL: an unnamed one. */
static il_status make(struct ili_server *server, struct ili_holder *holder, const char *key,
                      struct ili_owner **out) {
    struct ili_member *member = ili_server_member(server);
    struct ili_owners *o = &server->owners;
    bool full = holder->session && holder->owner_count >= ILI_OWNERS_OF_SESSION;
    if (full || holder->owner_count >= holder->look_at) forget_idle(server, holder);
    if (holder->session && holder->owner_count >= ILI_OWNERS_OF_SESSION) return IL_ELIMIT;
    struct ili_owner *owner = calloc(1, sizeof *owner);
    if (!owner || (o->count >= o->bucket_count && !grow(server))) {
        free(owner);
        return IL_ENOMEM;
    }
    const char *label = key && *key ? key : NULL;
    il_status status =
        ili_agent_claim_for(member, holder->slot, ILI_AGENT_OWNER, label, &owner->agent);
    if (status == IL_ELIMIT) {
        forget_idle(server, &o->sessionless);
        status = ili_agent_claim_for(member, holder->slot, ILI_AGENT_OWNER, label, &owner->agent);
    }
    if (status != IL_OK) {
        free(owner);
        return status;
    }
    owner->number = ili_agent_number(&member->arena, owner->agent);
    owner->holder = holder;
    owner->unnamed = !key;
    if (key) {
        ili_text_copy(owner->key, sizeof owner->key, key);
        size_t bucket = bucket_of(server, holder->slot, owner->key);
        owner->next = o->buckets[bucket];
        o->buckets[bucket] = owner;
    }
    o->count++;
    owner->older = holder->owners;
    if (owner->older) owner->older->newer = owner;
    holder->owners = owner;
    holder->owner_count++;
    *out = owner;
    return IL_OK;
}

static il_status find(struct ili_server *server, struct ili_holder *holder, const char *key,
                      struct ili_owner **out) {
    struct ili_owner *owner = server->owners.buckets[bucket_of(server, holder->slot, key)];
    while (owner && (owner->holder != holder || strcmp(owner->key, key) != 0)) owner = owner->next;
    *out = owner;
    return owner ? IL_OK : make(server, holder, key, out);
}

static void act_for(struct ili_request *request, struct ili_owner *owner) {
    owner->uses++;
    if (owner->holder->session) owner->holder->session->requests++;
    request->owner = owner;
}

bool ili_who_begin(struct ili_request *request, const struct ili_who *who) {
    struct ili_server *server = request->server;
    struct ili_owners *o = &server->owners;
    struct ili_holder *holder = &o->sessionless;
    struct ili_owner *owner = o->anonymous;
    il_status status = IL_OK;
    if (who->session[0]) {
        struct ili_client_session *session = ili_client_session_named(server, who->session);
        if (!session) {
            struct ili_fault fault;
            ili_fault_set(&fault, IL_ESESSION, "session", "the id of a session that goes on",
                          "the session \"%s\" has ended, or never was", who->session);
            ili_reply_fault(request, &fault);
            return false;
        }
        ili_client_session_touch(server, session);
        holder = &session->holder;
        request->session_slot = holder->slot + 1;
    }
    if (who->session[0] || who->owner[0]) status = find(server, holder, who->owner, &owner);
    if (status != IL_OK) {
        ili_reply_problem(request, status,
                          status == IL_ELIMIT ? "there are too many owners" : NULL);
        return false;
    }
    act_for(request, owner);
    return true;
}

bool ili_who_become(struct ili_request *request, uint32_t number) {
    struct ili_server *server = request->server;
    uint32_t slot = ili_agent_slot(&ili_server_member(server)->arena, number);
    struct ili_holder *holder = ili_holder_of(server, slot);
    struct ili_owner *owner = holder ? holder->owners : NULL;
    while (owner && owner->number != number) owner = owner->older;
    if (!owner) return false;
    ili_who_end(request);
    if (holder->session) request->session_slot = slot + 1;
    act_for(request, owner);
    return true;
}

bool ili_who_be_one(struct ili_request *request) {
    struct ili_owners *o = &request->server->owners;
    struct ili_owner *owner;
    if (request->owner != o->anonymous) return true;
    if (make(request->server, &o->sessionless, NULL, &owner) != IL_OK) return false;
    o->anonymous->uses--;
    owner->uses++;
    request->owner = owner;
    return true;
}

void ili_who_end(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_owner *owner = request->owner;
    if (!owner) return;
    request->owner = NULL;
    owner->uses--;
    if (owner->holder && owner->holder->session) {
        owner->holder->session->requests--;
        ili_client_session_touch(server, owner->holder->session);
    }
    if (!owner->holder && owner->uses == 0) free(owner);
}

struct ili_holder *ili_holder_of(struct ili_server *server, uint32_t slot) {
    if (slot == ili_server_member(server)->slot) return &server->owners.sessionless;
    struct ili_client_session *session = ili_client_session_of(server, slot);
    return session ? &session->holder : NULL;
}

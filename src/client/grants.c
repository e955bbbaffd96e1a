#include "client/grants.h"

#include <stdlib.h>
#include <string.h>

#include "client/kinds.h"

void ili_remote_grants_init(struct ili_remote_grants *grants) {
    *grants = (struct ili_remote_grants){.first = NULL};
    pthread_mutex_init(&grants->mutex, NULL);
}

void ili_remote_grants_end(struct ili_remote_grants *grants) {
    while (grants->first) {
        struct ili_remote_grant *grant = grants->first;
        grants->first = grant->next;
        free(grant);
    }
    pthread_mutex_destroy(&grants->mutex);
}

struct ili_remote_key ili_remote_grant_key(const struct ili_remote_grant *which) {
    return (struct ili_remote_key){which->kind, which->owner, which->name, which->name_bytes};
}

struct ili_remote_grant *ili_remote_grant_new(const struct ili_remote_key *key) {
    struct ili_remote_grant *grant = calloc(1, sizeof *grant);
    if (!grant) return NULL;
    grant->kind = key->kind;
    grant->owner = key->owner;
    grant->depth = 1;
    grant->name_bytes = (uint8_t)key->name_bytes;
    memcpy(grant->name, key->name, key->name_bytes);
    return grant;
}

/* ---- under the mutex ---------------------------------------------------------------------------- */

static bool matches(const struct ili_remote_grant *grant, const struct ili_remote_key *key) {
    return grant->kind == key->kind && grant->owner == key->owner &&
           grant->name_bytes == key->name_bytes &&
           memcmp(grant->name, key->name, key->name_bytes) == 0;
}

/* What points to the first entry of KEY and TOKEN (0: any), or to the end. */
static struct ili_remote_grant **place_of(struct ili_remote_grants *grants,
                                          const struct ili_remote_key *key, uint64_t token) {
    struct ili_remote_grant **place = &grants->first;
    while (*place && !(matches(*place, key) && (!token || (*place)->token == token))) {
        place = &(*place)->next;
    }
    return place;
}

static struct ili_remote_grant **place_of_grant(struct ili_remote_grants *grants,
                                                const struct ili_remote_grant *which) {
    struct ili_remote_key key = ili_remote_grant_key(which);
    return place_of(grants, &key, which->token);
}

static void lose(struct ili_remote_grant *g, struct ili_remote_losses *losses) {
    il_loss loss = {
        .kind = g->kind, .why = IL_ELEASE, .name_bytes = g->name_bytes, .token = g->token};
    memcpy(loss.name, g->name, g->name_bytes);
    ili_remote_losses_add(losses, &loss);
    g->lost = true;
}

static void unlink_free(struct ili_remote_grant **place) {
    struct ili_remote_grant *old = *place;
    *place = old->next;
    free(old);
}

/* ---- the table ---------------------------------------------------------------------------------- */

void ili_remote_grants_add(struct ili_remote_grants *grants, struct ili_remote_grant *grant,
                           bool told_depth, struct ili_remote_losses *losses) {
    struct ili_remote_key key = ili_remote_grant_key(grant);
    pthread_mutex_lock(&grants->mutex);
    bool one_each = grant->kind == IL_KIND_SEMAPHORE;
    struct ili_remote_grant **place = place_of(grants, &key, one_each ? grant->token : 0);
    if (*place) {
        bool same = (*place)->token == grant->token;
        bool deeper = same && !told_depth && ili_remote_kind_is_threads(grant->kind);
        if (deeper) grant->depth = (*place)->depth + 1;
        /* that of an inner acquire without a lease leaves the outermost's as it is */
        if (same && !grant->lease_ns) grant->lease_ns = (*place)->lease_ns;
        unlink_free(place);
    }
    /* the news of the session's end may have come before the grant did */
    if (grant->session <= grants->lost_through) lose(grant, losses);
    grant->next = grants->first;
    grants->first = grant;
    pthread_mutex_unlock(&grants->mutex);
}

bool ili_remote_grants_find(struct ili_remote_grants *grants, const struct ili_remote_key *key,
                            uint64_t token, struct ili_remote_grant *copy) {
    pthread_mutex_lock(&grants->mutex);
    const struct ili_remote_grant *found = *place_of(grants, key, token);
    if (found) *copy = *found;
    pthread_mutex_unlock(&grants->mutex);
    return found;
}

bool ili_remote_grants_find_count(struct ili_remote_grants *grants,
                                  const struct ili_remote_key *key, uint32_t count,
                                  struct ili_remote_grant *copy) {
    pthread_mutex_lock(&grants->mutex);
    const struct ili_remote_grant *found = grants->first;
    while (found && !(matches(found, key) && !found->lost && found->count >= count)) {
        found = found->next;
    }
    if (found) *copy = *found;
    pthread_mutex_unlock(&grants->mutex);
    return found;
}

void ili_remote_grants_give(struct ili_remote_grants *grants, const struct ili_remote_key *key,
                            uint64_t token, uint32_t count) {
    pthread_mutex_lock(&grants->mutex);
    struct ili_remote_grant **place = &grants->first;
    while (*place && count > 0) {
        struct ili_remote_grant *grant = *place;
        bool meant = matches(grant, key) && (token ? grant->token == token : !grant->lost);
        uint32_t part = !meant ? 0 : grant->count < count ? grant->count : count;
        count -= part;
        grant->count -= part;
        if (meant && grant->count == 0) {
            unlink_free(place);
        } else {
            place = &grant->next;
        }
    }
    pthread_mutex_unlock(&grants->mutex);
}

void ili_remote_grants_set_depth(struct ili_remote_grants *grants,
                                 const struct ili_remote_grant *which, uint32_t depth) {
    pthread_mutex_lock(&grants->mutex);
    struct ili_remote_grant **place = place_of_grant(grants, which);
    if (*place) {
        (*place)->depth = depth;
        if (depth == 0) unlink_free(place);
    }
    pthread_mutex_unlock(&grants->mutex);
}

void ili_remote_grants_remove(struct ili_remote_grants *grants,
                              const struct ili_remote_grant *which) {
    ili_remote_grants_set_depth(grants, which, 0);
}

bool ili_remote_grants_orphan(struct ili_remote_grants *grants, uint64_t owner) {
    bool any = false;
    pthread_mutex_lock(&grants->mutex);
    for (struct ili_remote_grant *g = grants->first; g; g = g->next) {
        if (g->owner != owner) continue;
        g->orphan = any = true;
    }
    pthread_mutex_unlock(&grants->mutex);
    return any;
}

bool ili_remote_grants_orphaned(struct ili_remote_grants *grants, struct ili_remote_grant *copy) {
    pthread_mutex_lock(&grants->mutex);
    const struct ili_remote_grant *found = grants->first;
    while (found && !found->orphan) found = found->next;
    if (found) *copy = *found;
    pthread_mutex_unlock(&grants->mutex);
    return found;
}

bool ili_remote_grants_any(struct ili_remote_grants *grants, struct ili_remote_grant *copy) {
    pthread_mutex_lock(&grants->mutex);
    const struct ili_remote_grant *found = grants->first;
    if (found) *copy = *found;
    pthread_mutex_unlock(&grants->mutex);
    return found;
}

void ili_remote_grants_lose(struct ili_remote_grants *grants, uint64_t session,
                            struct ili_remote_losses *losses) {
    pthread_mutex_lock(&grants->mutex);
    if (grants->lost_through < session) grants->lost_through = session;
    for (struct ili_remote_grant *g = grants->first; g; g = g->next) {
        if (!g->lost && g->session <= session) lose(g, losses);
    }
    pthread_mutex_unlock(&grants->mutex);
}

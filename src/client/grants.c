#include "client/grants.h"

#include <stdlib.h>
#include <string.h>

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

struct ili_remote_grant *ili_remote_grant_new(const char *name, size_t name_bytes) {
    struct ili_remote_grant *grant = calloc(1, sizeof *grant);
    if (!grant) return NULL;
    grant->name_bytes = (uint8_t)name_bytes;
    memcpy(grant->name, name, name_bytes);
    return grant;
}

/* Under the mutex: what points to the entry of NAME, or to the end. */
static struct ili_remote_grant **place_of(struct ili_remote_grants *grants, const char *name,
                                          size_t bytes) {
    struct ili_remote_grant **place = &grants->first;
    while (*place && ((*place)->name_bytes != bytes || memcmp((*place)->name, name, bytes) != 0)) {
        place = &(*place)->next;
    }
    return place;
}

/* Under the mutex: what points to the very grant WHICH, or NULL. */
static struct ili_remote_grant **place_of_grant(struct ili_remote_grants *grants,
                                                const struct ili_remote_grant *which) {
    struct ili_remote_grant **place = place_of(grants, which->name, which->name_bytes);
    return *place && (*place)->token == which->token ? place : NULL;
}

static void unlink_free(struct ili_remote_grant **place) {
    struct ili_remote_grant *old = *place;
    *place = old->next;
    free(old);
}

void ili_remote_grants_add(struct ili_remote_grants *grants, struct ili_remote_grant *grant) {
    pthread_mutex_lock(&grants->mutex);
    struct ili_remote_grant **place = place_of(grants, grant->name, grant->name_bytes);
    if (*place) unlink_free(place);
    grant->next = grants->first;
    grants->first = grant;
    pthread_mutex_unlock(&grants->mutex);
}

bool ili_remote_grants_find(struct ili_remote_grants *grants, const char *name, size_t name_bytes,
                            struct ili_remote_grant *copy) {
    pthread_mutex_lock(&grants->mutex);
    const struct ili_remote_grant *found = *place_of(grants, name, name_bytes);
    if (found) *copy = *found;
    pthread_mutex_unlock(&grants->mutex);
    return found;
}

il_status ili_remote_grants_start_release(struct ili_remote_grants *grants, const char *name,
                                          size_t name_bytes, uint64_t token,
                                          struct ili_remote_grant *copy) {
    il_status status = IL_OK;
    pthread_mutex_lock(&grants->mutex);
    struct ili_remote_grant *found = *place_of(grants, name, name_bytes);
    if (!found || (token && token > found->token)) {
        status = IL_ENOTHELD;
    } else if (token && token < found->token) {
        status = IL_ESTALE;
    } else {
        found->releasing = true;
        *copy = *found;
    }
    pthread_mutex_unlock(&grants->mutex);
    return status;
}

void ili_remote_grants_remove(struct ili_remote_grants *grants,
                              const struct ili_remote_grant *which) {
    pthread_mutex_lock(&grants->mutex);
    struct ili_remote_grant **place = place_of_grant(grants, which);
    if (place) unlink_free(place);
    pthread_mutex_unlock(&grants->mutex);
}

bool ili_remote_grants_take_any(struct ili_remote_grants *grants, struct ili_remote_grant *copy) {
    pthread_mutex_lock(&grants->mutex);
    struct ili_remote_grant *found = grants->first;
    while (found && (found->lost != IL_OK || found->releasing)) found = found->next;
    if (found) {
        found->releasing = true;
        *copy = *found;
    }
    pthread_mutex_unlock(&grants->mutex);
    return found;
}

bool ili_remote_grants_next(struct ili_remote_grants *grants, struct ili_remote_grant *copy) {
    pthread_mutex_lock(&grants->mutex);
    const struct ili_remote_grant *soonest = NULL;
    for (const struct ili_remote_grant *g = grants->first; g; g = g->next) {
        if (g->lost != IL_OK || g->releasing) continue;
        if (!soonest || g->renew_at_ns < soonest->renew_at_ns) soonest = g;
    }
    if (soonest) *copy = *soonest;
    pthread_mutex_unlock(&grants->mutex);
    return soonest;
}

void ili_remote_grants_renewed(struct ili_remote_grants *grants,
                               const struct ili_remote_grant *which, int64_t renew_at_ns,
                               il_status lost) {
    pthread_mutex_lock(&grants->mutex);
    struct ili_remote_grant **place = place_of_grant(grants, which);
    if (place) {
        (*place)->renew_at_ns = renew_at_ns;
        (*place)->lost = lost;
    }
    pthread_mutex_unlock(&grants->mutex);
}

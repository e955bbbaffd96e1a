#include "client/losses.h"

#include <stdlib.h>

#define MOST 512u

struct ili_remote_loss {
    struct ili_remote_loss *next;
    il_loss loss;
};

void ili_remote_losses_init(struct ili_remote_losses *losses) {
    *losses = (struct ili_remote_losses){.end = &losses->first};
    pthread_mutex_init(&losses->mutex, NULL);
}

void ili_remote_losses_end(struct ili_remote_losses *losses) {
    il_loss ignored;
    while (ili_remote_losses_take(losses, &ignored)) {
    }
    pthread_mutex_destroy(&losses->mutex);
}

/* Under the mutex: the first is not in the list any more. Owned. */
static struct ili_remote_loss *unlink_first(struct ili_remote_losses *losses) {
    struct ili_remote_loss *one = losses->first;
    if (!one) return NULL;
    losses->first = one->next;
    if (!losses->first) losses->end = &losses->first;
    losses->count--;
    return one;
}

void ili_remote_losses_add(struct ili_remote_losses *losses, const il_loss *loss) {
    struct ili_remote_loss *one = malloc(sizeof *one);
    if (!one) return;
    *one = (struct ili_remote_loss){.loss = *loss};
    pthread_mutex_lock(&losses->mutex);
    struct ili_remote_loss *oldest = losses->count == MOST ? unlink_first(losses) : NULL;
    *losses->end = one;
    losses->end = &one->next;
    losses->count++;
    pthread_mutex_unlock(&losses->mutex);
    free(oldest);
}

bool ili_remote_losses_take(struct ili_remote_losses *losses, il_loss *loss) {
    pthread_mutex_lock(&losses->mutex);
    struct ili_remote_loss *one = unlink_first(losses);
    pthread_mutex_unlock(&losses->mutex);
    if (!one) return false;
    *loss = one->loss;
    free(one);
    return true;
}

/*
 * losses.h - grants that were lost and not yet told by il_loss_next(), the oldest first.
 */
#ifndef ILI_CLIENT_LOSSES_H
#define ILI_CLIENT_LOSSES_H

#include <pthread.h>
#include <stdbool.h>

#include <interlock.h>

struct ili_remote_loss;

struct ili_remote_losses {
    pthread_mutex_t mutex; /* protects the rest */
    struct ili_remote_loss *first, **end;
    unsigned count;
};

void ili_remote_losses_init(struct ili_remote_losses *losses);
void ili_remote_losses_end(struct ili_remote_losses *losses);

/* Adds a copy of LOSS. Beyond 512, and without memory, one goes untold. */
void ili_remote_losses_add(struct ili_remote_losses *losses, const il_loss *loss);

/* Takes the oldest; false: there is none. */
bool ili_remote_losses_take(struct ili_remote_losses *losses, il_loss *loss);

#endif

/*
 * losses.h - grants that sessions have lost, as shown and told to them.
 */
#ifndef ILI_SERVER_LOSSES_H
#define ILI_SERVER_LOSSES_H

#include <stdint.h>

struct ili_out;
struct ili_request;
struct ili_server;

/* Writes the member "losses" of the session of SLOT (index) and GENERATION: those behind number *AFTER that
 * are still remembered; *AFTER becomes that of the last one. Returns how many. */
uint32_t ili_losses_write(struct ili_out *out, struct ili_server *server, uint32_t slot,
                          uint32_t generation, uint64_t *after);

#endif

/*
 * pipes.h - /v1/pipes: pipes as objects, and their ends. Sending is put.c, receiving is take.c.
 *
 * An end is claimed by a client's session, as often as it asks, and closed when the last session has given
 * its claims up, or has ended. A request that names its session acts at an end which that has claimed; one
 * that names none sends and receives without a claim.
 */
#ifndef ILI_SERVER_PIPES_H
#define ILI_SERVER_PIPES_H

#include "data/pipe.h"
#include "server/objects.h"
#include "server/owners.h"
#include "server/params.h"

extern const struct ili_collection ili_pipes;

/* At which end, and for whom; all zero at first. */
struct ili_pipe_place {
    struct ili_who who;
    char end_text[16];
    uint32_t end; /* once it is pinned */
};

#define ILI_PIPE_PLACE_PARAMS(place)                                                               \
    {"end", ILI_PARAM_IS_TEXT, (place)->end_text, 0, 15, true},                                    \
        ILI_PARAM_TEXT("session", (place)->who.session, ILI_SESSION_ID_BYTES)

/* The pipe that REQUEST names, pinned, after PLACE was checked. NULL: the request was answered. */
struct ili_pipe *ili_pipe_place_pin(struct ili_request *request, struct ili_pipe_place *place);

/* Answers with STATUS, IL_EUNSUPPORTED or IL_ENOTHELD or IL_EPIPE, of an attempt at PLACE. */
void ili_pipe_place_refuse(struct ili_request *request, const struct ili_pipe_place *place,
                           il_status status);

/* "a": IL_PIPE_A, "b": IL_PIPE_B; TEXT may be NULL. FIELD is for *FAULT. */
il_status ili_pipe_end_parse(const char *text, const char *field, uint32_t *end,
                             struct ili_fault *fault);
const char *ili_pipe_end_word(uint32_t end);

/* Handlers. */
void ili_pipes_claim(struct ili_request *request);
void ili_pipes_close(struct ili_request *request);
void ili_pipes_poll(struct ili_request *request);

#endif

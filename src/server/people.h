/*
 * people.h - who holds and who waits, written for people: the parts of views that all kinds share.
 */
#ifndef ILI_SERVER_PEOPLE_H
#define ILI_SERVER_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena/names.h"
#include "base/out.h"

struct ili_server;

/* An owner by its agent's number, which may be nonsense, as an object: door, session, label, pid, thread.
 * LABEL (NULL: none) is what is known of one without session and key. */
void ili_write_owner(struct ili_out *out, struct ili_server *server, uint32_t number,
                     const char *label);

/* The owner of GRANT, of OBJECT, as locks have shown theirs from the first: door, label, pid,
 * lease_remaining, since. */
void ili_write_owner_in_short(struct ili_out *out, struct ili_server *server,
                              const struct ili_object *object, const struct ili_grant *grant);

/* A time of the monotonic clock, 0: unknown; and how long a lease runs on. */
void ili_write_since(struct ili_out *out, int64_t since_ns);
void ili_write_lease_remaining(struct ili_out *out, struct ili_server *server, uint32_t lease,
                               ili_off object, uint64_t token);

/* The members "holders", "waiters", and with WHOLE "queue" of OBJECT. Looks only. */
void ili_write_people(struct ili_out *out, struct ili_server *server, const void *object,
                      bool whole);

/* The members of GRANT beside owner and token: mode, count, depth, as its kind has them. */
void ili_write_grant_size(struct ili_out *out, uint32_t kind, const struct ili_grant *grant);

/* The id of the session of SLOT (index), which is not the server's, in ROOM. False: there is none. */
bool ili_session_id_of(struct ili_server *server, uint32_t slot, char *room, size_t room_bytes);

#endif

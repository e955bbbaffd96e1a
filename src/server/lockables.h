/* lockables.h - what can be held, as collections (objects.h): their options and views. */
#ifndef ILI_SERVER_LOCKABLES_H
#define ILI_SERVER_LOCKABLES_H

#include "server/objects.h"

extern const struct ili_collection ili_locks, ili_rlocks, ili_rwlocks, ili_semaphores;

#endif

/* remote_load.h - the HTTP door, opened when it is first needed: libinterlock.so itself needs nothing
 * but libc. */
#ifndef ILI_LIB_REMOTE_LOAD_H
#define ILI_LIB_REMOTE_LOAD_H

#include "lib/remote.h"

/* The module's calls; borrowed for ever. IL_EUNSUPPORTED, with the error text written: the module is
 * not installed, or is another version's. */
il_status ili_remote_load(const struct ili_remote_ops **out);

#endif

/*
 * share.h - handles of what another process has open, by what it was told of it. Internal to lib/.
 */
#ifndef ILI_LIB_SHARE_H
#define ILI_LIB_SHARE_H

#include "lib/domain.h"

/* Opens the object of KIND (that exists) and BIRTH at an offset, *OUT a handle of that kind; END: a pipe's.
 * DOMAIN is local. Writes the error text on failure. */
il_status ili_adopt(il_domain *domain, uint32_t kind, ili_off object, uint32_t birth, uint32_t end,
                    void **out);

/* What is left to do for a handle of ili_handle_adopt(); closes it on failure. */
il_status ili_pipe_adopted(il_pipe *pipe, uint32_t end);
il_status ili_condition_adopted(il_domain *domain, il_condition *condition);
struct ili_cells_handle;
il_status ili_cells_adopted(il_domain *domain, uint32_t kind, struct ili_cells_handle *h);

#endif

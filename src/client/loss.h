/*
 * loss.h - il_loss_next() of an http: domain, as lib/remote.h has it.
 *
 * The server tells what it took from the session: leases that ran out, grants that an operator broke. That a
 * session has ended tells this side itself, of each grant that went with it.
 */
#ifndef ILI_CLIENT_LOSS_H
#define ILI_CLIENT_LOSS_H

#include "client/domain.h"

il_status ili_remote_loss_next(struct ili_remote_domain *domain, il_loss *loss, int64_t timeout_ns);

#endif

/*
 * address.h - the address of an HTTP domain: http://HOST[:PORT][/PREFIX], or https.
 *
 * A prefix is for servers behind a proxy that hands out paths. User names, queries and fragments are
 * refused: they would have no meaning, or another one than expected.
 */
#ifndef ILI_CLIENT_ADDRESS_H
#define ILI_CLIENT_ADDRESS_H

#include <interlock.h>

/* *BASE is the address in its normal form without a slash at the end, owned: free().
 * IL_EINVAL and *WHY (borrowed for ever); IL_ENOMEM. */
il_status ili_address_parse(const char *address, char **base, const char **why);

#endif

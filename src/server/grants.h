/*
 * grants.h - POST /v1/locks/NAME/release and renew: what the holder of a token does with it.
 */
#ifndef ILI_SERVER_GRANTS_H
#define ILI_SERVER_GRANTS_H

struct ili_request;

void ili_grant_release(struct ili_request *request);
void ili_grant_renew(struct ili_request *request);

#endif

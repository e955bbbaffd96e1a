/*
 * grants.h - POST /v1/COLLECTION/NAME/release, renew, check and break: what the holder of a token, what it
 * protects, and an operator do with it.
 */
#ifndef ILI_SERVER_GRANTS_H
#define ILI_SERVER_GRANTS_H

struct ili_request;

void ili_grant_release(struct ili_request *request);
void ili_grant_renew(struct ili_request *request);
void ili_grant_check(struct ili_request *request);
void ili_grant_break(struct ili_request *request);

#endif

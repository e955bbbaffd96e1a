/* system.h - /v1/health and /v1/version. */
#ifndef ILI_SERVER_SYSTEM_H
#define ILI_SERVER_SYSTEM_H

struct ili_request;

void ili_system_health(struct ili_request *request);
void ili_system_version(struct ili_request *request);

#endif

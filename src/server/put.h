/* put.h - POST /v1/queues/NAME/put and put_many, and /v1/pipes/NAME/send. */
#ifndef ILI_SERVER_PUT_H
#define ILI_SERVER_PUT_H

struct ili_request;

void ili_put_one(struct ili_request *request);
void ili_put_many(struct ili_request *request);
void ili_put_sent(struct ili_request *request);

#endif

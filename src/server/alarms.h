/* alarms.h - the handlers of timers; see alarm.h. */
#ifndef ILI_SERVER_ALARMS_H
#define ILI_SERVER_ALARMS_H

struct ili_request;
struct ili_server;

void ili_alarms_get(struct ili_request *request);
void ili_alarms_put(struct ili_request *request);
void ili_alarms_delete(struct ili_request *request);
void ili_alarms_list(struct ili_request *request);
void ili_alarms_start(struct ili_request *request);
void ili_alarms_cancel(struct ili_request *request);

/* At the end of the server: frees all. */
void ili_alarms_close(struct ili_server *server);

#endif

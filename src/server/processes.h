/* processes.h - the handlers of processes. */
#ifndef ILI_SERVER_PROCESSES_H
#define ILI_SERVER_PROCESSES_H

struct ili_request;
struct ili_server;

void ili_processes_get(struct ili_request *request);
void ili_processes_put(struct ili_request *request);
void ili_processes_delete(struct ili_request *request);
void ili_processes_list(struct ili_request *request);
void ili_processes_start(struct ili_request *request);
void ili_processes_join(struct ili_request *request);
void ili_processes_terminate(struct ili_request *request);
void ili_processes_kill(struct ili_request *request);

/* At the end of the server, before sessions and pools are closed: frees all. */
void ili_processes_close(struct ili_server *server);

#endif

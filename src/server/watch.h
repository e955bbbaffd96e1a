/*
 * watch.h - GET …/watch: what changes in an object, as Server-Sent Events (text/event-stream).
 *
 *   id: 7                                       what a client that reconnects sends as Last-Event-ID
 *   event: set                                  or removed, inserted, cleared, order, state, missed, ended
 *   data: {"key":"a","version":"7",…}
 *
 * Without an id the first event is "state", with the object's view. Dicts and lists go on with their changes in order;
 * an id is given with the last change of a version, so a version that was broken off in is told anew. All others
 * tell their newest state each time there is another. Events are made while the client reads: who is slow
 * makes nothing grow, but misses. A comment comes every 15 s. "ended" is the last: the object was deleted, the task has
 * ended, the server stops.
 */
#ifndef ILI_SERVER_WATCH_H
#define ILI_SERVER_WATCH_H

struct ili_request;

void ili_watch(struct ili_request *request);

#endif

/*
 * changes.h - POST …/changes of a dict or list: what changed after a version, waiting for the next change if nothing
 * did. What the C library watches with over HTTP; a person would rather use watch.h.
 *
 *   {"after": "7", "timeout": 30}      after absent: after now
 *   {"changes": [{"what": "set", "key": "a", "version": "8"}], "after": "8", "missed": false}
 *
 * A wait that ends without a change answers with none. `missed`: some changes before these are not kept any more.
 */
#ifndef ILI_SERVER_CHANGES_H
#define ILI_SERVER_CHANGES_H

struct ili_request;

void ili_changes(struct ili_request *request);

#endif

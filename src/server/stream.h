/*
 * stream.h - an answer without an end that is known: lines that are made while it is being read.
 *
 * The lines come from `next`, one at a time, as fast as the client reads: a slow one makes nothing
 * grow. While there is none the stream rests, which costs memory only, until it is woken. It ends after
 * the last line, and the connection can be used again; or it breaks off, and the client sees a body that
 * is not complete.
 * A client that leaves is noticed at once while the stream rests, and by the next write otherwise; then
 * the `undo` of its work runs.
 */
#ifndef ILI_SERVER_STREAM_H
#define ILI_SERVER_STREAM_H

#include "base/out.h"
#include "server/request.h"

enum ili_stream_next {
    ILI_STREAM_LINE,  /* one was written */
    ILI_STREAM_LATER, /* there is none now: ili_stream_wake() when there is */
    ILI_STREAM_END,
    ILI_STREAM_BROKEN, /* there should be more, but cannot */
};

/* The head of a handler's own struct, which is its request's work. */
struct ili_stream {
    struct ili_work work;
    struct ili_request *request;
    /* Appends one line, with its end, to OUT. Called from within libmicrohttpd: answers nothing. */
    enum ili_stream_next (*next)(struct ili_stream *stream, struct ili_out *out);
    struct ili_out lines; /* of which `sent` bytes were handed out */
    size_t sent;
    bool resting;
};

/* Answers REQUEST, whose work STREAM is, with 200 and what `next` gives, of media type TYPE. */
void ili_stream_begin(struct ili_request *request, struct ili_stream *stream, const char *type);

/* There may be a line now. */
void ili_stream_wake(struct ili_stream *stream);

/* Frees what STREAM itself holds; for the `free` of its work. */
void ili_stream_free(struct ili_stream *stream);

/* The client of a request whose stream rests has left. */
void ili_stream_departed(struct ili_request *request);

/* At the end of the server: no connection may rest any more. */
void ili_stream_wake_all(struct ili_server *server);

#endif

/*
 * stream.c - see stream.h.
 *
 * libmicrohttpd asks for more whenever it has written what it got. If there is nothing, it would ask
 * again and again, so the connection is suspended from within the asking, as its manual demands, and
 * resumed by ili_stream_wake(). Nobody but connection.c sees a client leave meanwhile.
 */
#include "server/stream.h"

#include <microhttpd.h>
#include <string.h>

#include "server/connection.h"
#include "server/reply.h"
#include "server/server.h"

/* Lines are gathered up to this size, since each piece is a system call. */
#define PIECE_BYTES 16384u

static enum ili_stream_next gather(struct ili_stream *stream) {
    enum ili_stream_next result = ILI_STREAM_LINE;
    stream->lines.bytes = stream->sent = 0; /* its room is used again */
    while (result == ILI_STREAM_LINE && stream->lines.bytes < PIECE_BYTES) {
        result = stream->next(stream, &stream->lines);
    }
    if (stream->lines.failed) return ILI_STREAM_BROKEN;
    return stream->lines.bytes > 0 ? ILI_STREAM_LINE : result;
}

static ssize_t rest(struct ili_stream *stream) {
    struct ili_connection *connection = stream->request->connection;
    if (connection->gone) return MHD_CONTENT_READER_END_WITH_ERROR;
    stream->resting = true;
    MHD_suspend_connection(connection->wire);
    return 0;
}

static ssize_t read_more(void *context, uint64_t position, char *room, size_t room_bytes) {
    struct ili_stream *stream = context;
    (void)position;
    stream->request->connection->since_ns = stream->request->server->now_ns;
    if (stream->sent == stream->lines.bytes) {
        switch (gather(stream)) {
        case ILI_STREAM_LINE: break;
        case ILI_STREAM_LATER: return rest(stream);
        case ILI_STREAM_END: return MHD_CONTENT_READER_END_OF_STREAM;
        case ILI_STREAM_BROKEN: return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    }
    size_t bytes = stream->lines.bytes - stream->sent;
    if (bytes > room_bytes) bytes = room_bytes;
    memcpy(room, stream->lines.data + stream->sent, bytes);
    stream->sent += bytes;
    return (ssize_t)bytes;
}

void ili_stream_begin(struct ili_request *request, struct ili_stream *stream, const char *type) {
    stream->request = request;
    request->stream = stream;
    ili_reply_stream(request, type, PIECE_BYTES, read_more, stream);
}

void ili_stream_wake(struct ili_stream *stream) {
    if (!stream->resting) return;
    struct ili_connection *connection = stream->request->connection;
    stream->resting = false;
    MHD_resume_connection(connection->wire);
    connection->engine->run = true; /* libmicrohttpd does not tell of it */
}

void ili_stream_free(struct ili_stream *stream) { ili_out_free(&stream->lines); }

void ili_stream_departed(struct ili_request *request) { ili_stream_wake(request->stream); }

void ili_stream_wake_all(struct ili_server *server) {
    for (struct ili_connection *c = server->front.connections; c; c = c->next) {
        c->gone = true; /* so that none rests again */
        if (c->request && c->request->stream) ili_stream_wake(c->request->stream);
    }
}

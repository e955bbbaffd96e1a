#include "transfer.h"

#include <string.h>

#include "big.h"
#include "data.h"

#define COPIED_UNDER_GIL 65536 /* bytes; what is longer is copied while other threads run */

/* ---- sending -------------------------------------------------------------------------------------- */

struct sending {
    ilpy_send_call send;
    void *object;
    const struct ilpy_message *message;
};

static il_status send_waiting(void *context, int64_t timeout_ns) {
    const struct sending *s = context;
    return s->send(s->object, s->message->data, s->message->bytes, s->message->type, timeout_ns);
}

static il_status send_one(ilpy_handle *handle, ilpy_send_call send,
                          const struct ilpy_message *message, int64_t timeout_ns) {
    if (LIKELY(!handle->domain->remote && message->bytes <= COPIED_UNDER_GIL)) {
        il_status status =
            send(handle->object, message->data, message->bytes, message->type, IL_NOWAIT);
        if (LIKELY(status != IL_ETIMEOUT) || timeout_ns == IL_NOWAIT) return status;
    }
    struct sending s = {send, handle->object, message};
    return ilpy_wait(handle, send_waiting, &s, timeout_ns);
}

static il_status send_big(ilpy_handle *handle, ilpy_send_call send,
                          const struct ilpy_message *message, int64_t timeout_ns) {
    struct ilpy_big big;
    int64_t start = ilpy_now_ns();
    il_status status = ilpy_big_store(handle, message, &big, timeout_ns);
    if (status != IL_OK) return status;
    if (ilpy_handle_check(handle) != 0) { /* closed meanwhile */
        ilpy_big_drop(handle, &big);
        return ILPY_RAISED;
    }
    struct ilpy_message text = {.data = big.text, .bytes = strlen(big.text), .type = IL_TEXT};
    status = send_one(handle, send, &text, ilpy_left(start, timeout_ns));
    if (status != IL_OK) ilpy_big_drop(handle, &big);
    return status;
}

il_status ilpy_send(ilpy_handle *handle, int codec, ilpy_send_call send,
                    const struct ilpy_message *message, int64_t timeout_ns) {
    if (ilpy_handle_check(handle) != 0) return ILPY_RAISED;
    if (UNLIKELY(codec == ILPY_PICKLE && message->bytes > IL_MESSAGE_MAX_BYTES)) {
        return send_big(handle, send, message, timeout_ns);
    }
    return send_one(handle, send, message, timeout_ns);
}

il_status ilpy_send_object(ilpy_handle *handle, int codec, ilpy_send_call send, PyObject *object,
                           int64_t timeout_ns) {
    char room[ILPY_ROOM];
    struct ilpy_message message;
    if (ilpy_encode(codec, object, room, &message) != 0) return ILPY_RAISED;
    il_status status = ilpy_send(handle, codec, send, &message, timeout_ns);
    ilpy_message_clear(&message);
    return status;
}

il_status ilpy_send_bytes(ilpy_handle *handle, int codec, ilpy_send_call send, PyObject *data,
                          int64_t timeout_ns) {
    struct ilpy_message message;
    if (ilpy_encode_bytes(data, &message) != 0) return ILPY_RAISED;
    il_status status = ilpy_send(handle, codec, send, &message, timeout_ns);
    ilpy_message_clear(&message);
    return status;
}

/* ---- receiving ------------------------------------------------------------------------------------ */

static il_status receive_waiting(void *context, int64_t timeout_ns) {
    struct ilpy_receiving *r = context;
    return r->receive(r, timeout_ns);
}

/* A buffer of the length that the message has. */
static int make_room(struct ilpy_receiving *r) {
    Py_CLEAR(r->whole);
    r->whole = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)r->bytes);
    if (!r->whole) return -1;
    r->buffer = PyBytes_AsString(r->whole);
    r->capacity = r->bytes;
    return 0;
}

il_status ilpy_receive(ilpy_handle *handle, struct ilpy_receiving *r, int64_t timeout_ns) {
    int64_t start = 0, left = timeout_ns;
    if (ilpy_handle_check(handle) != 0) return ILPY_RAISED;
    r->object = handle->object;
    if (LIKELY(!handle->domain->remote)) {
        il_status status = r->receive(r, IL_NOWAIT);
        if (LIKELY(status != IL_ETIMEOUT && status != IL_ETOOBIG)) return status;
        if (status == IL_ETIMEOUT && timeout_ns == IL_NOWAIT) return status;
        if (status == IL_ETOOBIG && make_room(r) != 0) return ILPY_RAISED;
    }
    if (timeout_ns > 0) start = ilpy_now_ns();
    for (;;) { /* again with a bigger buffer; another may have taken the message meanwhile */
        il_status status = ilpy_wait(handle, receive_waiting, r, left);
        if (status != IL_ETOOBIG) return status;
        if (make_room(r) != 0 || ilpy_handle_check(handle) != 0) return ILPY_RAISED;
        left = ilpy_left(start, timeout_ns);
    }
}

void ilpy_receiving_clear(struct ilpy_receiving *r) { Py_CLEAR(r->whole); }

static PyObject *bytes_of(const struct ilpy_receiving *r) {
    if (r->whole && r->capacity == r->bytes) return Py_NewRef(r->whole);
    return PyBytes_FromStringAndSize(r->buffer, (Py_ssize_t)r->bytes);
}

static PyObject *received_big(ilpy_handle *handle, int codec, bool raw, bool taken,
                              struct ilpy_receiving *r) {
    PyObject *whole = ilpy_big_fetch(handle, r->buffer, r->bytes, taken);
    if (raw || !whole) return whole;
    PyObject *object =
        ilpy_decode(codec, PyBytes_AsString(whole), (size_t)PyBytes_Size(whole), IL_BYTES, whole);
    Py_DECREF(whole);
    return object;
}

PyObject *ilpy_received(ilpy_handle *handle, int codec, bool raw, bool taken,
                        struct ilpy_receiving *r) {
    PyObject *object;
    if (UNLIKELY(codec == ILPY_PICKLE && r->type == IL_TEXT && ilpy_big_is(r->buffer, r->bytes))) {
        object = received_big(handle, codec, raw, taken, r);
    } else if (raw) {
        object = bytes_of(r);
    } else {
        PyObject *whole = r->whole && r->capacity == r->bytes ? r->whole : NULL;
        object = ilpy_decode(codec, r->buffer, r->bytes, r->type, whole);
    }
    ilpy_receiving_clear(r);
    return object;
}

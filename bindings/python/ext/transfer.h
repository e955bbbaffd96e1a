/*
 * transfer.h - sending and receiving messages, whatever object takes them.
 *
 * Small messages are made and received on the stack, and tried without letting the GIL go. With the codec
 * PICKLE a message of more than IL_MESSAGE_MAX_BYTES lies in a list of the domain with a name of its own (see
 * big.h), and what is sent is a text that says so; with JSON it is TooBig.
 */
#ifndef ILPY_TRANSFER_H
#define ILPY_TRANSFER_H

#include "codec.h"

/* As il_queue_put(). */
typedef il_status (*ilpy_send_call)(void *object, const void *data, size_t bytes, uint32_t type,
                                    int64_t timeout_ns);

/* A status, or ILPY_RAISED; nothing is raised for a status. */
il_status ilpy_send(ilpy_handle *handle, int codec, ilpy_send_call send,
                    const struct ilpy_message *message, int64_t timeout_ns);
il_status ilpy_send_object(ilpy_handle *handle, int codec, ilpy_send_call send, PyObject *object,
                           int64_t timeout_ns);
il_status ilpy_send_bytes(ilpy_handle *handle, int codec, ilpy_send_call send, PyObject *data,
                          int64_t timeout_ns);

/* One message on its way in. RECEIVE is called, perhaps again and without the GIL, to put it into BUFFER; it
 * writes `bytes` (also with IL_ETOOBIG: what it needs) and `type`, and what else the caller wants to know. */
struct ilpy_receiving {
    il_status (*receive)(struct ilpy_receiving *r, int64_t timeout_ns);
    void *object;        /* the handle's */
    const void *context; /* the caller's */
    char *buffer;        /* first its ILPY_ROOM bytes on the stack */
    size_t capacity, bytes;
    uint32_t type;
    uint64_t version;
    PyObject *whole; /* buffer's owner once it is not the stack's */
};

/* A status, or ILPY_RAISED. Whatever it is: ilpy_received() or ilpy_receiving_clear() follows. */
il_status ilpy_receive(ilpy_handle *handle, struct ilpy_receiving *r, int64_t timeout_ns);
void ilpy_receiving_clear(struct ilpy_receiving *r);
/* After IL_OK: the object, or if RAW the bytes. TAKEN: the message is not in the domain any longer. */
PyObject *ilpy_received(ilpy_handle *handle, int codec, bool raw, bool taken,
                        struct ilpy_receiving *r);

#endif

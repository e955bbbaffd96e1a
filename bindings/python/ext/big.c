#include "big.h"

#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PREFIX "interlock-parts:"
#define PREFIX_BYTES (sizeof PREFIX - 1)
#define DIGITS 32                          /* of the random number that makes the name */
#define NAME_BYTES (PREFIX_BYTES + DIGITS) /* the name is the beginning of the text */
#define PART_BYTES (4u << 20)
#define PAUSE_NS 5000000 /* between two looks for room */

struct work {
    ilpy_handle *handle;
    const char *name; /* NAME_BYTES of it */
    char *data;
    uint64_t bytes;
    bool taken;
};

static il_status remove_list(il_domain *domain, const char *name) {
    return il_list_delete(domain, name, NAME_BYTES);
}

static il_status try_store(const struct work *w) {
    il_domain *domain = w->handle->domain->domain;
    il_list *list = NULL;
    il_status status = il_list_open(domain, w->name, NAME_BYTES, NULL, &list);
    for (uint64_t at = 0; at < w->bytes && status == IL_OK; at += PART_BYTES) {
        uint64_t part = w->bytes - at < PART_BYTES ? w->bytes - at : PART_BYTES;
        status = il_list_append(list, w->data + at, part, IL_BYTES);
    }
    if (!list) return status;
    (void)il_list_close(list);
    if (status == IL_OK) return IL_OK;
    (void)remove_list(domain, w->name);
    return status;
}

/* Others make room by taking what they were sent; nobody tells, so it is looked at now and then. */
static il_status store(void *context, int64_t timeout_ns) {
    const struct timespec pause = {0, PAUSE_NS};
    int64_t start = timeout_ns > 0 ? ilpy_now_ns() : 0;
    for (;;) {
        il_status status = try_store(context);
        if (status != IL_ENOMEM || timeout_ns == IL_NOWAIT) return status;
        if (ilpy_left(start, timeout_ns) == IL_NOWAIT) return IL_ETIMEOUT;
        if (nanosleep(&pause, NULL) != 0) return IL_EINTR;
    }
}

static il_status drop(void *context, int64_t unused) {
    struct work *w = context;
    (void)unused;
    return remove_list(w->handle->domain->domain, w->name);
}

static il_status fetch(void *context, int64_t unused) {
    struct work *w = context;
    il_domain *domain = w->handle->domain->domain;
    il_list *list = NULL;
    il_item item = {0};
    uint64_t at = 0;
    (void)unused;
    il_status status = il_list_open(domain, w->name, NAME_BYTES, NULL, &list);
    for (int64_t i = 0; at < w->bytes && status == IL_OK; i++) {
        status = il_list_get(list, i, w->data + at, w->bytes - at, &item);
        if (status == IL_OK) at += item.bytes;
    }
    if (!list) return status;
    (void)il_list_close(list);
    if (w->taken || status == IL_ERANGE) (void)remove_list(domain, w->name);
    return status == IL_ERANGE ? IL_ENOTFOUND : status;
}

il_status ilpy_big_store(ilpy_handle *handle, const struct ilpy_message *message,
                         struct ilpy_big *big, int64_t timeout_ns) {
    unsigned char number[DIGITS / 2];
    char *at = big->text + PREFIX_BYTES;
    if (getrandom(number, sizeof number, 0) != (ssize_t)sizeof number) {
        PyErr_SetFromErrno(PyExc_OSError);
        return ILPY_RAISED;
    }
    memcpy(big->text, PREFIX, PREFIX_BYTES);
    for (size_t i = 0; i < sizeof number; i++) at += sprintf(at, "%02x", number[i]);
    sprintf(at, ":%zu", message->bytes);
    struct work w = {handle, big->text, (char *)message->data, message->bytes, false};
    return ilpy_wait(handle, store, &w, timeout_ns);
}

void ilpy_big_drop(ilpy_handle *handle, const struct ilpy_big *big) {
    struct work w = {.handle = handle, .name = big->text};
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    (void)ilpy_wait(handle, drop, &w, IL_NOWAIT);
    PyErr_Restore(type, value, traceback);
}

bool ilpy_big_is(const char *data, size_t bytes) {
    return bytes > NAME_BYTES + 1 && bytes < ILPY_BIG_TEXT &&
           memcmp(data, PREFIX, PREFIX_BYTES) == 0 && data[NAME_BYTES] == ':';
}

PyObject *ilpy_big_fetch(ilpy_handle *handle, const char *data, size_t bytes, bool taken) {
    char text[ILPY_BIG_TEXT], *end;
    memcpy(text, data, bytes);
    text[bytes] = 0;
    unsigned long long total = strtoull(text + NAME_BYTES + 1, &end, 10);
    if (*end || total > PY_SSIZE_T_MAX) {
        return ilpy_raise_text(IL_EINVAL, "a message in parts says no length: it is not of Python");
    }
    PyObject *whole = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
    if (!whole) return NULL;
    struct work w = {handle, text, PyBytes_AsString(whole), total, taken};
    il_status status = ilpy_wait(handle, fetch, &w, IL_NOWAIT);
    if (status == IL_OK) return whole;
    Py_DECREF(whole);
    if (status == IL_ENOTFOUND) {
        return ilpy_raise_text(status, "the parts of a message of %llu bytes are gone", total);
    }
    return status == ILPY_RAISED ? NULL : ilpy_raise(status);
}

il_status ilpy_big_out(ilpy_handle *handle, int codec, struct ilpy_message *message,
                       struct ilpy_big *big) {
    big->text[0] = 0;
    if (LIKELY(codec != ILPY_PICKLE || message->bytes <= IL_MESSAGE_MAX_BYTES)) return IL_OK;
    if (ilpy_handle_check(handle) != 0) return ILPY_RAISED;
    il_status status = ilpy_big_store(handle, message, big, IL_NOWAIT);
    if (status == IL_OK && ilpy_handle_check(handle) != 0) { /* closed meanwhile */
        ilpy_big_drop(handle, big);
        status = ILPY_RAISED;
    }
    if (status != IL_OK) return status;
    ilpy_message_clear(message);
    *message =
        (struct ilpy_message){.data = big->text, .bytes = strlen(big->text), .type = IL_TEXT};
    return IL_OK;
}

int ilpy_big_in(ilpy_handle *handle, int codec, bool taken, const char **data, size_t *bytes,
                uint32_t *type, PyObject **whole) {
    *whole = NULL;
    if (LIKELY(codec != ILPY_PICKLE || *type != IL_TEXT) || !ilpy_big_is(*data, *bytes)) return 0;
    *whole = ilpy_big_fetch(handle, *data, *bytes, taken);
    if (!*whole) return -1;
    *data = PyBytes_AsString(*whole);
    *bytes = (size_t)PyBytes_Size(*whole);
    *type = IL_BYTES;
    return 0;
}

#include "lib/message.h"

#include "base/error.h"
#include "base/text.h"
#include "lib/domain.h"

il_status ili_message_check(const void *data, uint64_t bytes, uint32_t type) {
    if (!data && bytes)
        return ili_fail(IL_EINVAL, "data: expected %llu bytes, got NULL",
                        (unsigned long long)bytes);
    if (type > IL_JSON) {
        return ili_fail(IL_EINVAL, "type: expected IL_BYTES, IL_TEXT or IL_JSON, got %u", type);
    }
    if (bytes > IL_MESSAGE_MAX_BYTES) {
        return ili_fail(IL_ETOOBIG, "bytes: a message has at most 16777216, got %llu",
                        (unsigned long long)bytes);
    }
    if (type != IL_BYTES && !ili_utf8_valid(data, bytes)) {
        return ili_fail(IL_EINVAL, "data: expected UTF-8, since it is put as text or JSON");
    }
    return IL_OK;
}

static char nothing; /* room of no bytes */

struct ili_taken ili_message_room(void *buffer, size_t capacity) {
    return (struct ili_taken){.data = buffer ? buffer : &nothing, .room = buffer ? capacity : 0};
}

il_status ili_message_taken(il_status status, const struct ili_taken *message, size_t *bytes,
                            uint32_t *type, const char *what) {
    if (status == IL_ETOOBIG) {
        *bytes = message->bytes;
        return ili_fail(status, "capacity: the message has %llu bytes",
                        (unsigned long long)message->bytes);
    }
    if (status != IL_OK) return ili_report(status, what);
    *bytes = message->bytes;
    if (type) *type = message->type;
    return IL_OK;
}

#include "server/refusal.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/limits.h"
#include "server/objects.h"
#include "server/reply.h"
#include "server/request.h"

/* WHAT of the change that was refused, or of the one there is. */
static void field_of(char *room, size_t room_bytes, const struct ili_refusal *refusal,
                     const struct ili_blame *blame, const char *what) {
    if (blame->array) {
        snprintf(room, room_bytes, "%s[%" PRIu64 "].%s", blame->array, refusal->which, what);
    } else {
        snprintf(room, room_bytes, "%s", what);
    }
}

static const char *place_of(const struct ili_refusal *refusal, const struct ili_blame *blame) {
    return blame->places ? blame->places[refusal->which] : blame->place;
}

static void describe_range(char *room, size_t room_bytes, uint64_t length) {
    if (length == 0) {
        snprintf(room, room_bytes, "an index of a list that is not empty");
    } else {
        snprintf(room, room_bytes, "an index from -%" PRIu64 " to %" PRIu64, length, length - 1);
    }
}

struct saying {
    char field[72], expected[120];
    const char *word; /* "dict" */
};

static void changed(struct saying *say, struct ili_fault *fault, struct ili_out *members,
                    const struct ili_refusal *refusal) {
    snprintf(say->expected, sizeof say->expected, "the version that is there");
    if (refusal->version) {
        ili_fault_set(fault, IL_ECHANGED, say->field, say->expected,
                      "%s: the version is %" PRIu64 " by now", say->field, refusal->version);
    } else {
        ili_fault_set(fault, IL_ECHANGED, say->field, say->expected,
                      "%s: there is nothing that has a version", say->field);
    }
    ili_limits_write_version(members, "version", refusal->version);
}

static void overflow(struct ili_request *request, struct saying *say, struct ili_fault *fault,
                     struct ili_out *members, const struct ili_refusal *refusal) {
    const char *what = refusal->what ? refusal->what : "max_bytes";
    snprintf(say->expected, sizeof say->expected, "at most %" PRIu64, refusal->limit);
    ili_fault_set(fault, IL_EOVERFLOW, what, say->expected,
                  "the %s \"%.*s\" would have more than its %s of %" PRIu64, say->word,
                  request->name_bytes, request->name, what, refusal->limit);
    ili_out_key(members, "limit");
    ili_out_number(members, refusal->limit);
}

void ili_refusal_reply(struct ili_request *request, il_status status,
                       const struct ili_refusal *refusal, const struct ili_blame *blame) {
    struct saying say = {.word = ili_collection_named(request->route->collection)->kind->word};
    struct ili_fault fault;
    struct ili_out members = {0};
    if (status == IL_ECHANGED) {
        field_of(say.field, sizeof say.field, refusal, blame, blame->version);
    } else if (status == IL_ERANGE || status == IL_ENOKEY) {
        field_of(say.field, sizeof say.field, refusal, blame, place_of(refusal, blame));
    }
    switch (status) {
    case IL_ECHANGED: changed(&say, &fault, &members, refusal); break;
    case IL_EOVERFLOW: overflow(request, &say, &fault, &members, refusal); break;
    case IL_ERANGE:
        describe_range(say.expected, sizeof say.expected, refusal->limit);
        ili_fault_set(&fault, status, say.field, say.expected, "%s: expected %s", say.field,
                      say.expected);
        ili_out_key(&members, "length");
        ili_out_number(&members, refusal->limit);
        break;
    case IL_ENOKEY:
        snprintf(say.expected, sizeof say.expected, "one that is in the %s", say.word);
        ili_fault_set(&fault, status, say.field, say.expected, "%s: the %s \"%.*s\" has none",
                      say.field, say.word, request->name_bytes, request->name);
        break;
    default: ili_reply_problem(request, status, NULL); return;
    }
    ili_reply_fault_with(request, &fault, &members);
}

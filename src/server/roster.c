#include "server/roster.h"

#include <stdlib.h>
#include <string.h>

void ili_named_set(struct ili_named *named, const char *name, size_t name_bytes) {
    memcpy(named->name, name, name_bytes);
    named->name_bytes = (uint8_t)name_bytes;
}

const char *ili_named_name(const void *named, size_t *name_bytes) {
    const struct ili_named *n = named;
    *name_bytes = n->name_bytes;
    return n->name;
}

static int compare(const struct ili_named *named, const char *name, size_t name_bytes) {
    size_t common = named->name_bytes < name_bytes ? named->name_bytes : name_bytes;
    int order = memcmp(named->name, name, common);
    if (order != 0) return order;
    return (named->name_bytes > name_bytes) - (named->name_bytes < name_bytes);
}

/* How many names are less than NAME. */
static size_t place_of(const struct ili_roster *roster, const char *name, size_t name_bytes) {
    size_t low = 0, high = roster->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(roster->sorted[middle], name, name_bytes) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct ili_roster *roster, size_t place, const char *name,
                  size_t name_bytes) {
    return place < roster->count && compare(roster->sorted[place], name, name_bytes) == 0;
}

struct ili_named *ili_roster_find(const struct ili_roster *roster, const char *name,
                                  size_t name_bytes) {
    size_t place = place_of(roster, name, name_bytes);
    return is_at(roster, place, name, name_bytes) ? roster->sorted[place] : NULL;
}

struct ili_named *ili_roster_after(const struct ili_roster *roster, const char *name,
                                   size_t name_bytes) {
    size_t place = name ? place_of(roster, name, name_bytes) : 0;
    if (name && is_at(roster, place, name, name_bytes)) place++;
    return place < roster->count ? roster->sorted[place] : NULL;
}

bool ili_roster_add(struct ili_roster *roster, struct ili_named *named) {
    if (roster->count == roster->room) {
        size_t room = roster->room ? roster->room * 2 : 16;
        struct ili_named **grown = realloc(roster->sorted, room * sizeof *grown);
        if (!grown) return false;
        roster->sorted = grown;
        roster->room = room;
    }
    size_t place = place_of(roster, named->name, named->name_bytes);
    struct ili_named **at = roster->sorted + place;
    memmove(at + 1, at, (roster->count - place) * sizeof *at);
    *at = named;
    roster->count++;
    return true;
}

void ili_roster_remove(struct ili_roster *roster, const struct ili_named *named) {
    size_t place = place_of(roster, named->name, named->name_bytes);
    struct ili_named **at = roster->sorted + place;
    memmove(at, at + 1, (roster->count - place - 1) * sizeof *at);
    roster->count--;
}

void ili_roster_free(struct ili_roster *roster) {
    free(roster->sorted);
    *roster = (struct ili_roster){0};
}

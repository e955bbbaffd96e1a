#include "base/place.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static il_status write_path(char *room, size_t room_bytes, const char *folder) {
    int length = snprintf(room, room_bytes, "%s/interlock.sock", folder);
    size_t address_bytes = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    bool fits = length > 0 && (size_t)length < room_bytes && (size_t)length < address_bytes;
    return fits ? IL_OK : IL_ETOOBIG;
}

il_status ili_default_socket(char *room, size_t room_bytes) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && runtime[0] == '/') return write_path(room, room_bytes, runtime);
    uid_t user = geteuid();
    if (user == 0) return write_path(room, room_bytes, "/run/interlock");

    char folder[48];
    snprintf(folder, sizeof folder, "/tmp/interlock-%lu", (unsigned long)user);
    il_status status = write_path(room, room_bytes, folder);
    struct stat found;
    if (status != IL_OK || lstat(folder, &found) != 0) return status; /* not there: harmless */
    bool own = S_ISDIR(found.st_mode) && found.st_uid == user && (found.st_mode & 022) == 0;
    return own ? IL_OK : IL_EACCESS;
}

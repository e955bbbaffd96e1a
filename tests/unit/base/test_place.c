#include "base/place.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(base_place, runtime_directory_comes_first) {
    char room[200];
    setenv("XDG_RUNTIME_DIR", "/run/user/17", 1);
    cr_assert_eq(ili_default_socket(room, sizeof room), IL_OK);
    cr_assert_str_eq(room, "/run/user/17/interlock.sock");
}

Test(base_place, without_one_it_depends_on_the_user) {
    char room[200], expected[200];
    static const char *const unset[] = {NULL, "", "relative/folder"};
    for (size_t i = 0; i < 3; i++) {
        unsetenv("XDG_RUNTIME_DIR");
        if (unset[i]) setenv("XDG_RUNTIME_DIR", unset[i], 1);
        snprintf(expected, sizeof expected, "/tmp/interlock-%u/interlock.sock", geteuid());
        il_status status = ili_default_socket(room, sizeof room);
        cr_assert(status == IL_OK || status == IL_EACCESS);
        cr_assert_str_eq(room, geteuid() == 0 ? ILI_SYSTEM_SOCKET : expected);
    }
}

Test(base_place, another_users_folder_is_not_trusted) {
    char room[200], folder[200];
    if (geteuid() != 0) cr_skip("needs root, to become two users");
    unsetenv("XDG_RUNTIME_DIR");
    uid_t user = 54321;
    snprintf(folder, sizeof folder, "/tmp/interlock-%u", user);
    cr_assert_eq(mkdir(folder, 0755), 0); /* root's */
    cr_assert_eq(seteuid(user), 0);
    il_status foreign = ili_default_socket(room, sizeof room);
    cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(chown(folder, user, user), 0);
    cr_assert_eq(seteuid(user), 0);
    il_status own = ili_default_socket(room, sizeof room);
    cr_assert_eq(chmod(folder, 0777), 0);
    il_status open = ili_default_socket(room, sizeof room);
    cr_assert_eq(seteuid(0), 0);
    rmdir(folder);
    cr_assert_eq(foreign, IL_EACCESS);
    cr_assert_eq(own, IL_OK);
    cr_assert_eq(open, IL_EACCESS);
}

Test(base_place, too_long_for_a_socket_is_said) {
    char room[300], folder[200];
    memset(folder, 'x', sizeof folder);
    folder[0] = '/';
    folder[110] = 0;
    setenv("XDG_RUNTIME_DIR", folder, 1);
    cr_assert_eq(ili_default_socket(room, sizeof room), IL_ETOOBIG);
    setenv("XDG_RUNTIME_DIR", "/run", 1);
    cr_assert_eq(ili_default_socket(room, 10), IL_ETOOBIG);
}

/*
 * Waits for the lock "deploy", holds it until Enter is pressed, releases it.
 *
 *     cc examples/lock.c $(pkg-config --cflags --libs interlock) -o lock && ./lock unix:PATH
 */
#include <interlock.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *address = argc > 1 ? argv[1] : "http://127.0.0.1:7717";
    const char *name = "deploy";
    il_domain *domain = NULL;
    il_lock *lock = NULL;
    uint64_t token = 0;
    il_status got;

    if (il_domain_open(address, NULL, &domain) != IL_OK ||
        il_lock_open(domain, name, strlen(name), NULL, &lock) != IL_OK) {
        fprintf(stderr, "%s: %s\n", address, il_error_message());
        il_domain_close(domain);
        return 1;
    }
    printf("waiting for \"%s\" ...\n", name);
    got = il_lock_acquire(lock, IL_FOREVER, &token);
    if (got == IL_OK || got == IL_EOWNERDEAD) {
        if (got == IL_EOWNERDEAD) puts("(the owner before died holding it)");
        printf("held, token %llu; press Enter to release\n", (unsigned long long)token);
        (void)getchar();
        got = il_lock_release(lock, token);
    }
    if (got != IL_OK) fprintf(stderr, "%s\n", il_error_message());
    il_lock_close(lock);
    il_domain_close(domain);
    return got == IL_OK ? 0 : 1;
}

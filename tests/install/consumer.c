/* A program of a user: takes a lock in a domain of its own, and prints the library's version. */
#include <interlock.h>
#include <stdio.h>

int main(void) {
    il_domain *domain = NULL;
    il_lock *lock = NULL;
    uint64_t token = 0;
    if (il_domain_open("private:", NULL, &domain) != IL_OK ||
        il_lock_open(domain, "deploy", 6, NULL, &lock) != IL_OK ||
        il_lock_acquire(lock, IL_FOREVER, &token) != IL_OK ||
        il_lock_release(lock, token) != IL_OK) {
        fprintf(stderr, "%s\n", il_error_message());
        return 1;
    }
    il_lock_close(lock);
    il_domain_close(domain);
    puts(il_version());
    return 0;
}

#include "client/threads.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "client/object.h"
#include "client/owned.h"
#include "client/self.h"

#define RETRY_NS INT64_C(2000000000)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;
static pthread_key_t key; /* not NULL: the thread acquired something */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* protects first and `next` */
static struct ili_remote_domain *first;

static void ended(void *context) {
    (void)context;
    uint64_t self = ili_remote_self();
    pthread_mutex_lock(&mutex);
    for (struct ili_remote_domain *domain = first; domain; domain = domain->next) {
        if (ili_remote_grants_orphan(&domain->grants, self)) ili_renewer_wake(&domain->renewer);
    }
    pthread_mutex_unlock(&mutex);
}

/* In a forked child the mutex may be locked by a thread that is not there, and the domains are the
 * parent's. */
static void start_anew(void) {
    pthread_mutex_init(&mutex, NULL);
    first = NULL;
}

static void prepare(void) {
    usable = pthread_key_create(&key, ended) == 0 && pthread_atfork(NULL, NULL, start_anew) == 0;
}

void ili_remote_threads_add(struct ili_remote_domain *domain) {
    pthread_once(&once, prepare);
    pthread_mutex_lock(&mutex);
    domain->next = first;
    first = domain;
    pthread_mutex_unlock(&mutex);
}

void ili_remote_threads_remove(struct ili_remote_domain *domain) {
    pthread_mutex_lock(&mutex);
    struct ili_remote_domain **place = &first;
    while (*place && *place != domain) place = &(*place)->next;
    if (*place) *place = domain->next;
    pthread_mutex_unlock(&mutex);
}

bool ili_remote_threads_watch(void) { return usable && pthread_setspecific(key, &key) == 0; }

int64_t ili_remote_threads_recover(struct ili_remote_domain *domain,
                                   const struct ili_http_waker *cancel) {
    struct ili_remote_grant grant;
    while (ili_remote_grants_orphaned(&domain->grants, &grant)) {
        il_status status = IL_ELEASE;
        if (!grant.lost) {
            struct ili_remote_object object;
            struct ili_call call;
            static const char reason[] = "the thread that held it ended";
            ili_remote_object_name(&object, domain, grant.kind, grant.name, grant.name_bytes);
            ili_remote_object_begin(&call, &object, "POST", "break");
            call.keyed = true;
            ili_call_field_token(&call, grant.token);
            ili_call_field_text(&call, "reason", reason, sizeof reason - 1);
            status = ili_remote_object_gone(ili_call_run_until(&call, cancel));
            ili_call_end(&call);
        }
        if (!ili_remote_owned_settles(status)) return ili_host->now_ns() + RETRY_NS;
        ili_remote_grants_remove(&domain->grants, &grant);
    }
    return ILI_NEVER;
}

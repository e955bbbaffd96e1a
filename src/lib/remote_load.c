#include "lib/remote_load.h"

#include <dlfcn.h>
#include <pthread.h>

#include "arena/thread.h"
#include "base/clock.h"
#include "base/error.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const struct ili_remote_ops *loaded;

static il_status fail(il_status status, const char *text) {
    return ili_fail(status, text && *text ? "%s" : NULL, text);
}

static il_status take_request(void) {
    struct ili_thread *thread = ili_thread_current();
    return thread ? ili_thread_take(thread) : IL_OK;
}

static void raise_interrupt(void) {
    struct ili_thread *thread = ili_thread_current();
    if (thread) (void)ili_thread_interrupt(ili_thread_id(thread));
}

static void signalled(void) {
    struct ili_thread *thread = ili_thread_current();
    if (thread && thread->signals) ili_thread_keep_interrupt(thread);
}

static int wake_fd(void) {
    struct ili_thread *thread = ili_thread_current();
    return thread ? ili_thread_wake_fd(thread) : -1;
}

static int64_t cancelled_at_ns(void) {
    struct ili_thread *thread = ili_thread_current();
    return thread ? ili_thread_until(thread, ILI_NEVER) : ILI_NEVER;
}

static const struct ili_remote_host host = {
    .abi = ILI_REMOTE_ABI,
    .fail = fail,
    .take_request = take_request,
    .raise_interrupt = raise_interrupt,
    .signalled = signalled,
    .wake_fd = wake_fd,
    .cancelled_at_ns = cancelled_at_ns,
    .now_ns = ili_now_ns,
};

/* Under the mutex. */
static il_status load(void) {
    const struct ili_remote_ops *(*entry)(const struct ili_remote_host *);
    void *module = dlopen(ILI_REMOTE_MODULE, RTLD_NOW | RTLD_LOCAL);
    if (!module) return ili_fail(IL_EUNSUPPORTED, "the HTTP door cannot be loaded: %s", dlerror());
    /* POSIX: the way to convert dlsym()'s result to a function pointer */
    *(void **)&entry = dlsym(module, "ili_remote_ops");
    const struct ili_remote_ops *ops = entry ? entry(&host) : NULL;
    if (!ops || ops->abi != ILI_REMOTE_ABI) {
        dlclose(module);
        return ili_fail(IL_EUNSUPPORTED, "%s is of another version", ILI_REMOTE_MODULE);
    }
    loaded = ops;
    return IL_OK;
}

il_status ili_remote_load(const struct ili_remote_ops **out) {
    il_status status = IL_OK;
    pthread_mutex_lock(&mutex);
    if (!loaded) status = load();
    if (status == IL_OK) *out = loaded;
    pthread_mutex_unlock(&mutex);
    return status;
}

#include "client/domain.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/text.h"
#include "client/address.h"
#include "client/call.h"
#include "client/owned.h"
#include "client/threads.h"

#define API 1u
#define UNIX "unix:"
#define LONGEST_WAIT_NS INT64_C(300000000000) /* the server's default */
#define PATIENCE_NS INT64_C(10000000000)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

il_status ili_remote_domain_check(const struct ili_remote_domain *domain) {
    if (domain->pid == getpid()) return IL_OK;
    return ili_remote_fail(IL_EFORKED, "%s was opened by process %ld", domain->base,
                           (long)domain->pid);
}

static il_status make_key_prefix(struct ili_remote_domain *domain) {
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return ili_remote_fail(IL_ESYSTEM, "getrandom: %s", strerror(errno));
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(domain->key_prefix + 2 * i, 3, "%02x", random[i]);
    }
    return IL_OK;
}

/* Whether an interlockd is there whose API this module speaks. */
static il_status greet(struct ili_remote_domain *domain) {
    struct ili_call call;
    uint64_t api = 0;
    ili_call_begin(&call, domain, "GET", "version", NULL, 0, NULL);
    il_status status = ili_call_run(&call);
    if (status == IL_EROUTE || status == IL_ENOTFOUND) {
        status = ili_call_nonsense(&call, "no version: it is no interlockd");
    } else if (status == IL_OK && !ili_json_number(ili_json_member(call.object, "api"), &api)) {
        status = ili_call_nonsense(&call, "no number of its API: it is no interlockd");
    } else if (status == IL_OK && api != API) {
        status = ili_remote_fail(IL_EPROTOCOL, "%s has API %llu, this library speaks %u",
                                 domain->base, (unsigned long long)api, API);
    }
    ili_call_end(&call);
    return status;
}

static void domain_free(struct ili_remote_domain *domain) {
    ili_renewer_destroy(&domain->renewer);
    ili_remote_session_destroy(&domain->session);
    ili_remote_grants_end(&domain->grants);
    ili_remote_losses_end(&domain->losses);
    ili_http_pool_end(&domain->pool);
    free(domain->base);
    free(domain->socket);
    free(domain);
}

/* Where requests go. */
static il_status read_address(struct ili_remote_domain *domain, const char *address) {
    const char *why = NULL;
    bool local = strncmp(address, UNIX, strlen(UNIX)) == 0;
    il_status status = ili_address_parse(local ? "http://localhost" : address, &domain->base, &why);
    if (status == IL_OK && local) {
        domain->socket = strdup(address + strlen(UNIX));
        if (!domain->socket) status = IL_ENOMEM;
    }
    if (status == IL_EINVAL) {
        return ili_remote_fail(status, "the address \"%.200s\": %s", address, why);
    }
    return status == IL_OK ? IL_OK : ili_remote_fail(status, "no memory for a domain");
}

il_status ili_remote_domain_open(const char *address, const char *label,
                                 struct ili_remote_domain **out) {
    pthread_once(&curl_once, init_curl);
    struct ili_remote_domain *domain = calloc(1, sizeof *domain);
    if (!domain) return ili_remote_fail(IL_ENOMEM, "no memory for a domain");
    il_status status = read_address(domain, address);
    if (status != IL_OK) {
        free(domain->base);
        free(domain);
        return status;
    }
    domain->pid = getpid();
    domain->patience_ns = PATIENCE_NS;
    atomic_init(&domain->longest_wait_ns, LONGEST_WAIT_NS);
    ili_text_copy(domain->label, sizeof domain->label,
                  label ? label : program_invocation_short_name);
    ili_http_pool_init(&domain->pool, domain->base, domain->socket, ili_host->now_ns);
    ili_remote_session_init(&domain->session);
    ili_remote_grants_init(&domain->grants);
    ili_remote_losses_init(&domain->losses);
    ili_renewer_init(&domain->renewer);

    status = make_key_prefix(domain);
    if (status == IL_OK) status = greet(domain);
    if (status != IL_OK) {
        domain_free(domain);
        return status;
    }
    ili_remote_threads_add(domain);
    *out = domain;
    return IL_OK;
}

il_status ili_remote_domain_close(struct ili_remote_domain *domain) {
    if (!domain) return IL_OK;
    /* In a forked child the connections are the parent's, and a mutex may be locked by a thread that
     * is not there any more: everything but the memory stays untouched. */
    if (domain->pid != getpid()) return IL_OK;
    ili_remote_threads_remove(domain);
    ili_renewer_stop(&domain->renewer);
    ili_remote_release_all(domain);
    ili_remote_session_finish(domain);
    domain_free(domain);
    return IL_OK;
}

/* What `interlock ps` makes of answers that a good server does not give. */
#include "unit/cli/run.h"
#include "unit/client/fake_server.h"

/* what the fake server, another thread, answers */
static const char *_Atomic locks = "{\"locks\":[],\"cursor\":null}";
static _Atomic int status = 200;

static void reply(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (strstr(r->path, "/sessions"))
        fake_answer(fd, 200, "{\"sessions\":[]}");
    else if (strstr(r->path, "/queues"))
        fake_answer(fd, 200, "{\"queues\":[],\"cursor\":null}");
    else if (!strstr(r->path, "cursor="))
        fake_answer(fd, status, locks);
    else
        fake_answer(fd, 200, "{\"locks\":[{\"name\":\"last\",\"locked\":true}],\"cursor\":null}");
}

static struct outcome ps(struct fake *f) {
    char address[64];
    snprintf(address, sizeof address, "%s", f->address);
    return run("", "--domain", address, "ps", NULL);
}

Test(cli_ps, follows_pages_that_are_empty) {
    locks = "{\"locks\":[],\"cursor\":\"a b&c\"}";
    struct fake *f = fake_start(reply);
    struct outcome o = ps(f);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_assert_not_null(strstr(o.out, "\nlast "), "%s", o.out);
    pthread_mutex_lock(&f->mutex);
    cr_assert_str_eq(f->requests[2].path, "/v1/locks?limit=1000&cursor=a%20b%26c");
    pthread_mutex_unlock(&f->mutex);
    fake_stop(f);
}

Test(cli_ps, control_characters_of_names_are_not_shown) {
    locks = "{\"locks\":[{\"name\":\"a\\u001b[2J\",\"locked\":true}],\"cursor\":null}";
    struct fake *f = fake_start(reply);
    struct outcome o = ps(f);
    cr_assert_not_null(strstr(o.out, "\na?[2J "), "%s", o.out);
    fake_stop(f);
}

Test(cli_ps, odd_answers_are_failures_or_gaps) {
    static const char *const odd[] = {"hello", "[]", ""};
    struct fake *f = fake_start(reply);
    for (int i = 0; i < 3; i++) {
        locks = odd[i];
        struct outcome o = ps(f);
        cr_assert_eq(o.code, 69, "%s", odd[i]);
        cr_assert_not_null(strstr(o.err, "/v1/locks"), "%s", o.err);
    }
    locks = "{\"locks\":[5,{\"name\":7,\"locked\":true,\"owner\":[]}],\"cursor\":8}";
    cr_assert_eq(ps(f).code, 0);
    status = 403;
    locks = "{\"code\":\"forbidden\",\"detail\":\"not you\"}";
    struct outcome o = ps(f);
    cr_assert_eq(o.code, 69);
    cr_assert_not_null(strstr(o.err, "403: not you"), "%s", o.err);
    fake_stop(f);
}

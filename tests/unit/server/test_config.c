/* The configuration: defaults, the file, the command line, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/config.h"

static enum ili_config_outcome read_line(struct ili_config *config, struct ili_fault *fault,
                                         const char *one, const char *two, const char *three) {
    char program[] = "interlockd";
    char *arguments[] = {program, (char *)one, (char *)two, (char *)three, NULL};
    int count = 1 + (one != NULL) + (two != NULL) + (three != NULL);
    return ili_config_read(config, count, arguments, fault);
}

Test(server_config, defaults_are_loopback_and_a_socket) {
    struct ili_config config;
    struct ili_fault fault;
    cr_assert_eq(read_line(&config, &fault, "--socket", "/tmp/x/s", NULL), ILI_CONFIG_RUN);
    cr_assert_str_eq(config.listen, "127.0.0.1:7717");
    cr_assert_str_eq(config.state_dir, "/tmp/x");
    cr_assert_eq(config.default_lease_ns, INT64_C(60000000000));
    ili_config_free(&config);
}

Test(server_config, unknown_arguments_are_named) {
    struct ili_config config;
    struct ili_fault fault;
    cr_assert_eq(read_line(&config, &fault, "--sokket", "x", NULL), ILI_CONFIG_WRONG);
    cr_assert(strstr(fault.detail, "--sokket"));
    cr_assert_eq(read_line(&config, &fault, "extra", NULL, NULL), ILI_CONFIG_WRONG);
    cr_assert(strstr(fault.detail, "extra"));
    cr_assert_eq(read_line(&config, &fault, "--config", "/does/not/exist", NULL), ILI_CONFIG_WRONG);
    cr_assert(strstr(fault.detail, "/does/not/exist"));
}

Test(server_config, the_file_sets_everything) {
    static const char text[] =
        "{\"http\":{\"listen\":\"[::1]:1\",\"long_poll\":2.5,\"connections\":10,"
        "\"allowed_origins\":[\"https://a.example\"]},\"locks\":{\"default_lease\":5},"
        "\"socket\":\"/a/b\",\"state_dir\":\"/"
        "c\",\"arena_bytes\":1048576,\"log\":{\"level\":\"warn\"}}";
    struct ili_config config = {0};
    struct ili_fault fault = {0};
    cr_assert_eq(ili_config_parse(&config, text, strlen(text), &fault), IL_OK, "%s", fault.detail);
    cr_assert_str_eq(config.listen, "[::1]:1");
    cr_assert_eq(config.long_poll_ns, INT64_C(2500000000));
    cr_assert_eq(config.connections, 10);
    cr_assert_eq(config.origin_count, 1);
    cr_assert_str_eq(config.origins[0], "https://a.example");
    cr_assert_eq(config.default_lease_ns, INT64_C(5000000000));
    cr_assert_eq(config.arena_bytes, 1048576);
    cr_assert_eq(config.log_level, ILI_LOG_WARN);
    ili_config_free(&config);
}

Test(server_config, what_is_wrong_in_the_file_is_named) {
    static const struct {
        const char *text, *named;
    } bad[] = {{"{\"sokket\":\"x\"}", "sokket"},
               {"{\"http\":{\"port\":1}}", "http.port"},
               {"{\"http\":1}", "http"},
               {"{\"socket\":1}", "socket"},
               {"{\"socket\":\"\"}", "socket"},
               {"{\"http\":{\"long_poll\":\"1\"}}", "http.long_poll"},
               {"{\"http\":{\"long_poll\":0}}", "http.long_poll"},
               {"{\"arena_bytes\":1}", "arena_bytes"},
               {"{\"log\":{\"level\":\"loud\"}}", "log.level"},
               {"{\"http\":{\"allowed_origins\":[1]}}", "http.allowed_origins"},
               {"{\"socket\":\"a\",\"socket\":\"b\"}", "line 1"},
               {"[]", "config"},
               {"{", "line 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ili_config config = {0};
        struct ili_fault fault = {0};
        cr_assert_neq(ili_config_parse(&config, bad[i].text, strlen(bad[i].text), &fault), IL_OK,
                      "%s", bad[i].text);
        cr_assert(strstr(fault.detail, bad[i].named), "%s: %s", bad[i].text, fault.detail);
        ili_config_free(&config);
    }
}

Test(server_config, only_loopback_is_listened_on) {
    static const char *const good[] = {"127.0.0.1:0", "localhost:80", "127.9.9.9:65535", "[::1]:1"};
    static const char *const open[] = {"0.0.0.0:80", "192.168.0.1:1", "[::]:80"};
    static const char *const wrong[] = {"",       "127.0.0.1", ":80",          "127.0.0.1:65536",
                                        "host:1", "::1:80",    "127.0.0.1:8x", "[127.0.0.1]:1"};
    struct sockaddr_storage address;
    socklen_t bytes;
    struct ili_fault fault;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(ili_config_address(good[i], &address, &bytes, &fault), IL_OK, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        cr_assert_eq(ili_config_address(open[i], &address, &bytes, &fault), IL_EACCESS, "%s",
                     open[i]);
        cr_assert(strstr(fault.detail, "access tokens"));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(ili_config_address(wrong[i], &address, &bytes, &fault), IL_EINVAL, "%s",
                     wrong[i]);
    }
}

Test(server_config, programs_and_pools_are_read) {
    static const char text[] =
        "{\"programs\":[\"/bin/echo\"],\"environment\":[\"GREETING\"],\"pools\":{\"p\":{"
        "\"kind\":\"exec\",\"command\":[\"/bin/cat\",\"-u\"],\"workers\":3,\"memory\":1048576,"
        "\"environment\":{\"A\":\"b\"},\"directory\":\"/tmp\",\"grace\":0.5,\"deadline\":null,"
        "\"priority\":-7,\"retries\":2,\"keep\":1.5}}}";
    struct ili_config config = {0};
    struct ili_fault fault = {0};
    cr_assert_eq(ili_config_parse(&config, text, strlen(text), &fault), IL_OK, "%s", fault.detail);
    cr_assert_eq(ili_programs_check(&config.pools.programs, "x", "/bin/echo", &fault), IL_OK);
    cr_assert(ili_config_pools_defines(&config.pools, "p", 1));
    cr_assert_not(ili_config_pools_defines(&config.pools, "pp", 2));
    cr_assert_eq(config.pools.count, 1u);
    const struct ili_pool_definition *p = &config.pools.pools[0].definition;
    cr_assert_eq(p->options.kind, ILI_POOL_EXEC);
    cr_assert_str_eq(p->options.command[0], "/bin/cat");
    cr_assert_str_eq(p->options.command[1], "-u");
    cr_assert_null(p->options.command[2]);
    cr_assert_str_eq(p->given[0], "A=b");
    cr_assert_str_eq(p->options.directory, "/tmp");
    cr_assert_eq(p->options.workers, 3u);
    cr_assert_eq(p->options.limits.memory_bytes, 1048576u);
    cr_assert_eq(p->options.grace_ns, INT64_C(500000000));
    cr_assert_eq(p->options.defaults.priority, -7);
    cr_assert_eq(p->options.defaults.retries, 2u);
    cr_assert_eq(p->options.defaults.deadline_ns, 0);
    cr_assert_eq(p->options.defaults.keep_ns, INT64_C(1500000000));
    ili_config_free(&config);
}

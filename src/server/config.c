#include "server/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "arena/arena.h"
#include "base/place.h"
#include "base/text.h"

#define SECOND INT64_C(1000000000)
#define VERSION_TEXT(major, minor, patch) VERSION_TEXT_(major, minor, patch)
#define VERSION_TEXT_(major, minor, patch) #major "." #minor "." #patch

static const char help[] =
    "Usage: interlockd [--http HOST:PORT] [--socket PATH] [--config FILE] [--hints]\n"
    "Named locks and queues for curl, for C programs and for everything between.\n"
    "\n"
    "  --http HOST:PORT  listen for HTTP there (127.0.0.1:7717); port 0 takes a free one.\n"
    "                    Loopback only.\n"
    "  --socket PATH     listen for programs of this host, and HTTP, there\n"
    "                    ($XDG_RUNTIME_DIR/interlock.sock)\n"
    "  --config FILE     read FILE, a JSON object; the options above go before it\n"
    "  --hints           say on stdout what to try (done anyway if it is a terminal)\n"
    "  --help, --version\n";

static il_status wrong(struct ili_fault *fault, const char *field, const char *expected) {
    return ili_fault_set(fault, IL_EINVAL, field, expected, "configuration: \"%s\" must be %s",
                         field, expected);
}

/* ---- the file ------------------------------------------------------------------------------- */

static il_status read_text(json_t *value, const char *field, char *room, size_t room_bytes,
                           struct ili_fault *fault) {
    if (!json_is_string(value) || json_string_length(value) == 0) {
        return wrong(fault, field, "a string that is not empty");
    }
    if (json_string_length(value) >= room_bytes) return wrong(fault, field, "shorter");
    ili_text_copy(room, room_bytes, json_string_value(value));
    return IL_OK;
}

static il_status read_seconds(json_t *value, const char *field, double least, double most,
                              int64_t *ns, struct ili_fault *fault) {
    char expected[80];
    double seconds = json_number_value(value);
    if (json_is_number(value) && seconds >= least && seconds <= most) {
        *ns = (int64_t)(seconds * 1e9 + 0.5);
        return IL_OK;
    }
    snprintf(expected, sizeof expected, "a number of seconds from %.9g to %.9g", least, most);
    return wrong(fault, field, expected);
}

static il_status read_count(json_t *value, const char *field, uint64_t least, uint64_t most,
                            uint64_t *out, struct ili_fault *fault) {
    char expected[80];
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= 0 && (uint64_t)number >= least &&
        (uint64_t)number <= most) {
        *out = (uint64_t)number;
        return IL_OK;
    }
    snprintf(expected, sizeof expected, "an integer from %llu to %llu", (unsigned long long)least,
             (unsigned long long)most);
    return wrong(fault, field, expected);
}

static il_status read_origins(struct ili_config *config, json_t *value, struct ili_fault *fault) {
    static const char field[] = "http.allowed_origins";
    size_t i;
    json_t *origin;
    if (!json_is_array(value) || json_array_size(value) > ILI_ORIGINS_MOST) {
        return wrong(fault, field, "an array of at most 32 strings");
    }
    json_array_foreach(value, i, origin) {
        if (!json_is_string(origin)) return wrong(fault, field, "an array of strings");
        char *copy = strdup(json_string_value(origin));
        if (!copy) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory");
        config->origins[config->origin_count++] = copy;
    }
    return IL_OK;
}

static il_status read_field(struct ili_config *c, const char *field, json_t *value,
                            struct ili_fault *fault) {
    uint64_t count = 0;
    il_status status = IL_OK;
    if (strcmp(field, "http.listen") == 0) {
        status = read_text(value, field, c->listen, sizeof c->listen, fault);
    } else if (strcmp(field, "http.long_poll") == 0) {
        status = read_seconds(value, field, 0.001, 86400, &c->long_poll_ns, fault);
    } else if (strcmp(field, "http.idle_timeout") == 0) {
        status = read_seconds(value, field, 1, 86400, &c->idle_timeout_ns, fault);
    } else if (strcmp(field, "http.connections") == 0) {
        status = read_count(value, field, 1, 1000000, &count, fault);
        if (status == IL_OK) c->connections = (uint32_t)count;
    } else if (strcmp(field, "http.allowed_origins") == 0) {
        status = read_origins(c, value, fault);
    } else if (strcmp(field, "socket") == 0) {
        status = read_text(value, field, c->socket, sizeof c->socket, fault);
    } else if (strcmp(field, "state_dir") == 0) {
        status = read_text(value, field, c->state_dir, sizeof c->state_dir, fault);
    } else if (strcmp(field, "arena_bytes") == 0) {
        status = read_count(value, field, ILI_ARENA_MIN_BYTES, ILI_ARENA_MAX_BYTES, &c->arena_bytes,
                            fault);
    } else if (strcmp(field, "locks.default_lease") == 0) {
        status = read_seconds(value, field, 0.001, 86400, &c->default_lease_ns, fault);
    } else if (strcmp(field, "log.level") == 0) {
        if (!json_is_string(value) ||
            !ili_log_level_named(json_string_value(value), &c->log_level)) {
            status = wrong(fault, field, "debug, info, warn or error");
        }
    } else {
        status = wrong(fault, field, "left out: there is no such setting");
    }
    return status;
}

static bool is_section(const char *key) {
    return strcmp(key, "http") == 0 || strcmp(key, "locks") == 0 || strcmp(key, "log") == 0;
}

il_status ili_config_parse(struct ili_config *config, const char *text, size_t bytes,
                           struct ili_fault *fault) {
    json_error_t error;
    const char *key, *inner;
    json_t *value, *setting;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    il_status status = IL_OK;
    if (!root) {
        return ili_fault_set(fault, IL_EINVAL, "config", "a JSON object",
                             "configuration, line %d: %s", error.line, error.text);
    }
    if (!json_is_object(root)) status = wrong(fault, "config", "a JSON object");
    json_object_foreach(root, key, value) {
        if (status != IL_OK) break;
        if (ili_config_pools_has(key)) {
            status = ili_config_pools_read(&config->pools, key, value, fault);
            continue;
        }
        if (!is_section(key)) {
            status = read_field(config, key, value, fault);
            continue;
        }
        if (!json_is_object(value)) status = wrong(fault, key, "an object");
        json_object_foreach(value, inner, setting) {
            char field[72];
            snprintf(field, sizeof field, "%s.%s", key, inner);
            if (status == IL_OK) status = read_field(config, field, setting, fault);
        }
    }
    json_decref(root);
    return status;
}

static il_status read_file(struct ili_config *config, const char *path, struct ili_fault *fault) {
    char text[65536];
    FILE *file = fopen(path, "re");
    if (!file) {
        return ili_fault_set(fault, IL_ESYSTEM, "config", "a readable file", "%s: %s", path,
                             strerror(errno));
    }
    size_t bytes = fread(text, 1, sizeof text, file);
    bool whole = feof(file) && !ferror(file);
    fclose(file);
    if (!whole) {
        return ili_fault_set(fault, IL_EINVAL, "config", "a file of less than 64 KiB",
                             "%s: cannot be read, or is longer than 64 KiB", path);
    }
    return ili_config_parse(config, text, bytes, fault);
}

/* ---- the address ---------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

il_status ili_config_address(const char *listen, struct sockaddr_storage *out, socklen_t *bytes,
                             struct ili_fault *fault) {
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    char host[80];
    const char *colon = strrchr(listen, ':');
    size_t length = colon ? (size_t)(colon - listen) : 0;
    char *end = NULL;
    long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : -1;
    if (length == 0 || length >= sizeof host || port < 0 || port > 65535 || *end) {
        return ili_fault_set(fault, IL_EINVAL, "http", "HOST:PORT",
                             "\"%s\" is not HOST:PORT with a port from 0 to 65535", listen);
    }
    memcpy(host, listen, length);
    host[length] = 0;
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    if (bracketed) {
        host[length - 1] = 0;
        address.ss_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *bytes = sizeof *v6;
    } else {
        address.ss_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *bytes = sizeof *v4;
    }
    const char *literal = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (bracketed ? inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1
                  : inet_pton(AF_INET, literal, &v4->sin_addr) != 1) {
        return ili_fault_set(fault, IL_EINVAL, "http", "a literal address or localhost",
                             "\"%s\" is neither localhost nor an address (IPv6 in brackets)", host);
    }
    if (!is_loopback(&address)) {
        return ili_fault_set(
            fault, IL_EACCESS, "http", "a loopback address",
            "refusing to listen on %s: only loopback (127.0.0.1, [::1]) is allowed, "
            "since there are no access tokens yet",
            listen);
    }
    *out = address;
    return IL_OK;
}

/* ---- the command line ----------------------------------------------------------------------- */

static il_status set_defaults(struct ili_config *config, struct ili_fault *fault) {
    memset(config, 0, sizeof *config);
    ili_text_copy(config->listen, sizeof config->listen, "127.0.0.1:7717");
    config->long_poll_ns = 300 * SECOND;
    config->default_lease_ns = 60 * SECOND;
    config->idle_timeout_ns = 60 * SECOND;
    config->connections = 16384;
    config->arena_bytes = ILI_ARENA_DEFAULT_BYTES;
    config->log_level = ILI_LOG_INFO;
    (void)fault;
    return IL_OK;
}

static il_status settle_places(struct ili_config *c, struct ili_fault *fault) {
    if (!c->socket[0]) {
        il_status status = ili_default_socket(c->socket, sizeof c->socket);
        if (status != IL_OK) {
            return ili_fault_set(fault, status, "socket", "a path given with --socket",
                                 "the default socket %s cannot be used: %s", c->socket,
                                 status == IL_EACCESS ? "its directory belongs to somebody else"
                                                      : "its path is too long");
        }
    }
    if (!c->state_dir[0]) {
        const char *slash = strrchr(c->socket, '/');
        size_t length = slash ? (size_t)(slash - c->socket) : 0;
        if (slash && length == 0) length = 1;
        if (!slash) {
            ili_text_copy(c->state_dir, sizeof c->state_dir, ".");
        } else {
            memcpy(c->state_dir, c->socket, length);
            c->state_dir[length] = 0;
        }
    }
    return IL_OK;
}

static il_status set_option(struct ili_config *c, int option, const char *value,
                            struct ili_fault *fault) {
    char *room = option == 'p' ? c->listen : c->socket;
    size_t room_bytes = option == 'p' ? sizeof c->listen : sizeof c->socket;
    const char *name = option == 'p' ? "--http" : "--socket";
    if (!*value || strlen(value) >= room_bytes) {
        return ili_fault_set(fault, IL_EINVAL, name, "shorter", "%s takes 1 to %zu bytes", name,
                             room_bytes - 1);
    }
    ili_text_copy(room, room_bytes, value);
    return IL_OK;
}

enum ili_config_outcome ili_config_read(struct ili_config *config, int count, char **arguments,
                                        struct ili_fault *fault) {
    static const struct option options[] = {{"http", required_argument, NULL, 'p'},
                                            {"socket", required_argument, NULL, 's'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"hints", no_argument, NULL, 'i'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    il_status status = set_defaults(config, fault);
    const char *listen = NULL, *path = NULL, *file = NULL;
    int option;
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == 'h' || option == 'v') {
            fputs(option == 'h' ? help
                                : "interlockd " VERSION_TEXT(IL_VERSION_MAJOR, IL_VERSION_MINOR,
                                                             IL_VERSION_PATCH) "\n",
                  stdout);
            return ILI_CONFIG_SHOWN;
        }
        if (option == 'p') listen = optarg;
        if (option == 's') path = optarg;
        if (option == 'c') file = optarg;
        if (option == 'i') config->hints = true;
        if (option == '?') break;
    }
    if (option == '?' || optind < count) {
        const char *culprit = option == '?' ? arguments[optind - 1] : arguments[optind];
        ili_fault_set(fault, IL_EINVAL, "arguments", "those that --help names",
                      "%s: unknown option, or its value is missing; see --help", culprit);
        return ILI_CONFIG_WRONG;
    }
    if (status == IL_OK && file) status = read_file(config, file, fault);
    if (status == IL_OK && listen) status = set_option(config, 'p', listen, fault);
    if (status == IL_OK && path) status = set_option(config, 's', path, fault);
    if (status == IL_OK) status = settle_places(config, fault);
    return status == IL_OK ? ILI_CONFIG_RUN : ILI_CONFIG_WRONG;
}

void ili_config_free(struct ili_config *config) {
    for (size_t i = 0; i < config->origin_count; i++) free(config->origins[i]);
    config->origin_count = 0;
    ili_config_pools_drop(&config->pools);
}

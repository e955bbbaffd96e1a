/* The table of routes, and what follows from it. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/objects.h"
#include "server/path.h"
#include "server/router.h"

static const struct ili_route *find(const char *url, const char *method, uint16_t *methods) {
    struct ili_path path;
    *methods = 0;
    if (!ili_path_split(url, &path)) return NULL;
    return ili_router_find(&path, ili_method_named(method), methods);
}

Test(server_router, each_route_is_found_by_its_path_alone) {
    static const char *const names[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    for (const struct ili_route *r = ili_routes; r->handle; r++) {
        char url[100] = "/v1/";
        strcat(url, r->collection);
        if (r->named) strcat(url, "/some%2Fname");
        if (r->operation) strcat(strcat(url, "/"), r->operation);
        if (r->flags & ILI_ROUTE_PART) strcat(url, "/some%2Fpart");
        unsigned found = 0;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            uint16_t methods;
            if (find(url, names[i], &methods) == r) found |= ili_method_named(names[i]);
            cr_assert(methods & r->method, "%s", url);
            cr_assert(methods & ILI_OPTIONS, "%s", url);
        }
        cr_assert_eq(found, r->method == ILI_GET ? ILI_GET | ILI_HEAD : r->method, "%s", url);
    }
}

Test(server_router, every_collection_of_objects_is_known) {
    for (const struct ili_route *r = ili_routes; r->handle; r++) {
        bool objects = r->handle == ili_objects_get || r->handle == ili_objects_put ||
                       r->handle == ili_objects_delete || r->handle == ili_objects_list;
        cr_assert(!objects || ili_collection_named(r->collection), "%s", r->collection);
    }
}

Test(server_router, other_paths_have_no_methods) {
    static const char *const urls[] = {"/",
                                       "/v1",
                                       "/v2/locks",
                                       "/v1/lock",
                                       "/v1/locks/a/get",
                                       "/v1/queues/a/acquire",
                                       "/v1/health/x",
                                       "/v1/locks/a/acquire/",
                                       "/V1/locks",
                                       "/v1//locks",
                                       "//v1/locks"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        uint16_t methods;
        cr_assert_null(find(urls[i], "GET", &methods), "%s", urls[i]);
        cr_assert_eq(methods, 0, "%s", urls[i]);
    }
}

Test(server_router, a_wrong_method_is_told_the_right_ones) {
    uint16_t methods;
    char allow[80];
    cr_assert_null(find("/v1/locks/a", "POST", &methods));
    ili_router_allow(methods, allow, sizeof allow);
    cr_assert_str_eq(allow, "GET, HEAD, PUT, DELETE, OPTIONS");
    cr_assert_null(find("/v1/queues/a/put", "get", &methods));
    ili_router_allow(methods, allow, sizeof allow);
    cr_assert_str_eq(allow, "POST, OPTIONS");
}

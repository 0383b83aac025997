/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes: each can be reached, and nothing else. */
#include "web-ui/server/api/openapi.h"
#include "web-ui/server/api/route.h"

#include <string.h>

/* A path that fits, with "x" for every part in braces. */
static char *
example(const ApiRoute *route)
{
    g_autoptr(GRegex) braces = g_regex_new("\\{[a-z]+\\}", 0, 0, NULL);

    return g_regex_replace(braces, route->path, -1, 0, "x", 0, NULL);
}

static void
test_every_route_is_found(void)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    unsigned n = 0;

    for (const ApiRoute *route = routes_get(); route->method; route++, n++) {
        g_autofree char *path = example(route);
        g_auto(RouteMatch) match = {0};
        routes_find(route->method, path, &match);
        g_assert_true(match.route == route);
        g_assert_true(g_hash_table_add(ids, (char *)route->id));
        g_assert_nonnull(route->handler);
        g_assert_cmpuint(route->status, >=, 200);
        g_assert_true(route->flags & ROUTE_OPEN || route->role);
    }
    g_assert_cmpuint(n, >, 60);
}

static void
test_parameters(void)
{
    g_auto(RouteMatch) match = {0};

    routes_find("POST", "/desktops/a%2Fb%20c/actions/start", &match);
    g_assert_nonnull(match.route);
    g_assert_cmpstr(match.parameters[0], ==, "a/b c");
    g_assert_cmpstr(match.parameters[1], ==, "start");
}

static void
test_nothing_else(void)
{
    static const char *const paths[] = {
        "",
        "/",
        "//",
        "/users/",
        "/users//",
        "/users/x/",
        "/users/x/y/z",
        "/Users",
        "/users/%",
        "/users/%ff",
        "/users/%00",
        "/sessionx",
        "users",
        "/desktops/x/actions/",
        "/desktops//actions/start",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_auto(RouteMatch) match = {0};
        routes_find("GET", paths[i], &match);
        if (match.route)
            g_error("%s is %s", paths[i], match.route->path);
    }
    g_auto(RouteMatch) match = {0};
    routes_find("BREW", "/users", &match);
    g_assert_null(match.route);
    g_assert_true(match.other_method);
}

/* Commands that only the daemon gives are nobody's to ask for. */
static void
test_what_is_not_offered(void)
{
    for (const CatalogCommand *command = catalog_get()->commands; command->name; command++) {
        g_assert_cmpstr(command->role, !=, "daemon");
        g_assert_cmpstr(command->name, !=, "user.use_totp");
    }
    gsize len;
    const char *text = g_bytes_get_data(openapi_get(), &len);
    g_assert_null(g_strstr_len(text, len, "arrive"));
    g_assert_null(g_strstr_len(text, len, "set-password"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/routes/every-one-is-found", test_every_route_is_found);
    g_test_add_func("/routes/parameters", test_parameters);
    g_test_add_func("/routes/nothing-else", test_nothing_else);
    g_test_add_func("/routes/what-is-not-offered", test_what_is_not_offered);
    return g_test_run();
}

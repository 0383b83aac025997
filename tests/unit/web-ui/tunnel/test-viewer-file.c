/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tunnel/viewer_file.h"

static void
test_values_stay_one_line(void)
{
    Authority host = {"[2001:db8::1]", 8443};
    const ViewerFile file = {"ticket", "p\n[other]\nx=1;", "Anna’s\r\n[virt-viewer]\nhost=evil",
                             &host,    "PEM\nlines\n",     "CN=a"};
    g_autofree char *text = viewer_file_make(&file);
    g_autoptr(GKeyFile) keys = g_key_file_new();
    gsize n;

    g_assert_true(g_key_file_load_from_data(keys, text, -1, 0, NULL));
    g_auto(GStrv) groups = g_key_file_get_groups(keys, &n);
    g_assert_cmpuint(n, ==, 1);
    g_autofree char *proxy = g_key_file_get_string(keys, "virt-viewer", "proxy", NULL);
    g_assert_cmpstr(proxy, ==, "http://[2001:db8::1]:8443");
    g_autofree char *address = g_key_file_get_string(keys, "virt-viewer", "host", NULL);
    g_assert_cmpstr(address, ==, "ticket.carrel");
    g_autofree char *password = g_key_file_get_string(keys, "virt-viewer", "password", NULL);
    g_assert_cmpstr(password, ==, file.password);
    g_autofree char *authority = g_key_file_get_string(keys, "virt-viewer", "ca", NULL);
    g_assert_cmpstr(authority, ==, file.authority);
    g_assert_false(g_key_file_has_key(keys, "virt-viewer", "port", NULL));
}

static void
test_names(void)
{
    static const char *const cases[][2] = {
        {"Anna", "Anna.vv"}, {"Anna's PC", "Anna-s-PC.vv"}, {"../../etc/passwd", "etc-passwd.vv"},
        {"", "desktop.vv"},  {"机", "desktop.vv"},          {"\r\nX: y", "X-y.vv"},
        {"\"; a", "a.vv"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = viewer_file_name(cases[i][0]);
        g_assert_cmpstr(name, ==, cases[i][1]);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/viewer-file/values-stay-one-line", test_values_stay_one_line);
    g_test_add_func("/viewer-file/names", test_names);
    return g_test_run();
}

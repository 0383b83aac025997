/* SPDX-License-Identifier: Apache-2.0 */
/* The file of UEFI variables: made from the template that Debian ships, opened again, locked, damaged, of a wrong size. */
#include "vmm/firmware/boot_file.h"
#include "vmm/firmware/variables.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define TEMPLATE "/usr/share/OVMF/OVMF_VARS_4M.fd"

static char *
new_path(const char *name)
{
    static char *folder;
    if (!folder)
        folder = g_dir_make_tmp("variables-XXXXXX", NULL);
    return g_build_filename(folder, name, NULL);
}

static void
expect_same(const char *path, const char *other)
{
    g_autofree char *a = NULL, *b = NULL;
    gsize a_len, b_len;
    g_assert_true(g_file_get_contents(path, &a, &a_len, NULL));
    g_assert_true(g_file_get_contents(other, &b, &b_len, NULL));
    g_assert_cmpmem(a, a_len, b, b_len);
}

static void
expect_refused(const char *path, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(variables_open(path, TEMPLATE, &error), <, 0);
    g_assert_nonnull(error);
    g_assert_cmpuint(error->domain, ==, BOOT_ERROR);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, words));
}

static void
test_made(void)
{
    g_autofree char *path = new_path("made.fd");
    g_autofd int fd = variables_open(path, TEMPLATE, NULL);
    g_assert_cmpint(fd, >=, 0);
    expect_same(path, TEMPLATE);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(dir), ==, "made.fd"); /* and nothing left over */
    g_assert_null(g_dir_read_name(dir));
    expect_refused(path, "in use by another desktop");
    g_assert_cmpint(pwrite(fd, "changed", 7, 300), ==, 7);
    close(g_steal_fd(&fd));
    fd = variables_open(path, "/no/such/template", NULL); /* it is there: no template is wanted */
    g_assert_cmpint(fd, >=, 0);
    char bytes[7];
    g_assert_cmpint(pread(fd, bytes, 7, 300), ==, 7);
    g_assert_cmpmem(bytes, 7, "changed", 7);
    g_unlink(path);
}

static void
write_spoilt(const char *path, size_t at, size_t len_change, bool flip)
{
    g_autofree char *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(TEMPLATE, &bytes, &len, NULL));
    if (flip)
        bytes[at] ^= 1;
    g_assert_true(g_file_set_contents(path, bytes, len - len_change, NULL));
}

static void
test_damaged(void)
{
    static const size_t places[] = {0, 16, 31, 32, 40, 48, 50, 60};
    g_autofree char *path = new_path("damaged.fd");

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        write_spoilt(path, places[i], 0, true);
        expect_refused(path, "or a damaged one: remove it to begin with fresh variables");
    }
    write_spoilt(path, 0, 4096, false); /* shorter than the volume it holds */
    expect_refused(path, "or a damaged one");
    write_spoilt(path, 0, 1, false);
    expect_refused(path, "its size is not");
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    expect_refused(path, "");
    g_unlink(path);
}

static void
test_no_template(void)
{
    g_autofree char *path = new_path("none.fd");
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(variables_open(path, "/no/such/template", &error), <, 0);
    g_assert_nonnull(strstr(error->message, "/no/such/template: "));
    g_clear_error(&error);
    g_assert_cmpint(variables_open(path, "/usr/share/OVMF/OVMF_CODE_4M.fd", &error), <, 0);
    g_assert_nonnull(strstr(error->message, "not a store of UEFI variables"));
    g_clear_error(&error);
    g_assert_cmpint(variables_open("/no/such/folder/x.fd", TEMPLATE, &error), <, 0);
    g_assert_nonnull(strstr(error->message, "/no/such/folder/x.fd: "));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/variables/made", test_made);
    g_test_add_func("/variables/damaged", test_damaged);
    g_test_add_func("/variables/no-template", test_no_template);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tls/identity.h"
#include "web-ui/server/tls/self_signed.h"

#include <glib/gstdio.h>
#include <string.h>

#define NOW INT64_C(1800000000)
#define DAY (24 * 60 * 60)

typedef struct {
    char *folder, *certificate, *key;
} Files;

static void
set_up(Files *files, const void *data)
{
    static const char *const names[] = {"desk.example", "192.0.2.1", "2001:db8::1", NULL};
    g_autoptr(GError) error = NULL;

    files->folder = g_dir_make_tmp("carrel-XXXXXX", NULL);
    files->certificate = g_build_filename(files->folder, "certificate.pem", NULL);
    files->key = g_build_filename(files->folder, "key.pem", NULL);
    g_assert_true(tls_self_signed_make(files->certificate, files->key, names, NOW, &error));
    g_assert_no_error(error);
}

static void
tear_down(Files *files, const void *data)
{
    g_remove(files->certificate);
    g_remove(files->key);
    g_rmdir(files->folder);
    g_free(files->folder);
    g_free(files->certificate);
    g_free(files->key);
}

static void
test_made(Files *files, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TlsIdentity) identity = tls_identity_load(files->certificate, files->key, NULL, &error);
    GStatBuf status;

    g_assert_no_error(error);
    g_assert_true(tls_identity_is_self_signed(identity));
    g_assert_cmpstr(tls_identity_get_subject(identity), ==, "O=Carrel (made by the host itself),CN=desk.example");
    g_assert_cmpint(tls_identity_get_expiry(identity), ==, NOW + 820 * DAY);
    g_autofree char *pem = NULL;
    g_assert_true(g_file_get_contents(files->certificate, &pem, NULL, NULL));
    g_assert_cmpstr(tls_identity_get_authority(identity), ==, pem);
    g_assert_cmpint(g_stat(files->key, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
}

static void
test_due(Files *files, const void *data)
{
    g_assert_false(tls_self_signed_is_due(files->certificate, NOW));
    g_assert_false(tls_self_signed_is_due(files->certificate, NOW + 789 * DAY));
    g_assert_true(tls_self_signed_is_due(files->certificate, NOW + 791 * DAY));
    g_assert_false(tls_self_signed_is_due("/nowhere", NOW + 791 * DAY));
}

static void
test_bad_files(Files *files, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *other = g_build_filename(files->folder, "other.pem", NULL);
    static const char *const names[] = {"other", NULL};
    g_autofree char *other_key = g_build_filename(files->folder, "other-key.pem", NULL);

    g_assert_null(tls_identity_load("/nowhere", files->key, NULL, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_clear_error(&error);
    g_assert_null(tls_identity_load(files->key, files->key, NULL, &error));
    g_assert_error(error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE);
    g_clear_error(&error);
    g_assert_true(tls_self_signed_make(other, other_key, names, NOW, NULL));
    g_assert_null(tls_identity_load(files->certificate, other_key, NULL, &error));
    g_assert_error(error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE);
    g_remove(other);
    g_remove(other_key);
}

static void
test_names(void)
{
    static const char *const more[] = {"desk.example", "localhost", NULL};
    g_auto(GStrv) names = tls_self_signed_names(more);

    g_assert_cmpstr(names[0], ==, "desk.example");
    g_assert_cmpstr(names[1], ==, "localhost");
    g_assert_true(g_strv_contains((const char *const *)names, g_get_host_name()));
    for (unsigned i = 2; names[i]; i++)
        g_assert_cmpstr(names[i], !=, "localhost");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/self-signed/made", Files, NULL, set_up, test_made, tear_down);
    g_test_add("/self-signed/due", Files, NULL, set_up, test_due, tear_down);
    g_test_add("/self-signed/bad-files", Files, NULL, set_up, test_bad_files, tear_down);
    g_test_add_func("/self-signed/names", test_names);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/record.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *
scratch(void)
{
    return g_strdup_printf("%s/record-%d", g_get_tmp_dir(), getpid());
}

static void
write_one(const char *path)
{
    g_autoptr(Record) record = record_new();
    g_autoptr(GError) error = NULL;

    record->pid = 42;
    record->began = 123456;
    record->tpm_pid = 43;
    record->tpm_began = 123457;
    record->uid = 70001;
    record->memory = UINT64_C(5) << 32;
    record->since = 1;
    record->name = g_strdup("Änne = 1");
    record_add_card(record, "lan", "52:54:00:00:00:01");
    record_add_card(record, "home", NULL);
    g_assert_true(record_write(record, path, &error));
    g_assert_no_error(error);
}

static void
test_round(void)
{
    g_autofree char *path = scratch();
    g_autoptr(GError) error = NULL;

    write_one(path);
    g_autoptr(Record) read = record_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(read->pid, ==, 42);
    g_assert_cmpuint(read->began, ==, 123456);
    g_assert_cmpint(read->tpm_pid, ==, 43);
    g_assert_cmpuint(read->uid, ==, 70001);
    g_assert_cmpuint(read->memory, ==, UINT64_C(5) << 32);
    g_assert_cmpstr(read->name, ==, "Änne = 1");
    g_assert_cmpuint(read->cards->len, ==, 2);
    g_assert_cmpstr(((RecordCard *)read->cards->pdata[0])->mac, ==, "52:54:00:00:00:01");
    g_assert_null(((RecordCard *)read->cards->pdata[1])->mac);
    g_unlink(path);
}

/* Its processes have nothing to do with ours. */
static void
test_before_the_last_start(void)
{
    g_autofree char *path = scratch(), *text = NULL;

    write_one(path);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    char *boot = strstr(text, "boot=") + strlen("boot=");
    *boot = *boot == '0' ? '1' : '0';
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_null(record_read(path, NULL));
    g_unlink(path);
}

static void
test_not_whole(void)
{
    g_autofree char *path = scratch(), *text = NULL;
    gsize size;

    g_assert_null(record_read(path, NULL));
    write_one(path);
    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    for (gsize n = 0; n < (gsize)(strstr(text, "began") - text); n++) {
        g_assert_true(g_file_set_contents(path, text, (gssize)n, NULL));
        g_assert_null(record_read(path, NULL));
    }
    g_unlink(path);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/record/round", test_round);
    g_test_add_func("/record/before-the-last-start", test_before_the_last_start);
    g_test_add_func("/record/not-whole", test_not_whole);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: private, told from stale ones, never over somebody's file. */
#include "vmm/board/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void
test_sockets(void)
{
    g_autofree char *folder = g_dir_make_tmp("carrel-listener-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "s", NULL);
    g_autofree char *plain = g_build_filename(folder, "plain", NULL);
    g_autoptr(GError) error = NULL;
    struct stat st;

    int fd = listener_new(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
    g_assert_cmpint(listener_new(path, &error), ==, -1);
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN);
    g_clear_error(&error);
    close(fd); /* what a killed process leaves behind */
    fd = listener_new(path, &error);
    g_assert_no_error(error);
    close(fd);

    g_assert_true(g_file_set_contents(plain, "data", -1, NULL));
    g_assert_cmpint(listener_new(plain, &error), ==, -1);
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST);
    g_assert_true(g_file_test(plain, G_FILE_TEST_IS_REGULAR));
    g_unlink(path);
    g_unlink(plain);
    g_rmdir(folder);
}

static void
test_check(void)
{
    bool listening;
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    g_assert_true(listener_check(pair[0], &listening));
    g_assert_false(listening);
    close(pair[0]);
    close(pair[1]);
    g_autofd int null = open("/dev/null", O_RDWR);
    g_assert_false(listener_check(null, &listening));
    g_autofd int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
    g_assert_false(listener_check(datagram, &listening));
    g_autofd int unconnected = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_false(listener_check(unconnected, &listening));
}

static void
test_long_path(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strnfill(200, 'x');
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, NULL);

    g_assert_cmpint(listener_new(path, &error), ==, -1);
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/listener/sockets", test_sockets);
    g_test_add_func("/listener/check", test_check);
    g_test_add_func("/listener/long-path", test_long_path);
    return g_test_run();
}

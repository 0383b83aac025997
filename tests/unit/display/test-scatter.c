/* SPDX-License-Identifier: Apache-2.0 */
/* Scattered bytes: any stretch of the list reads as it would of one run. */
#include "display/scatter.h"

#include <glib.h>

static void
test_every_stretch(void)
{
    static const char letters[] = "abcdefghi";
    char one[] = "abc", two[] = "d", three[] = "efghi";
    const struct iovec iov[] = {{one, 3}, {NULL, 0}, {two, 1}, {three, 5}, {three, 0}};
    struct iovec packed[5];
    uint64_t starts[5], total;
    size_t n;

    g_assert_true(scatter_pack(iov, 5, packed, starts, &n, &total));
    g_assert_cmpuint(n, ==, 3);
    g_assert_cmpuint(total, ==, 9);
    const Scatter scatter = {packed, starts, n};
    for (size_t at = 0; at < 9; at++) {
        for (size_t len = 1; len <= 9 - at; len++) {
            char got[9];
            scatter_read(&scatter, at, got, len);
            g_assert_cmpmem(got, len, &letters[at], len);
            const char *run = scatter_run(&scatter, at, len);
            bool inside = (at + len <= 3) || (at == 3 && len == 1) || at >= 4;
            g_assert_true((run != NULL) == inside);
            if (run)
                g_assert_cmpmem(run, len, &letters[at], len);
        }
    }
}

static void
test_lengths_that_wrap_are_refused(void)
{
    const struct iovec iov[] = {{NULL, SIZE_MAX}, {NULL, 1}};
    struct iovec packed[2];
    uint64_t starts[2], total;
    size_t n;
    g_assert_false(scatter_pack(iov, 2, packed, starts, &n, &total));
    g_assert_true(scatter_pack(iov, 1, packed, starts, &n, &total));
    g_assert_cmpuint(total, ==, SIZE_MAX);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scatter/every-stretch", test_every_stretch);
    g_test_add_func("/scatter/wrap", test_lengths_that_wrap_are_refused);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds a fuzz target every file of the folders named: the saved corpus is a regression test in every build, with or
 * without libFuzzer. An empty or missing folder is a failure, since it tests nothing.
 */
#include "tests/fuzz/fuzz.h"

#include <glib.h>
#include <stdlib.h>

static unsigned
replay_folder(const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) entries = g_dir_open(folder, 0, &error);
    unsigned n = 0;

    if (!entries)
        g_error("%s", error->message);
    for (const char *name; (name = g_dir_read_name(entries)); n++) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *bytes = NULL;
        gsize len;
        if (!g_file_get_contents(path, &bytes, &len, &error))
            g_error("%s", error->message);
        g_print("# %s\n", path);
        LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
    }
    return n;
}

int
main(int argc, char **argv)
{
    unsigned n = 0;

    for (int i = 1; i < argc; i++)
        n += replay_folder(argv[i]);
    g_print("%u inputs replayed\n", n);
    return n ? EXIT_SUCCESS : EXIT_FAILURE;
}

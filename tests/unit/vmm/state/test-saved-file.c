/* SPDX-License-Identifier: Apache-2.0 */
/* Saved files: what was written is found again, holes stay holes, and damaged, cut or foreign files are refused. */
#include "vmm/state/saved_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAM_LEN (8u << 20)
#define CONFIG "[desktop]\nname=x\n"

/* An unlinked file to write to. */
static int
scratch_file(void)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("carrel-saved-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_unlink(path);
    return fd;
}

static int
make_ram(uint8_t **host)
{
    int memfd = memfd_create("ram", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(memfd, RAM_LEN), ==, 0);
    *host = mmap(NULL, RAM_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    g_assert_true(*host != MAP_FAILED);
    strcpy((char *)*host + 4096, "second page");
    strcpy((char *)*host + RAM_LEN - 100, "last page");
    return memfd;
}

static int
save(bool with_memfd)
{
    uint8_t *host;
    g_autofd int memfd = make_ram(&host);
    g_autoptr(GByteArray) sections = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    int fd = scratch_file();

    g_byte_array_append(sections, (const uint8_t *)"sections", 8);
    SavedRam ram = {host, RAM_LEN, with_memfd ? memfd : -1};
    g_assert_true(saved_file_write(fd, &ram, CONFIG, sections, NULL, &error));
    g_assert_no_error(error);
    munmap(host, RAM_LEN);
    return fd;
}

static void
check_round_trip(bool with_memfd)
{
    g_autofd int fd = save(with_memfd);
    g_autoptr(GError) error = NULL;
    g_autoptr(SavedFile) file = saved_file_open(fd, "f", &error);
    char text[16];
    struct stat st;

    g_assert_no_error(error);
    g_assert_cmpstr(file->config, ==, CONFIG);
    g_assert_cmpmem(file->sections->data, file->sections->len, "sections", 8);
    g_assert_cmpuint(file->ram_len, ==, RAM_LEN);
    g_assert_cmpint(pread(fd, text, 12, file->ram_offset + 4096), ==, 12);
    g_assert_cmpstr(text, ==, "second page");
    g_assert_cmpint(pread(fd, text, 10, file->ram_offset + RAM_LEN - 100), ==, 10);
    g_assert_cmpstr(text, ==, "last page");
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    g_assert_cmpint(st.st_blocks * 512, <, RAM_LEN / 4); /* zero pages take no space */
}

static void
test_round_trip(void)
{
    check_round_trip(true);
    check_round_trip(false);
}

static void
expect_refusal(int fd, StateError code)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(saved_file_open(fd, "f", &error));
    g_assert_error(error, STATE_ERROR, (int)code);
    g_assert_true(g_str_has_prefix(error->message, "f: "));
    g_assert_null(strchr(error->message, '\n'));
}

static void
overwrite(int fd, off_t at, uint8_t byte)
{
    g_assert_cmpint(pwrite(fd, &byte, 1, at), ==, 1);
}

static void
test_refusals(void)
{
    struct stat st;

    g_autofd int cut = save(true);
    g_assert_cmpint(fstat(cut, &st), ==, 0);
    g_assert_cmpint(ftruncate(cut, st.st_size - 1), ==, 0);
    expect_refusal(cut, STATE_ERROR_TRUNCATED);
    g_assert_cmpint(ftruncate(cut, 3 << 20), ==, 0);
    expect_refusal(cut, STATE_ERROR_TRUNCATED);
    g_assert_cmpint(ftruncate(cut, 40), ==, 0);
    expect_refusal(cut, STATE_ERROR_TRUNCATED);
    g_assert_cmpint(ftruncate(cut, 3), ==, 0);
    expect_refusal(cut, STATE_ERROR_FOREIGN);

    g_autofd int longer = save(true);
    overwrite(longer, st.st_size, 0);
    expect_refusal(longer, STATE_ERROR_MALFORMED);

    g_autofd int damaged = save(true);
    overwrite(damaged, st.st_size - 1, 'S');
    expect_refusal(damaged, STATE_ERROR_MALFORMED);

    g_autofd int newer = save(true);
    overwrite(newer, 16, 9);
    expect_refusal(newer, STATE_ERROR_VERSION);

    g_autofd int foreign = save(true);
    overwrite(foreign, 0, 'X');
    expect_refusal(foreign, STATE_ERROR_FOREIGN);

    g_autofd int unfinished = save(true); /* what a power cut leaves: all but the header */
    uint8_t zeroes[4096] = {0};
    g_assert_cmpint(pwrite(unfinished, zeroes, sizeof(zeroes), 0), ==, sizeof(zeroes));
    expect_refusal(unfinished, STATE_ERROR_FOREIGN);
}

static void
test_every_header_byte(void)
{
    g_autofd int fd = save(true);
    for (off_t at = 0; at < 24 + 5 * 8; at++) {
        uint8_t old;
        g_assert_cmpint(pread(fd, &old, 1, at), ==, 1);
        overwrite(fd, at, old ^ 0x80);
        g_autoptr(GError) error = NULL;
        g_autoptr(SavedFile) file = saved_file_open(fd, "f", &error);
        g_assert_null(file);
        overwrite(fd, at, old);
    }
}

/* Lengths that agree with the file's, in a sparse file that costs its maker nothing. */
static void
test_huge_sections(void)
{
    g_autofd int fd = save(true);
    g_autoptr(GError) error = NULL;
    uint64_t lengths[5]; /* file, RAM's offset and length, configuration, sections */

    g_assert_cmpint(pread(fd, lengths, sizeof(lengths), 24), ==, sizeof(lengths));
    lengths[0] += 4ull << 30;
    lengths[4] += 4ull << 30;
    g_assert_cmpint(pwrite(fd, lengths, sizeof(lengths), 24), ==, sizeof(lengths));
    g_assert_cmpint(ftruncate(fd, lengths[0]), ==, 0);
    g_assert_null(saved_file_open(fd, "f", &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_MALFORMED);
    g_assert_nonnull(strstr(error->message, "contradicts itself"));
}

static void
test_target(void)
{
    g_autofd int fd = save(true);
    uint8_t page[4096] = {1};
    g_autoptr(GByteArray) sections = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    SavedRam ram = {page, sizeof(page), -1};

    g_assert_false(saved_file_write(fd, &ram, CONFIG, sections, NULL, &error)); /* not empty: somebody's file */
    g_assert_error(error, STATE_ERROR, STATE_ERROR_IO);
    g_clear_error(&error);
    g_autofd int full = open("/dev/full", O_RDWR);
    g_assert_false(saved_file_write(full, &ram, CONFIG, sections, NULL, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_IO);
}

/* A saving that fails, for want of room or of interest, takes no room. */
static void
test_given_up(void)
{
    static const struct {
        rlim_t limit;
        gint cancelled;
        int code;
    } cases[] = {{RLIM_INFINITY, true, STATE_ERROR_CANCELLED}, {4 << 20, false, STATE_ERROR_IO}};
    uint8_t *host;
    g_autofd int memfd = make_ram(&host);
    g_autoptr(GByteArray) sections = g_byte_array_new();
    SavedRam ram = {host, RAM_LEN, memfd};
    struct rlimit before;
    struct stat st;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofd int fd = scratch_file();
        g_autoptr(GError) error = NULL;
        struct rlimit limit = {cases[i].limit, before.rlim_max};
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
        g_assert_false(saved_file_write(fd, &ram, CONFIG, sections, &cases[i].cancelled, &error));
        setrlimit(RLIMIT_FSIZE, &before);
        g_assert_error(error, STATE_ERROR, cases[i].code);
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        g_assert_cmpint(st.st_size, ==, 0);
    }
    munmap(host, RAM_LEN);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/saved-file/round-trip", test_round_trip);
    g_test_add_func("/saved-file/refusals", test_refusals);
    g_test_add_func("/saved-file/every-header-byte", test_every_header_byte);
    g_test_add_func("/saved-file/huge-sections", test_huge_sections);
    g_test_add_func("/saved-file/target", test_target);
    g_test_add_func("/saved-file/given-up", test_given_up);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing and opening saved desktops. The header is itself described by a state table. RAM is written in extents: holes of
 * the memfd and pages of zeroes are left out, so that the file takes the space the guest really uses.
 */
#include "vmm/state/saved_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u
#define RAM_OFFSET (2u << 20)
/* Bytes written between two looks at whether to go on. */
#define WRITE_PIECE (8u << 20)
/* More than any configuration, and than the state of a desktop with its pictures, may take. */
#define CONFIG_MAX (1u << 20)
#define SECTIONS_MAX_LEN G_MAXUINT32 /* what a GByteArray holds */
#define DIGEST_LEN 32

/* Ends in bytes that a transfer in text mode would change. */
static const uint8_t magic[16] = "CARREL DESK\r\n\x1a\n"; /* 15 and a NUL */

typedef struct {
    uint64_t file_len;
    uint64_t ram_offset, ram_len;
    uint64_t config_len, sections_len; /* they follow RAM, in this order */
    uint8_t digest[DIGEST_LEN];        /* of the configuration and the sections */
} Header;

static const StateField header_fields[] = {
    STATE_UINT(Header, file_len, 1),
    STATE_UINT(Header, ram_offset, 1),
    STATE_UINT(Header, ram_len, 1),
    STATE_UINT(Header, config_len, 1),
    STATE_UINT(Header, sections_len, 1),
    STATE_BYTES(Header, digest, 1),
    STATE_END,
};
static const StateTable header_table = {.name = "header", .version = 1, .oldest = 1, .fields = header_fields};

/* On disk the header is: magic, version u32, length u32, fields. */
typedef struct {
    uint8_t magic[16];
    uint32_t version, len;
} Preamble;

static bool
io_error(GError **error, const char *what)
{
    g_set_error(error, STATE_ERROR, STATE_ERROR_IO, "cannot %s the saved desktop: %s", what, g_strerror(errno));
    return false;
}

static bool
write_all(int fd, const uint8_t *bytes, uint64_t len, uint64_t offset, GError **error)
{
    while (len) {
        ssize_t n = pwrite(fd, bytes, MIN(len, 1u << 30), offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return io_error(error, "write");
        bytes += n;
        offset += n;
        len -= n;
    }
    return true;
}

static bool
read_all(int fd, uint8_t *bytes, uint64_t len, uint64_t offset, GError **error)
{
    while (len) {
        ssize_t n = pread(fd, bytes, MIN(len, 1u << 30), offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(error, "read");
        if (n == 0) {
            g_set_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED, "the saved desktop is cut short");
            return false;
        }
        bytes += n;
        offset += n;
        len -= n;
    }
    return true;
}

static bool
page_is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

/* Writes the pages of [from, to) that hold anything, run by run. */
static bool
write_piece(int fd, const SavedRam *ram, uint64_t from, uint64_t to, GError **error)
{
    while (from < to) {
        while (from < to && page_is_zero(ram->host + from))
            from += PAGE;
        uint64_t end = from;
        while (end < to && !page_is_zero(ram->host + end))
            end += PAGE;
        if (!write_all(fd, ram->host + from, end - from, RAM_OFFSET + from, error))
            return false;
        from = end;
    }
    return true;
}

static bool
write_extent(int fd, const SavedRam *ram, uint64_t from, uint64_t to, const gint *cancelled, GError **error)
{
    for (uint64_t end; from < to; from = end) {
        end = MIN(to, from + WRITE_PIECE);
        if (cancelled && g_atomic_int_get(cancelled)) {
            g_set_error_literal(error, STATE_ERROR, STATE_ERROR_CANCELLED, "the saving was cancelled");
            return false;
        }
        if (!write_piece(fd, ram, from, end, error))
            return false;
    }
    return true;
}

/* The next stretch of RAM that may hold something: where the memfd has pages, else all of it. */
static bool
next_extent(const SavedRam *ram, uint64_t at, uint64_t *from, uint64_t *to)
{
    *from = at;
    *to = ram->len;
    if (ram->memfd >= 0) {
        off_t data = lseek(ram->memfd, at, SEEK_DATA);
        if (data < 0)
            return false;
        off_t hole = lseek(ram->memfd, data, SEEK_HOLE);
        *from = data;
        *to = hole < 0 ? ram->len : MIN((uint64_t)hole, ram->len);
    }
    return *from < *to;
}

static void
digest_of(const char *config, size_t config_len, const uint8_t *sections, size_t sections_len, uint8_t *digest)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize len = DIGEST_LEN;

    g_checksum_update(sum, (const uint8_t *)config, config_len);
    g_checksum_update(sum, sections, sections_len);
    g_checksum_get_digest(sum, digest, &len);
}

static bool
write_header(int fd, Header *header, GError **error)
{
    g_autoptr(GByteArray) fields = g_byte_array_new();
    g_autoptr(GByteArray) page = g_byte_array_new();

    state_save(&header_table, header, fields);
    Preamble preamble = {.version = GUINT32_TO_LE(header_table.version), .len = GUINT32_TO_LE(fields->len)};
    memcpy(preamble.magic, magic, sizeof(magic));
    g_byte_array_append(page, (const uint8_t *)&preamble, sizeof(preamble));
    g_byte_array_append(page, fields->data, fields->len);
    return write_all(fd, page->data, page->len, 0, error);
}

static bool
check_target(int fd, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return io_error(error, "write");
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && S_ISREG(st.st_mode) && st.st_size == 0 && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_APPEND))
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_IO,
                "a desktop is saved to an empty regular file only, open for writing and not for appending");
    return false;
}

static bool
write_whole(int fd, const SavedRam *ram, const char *config, const GByteArray *sections, const gint *cancelled,
            GError **error)
{
    uint64_t tail = RAM_OFFSET + ram->len, from, to;
    Header header = {.ram_offset = RAM_OFFSET,
                     .ram_len = ram->len,
                     .config_len = strlen(config),
                     .sections_len = sections->len,
                     .file_len = tail + strlen(config) + sections->len};

    for (uint64_t at = 0; at < ram->len && next_extent(ram, at, &from, &to); at = to)
        if (!write_extent(fd, ram, from, to, cancelled, error))
            return false;
    if (!write_all(fd, (const uint8_t *)config, header.config_len, tail, error) ||
        !write_all(fd, sections->data, sections->len, tail + header.config_len, error))
        return false;
    digest_of(config, header.config_len, sections->data, sections->len, header.digest);
    /* What the header vouches for must be on stable storage before the header is. */
    if (fdatasync(fd) < 0)
        return io_error(error, "write");
    if (!write_header(fd, &header, error))
        return false;
    return fdatasync(fd) == 0 || io_error(error, "write");
}

bool
saved_file_write(int fd, const SavedRam *ram, const char *config, const GByteArray *sections, const gint *cancelled,
                 GError **error)
{
    if (!check_target(fd, error))
        return false;
    if (write_whole(fd, ram, config, sections, cancelled, error))
        return true;
    (void)!ftruncate(fd, 0); /* a file system that is full has its room back at once */
    return false;
}

static bool
refuse(GError **error, StateError code, const char *why)
{
    g_set_error_literal(error, STATE_ERROR, code, why);
    return false;
}

/* Every length is held against the file's own before it is used. */
static bool
header_is_sane(const Header *header, uint64_t real_len, GError **error)
{
    if (header->file_len > real_len)
        return refuse(error, STATE_ERROR_TRUNCATED, "the saved desktop is cut short");
    if (header->file_len < real_len || header->ram_offset % PAGE || header->ram_len % PAGE ||
        header->ram_offset > header->file_len || header->config_len > CONFIG_MAX ||
        header->sections_len > SECTIONS_MAX_LEN || header->ram_len > header->file_len - header->ram_offset ||
        header->config_len + header->sections_len != header->file_len - header->ram_offset - header->ram_len)
        return refuse(error, STATE_ERROR_MALFORMED, "the saved desktop's header contradicts itself");
    return true;
}

static bool
read_header(int fd, Header *header, GError **error)
{
    Preamble preamble = {0};
    uint8_t fields[256];
    struct stat st;

    if (fstat(fd, &st) < 0)
        return io_error(error, "read");
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(preamble))
        return refuse(error, STATE_ERROR_FOREIGN, "this is not a saved desktop");
    if (!read_all(fd, (uint8_t *)&preamble, sizeof(preamble), 0, error))
        return false;
    if (memcmp(preamble.magic, magic, sizeof(magic)))
        return refuse(error, STATE_ERROR_FOREIGN, "this is not a saved desktop, or its saving was cut short");
    uint32_t version = GUINT32_FROM_LE(preamble.version), len = GUINT32_FROM_LE(preamble.len);
    if (version > header_table.version)
        return refuse(error, STATE_ERROR_VERSION, "the saved desktop was written by a newer Carrel");
    if (len > sizeof(fields))
        return refuse(error, STATE_ERROR_MALFORMED, "the saved desktop's header is too long");
    return read_all(fd, fields, len, sizeof(preamble), error) &&
           state_load(&header_table, header, version, fields, len, error) && header_is_sane(header, st.st_size, error);
}

static bool
read_parts(int fd, const Header *header, SavedFile *file, GError **error)
{
    uint64_t at = header->ram_offset + header->ram_len;
    uint8_t digest[DIGEST_LEN];
    g_autofree uint8_t *sections = g_try_malloc(header->sections_len);

    file->config = g_malloc0(header->config_len + 1);
    if (!sections && header->sections_len)
        return refuse(error, STATE_ERROR_IO, "there is not enough memory to read the saved desktop");
    if (!read_all(fd, (uint8_t *)file->config, header->config_len, at, error) ||
        !read_all(fd, sections, header->sections_len, at + header->config_len, error))
        return false;
    digest_of(file->config, header->config_len, sections, header->sections_len, digest);
    if (memcmp(digest, header->digest, DIGEST_LEN))
        return refuse(error, STATE_ERROR_MALFORMED, "the saved desktop was changed or damaged since it was written");
    file->sections = g_byte_array_new_take(g_steal_pointer(&sections), header->sections_len);
    file->ram_offset = header->ram_offset;
    file->ram_len = header->ram_len;
    return true;
}

SavedFile *
saved_file_open(int fd, const char *path, GError **error)
{
    g_autoptr(SavedFile) file = g_new0(SavedFile, 1);
    Header header = {0};

    file->path = g_strdup(path);
    if (read_header(fd, &header, error) && read_parts(fd, &header, file, error))
        return g_steal_pointer(&file);
    g_prefix_error(error, "%s: ", path);
    return NULL;
}

void
saved_file_free(SavedFile *file)
{
    if (!file)
        return;
    g_free(file->path);
    g_free(file->config);
    g_clear_pointer(&file->sections, g_byte_array_unref);
    g_free(file);
}

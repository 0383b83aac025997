/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/convert.h"
#include "appliance/storage/error.h"
#include "appliance/storage/program.h"

#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/stat.h>

#define WORDS_MAX 24
#define REPORT_MAX (1 << 20)
#define WHOLE 10000 /* percents of hundredths */

/* The words after carrel-confine's own, up to NULL. */
static bool
run(const Conversion *conversion, int out, uint64_t size, Program *program, const Work *work, GError **error, ...)
{
    const StorageConfig *config = conversion->config;
    g_autofree char *uid = g_strdup_printf("%u", (unsigned)config->import_uid);
    g_autofree char *limit = g_strdup_printf("%" G_GUINT64_FORMAT, size);
    const char *words[WORDS_MAX] = {config->helper, uid, "3", out < 0 ? "-1" : "4", limit, config->qemu_img};
    const int fds[] = {conversion->in, out};
    unsigned n = 6;
    va_list more;

    va_start(more, error);
    for (const char *word; (word = va_arg(more, const char *));) {
        g_assert(n < WORDS_MAX - 1);
        words[n++] = word;
    }
    va_end(more);
    program->words = words;
    program->fds = fds;
    program->n_fds = out < 0 ? 1 : 2;
    return program_run(program, work, error);
}

/* The format by name, the file by its place: nothing of what it says is followed. */
static char *
source_of(const Conversion *conversion)
{
    return g_strdup_printf("driver=%s,file.driver=file,file.filename=/in,file.locking=off,read-only=on",
                           probe_format_name(conversion->format));
}

/* What qemu-img says is wrong with a file is wrong with the file. */
static bool
blame_the_file(GError **error, const GError *why)
{
    return storage_fail(error, STORAGE_ERROR_INVALID, "it cannot be read: %s", why->message);
}

/* ---- looking ---- */

static bool
may_be(JsonObject *told, const char *format, GError **error)
{
    if (g_strcmp0(json_object_get_string_member_with_default(told, "format", NULL), format))
        return storage_fail(error, STORAGE_ERROR_INVALID, "it is not what it says it is");
    if (json_object_has_member(told, "backing-filename") || json_object_has_member(told, "full-backing-filename"))
        return storage_fail(error, STORAGE_ERROR_INVALID,
                            "it is the difference to another image: upload one that is whole");
    if (json_object_get_boolean_member_with_default(told, "encrypted", FALSE))
        return storage_fail(error, STORAGE_ERROR_INVALID, "it is encrypted: upload it decrypted");
    return true;
}

static bool
read_report(const char *json, const char *format, uint64_t *size, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root = json_parser_load_from_data(parser, json, -1, NULL) ? json_parser_get_root(parser) : NULL;

    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return storage_fail(error, STORAGE_ERROR_FAILED, "qemu-img told something that is no report");
    JsonObject *told = json_node_get_object(root);
    if (!may_be(told, format, error))
        return false;
    int64_t says = json_object_get_int_member_with_default(told, "virtual-size", 0);
    if (says <= 0)
        return storage_fail(error, STORAGE_ERROR_INVALID, "it is an image of a disk without a single byte");
    *size = (uint64_t)says;
    return true;
}

/*
 * What its own tables point to must be there: what is missing would be read as zeros. Formats without a check tell when they
 * are opened, or in probe.c. Room that is used by nothing harms nobody.
 */
static bool
is_sound(const Conversion *conversion, const char *source, Work *work, GError **error)
{
    static const bool has_check[] = {[PROBE_QCOW2] = true, [PROBE_VMDK] = true, [PROBE_VPC] = false};
    g_autoptr(GError) why = NULL;
    Program program = {.also_fine = 3};

    if (!has_check[conversion->format] ||
        run(conversion, -1, REPORT_MAX, &program, work, &why, "check", "-q", "--image-opts", source, NULL))
        return true;
    if (g_error_matches(why, STORAGE_ERROR, STORAGE_ERROR_FAILED))
        return storage_fail(error, STORAGE_ERROR_INVALID, "it is damaged, or the upload is not the whole file: %s",
                            why->message);
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

bool
convert_look(const Conversion *conversion, uint64_t claimed, Work *work, uint64_t *size, GError **error)
{
    g_autofree char *source = source_of(conversion), *json = NULL;
    g_autoptr(GError) why = NULL;
    Program program = {.output = &json};
    uint64_t says = 0;

    if (!run(conversion, -1, REPORT_MAX, &program, work, &why, "info", "--output=json", "--image-opts", source, NULL)) {
        if (g_error_matches(why, STORAGE_ERROR, STORAGE_ERROR_FAILED))
            return blame_the_file(error, why);
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    if (!read_report(json, probe_format_name(conversion->format), &says, error))
        return false;
    if (claimed && says != claimed)
        return storage_fail(error, STORAGE_ERROR_INVALID, "its header contradicts itself about the disk's size");
    if (!is_sound(conversion, source, work, error))
        return false;
    *size = says;
    return true;
}

/* ---- writing ---- */

typedef struct {
    Work *work;
    ConvertGoesOn goes_on;
    gpointer user;
} Watch;

/* "    (12.34/100%)": how far it is. */
static bool
on_line(const char *line, gpointer user, GError **error)
{
    Watch *watch = user;
    const char *open = strchr(line, '(');
    double percent = open ? g_ascii_strtod(open + 1, NULL) : 0;

    work_tell(watch->work, (uint64_t)(CLAMP(percent, 0, 100) / 100 * WHOLE), WHOLE);
    return watch->goes_on(watch->user, error);
}

static const char *
target_of(int out)
{
    struct stat is;

    return fstat(out, &is) == 0 && S_ISBLK(is.st_mode)
               ? "driver=raw,file.driver=host_device,file.filename=/out,file.locking=off"
               : "driver=raw,file.driver=file,file.filename=/out,file.locking=off";
}

bool
convert_write(const Conversion *conversion, int out, uint64_t size, Work *work, ConvertGoesOn goes_on, gpointer user,
              GError **error)
{
    g_autofree char *source = source_of(conversion);
    g_autoptr(GError) why = NULL;
    Watch watch = {work, goes_on, user};
    Program program = {.line = on_line, .user = &watch};

    if (run(conversion, out, size, &program, work, &why, "convert", "-p", "-n", "--target-is-zero", "--image-opts",
            source, "--target-image-opts", target_of(out), NULL))
        return true;
    if (strstr(why->message, "No space left") || strstr(why->message, "Disk quota exceeded"))
        return storage_fail(error, STORAGE_ERROR_FULL, "there was no room left while it was converted");
    if (g_error_matches(why, STORAGE_ERROR, STORAGE_ERROR_FAILED))
        return blame_the_file(error, why);
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

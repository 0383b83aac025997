/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines, read against the store's catalog without a daemon. */
#include "appliance/command/call.h"

#include <string.h>

#define ID "6f1d3c52-4b5e-4d0a-9d0c-0000000000a1"

typedef struct {
    GPtrArray *verbs;
    CliCall call;
    GError *error;
} Line;

static void
line_clear(Line *line)
{
    g_ptr_array_unref(line->verbs);
    g_hash_table_unref(line->call.values);
    g_clear_error(&line->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Line, line_clear)

/* "desktop create Anna --memory 4G": words apart by spaces. */
static Line
read_line(const char *text, bool good)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    Line line = {.verbs = cli_verbs(words[0])};

    line.call.verb = cli_verb_find(line.verbs, words[1]);
    g_assert_nonnull(line.call.verb);
    line.call.values = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_variant_unref);
    bool read = cli_call_read(&line.call, words + 2, &line.error);
    if (good)
        g_assert_no_error(line.error);
    g_assert_cmpint(read, ==, good);
    return line;
}

static void
assert_fields(const char *text, const char *expected)
{
    g_auto(Line) line = read_line(text, true);
    GHashTable *values = line.call.values;
    g_autoptr(GVariant) wanted = g_variant_ref_sink(g_variant_new_parsed(expected));

    g_assert_cmpuint(g_hash_table_size(values), ==, g_variant_n_children(wanted));
    GVariantIter iter;
    const char *name;
    GVariant *value;
    g_variant_iter_init(&iter, wanted);
    while (g_variant_iter_loop(&iter, "{&sv}", &name, &value)) {
        GVariant *has = g_hash_table_lookup(values, name);
        g_assert_nonnull(has);
        g_assert_cmpvariant(has, value);
    }
}

static void
assert_refused(const char *text, CliExit code, const char *words)
{
    g_auto(Line) line = read_line(text, false);

    g_assert_error(line.error, CLI_ERROR, (int)code);
    g_assert_nonnull(strstr(line.error->message, words));
}

static void
test_words_and_options(void)
{
    const char *made = "{'name': <'Anna'>, 'memory': <int64 4096>, 'vcpus': <int64 2>}";

    assert_fields("desktop create Anna 4G 2", made);
    assert_fields("desktop create --vcpus 2 Anna --memory=4096", made);
    assert_fields("desktop create --name Anna --memory 4GiB -- 2", made);
    assert_fields(
        "desktop create Anna 4g 2 --tpm --no-secure-boot --guest-os windows",
        "{'name': <'Anna'>, 'memory': <int64 4096>, 'vcpus': <int64 2>, 'tpm': <true>, 'secure_boot': <false>, "
        "'guest_os': <'windows'>}");
    assert_fields("setting change pools.left-minutes 5", "{'setting': <'pools.left-minutes'>, 'value': <int64 5>}");
    assert_fields("network create --name N --type vlan --vlan 20 --isolated=no",
                  "{'name': <'N'>, 'type': <'vlan'>, 'vlan': <int64 20>, 'isolated': <false>}");
    assert_fields("desktop delete " ID, "{'desktop': <'" ID "'>}");
    assert_fields("group add-member " ID " " ID, "{'group': <'" ID "'>, 'user': <'" ID "'>}");
    assert_fields("desktop snapshot " ID " Monday", "{'desktop': <'" ID "'>, 'name': <'Monday'>}");
}

static void
test_records(void)
{
    assert_fields(
        "desktop create A 1G 1 --disk size=20G --disk type=cdrom,image=" ID,
        "{'name': <'A'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'disks': <[{'type': <'disk'>, 'size': <int64 "
        "21474836480>}, {'type': <'cdrom'>, 'image': <'" ID "'>}]>}");
    assert_fields("desktop change " ID " --nic network=" ID ",mac=52:54:00:00:00:01",
                  "{'desktop': <'" ID "'>, 'nics': <[{'network': <'" ID "'>, 'mac': <'52:54:00:00:00:01'>}]>}");
    /* None at all. */
    g_auto(Line) line = read_line("desktop change " ID " --disk=", true);
    GVariant *disks = g_hash_table_lookup(line.call.values, "disks");
    g_assert_cmpstr(g_variant_get_type_string(disks), ==, "aa{sv}");
    g_assert_cmpuint(g_variant_n_children(disks), ==, 0);
}

static void
test_what_is_wrong_is_said(void)
{
    assert_refused("desktop create Anna", CLI_USAGE, "needs --memory");
    assert_refused("desktop create Anna 4G 2 x", CLI_USAGE, "“x” is one word too many");
    assert_refused("desktop create Anna 4G 2 --colour red", CLI_USAGE, "no option --colour");
    assert_refused("desktop create Anna 4G 2 --no-memory", CLI_USAGE, "no option --no-memory");
    assert_refused("desktop create Anna 4G 2 --firmware", CLI_USAGE, "wants a value");
    assert_refused("desktop create Anna 4X 2", CLI_INVALID, "memory: ");
    assert_refused("desktop create Anna 4K 2", CLI_INVALID, "no whole number of MiB");
    assert_refused("desktop create Anna 99999999999T 2", CLI_INVALID, "memory: ");
    assert_refused("desktop create Anna 4G -2", CLI_INVALID, "vcpus: ");
    assert_refused("desktop create Anna 4G 2G", CLI_INVALID, "vcpus: ");
    assert_refused("desktop create Anna 4G 2 --tpm=perhaps", CLI_INVALID, "tpm: “perhaps” is neither");
    assert_refused("desktop create Anna 4G 2 --firmware dos", CLI_INVALID, "firmware: “dos” is none of uefi, bios");
    assert_refused("desktop create Anna 4G 2 --disk 20G", CLI_INVALID, "disks: “20G” is no FIELD=VALUE");
    assert_refused("user create anna --password secret", CLI_USAGE, "everybody on this host can read it");
}

/* What is only the daemon's to say is no verb. */
static void
test_verbs(void)
{
    static const char *const never[] = {"place", "want", "settle", "use-totp", "set-password", "arrive"};
    const char *kind;

    for (unsigned i = 0; (kind = cli_kind(i)); i++) {
        g_autoptr(GPtrArray) verbs = cli_verbs(kind);
        g_assert_cmpuint(verbs->len, >, 0);
        for (size_t k = 0; k < G_N_ELEMENTS(never); k++)
            g_assert_null(cli_verb_find(verbs, never[k]));
        for (unsigned k = 0; k < verbs->len; k++) {
            const CliVerb *verb = verbs->pdata[k];
            g_assert_true(cli_verb_find(verbs, verb->name) == verb); /* no name twice */
            g_assert_true(verb->about && verb->run);
        }
    }
    g_autoptr(GPtrArray) none = cli_verbs("teapot");
    g_assert_cmpuint(none->len, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/call/words-and-options", test_words_and_options);
    g_test_add_func("/command/call/records", test_records);
    g_test_add_func("/command/call/wrong", test_what_is_wrong_is_said);
    g_test_add_func("/command/call/verbs", test_verbs);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as bytes: there and back, and everything that is no command. */
#include "ha/store/command.h"
#include "ha/store/error.h"

#include <string.h>

#define ID "00000000-0000-4000-8000-0123456789ab"
#define ENVELOPE "(byte 1, '" ID "', 'user.create', 'console', 'host1', int64 7, int64 3, {'user': <'x'>})"

/* The wire is little-endian whatever the host. */
static GBytes *
bytes_of(const char *envelope)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new_parsed(envelope));
    g_autoptr(GVariant) wire = G_BYTE_ORDER == G_LITTLE_ENDIAN ? g_variant_ref(value) : g_variant_byteswap(value);

    return g_variant_get_data_as_bytes(wire);
}

static void
malformed(GBytes *bytes, const char *says)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(store_command_decode(bytes, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_MALFORMED);
    if (!strstr(error->message, says))
        g_error("wanted “…%s…”, got “%s”", says, error->message);
}

static void
test_round_trip(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = bytes_of(ENVELOPE);
    g_autoptr(StoreCommand) command = store_command_decode(bytes, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(command->id, ==, ID);
    g_assert_cmpstr(command->name, ==, "user.create");
    g_assert_cmpstr(command->actor, ==, "console");
    g_assert_cmpstr(command->origin, ==, "host1");
    g_assert_cmpint(command->time, ==, 7);
    g_assert_cmpint(command->seen, ==, 3);
    g_assert_cmpstr(store_command_text(command, "user"), ==, "x");
    g_assert_null(store_command_text(command, "name"));
    g_assert_cmpint(store_command_number(command, "user", 5), ==, 5);
    g_autoptr(GBytes) again = store_command_encode(command);
    g_assert_true(g_bytes_equal(bytes, again));
}

static void
test_new(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StoreCommand) one = store_command_new("a.b", STORE_ACTOR_DAEMON, "host1", 1, NULL);
    g_autoptr(StoreCommand) two = store_command_new("a.b", STORE_ACTOR_DAEMON, "host1", 1, NULL);

    g_assert_true(store_command_check(one, &error));
    g_assert_cmpstr(one->id, !=, two->id);
    g_assert_cmpuint(g_variant_n_children(one->fields), ==, 0);
}

static void
test_envelopes(void)
{
    static const struct {
        const char *envelope, *says;
    } cases[] = {
        {"(byte 2, '" ID "', 'a.b', 'console', 'h', int64 7, int64 3, @a{sv} {})", "of a version that is not known"},
        {"(byte 1, 'me', 'a.b', 'console', 'h', int64 7, int64 3, @a{sv} {})", "the request's id"},
        {"(byte 1, '" ID "', 'a b', 'console', 'h', int64 7, int64 3, @a{sv} {})", "its name"},
        {"(byte 1, '" ID "', 'a.b', 'root', 'h', int64 7, int64 3, @a{sv} {})", "the actor is neither"},
        {"(byte 1, '" ID "', 'a.b', 'console', '', int64 7, int64 3, @a{sv} {})", "the host it came from"},
        {"(byte 1, '" ID "', 'a.b', 'console', 'h', int64 -7, int64 3, @a{sv} {})", "is negative"},
        {"(byte 1, '" ID "', 'a.b', 'console', 'h', int64 7, int64 -3, @a{sv} {})", "is negative"},
        {"(byte 1, '" ID "', 'a.b', 'console', 'h', int64 7, int64 3, @a{ss} {'a': 'b'})", "not in the form"},
        {"'hello'", "not in the form"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) bytes = bytes_of(cases[i].envelope);
        malformed(bytes, cases[i].says);
    }
}

static void
test_bytes(void)
{
    g_autoptr(GBytes) whole = bytes_of(ENVELOPE);
    g_autofree char *filler = g_strnfill(STORE_COMMAND_BYTES_MAX, 'x');
    g_autoptr(StoreCommand) big =
        store_command_new("a.b", "console", "h", 1, g_variant_new_parsed("{'a': <%s>}", filler));
    g_autoptr(GBytes) too_big = store_command_encode(big);

    malformed(too_big, "not in the form");
    for (gsize len = 0; len < g_bytes_get_size(whole); len++) {
        g_autoptr(GBytes) part = g_bytes_new_from_bytes(whole, 0, len);
        malformed(part, "");
    }
    /* At an address where numbers cannot lie. */
    g_autofree char *shifted = g_malloc(g_bytes_get_size(whole) + 1);
    memcpy(shifted + 1, g_bytes_get_data(whole, NULL), g_bytes_get_size(whole));
    g_autoptr(GBytes) odd = g_bytes_new_static(shifted + 1, g_bytes_get_size(whole));
    g_autoptr(StoreCommand) command = store_command_decode(odd, NULL);
    g_assert_nonnull(command);
    g_clear_pointer(&command, store_command_unref);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/command/round-trip", test_round_trip);
    g_test_add_func("/store/command/new", test_new);
    g_test_add_func("/store/command/envelopes", test_envelopes);
    g_test_add_func("/store/command/bytes", test_bytes);
    return g_test_run();
}

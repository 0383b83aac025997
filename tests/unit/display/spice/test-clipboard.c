/* SPDX-License-Identifier: Apache-2.0 */
#include "display/spice/clipboard.h"

#include <string.h>

#include <glib.h>
#include <spice/vd_agent.h>

#define TEXT "the secret"

/* A chunk of so many bytes at most for each part of a message. */
static void
add_message(GByteArray *wire, uint32_t port, uint32_t type, const char *content, size_t chunk)
{
    const VDAgentMessage header = {.protocol = VD_AGENT_PROTOCOL, .type = type, .size = (uint32_t)strlen(content)};
    g_autoptr(GByteArray) message = g_byte_array_new();

    g_byte_array_append(message, (const uint8_t *)&header, sizeof header);
    g_byte_array_append(message, (const uint8_t *)content, (guint)strlen(content));
    for (size_t i = 0; i < message->len; i += chunk) {
        const VDIChunkHeader part = {port, (uint32_t)MIN(chunk, message->len - i)};
        g_byte_array_append(wire, (const uint8_t *)&part, sizeof part);
        g_byte_array_append(wire, message->data + i, part.size);
    }
}

/* In pieces of @piece bytes. */
static void
apply(ClipboardFilter *filter, GByteArray *wire, size_t piece)
{
    for (size_t i = 0; i < wire->len; i += piece)
        clipboard_filter_apply(filter, wire->data + i, MIN(piece, wire->len - i));
}

static bool
passes(SpiceClipboard allowed, bool to_guest, uint32_t type)
{
    g_autoptr(GByteArray) wire = g_byte_array_new(), before = g_byte_array_new();
    ClipboardFilter filter;

    add_message(wire, VDP_CLIENT_PORT, type, TEXT, 4096);
    g_byte_array_append(before, wire->data, wire->len);
    clipboard_filter_init(&filter, allowed, to_guest);
    apply(&filter, wire, 4096);
    bool same = !memcmp(wire->data, before->data, wire->len);
    if (!same) {
        VDAgentMessage header;
        memcpy(&header, wire->data + sizeof(VDIChunkHeader), sizeof header);
        g_assert_cmpuint(header.type, ==, 0);
        g_assert_cmpuint(header.size, ==, strlen(TEXT));
        g_assert_null(memmem(wire->data, wire->len, "s", 1));
    }
    return same;
}

static void
test_directions(void)
{
    static const struct {
        SpiceClipboard allowed;
        bool client_gives, guest_gives;
    } table[] = {
        {SPICE_CLIPBOARD_BOTH, true, true},
        {SPICE_CLIPBOARD_TO_DESKTOP, true, false},
        {SPICE_CLIPBOARD_FROM_DESKTOP, false, true},
        {SPICE_CLIPBOARD_NONE, false, false},
    };
    static const uint32_t of_giver[] = {VD_AGENT_CLIPBOARD_GRAB, VD_AGENT_CLIPBOARD, VD_AGENT_CLIPBOARD_RELEASE};

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        SpiceClipboard allowed = table[i].allowed;
        for (unsigned k = 0; k < G_N_ELEMENTS(of_giver); k++) {
            g_assert_true(passes(allowed, true, of_giver[k]) == table[i].client_gives);
            g_assert_true(passes(allowed, false, of_giver[k]) == table[i].guest_gives);
        }
        /* Who may have it may ask for it. */
        g_assert_true(passes(allowed, true, VD_AGENT_CLIPBOARD_REQUEST) == table[i].guest_gives);
        g_assert_true(passes(allowed, false, VD_AGENT_CLIPBOARD_REQUEST) == table[i].client_gives);
        g_assert_true(passes(allowed, true, VD_AGENT_MONITORS_CONFIG));
        g_assert_true(passes(allowed, false, VD_AGENT_REPLY));
        g_assert_true(passes(allowed, true, 200));
    }
}

static GByteArray *
conversation(void)
{
    GByteArray *wire = g_byte_array_new();

    add_message(wire, VDP_CLIENT_PORT, VD_AGENT_MONITORS_CONFIG, "monitors", 7);
    add_message(wire, VDP_CLIENT_PORT, VD_AGENT_CLIPBOARD, TEXT TEXT TEXT, 13);
    add_message(wire, VDP_SERVER_PORT, VD_AGENT_MOUSE_STATE, "mouse", 4096);
    add_message(wire, VDP_CLIENT_PORT, VD_AGENT_CLIPBOARD_RELEASE, "", 1);
    add_message(wire, VDP_CLIENT_PORT, VD_AGENT_ANNOUNCE_CAPABILITIES, "capabilities", 3);
    return wire;
}

/* However it is cut. */
static void
test_pieces(void)
{
    g_autoptr(GByteArray) whole = conversation();
    ClipboardFilter filter;

    clipboard_filter_init(&filter, SPICE_CLIPBOARD_FROM_DESKTOP, true);
    apply(&filter, whole, whole->len);
    g_assert_null(memmem(whole->data, whole->len, "secret", 6));
    g_assert_nonnull(memmem(whole->data, whole->len, "mouse", 5));
    for (size_t piece = 1; piece < 60; piece++) {
        g_autoptr(GByteArray) wire = conversation();
        clipboard_filter_init(&filter, SPICE_CLIPBOARD_FROM_DESKTOP, true);
        apply(&filter, wire, piece);
        g_assert_cmpmem(wire->data, wire->len, whole->data, whole->len);
    }
}

/* A client that begins a long message and goes does not have its successor's taken for the rest of it. */
static void
test_client_goes_in_the_middle(void)
{
    g_autoptr(GByteArray) wire = g_byte_array_new();
    ClipboardFilter filter;

    add_message(wire, VDP_CLIENT_PORT, VD_AGENT_MONITORS_CONFIG, "a message that will not come to its end", 4096);
    g_byte_array_set_size(wire, wire->len - 20);
    ((VDIChunkHeader *)wire->data)->size -= 20;
    add_message(wire, VDP_SERVER_PORT, VD_AGENT_CLIENT_DISCONNECTED, "", 4096);
    add_message(wire, VDP_CLIENT_PORT, VD_AGENT_CLIPBOARD, TEXT, 4096);
    clipboard_filter_init(&filter, SPICE_CLIPBOARD_FROM_DESKTOP, true);
    apply(&filter, wire, 5);
    g_assert_null(memmem(wire->data, wire->len, "secret", 6));
}

/* Anything may come; only bytes of the wire are touched, which the sanitizers see to. */
static void
test_garbage(void)
{
    ClipboardFilter filter;

    for (unsigned round = 0; round < 2000; round++) {
        g_autofree uint8_t *bytes = g_malloc(256);
        for (unsigned i = 0; i < 256; i++)
            bytes[i] = g_test_rand_bit() ? (uint8_t)g_test_rand_int_range(0, 16) : (uint8_t)g_test_rand_int();
        clipboard_filter_init(&filter, SPICE_CLIPBOARD_NONE, g_test_rand_bit());
        for (unsigned i = 0; i < 256;) {
            unsigned piece = (unsigned)g_test_rand_int_range(1, (int)(256 - i) + 1);
            clipboard_filter_apply(&filter, bytes + i, piece);
            i += piece;
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spice/clipboard/directions", test_directions);
    g_test_add_func("/spice/clipboard/pieces", test_pieces);
    g_test_add_func("/spice/clipboard/client-goes-in-the-middle", test_client_goes_in_the_middle);
    g_test_add_func("/spice/clipboard/garbage", test_garbage);
    return g_test_run();
}

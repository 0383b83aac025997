/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading answers. The text is bounded by its line, its nesting is counted before the parser sees it, and every member is
 * looked up with its type; what does not fit is malformed, and what is told onward is rebuilt from checked parts.
 */
#include "vmm/agent/reply.h"

#include <arpa/inet.h>
#include <json-glib/json-glib.h>
#include <string.h>

G_DEFINE_QUARK(carrel - agent - error - quark, agent_error)

#define TEXT_MAX 200 /* characters of an error's words that are passed on */
#define NAME_MAX_BYTES 64

static GVariant *
malformed(GError **error, const char *what)
{
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_MALFORMED, "the guest's agent answered something else: %s", what);
    return NULL;
}

/* Whether nesting stays within bounds: brackets outside of strings, in any order, since the parser checks the rest. */
static bool
is_shallow(const char *line, size_t len)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        if (in_string && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            in_string = !in_string;
        else if (!in_string && (line[i] == '[' || line[i] == '{') && ++depth > AGENT_DEPTH_MAX)
            return false;
        else if (!in_string && (line[i] == ']' || line[i] == '}') && depth)
            depth--;
    }
    return true;
}

/* A member that is a string, or NULL. */
static const char *
member_string(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);
    const char *text;

    if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
        return NULL;
    text = json_node_get_string(node);
    return text && g_utf8_validate(text, -1, NULL) ? text : NULL;
}

/* A member that is a string of printable text, or NULL. */
static const char *
member_text(JsonObject *object, const char *name)
{
    const char *text = member_string(object, name);

    if (!text)
        return NULL;
    for (const char *c = text; *c; c = g_utf8_next_char(c))
        if (g_unichar_iscntrl(g_utf8_get_char(c)))
            return NULL;
    return text;
}

static bool
node_number(JsonNode *node, int64_t *number)
{
    if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
        return false;
    *number = json_node_get_int(node);
    return true;
}

/* {"class": …, "desc": …}; often the words of a program that failed in the guest, line ends and all. */
static GVariant *
refused(JsonNode *node, GError **error)
{
    const char *why = JSON_NODE_HOLDS_OBJECT(node) ? member_string(json_node_get_object(node), "desc") : NULL;
    g_autoptr(GString) line = g_string_new(NULL);

    for (unsigned n = 0; why && *why && n < TEXT_MAX; why = g_utf8_next_char(why), n++) {
        gunichar c = g_utf8_get_char(why);
        g_string_append_unichar(line, g_unichar_isprint(c) ? c : ' ');
    }
    g_strstrip(line->str);
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_REFUSED, "the guest's agent refused: %s",
                *line->str ? line->str : "it does not say why");
    return NULL;
}

static bool
is_ip_address(const char *text)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* xx:xx:xx:xx:xx:xx, also longer ones (InfiniBand). */
static bool
is_hardware_address(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
            return false;
    return len <= NAME_MAX_BYTES && len % 3 == 2;
}

/* Adds what of @node is an address; an odd one is left out. */
static void
add_address(GVariantBuilder *addresses, JsonNode *node)
{
    int64_t prefix;

    if (!JSON_NODE_HOLDS_OBJECT(node))
        return;
    JsonObject *object = json_node_get_object(node);
    const char *address = member_text(object, "ip-address");
    if (address && is_ip_address(address) && node_number(json_object_get_member(object, "prefix"), &prefix) &&
        prefix >= 0 && prefix <= 128)
        g_variant_builder_add(addresses, "(su)", address, (guint32)prefix);
}

static void
add_addresses(GVariantBuilder *addresses, JsonNode *node)
{
    if (!node || !JSON_NODE_HOLDS_ARRAY(node))
        return; /* an interface without any has no list */
    JsonArray *array = json_node_get_array(node);
    guint n = MIN(json_array_get_length(array), AGENT_ADDRESSES_MAX);
    for (guint i = 0; i < n; i++)
        add_address(addresses, json_array_get_element(array, i));
}

static void
add_interface(GVariantBuilder *interfaces, JsonNode *node)
{
    GVariantBuilder addresses;

    if (!JSON_NODE_HOLDS_OBJECT(node))
        return;
    JsonObject *object = json_node_get_object(node);
    const char *name = member_text(object, "name"), *hardware = member_text(object, "hardware-address");
    if (!name || !*name || strlen(name) > NAME_MAX_BYTES)
        return;
    g_variant_builder_init(&addresses, G_VARIANT_TYPE("a(su)"));
    add_addresses(&addresses, json_object_get_member(object, "ip-addresses"));
    g_variant_builder_add(interfaces, "(ss@a(su))", name, hardware && is_hardware_address(hardware) ? hardware : "",
                          g_variant_builder_end(&addresses));
}

static GVariant *
parse_interfaces(JsonNode *node, GError **error)
{
    GVariantBuilder interfaces;

    if (!JSON_NODE_HOLDS_ARRAY(node))
        return malformed(error, "no list of interfaces");
    JsonArray *array = json_node_get_array(node);
    guint n = MIN(json_array_get_length(array), AGENT_INTERFACES_MAX);
    g_variant_builder_init(&interfaces, G_VARIANT_TYPE("a(ssa(su))"));
    for (guint i = 0; i < n; i++)
        add_interface(&interfaces, json_array_get_element(array, i));
    return g_variant_new("(@a(ssa(su)))", g_variant_builder_end(&interfaces));
}

static GVariant *
parse_result(JsonNode *node, AgentResult kind, GError **error)
{
    int64_t number;

    switch (kind) {
    case AGENT_RESULT_NONE:
        return g_variant_new("()");
    case AGENT_RESULT_COUNT:
        if (node_number(node, &number) && number >= 0 && number <= UINT32_MAX)
            return g_variant_new("(u)", (guint32)number);
        return malformed(error, "no count");
    case AGENT_RESULT_NUMBER:
        if (node_number(node, &number))
            return g_variant_new("(x)", (gint64)number);
        return malformed(error, "no number");
    case AGENT_RESULT_INTERFACES:
        return parse_interfaces(node, error);
    }
    g_assert_not_reached();
}

GVariant *
agent_reply_parse(const char *line, size_t len, AgentResult kind, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonNode *root, *node;

    if (!g_utf8_validate(line, len, NULL))
        return malformed(error, "no text");
    if (!is_shallow(line, len))
        return malformed(error, "nested too deep");
    parser =
        json_parser_new(); /* not an immutable one: json-glib 1.10 asserts there when two values follow each other */
    if (!json_parser_load_from_data(parser, line, len, NULL))
        return malformed(error, "no JSON");
    root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return malformed(error, "no object");
    JsonObject *object = json_node_get_object(root);
    if ((node = json_object_get_member(object, "error")))
        return refused(node, error);
    if ((node = json_object_get_member(object, "return")))
        return parse_result(node, kind, error);
    return malformed(error, "neither a result nor an error");
}

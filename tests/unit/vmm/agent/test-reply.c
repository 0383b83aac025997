/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the guest's agent: what they mean, and what is no answer. */
#include "vmm/agent/reply.h"

#include <string.h>

static void
accept(const char *line, AgentResult kind, const char *wanted)
{
    g_autoptr(GError) error = NULL;
    GVariant *result = agent_reply_parse(line, strlen(line), kind, &error);
    g_assert_no_error(error);
    g_assert_nonnull(result);
    g_variant_ref_sink(result);
    g_autofree char *text = g_variant_print(result, FALSE);
    g_assert_cmpstr(text, ==, wanted);
    g_variant_unref(result);
}

static void
refuse(const char *line, AgentResult kind, AgentError code, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(agent_reply_parse(line, strlen(line), kind, &error));
    g_assert_error(error, AGENT_ERROR, (int)code);
    if (!strstr(error->message, says))
        g_error("wanted “%s”, got “%s”", says, error->message);
}

static void
test_results(void)
{
    accept("{\"return\": {}}", AGENT_RESULT_NONE, "()");
    accept("{\"return\": 3}", AGENT_RESULT_COUNT, "(3,)");
    accept("{\"return\": -3}", AGENT_RESULT_NUMBER, "(-3,)");
    accept("{\"return\": 1795251600123456789}", AGENT_RESULT_NUMBER, "(1795251600123456789,)");
    refuse("{\"return\": -3}", AGENT_RESULT_COUNT, AGENT_ERROR_MALFORMED, "no count");
    refuse("{\"return\": 5000000000}", AGENT_RESULT_COUNT, AGENT_ERROR_MALFORMED, "no count");
    refuse("{\"return\": 3.0}", AGENT_RESULT_COUNT, AGENT_ERROR_MALFORMED, "no count");
    refuse("{\"return\": \"3\"}", AGENT_RESULT_NUMBER, AGENT_ERROR_MALFORMED, "no number");
    refuse("{\"return\": null}", AGENT_RESULT_NUMBER, AGENT_ERROR_MALFORMED, "no number");
}

static void
test_errors(void)
{
    refuse("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such device\"}}", AGENT_RESULT_NONE,
           AGENT_ERROR_REFUSED, "refused: no such device");
    refuse("{\"error\": {\"desc\": \"two\\nlines\"}}", AGENT_RESULT_NONE, AGENT_ERROR_REFUSED, "refused: two lines");
    refuse("{\"error\": 7}", AGENT_RESULT_NONE, AGENT_ERROR_REFUSED, "does not say why");
    refuse("{\"error\": {\"desc\": \"\"}, \"return\": 1}", AGENT_RESULT_COUNT, AGENT_ERROR_REFUSED, "does not say why");

    g_autofree char *words = g_strnfill(5000, 'x');
    g_autofree char *line = g_strdup_printf("{\"error\": {\"desc\": \"%s\"}}", words);
    g_autoptr(GError) error = NULL;
    g_assert_null(agent_reply_parse(line, strlen(line), AGENT_RESULT_NONE, &error));
    g_assert_cmpuint(strlen(error->message), <, 300);
}

static void
test_no_answers(void)
{
    static const char *const lines[] = {"", "{", "7", "[]", "{}", "{\"return\"}", "nonsense", "{\"return\": 1} {}"};

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
        refuse(lines[i], AGENT_RESULT_COUNT, AGENT_ERROR_MALFORMED, "something else");
    refuse("{\"return\": \"\xc0\x80\"}", AGENT_RESULT_NONE, AGENT_ERROR_MALFORMED, "no text");

    g_autofree char *deep = g_strnfill(20000, '[');
    g_autofree char *line = g_strdup_printf("{\"return\": %s", deep);
    refuse(line, AGENT_RESULT_NONE, AGENT_ERROR_MALFORMED, "too deep");
    accept("{\"return\": \"[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[\"}", AGENT_RESULT_NONE, "()"); /* in a string */
}

static void
test_interfaces(void)
{
    accept("{\"return\": []}", AGENT_RESULT_INTERFACES, "([],)");
    accept("{\"return\": [{\"name\": \"lo\", \"ip-addresses\": [{\"ip-address\": \"127.0.0.1\", \"prefix\": 8, "
           "\"ip-address-type\": \"ipv4\"}, {\"ip-address\": \"::1\", \"prefix\": 128}], "
           "\"hardware-address\": \"00:00:00:00:00:00\"}, {\"name\": \"Ethernet 2\"}]}",
           AGENT_RESULT_INTERFACES,
           "([('lo', '00:00:00:00:00:00', [('127.0.0.1', 8), ('::1', 128)]), ('Ethernet 2', '', [])],)");
    refuse("{\"return\": {}}", AGENT_RESULT_INTERFACES, AGENT_ERROR_MALFORMED, "no list");
}

/* What is no name or address is left out; nothing of it is passed on. */
static void
test_hostile_interfaces(void)
{
    accept("{\"return\": [7, null, [], {}, {\"name\": 7}, {\"name\": \"\"}, {\"name\": \"a\\u001b[2Jb\"}, "
           "{\"name\": \"e\", \"hardware-address\": \"<script>\", \"ip-addresses\": [7, {}, {\"ip-address\": \"x\", "
           "\"prefix\": 1}, {\"ip-address\": \"10.0.0.1\", \"prefix\": 129}, {\"ip-address\": \"10.0.0.1\"}, "
           "{\"ip-address\": 7, \"prefix\": 7}]}, {\"name\": \"f\", \"ip-addresses\": {}, \"hardware-address\": []}]}",
           AGENT_RESULT_INTERFACES, "([('e', '', []), ('f', '', [])],)");

    g_autoptr(GString) many = g_string_new("{\"return\": [{\"name\": \"x\"}");
    for (int i = 0; i < 2000; i++)
        g_string_append(many, ",{\"name\": \"x\"}");
    g_string_append(many, "]}");
    GVariant *result = g_variant_ref_sink(agent_reply_parse(many->str, many->len, AGENT_RESULT_INTERFACES, NULL));
    g_autoptr(GVariant) list = g_variant_get_child_value(result, 0);
    g_assert_cmpuint(g_variant_n_children(list), ==, AGENT_INTERFACES_MAX);
    g_variant_unref(result);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent-reply/results", test_results);
    g_test_add_func("/agent-reply/errors", test_errors);
    g_test_add_func("/agent-reply/no-answers", test_no_answers);
    g_test_add_func("/agent-reply/interfaces", test_interfaces);
    g_test_add_func("/agent-reply/hostile-interfaces", test_hostile_interfaces);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest's agent says: any bytes are lines, and any line is an answer of the kind asked for, or an error. */
#include "fuzz.h"
#include "vmm/agent/lines.h"
#include "vmm/agent/reply.h"

static const char *const types[] = {
    [AGENT_RESULT_NONE] = "()",
    [AGENT_RESULT_COUNT] = "(u)",
    [AGENT_RESULT_NUMBER] = "(x)",
    [AGENT_RESULT_INTERFACES] = "(a(ssa(su)))",
};

static void
parse(const GString *line, AgentResult kind)
{
    g_autoptr(GError) error = NULL;
    GVariant *result = agent_reply_parse(line->str, line->len, kind, &error);

    g_assert_true(!result == !!error);
    if (!result) {
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        return;
    }
    g_variant_ref_sink(result);
    g_assert_true(g_variant_is_of_type(result, G_VARIANT_TYPE(types[kind])));
    g_assert_true(g_variant_is_normal_form(result));
    g_variant_unref(result);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    AgentLines lines;

    agent_lines_init(&lines);
    while (agent_lines_next(&lines, &bytes, &len)) {
        g_assert_cmpuint(lines.text->len, <=, AGENT_LINE_MAX);
        for (unsigned kind = 0; kind < G_N_ELEMENTS(types); kind++)
            parse(lines.text, kind);
    }
    agent_lines_finish(&lines);
    return 0;
}

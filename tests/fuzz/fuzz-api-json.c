/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody sends to the API, as each of its bodies in turn, and what comes out written again. */
#include "tests/fuzz/fuzz.h"
#include "web-ui/server/api/json.h"
#include "web-ui/server/api/route.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    for (const ApiRoute *route = routes_get(); route->method; route++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) values = json_read((const char *)bytes, len, route->body, &error);
        g_assert_true(!values == !!error);
        if (!values) {
            g_assert_nonnull(strstr(error->message, ": "));
            continue;
        }
        g_assert_true(g_variant_is_of_type(values, G_VARIANT_TYPE_VARDICT));
        g_autoptr(GString) text = g_string_new(NULL);
        json_write(text, values);
        g_autoptr(GVariant) again = json_read(text->str, text->len, route->body, NULL);
        g_assert_true(again && g_variant_equal(values, again));
    }
    return 0;
}

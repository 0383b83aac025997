/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: which are none, and what the others allow. */
#include "usb/policy.h"

#include "usb/bus.h"

static void
test_wrong_rules(void)
{
    static const struct {
        const char *rules, *says;
    } cases[] = {
        {"", "there is no rule in it"},
        {"-1,-1,-1,-1", "\"-1,-1,-1,-1\" is not a rule: it takes five fields"},
        {"0x03,-1,-1,-1,0|everything", "\"everything\" is not a rule"},
        {"0x103,-1,-1,-1,0", "\"0x103,-1,-1,-1,0\" is not a rule: CLASS is 0 to 0xff"},
        {"0x03,0x12345,-1,-1,0", "VENDOR"},
        {"-1,-1,-1,-1,1|", "\"\" is not a rule"},
        {"a,-1,-1,-1,1", "\"a,-1,-1,-1,1\" is not a rule"},
        {"0x03,,-1,-1,1", "\"0x03,,-1,-1,1\" is not a rule"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(usb_policy_new(cases[i].rules, &error));
        g_assert_error(error, USB_ERROR, USB_ERROR_REFUSED);
        g_assert_nonnull(strstr(error->message, cases[i].says));
    }
}

static UsbPolicy *
policy(const char *rules)
{
    g_autoptr(GError) error = NULL;
    UsbPolicy *made = usb_policy_new(rules, &error);

    g_assert_no_error(error);
    return made;
}

static void
test_allows(void)
{
    g_autoptr(UsbPolicy) all = policy(USB_POLICY_ALL);
    g_autoptr(UsbPolicy) no_keyboards = policy("0x03,-1,-1,-1,0|-1,-1,-1,-1,1");
    g_autoptr(UsbPolicy) one_stick = policy("0x08,0x1234,0x5678,-1,1");
    UsbIdentity keyboard = {.vendor = 1, .n_interfaces = 1, .interface_class = {3}, .interface_subclass = {1}};
    UsbIdentity stick = {.vendor = 0x1234, .product = 0x5678, .n_interfaces = 1, .interface_class = {8}};
    UsbIdentity both = {.vendor = 0x1234,
                        .product = 0x5678,
                        .n_interfaces = 2,
                        .interface_class = {8, 3},
                        .interface_subclass = {6, 1}};
    int n;

    g_assert_true(usb_policy_allows(all, &keyboard) && usb_policy_allows(all, &both));
    g_assert_false(usb_policy_allows(no_keyboards, &keyboard));
    g_assert_true(usb_policy_allows(no_keyboards, &stick));
    g_assert_false(usb_policy_allows(no_keyboards, &both));
    g_assert_true(usb_policy_allows(one_stick, &stick));
    g_assert_false(usb_policy_allows(one_stick, &both));
    g_assert_false(usb_policy_allows(one_stick, &keyboard));
    g_assert_nonnull(usb_policy_rules(no_keyboards, &n));
    g_assert_cmpint(n, ==, 2);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/usb/policy/wrong-rules", test_wrong_rules);
    g_test_add_func("/usb/policy/allows", test_allows);
    return g_test_run();
}

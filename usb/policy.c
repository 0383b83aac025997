/* SPDX-License-Identifier: Apache-2.0 */
/* Rules are read and matched by usbredirfilter, as in the clients; what it does not do is say which rule is wrong. */
#include "usb/policy.h"

#include "usb/bus.h"

#include <errno.h>
#include <string.h>
#include <usbredirfilter.h>

#define FIELDS 5

struct UsbPolicy {
    struct usbredirfilter_rule *rules;
    int n;
};

static bool
read_rules(const char *text, struct usbredirfilter_rule **rules, int *n)
{
    return usbredirfilter_string_to_rules(text, ",", "|", rules, n) == 0;
}

/* What is wrong with one rule, or NULL. */
static const char *
complaint(const char *rule)
{
    struct usbredirfilter_rule *rules = NULL;
    int n = 0;
    unsigned fields = 1;

    for (const char *c = rule; *c; c++)
        fields += *c == ',';
    if (fields != FIELDS)
        return "it takes five fields: CLASS,VENDOR,PRODUCT,VERSION,ALLOW";
    if (!read_rules(rule, &rules, &n) || n != 1) {
        usbredirfilter_free(rules);
        return "CLASS is 0 to 0xff, VENDOR, PRODUCT and VERSION 0 to 0xffff, each -1 for any; ALLOW is 0 or 1";
    }
    usbredirfilter_free(rules);
    return NULL;
}

UsbPolicy *
usb_policy_new(const char *text, GError **error)
{
    g_auto(GStrv) rules = g_strsplit(text, "|", -1);

    if (!rules[0]) {
        g_set_error(error, USB_ERROR, USB_ERROR_REFUSED, "there is no rule in it; to refuse everything: -1,-1,-1,-1,0");
        return NULL;
    }
    for (char **rule = rules; *rule; rule++) {
        const char *wrong = complaint(*rule);
        if (wrong) {
            g_set_error(error, USB_ERROR, USB_ERROR_REFUSED, "\"%s\" is not a rule: %s", *rule, wrong);
            return NULL;
        }
    }
    UsbPolicy *policy = g_new0(UsbPolicy, 1);
    if (!read_rules(text, &policy->rules, &policy->n))
        g_error("out of memory");
    return policy;
}

void
usb_policy_free(UsbPolicy *policy)
{
    if (!policy)
        return;
    usbredirfilter_free(policy->rules);
    g_free(policy);
}

bool
usb_policy_allows(const UsbPolicy *policy, const UsbIdentity *identity)
{
    UsbIdentity copy = *identity; /* its arrays are not const to the library */

    return usbredirfilter_check(policy->rules, policy->n, copy.class, copy.subclass, copy.protocol,
                                copy.interface_class, copy.interface_subclass, copy.interface_protocol,
                                (int)copy.n_interfaces, copy.vendor, copy.product, copy.version, 0) == 0;
}

const struct usbredirfilter_rule *
usb_policy_rules(const UsbPolicy *policy, int *n)
{
    *n = policy->n;
    return policy->rules;
}

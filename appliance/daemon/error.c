/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/error.h"

#include "appliance/desktops/desktops.h"
#include "appliance/network/network.h"
#include "appliance/sign-in/password_rules.h"
#include "appliance/storage/storage.h"
#include "ha/store/error.h"

static const GDBusErrorEntry names[] = {
    {CARREL_ERROR_SIGN_IN, "org.carrel.Error.SignIn"},
    {CARREL_ERROR_NOT_SIGNED_IN, "org.carrel.Error.NotSignedIn"},
    {CARREL_ERROR_FORBIDDEN, "org.carrel.Error.Forbidden"},
    {CARREL_ERROR_NOT_FOUND, "org.carrel.Error.NotFound"},
    {CARREL_ERROR_INVALID, "org.carrel.Error.Invalid"},
    {CARREL_ERROR_IN_USE, "org.carrel.Error.InUse"},
    {CARREL_ERROR_CHANGED, "org.carrel.Error.Changed"},
    {CARREL_ERROR_FULL, "org.carrel.Error.Full"},
    {CARREL_ERROR_BUSY, "org.carrel.Error.Busy"},
    {CARREL_ERROR_UNAVAILABLE, "org.carrel.Error.Unavailable"},
    {CARREL_ERROR_FAILED, "org.carrel.Error.Failed"},
};

GQuark
carrel_error_quark(void)
{
    static gsize quark;

    g_dbus_error_register_error_domain("carrel-error-quark", &quark, names, G_N_ELEMENTS(names));
    return (GQuark)quark;
}

typedef struct {
    int theirs;
    CarrelError ours;
} Translation;

static const Translation store_errors[] = {
    {STORE_ERROR_MALFORMED, CARREL_ERROR_INVALID},   {STORE_ERROR_UNKNOWN, CARREL_ERROR_INVALID},
    {STORE_ERROR_FIELD, CARREL_ERROR_INVALID},       {STORE_ERROR_FORBIDDEN, CARREL_ERROR_FORBIDDEN},
    {STORE_ERROR_NOT_FOUND, CARREL_ERROR_NOT_FOUND}, {STORE_ERROR_EXISTS, CARREL_ERROR_IN_USE},
    {STORE_ERROR_CHANGED, CARREL_ERROR_CHANGED},     {STORE_ERROR_IN_USE, CARREL_ERROR_IN_USE},
    {STORE_ERROR_FULL, CARREL_ERROR_FULL},           {STORE_ERROR_RULE, CARREL_ERROR_INVALID},
};

static const Translation desktops_errors[] = {
    {DESKTOPS_ERROR_NOT_FOUND, CARREL_ERROR_NOT_FOUND}, {DESKTOPS_ERROR_INVALID, CARREL_ERROR_INVALID},
    {DESKTOPS_ERROR_IN_USE, CARREL_ERROR_IN_USE},       {DESKTOPS_ERROR_FULL, CARREL_ERROR_FULL},
    {DESKTOPS_ERROR_BUSY, CARREL_ERROR_BUSY},           {DESKTOPS_ERROR_UNAVAILABLE, CARREL_ERROR_UNAVAILABLE},
};

static const Translation storage_errors[] = {
    {STORAGE_ERROR_NOT_FOUND, CARREL_ERROR_NOT_FOUND},
    {STORAGE_ERROR_EXISTS, CARREL_ERROR_IN_USE},
    {STORAGE_ERROR_IN_USE, CARREL_ERROR_IN_USE},
    {STORAGE_ERROR_BUSY, CARREL_ERROR_BUSY},
    {STORAGE_ERROR_FULL, CARREL_ERROR_FULL},
    {STORAGE_ERROR_INVALID, CARREL_ERROR_INVALID},
    {STORAGE_ERROR_UNAVAILABLE, CARREL_ERROR_UNAVAILABLE},
};

static const Translation network_errors[] = {
    {NETWORK_ERROR_UNKNOWN, CARREL_ERROR_NOT_FOUND},
    {NETWORK_ERROR_UNAVAILABLE, CARREL_ERROR_UNAVAILABLE},
    {NETWORK_ERROR_TAKEN, CARREL_ERROR_IN_USE},
};

/* By which the rooms say what a caller may act on; their other errors are failures. */
static const Translation io_errors[] = {
    {G_IO_ERROR_NOT_FOUND, CARREL_ERROR_NOT_FOUND},
    {G_IO_ERROR_EXISTS, CARREL_ERROR_IN_USE},
    {G_IO_ERROR_INVALID_ARGUMENT, CARREL_ERROR_INVALID},
    {G_IO_ERROR_INVALID_DATA, CARREL_ERROR_INVALID},
    {G_IO_ERROR_NO_SPACE, CARREL_ERROR_FULL},
    {G_IO_ERROR_BUSY, CARREL_ERROR_BUSY},
    {G_IO_ERROR_NOT_SUPPORTED, CARREL_ERROR_UNAVAILABLE},
};

static CarrelError
translate(const Translation *table, gsize n, int code)
{
    for (gsize i = 0; i < n; i++)
        if (table[i].theirs == code)
            return table[i].ours;
    return CARREL_ERROR_FAILED;
}

static CarrelError
code_of(const GError *error)
{
    if (error->domain == CARREL_ERROR)
        return error->code;
    const struct {
        GQuark domain;
        const Translation *table;
        gsize n;
    } domains[] = {
        {STORE_ERROR, store_errors, G_N_ELEMENTS(store_errors)},
        {DESKTOPS_ERROR, desktops_errors, G_N_ELEMENTS(desktops_errors)},
        {STORAGE_ERROR, storage_errors, G_N_ELEMENTS(storage_errors)},
        {NETWORK_ERROR, network_errors, G_N_ELEMENTS(network_errors)},
        {G_IO_ERROR, io_errors, G_N_ELEMENTS(io_errors)},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(domains); i++)
        if (error->domain == domains[i].domain)
            return translate(domains[i].table, domains[i].n, error->code);
    return error->domain == PASSWORD_RULES_ERROR ? CARREL_ERROR_INVALID : CARREL_ERROR_FAILED;
}

GError *
carrel_error_from(const GError *error)
{
    const char *field = error->domain == PASSWORD_RULES_ERROR ? "password: " : "";

    return g_error_new(CARREL_ERROR, code_of(error), "%s%s", field, error->message);
}

bool
carrel_fail(GError **error, CarrelError code, const char *sentence)
{
    g_set_error_literal(error, CARREL_ERROR, code, sentence);
    return false;
}

bool
carrel_fail_not_found(GError **error, const char *kind)
{
    g_set_error(error, CARREL_ERROR, CARREL_ERROR_NOT_FOUND, "there is no such %s", kind);
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands from anybody. Bytes are a command or are refused; what is one is written as the same bytes again, and is
 * applied to a store with one thing of each kind in it: done, or refused with words that fit on a line, never a failure of
 * the host.
 */
#include "ha/store/error.h"
#include "ha/store/store.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* The id of each thing there is. */
#define ONE "00000000-0000-4000-8000-000000000001"

static const char *const furniture[][2] = {
    {"host.add", "{'host': <'host1'>}"},
    {"user.create", "{'user': <'" ONE "'>, 'name': <'anna'>, 'role': <'admin'>}"},
    {"group.create", "{'group': <'" ONE "'>, 'name': <'staff'>}"},
    {"network.create", "{'network': <'" ONE "'>, 'name': <'office'>, 'type': <'nat'>}"},
    {"image.create", "{'image': <'" ONE "'>, 'name': <'debian'>, 'type': <'disk'>}"},
    {"image.settle", "{'image': <'" ONE "'>, 'state': <'ready'>, 'size': <int64 4096>}"},
    {"policy.create", "{'policy': <'" ONE "'>, 'name': <'careful'>}"},
    {"template.create", "{'template': <'" ONE "'>, 'name': <'pc'>, 'memory': <int64 512>, 'vcpus': <int64 1>}"},
    {"pool.create",
     "{'pool': <'" ONE "'>, 'name': <'all'>, 'template': <'" ONE "'>, 'type': <'persistent'>, 'size': <int64 3>}"},
    {"desktop.create",
     "{'desktop': <'" ONE "'>, 'name': <'desk'>, 'pool': <'" ONE "'>, 'memory': <int64 512>, 'vcpus': <int64 1>}"},
};

static Store *
house(void)
{
    Store *store = store_open_in_memory(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(furniture); i++) {
        g_autoptr(GVariant) fields = g_variant_parse(G_VARIANT_TYPE_VARDICT, furniture[i][1], NULL, NULL, NULL);
        g_autoptr(StoreCommand) command = store_command_new(furniture[i][0], STORE_ACTOR_DAEMON, "host1", 1, fields);
        g_auto(StoreAnswer) answer = {0};
        g_assert_true(store_apply(store, command, &answer, NULL));
    }
    return store;
}

static void
apply(const StoreCommand *command)
{
    g_autoptr(Store) store = house();
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0}, again = {0};
    int64_t sequence;

    bool done = store_apply(store, command, &answer, &error);
    g_assert_true(done == !error);
    if (error) {
        g_assert_true(store_error_is_refusal(error));
        g_assert_null(strchr(error->message, '\n'));
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
    }
    g_assert_true(store_sequence(store, &sequence, NULL));
    g_assert_true(store_apply(store, command, &again, NULL) == done);
    g_assert_true(!done || (again.repeated && again.sequence == sequence));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, len);
    g_autoptr(StoreCommand) command = store_command_decode(bytes, &error);

    g_assert_true(!command == !!error);
    if (!command)
        return 0;
    g_autoptr(GBytes) written = store_command_encode(command);
    g_assert_true(g_bytes_equal(written, bytes));
    if (store_catalog_check(command, NULL))
        apply(command);
    return 0;
}

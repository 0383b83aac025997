/* SPDX-License-Identifier: Apache-2.0 */
/* State tables: what is saved comes back, and whatever a stream may hold instead is refused. */
#include "vmm/state/state.h"

#include <string.h>

typedef struct {
    uint16_t id;
} Wheel;

typedef struct {
    uint8_t small;
    uint64_t large;
    bool flag;
    uint8_t raw[3];
    GByteArray *buffer;
    Wheel wheels[2];
    Wheel spare;
    Wheel *lent;
    GPtrArray *list;
    uint32_t later; /* came with version 2 */
} Cart;

static const StateField wheel_fields[] = {STATE_UINT(Wheel, id, 1), STATE_END};

static void *
wheel_create(void)
{
    return g_new0(Wheel, 1);
}

static const StateTable wheel_table = {
    .name = "wheel", .version = 1, .oldest = 1, .fields = wheel_fields, .create = wheel_create};

static bool
cart_after_load(void *object, GError **error)
{
    Cart *cart = object;
    if (cart->small != 99)
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "a cart of 99");
    return false;
}

static const StateField cart_fields[] = {
    STATE_UINT(Cart, small, 1),
    STATE_UINT(Cart, large, 1),
    STATE_BOOL(Cart, flag, 1),
    STATE_BYTES(Cart, raw, 1),
    STATE_BUFFER(Cart, buffer, 1, 16),
    STATE_ARRAY(Cart, wheels, 1, &wheel_table),
    STATE_LIST(Cart, list, 1, &wheel_table, 3),
    STATE_STRUCT(Cart, spare, 1, &wheel_table),
    STATE_OBJECT(Cart, lent, 1, &wheel_table),
    STATE_UINT(Cart, later, 2),
    STATE_END,
};
static const StateTable cart_table = {
    .name = "cart", .version = 2, .oldest = 1, .fields = cart_fields, .after_load = cart_after_load};

static void
cart_init(Cart *cart)
{
    *cart = (Cart){.list = g_ptr_array_new_with_free_func(g_free), .lent = wheel_create(), .later = 7};
}

static void
cart_finish(Cart *cart)
{
    g_ptr_array_unref(cart->list);
    g_clear_pointer(&cart->buffer, g_byte_array_unref);
    g_free(cart->lent);
}

/* A cart with something in every field, as bytes. */
static GByteArray *
saved_cart(void)
{
    Cart cart;
    cart_init(&cart);
    cart.small = 0xab;
    cart.large = 0x0123456789abcdefull;
    cart.flag = true;
    memcpy(cart.raw, "xyz", 3);
    cart.buffer = g_byte_array_new();
    g_byte_array_append(cart.buffer, (const uint8_t *)"hello", 5);
    cart.wheels[1].id = 0x1234;
    g_ptr_array_add(cart.list, wheel_create());
    ((Wheel *)cart.list->pdata[0])->id = 42;
    cart.spare.id = 5;
    cart.lent->id = 6;
    cart.later = 0xfeed;
    GByteArray *bytes = g_byte_array_new();
    state_save(&cart_table, &cart, bytes);
    cart_finish(&cart);
    return bytes;
}

static void
expect_refusal(const GByteArray *bytes, size_t len, uint16_t version, StateError code)
{
    g_autoptr(GError) error = NULL;
    Cart cart;
    cart_init(&cart);
    g_assert_false(state_load(&cart_table, &cart, version, bytes->data, len, &error));
    g_assert_error(error, STATE_ERROR, (int)code);
    cart_finish(&cart);
}

static void
test_round_trip(void)
{
    g_autoptr(GByteArray) bytes = saved_cart();
    Cart cart;
    cart_init(&cart);
    g_autoptr(GError) error = NULL;
    g_assert_true(state_load(&cart_table, &cart, 2, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(cart.small, ==, 0xab);
    g_assert_cmpuint(cart.large, ==, 0x0123456789abcdefull);
    g_assert_true(cart.flag);
    g_assert_cmpmem(cart.raw, 3, "xyz", 3);
    g_assert_cmpmem(cart.buffer->data, cart.buffer->len, "hello", 5);
    g_assert_cmpuint(cart.wheels[1].id, ==, 0x1234);
    g_assert_cmpuint(cart.list->len, ==, 1);
    g_assert_cmpuint(((Wheel *)cart.list->pdata[0])->id, ==, 42);
    g_assert_cmpuint(cart.spare.id, ==, 5);
    g_assert_cmpuint(cart.lent->id, ==, 6);
    g_assert_cmpuint(cart.later, ==, 0xfeed);
    cart_finish(&cart);
}

static void
test_older_version_keeps_newer_fields(void)
{
    g_autoptr(GByteArray) bytes = saved_cart();
    Cart cart;
    cart_init(&cart);
    g_assert_true(state_load(&cart_table, &cart, 1, bytes->data, bytes->len - 4, NULL));
    g_assert_cmpuint(cart.later, ==, 7);
    cart_finish(&cart);
}

static void
test_every_truncation_is_refused(void)
{
    g_autoptr(GByteArray) bytes = saved_cart();
    for (size_t len = 0; len < bytes->len; len++)
        expect_refusal(bytes, len, 2, STATE_ERROR_TRUNCATED);
}

static void
test_refusals(void)
{
    g_autoptr(GByteArray) bytes = saved_cart();
    expect_refusal(bytes, bytes->len, 3, STATE_ERROR_VERSION);
    expect_refusal(bytes, bytes->len, 0, STATE_ERROR_VERSION);
    expect_refusal(bytes, bytes->len, 1, STATE_ERROR_MALFORMED); /* four bytes too many */

    bytes->data[9] = 2; /* the flag */
    expect_refusal(bytes, bytes->len, 2, STATE_ERROR_MALFORMED);
    bytes->data[9] = 1;
    bytes->data[13] = 17; /* the buffer's length, over its maximum */
    expect_refusal(bytes, bytes->len, 2, STATE_ERROR_MALFORMED);
    bytes->data[13] = 5;
    bytes->data[22] = 9; /* the wheels' version */
    expect_refusal(bytes, bytes->len, 2, STATE_ERROR_VERSION);
    bytes->data[22] = 1;
    bytes->data[0] = 99; /* what after_load rejects */
    expect_refusal(bytes, bytes->len, 2, STATE_ERROR_MALFORMED);
}

/* A table whose buffer exists only while it is saved. */
static void
barrow_fill(void *object)
{
    GByteArray **place = object;
    *place = g_byte_array_new();
    g_byte_array_append(*place, (const uint8_t *)"sand", 4);
}

static void
barrow_empty(void *object)
{
    g_clear_pointer((GByteArray **)object, g_byte_array_unref);
}

static void
test_gathered_only_while_saving(void)
{
    typedef struct {
        GByteArray *load;
    } Barrow;
    static const StateField fields[] = {STATE_BUFFER(Barrow, load, 1, 16), STATE_END};
    static const StateTable table = {.name = "barrow",
                                     .version = 1,
                                     .oldest = 1,
                                     .fields = fields,
                                     .before_save = barrow_fill,
                                     .after_save = barrow_empty};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Barrow barrow = {0};

    state_save(&table, &barrow, bytes);
    g_assert_null(barrow.load);
    g_assert_cmpmem(bytes->data, bytes->len, "\4\0\0\0sand", 8);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/state/round-trip", test_round_trip);
    g_test_add_func("/state/older-version", test_older_version_keeps_newer_fields);
    g_test_add_func("/state/truncated", test_every_truncation_is_refused);
    g_test_add_func("/state/refusals", test_refusals);
    g_test_add_func("/state/gathered-only-while-saving", test_gathered_only_while_saving);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a wish may be, what fits it, and which device goes to which when they come and go. */
#include "usb/host/wish.h"

#include "usb/bus.h"

#include <string.h>

static UsbWish *
wish(const char *name, const char *id, const char *serial, const char *port)
{
    g_autoptr(GError) error = NULL;
    const char *wrong;
    UsbWish *made = usb_wish_new(name, id, serial, port, &wrong, &error);

    g_assert_no_error(error);
    return made;
}

static UsbHostSeen *
seen(unsigned address, uint16_t vendor, uint16_t product, const char *serial, const char *port)
{
    UsbHostSeen *device = g_new0(UsbHostSeen, 1);

    *device = (UsbHostSeen){.bus = 1, .address = address, .vendor = vendor, .product = product};
    device->serial = g_strdup(serial);
    device->port = g_strdup(port);
    return device;
}

static void
refuse(const char *id, const char *serial, const char *port, const char *key, const char *says)
{
    g_autoptr(GError) error = NULL;
    const char *wrong = NULL;

    g_assert_null(usb_wish_new("x", id, serial, port, &wrong, &error));
    g_assert_cmpstr(wrong, ==, key);
    g_assert_nonnull(strstr(error->message, says));
}

static void
test_words(void)
{
    g_autoptr(UsbWish) all = wish("x", "0529:aBcD", "12 3", "11-2.13.4");
    g_autofree char *words = usb_wish_words(all);

    g_assert_cmphex(all->vendor, ==, 0x529);
    g_assert_cmphex(all->product, ==, 0xabcd);
    g_assert_cmpstr(words, ==, "0529:abcd with serial number 12 3 at port 11-2.13.4");
    refuse(NULL, NULL, NULL, "id", "say which device");
    static const char *const ids[] = {"", "529:1", "0529-0001", "0529:00010", "0x29:0001", "0529:000g", "0529:"};
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        refuse(ids[i], NULL, NULL, "id", "VENDOR:PRODUCT");
    static const char *const ports[] = {"", "1", "1-", "-1", "1-2.", "1.2", "1-2-3", "01-2", "1-0", "1-2/..", "1234-1"};
    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++)
        refuse(NULL, NULL, ports[i], "port", "BUS-PORT");
}

static void
test_fits(void)
{
    g_autoptr(UsbHostSeen) device = seen(4, 0x1234, 0x5678, "S1", "1-2.3");
    static const struct {
        const char *id, *serial, *port;
        bool fits;
    } cases[] = {
        {"1234:5678", NULL, NULL, true},
        {"1234:5679", NULL, NULL, false},
        {"1235:5678", NULL, NULL, false},
        {NULL, "S1", NULL, true},
        {NULL, "S", NULL, false},
        {NULL, NULL, "1-2.3", true},
        {NULL, NULL, "1-2", false},
        {"1234:5678", "S1", "1-2.3", true},
        {"1234:5678", "S2", "1-2.3", false},
        {"1234:5678", "S1", "1-4", false},
        {"0000:5678", "S1", "1-2.3", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(UsbWish) one = wish("x", cases[i].id, cases[i].serial, cases[i].port);
        g_assert_cmpint(usb_wish_fits(one, device), ==, cases[i].fits);
        device->class = USB_CLASS_HUB;
        g_assert_false(usb_wish_fits(one, device));
        device->class = 0;
    }
}

typedef struct {
    GPtrArray *wishes, *seen;
    UsbWishes *all;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->wishes = g_ptr_array_new_with_free_func((GDestroyNotify)usb_wish_free);
    fixture->seen = g_ptr_array_new_with_free_func((GDestroyNotify)usb_host_seen_free);
    g_ptr_array_add(fixture->wishes, wish("first", "1111:1111", NULL, NULL));
    g_ptr_array_add(fixture->wishes, wish("second", "1111:1111", NULL, NULL));
    g_ptr_array_add(fixture->wishes, wish("third", NULL, "S3", NULL));
    fixture->all = usb_wishes_new(fixture->wishes);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    usb_wishes_free(fixture->all);
    g_ptr_array_unref(fixture->wishes);
    g_ptr_array_unref(fixture->seen);
}

static void
plug(Fixture *fixture, unsigned address, uint16_t id, const char *serial)
{
    g_ptr_array_add(fixture->seen, seen(address, id, id, serial, "1-1"));
}

static void
unplug(Fixture *fixture, unsigned address)
{
    for (guint i = 0; i < fixture->seen->len; i++)
        if (((UsbHostSeen *)fixture->seen->pdata[i])->address == address)
            g_ptr_array_remove_index(fixture->seen, i--);
}

/* Of what is given next; 0: nothing. */
static void
assert_next(Fixture *fixture, const char *name, unsigned address)
{
    const UsbWish *one = NULL;
    const UsbHostSeen *device = usb_wishes_next(fixture->all, fixture->seen, &one);

    g_assert_cmpstr(one ? one->name : NULL, ==, name);
    g_assert_cmpuint(device ? device->address : 0, ==, address);
}

static void
test_each_gets_one(Fixture *fixture, gconstpointer data)
{
    assert_next(fixture, NULL, 0);
    plug(fixture, 2, 0x2222, "");
    plug(fixture, 3, 0x1111, "S3");
    plug(fixture, 4, 0x1111, "");
    plug(fixture, 5, 0x1111, "");
    assert_next(fixture, "first", 3);
    assert_next(fixture, "second", 4);
    assert_next(fixture, NULL, 0); /* the third's is the first's already */
    plug(fixture, 6, 0x2222, "S3");
    assert_next(fixture, "third", 6);
    assert_next(fixture, NULL, 0);
}

static void
test_comes_back(Fixture *fixture, gconstpointer data)
{
    plug(fixture, 3, 0x1111, "");
    assert_next(fixture, "first", 3);
    unplug(fixture, 3);
    plug(fixture, 4, 0x1111, "");
    assert_next(fixture, "second", 4); /* the desktop still has the first's */
    unplug(fixture, 4);
    usb_wishes_done(fixture->all, "first");
    assert_next(fixture, NULL, 0);
    plug(fixture, 5, 0x1111, "");
    assert_next(fixture, "first", 5);
}

static void
test_not_again(Fixture *fixture, gconstpointer data)
{
    plug(fixture, 3, 0x2222, "S3");
    assert_next(fixture, "third", 3);
    usb_wishes_done(fixture->all, "third"); /* it came to nothing */
    assert_next(fixture, NULL, 0);
    usb_wishes_ask(fixture->all, "third");
    assert_next(fixture, "third", 3);
    usb_wishes_ask(fixture->all, "third"); /* has it: the same will do again */
    assert_next(fixture, NULL, 0);
    usb_wishes_done(fixture->all, "third");
    assert_next(fixture, "third", 3);
    usb_wishes_done(fixture->all, "third");
    assert_next(fixture, NULL, 0);
    usb_wishes_ask(fixture->all, "third");
    assert_next(fixture, "third", 3);
    usb_wishes_drop(fixture->all, "third");
    usb_wishes_done(fixture->all, "third");
    unplug(fixture, 3);
    plug(fixture, 4, 0x2222, "S3");
    assert_next(fixture, NULL, 0);
    usb_wishes_ask(fixture->all, "third");
    assert_next(fixture, "third", 4);
}

static void
test_nobody(Fixture *fixture, gconstpointer data)
{
    usb_wishes_done(fixture->all, "nobody");
    usb_wishes_drop(fixture->all, "");
    usb_wishes_ask(fixture->all, "nobody");
    assert_next(fixture, NULL, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wish/words", test_words);
    g_test_add_func("/wish/fits", test_fits);
    g_test_add("/wishes/each-gets-one", Fixture, NULL, set_up, test_each_gets_one, tear_down);
    g_test_add("/wishes/comes-back", Fixture, NULL, set_up, test_comes_back, tear_down);
    g_test_add("/wishes/not-again", Fixture, NULL, set_up, test_not_again, tear_down);
    g_test_add("/wishes/nobody", Fixture, NULL, set_up, test_nobody, tear_down);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_libusb.h"

#include <sys/eventfd.h>
#include <unistd.h>

struct libusb_context {
    int event; /* readable while something is done */
    libusb_pollfd_added_cb added;
    libusb_pollfd_removed_cb removed;
    void *user;
};
struct libusb_device_handle {
    int fd;
};

FakeAnswers fake_answers;

static GMutex lock;
static GString *calls;
static GPtrArray *in_flight, *done; /* of struct libusb_transfer */
static bool obedient, unplugged;
static struct libusb_context the_context;
static struct libusb_device_handle the_handle;
static unsigned n_shared; /* pieces of memory that are mapped; on the worker */
static uint8_t alts[2];

void
fake_init(void)
{
    g_assert_cmpuint(n_shared, ==, 0);
    fake_answers = (FakeAnswers){0};
    calls = g_string_new(NULL);
    in_flight = g_ptr_array_new();
    done = g_ptr_array_new();
    obedient = true;
    unplugged = false;
    the_handle.fd = -1;
    alts[0] = alts[1] = 0;
}

void
fake_finish(void)
{
    g_string_free(calls, TRUE);
    g_ptr_array_unref(in_flight);
    g_ptr_array_unref(done);
}

static void G_GNUC_PRINTF(1, 2) note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_mutex_lock(&lock);
    g_string_append_vprintf(calls, format, args);
    g_string_append_c(calls, ' ');
    g_mutex_unlock(&lock);
    va_end(args);
}

char *
fake_calls(void)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    char *text = g_strdup(calls->str);

    g_string_truncate(calls, 0);
    return text;
}

unsigned
fake_n_transfers(void)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    return in_flight->len;
}

struct libusb_transfer *
fake_transfer(unsigned n)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    g_assert_cmpuint(n, <, in_flight->len);
    return in_flight->pdata[n];
}

static void
wake(void)
{
    uint64_t one = 1;
    g_assert_cmpint(write(the_context.event, &one, sizeof(one)), ==, sizeof(one));
}

/* Locked. */
static void
complete(struct libusb_transfer *transfer, enum libusb_transfer_status status, unsigned actual)
{
    g_assert_true(g_ptr_array_remove(in_flight, transfer));
    transfer->status = status;
    transfer->actual_length = (int)actual;
    for (int i = 0; i < transfer->num_iso_packets; i++) {
        transfer->iso_packet_desc[i].actual_length = actual;
        transfer->iso_packet_desc[i].status = status;
    }
    g_ptr_array_add(done, transfer);
    wake();
}

void
fake_complete(struct libusb_transfer *transfer, enum libusb_transfer_status status, unsigned actual)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    complete(transfer, status, actual);
}

void
fake_set_obedient(bool wanted)
{
    obedient = wanted;
}

void
fake_unplug(void)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    unplugged = true;
    while (in_flight->len)
        complete(in_flight->pdata[0], LIBUSB_TRANSFER_NO_DEVICE, 0);
    wake();
}

/* --- the context ------------------------------------------------------------------------------------------------- */

int
libusb_init_context(libusb_context **context, const struct libusb_init_option options[], int n)
{
    g_assert_cmpint(n, ==, 1);
    g_assert_cmpint(options[0].option, ==, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
    the_context = (struct libusb_context){.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    *context = &the_context;
    return 0;
}

void
libusb_exit(libusb_context *context)
{
    g_assert_cmpint(the_handle.fd, ==, -1);
    close(context->event);
}

const struct libusb_pollfd **
libusb_get_pollfds(libusb_context *context)
{
    struct libusb_pollfd *fd = g_new(struct libusb_pollfd, 1);
    const struct libusb_pollfd **all = g_new0(const struct libusb_pollfd *, 2);

    *fd = (struct libusb_pollfd){context->event, G_IO_IN};
    all[0] = fd;
    return all;
}

void
libusb_free_pollfds(const struct libusb_pollfd **all)
{
    g_free((void *)all[0]);
    g_free(all);
}

void
libusb_set_pollfd_notifiers(libusb_context *context, libusb_pollfd_added_cb added, libusb_pollfd_removed_cb removed,
                            void *user)
{
    context->added = added;
    context->removed = removed;
    context->user = user;
}

int
libusb_handle_events_timeout_completed(libusb_context *context, struct timeval *timeout, int *completed)
{
    uint64_t count;
    struct libusb_transfer *transfer;

    g_assert_true(timeout->tv_sec == 0 && timeout->tv_usec == 0);
    (void)!read(context->event, &count, sizeof(count));
    for (;;) {
        g_mutex_lock(&lock);
        transfer = done->len ? g_ptr_array_steal_index(done, 0) : NULL;
        g_mutex_unlock(&lock);
        if (!transfer)
            break;
        transfer->callback(transfer);
    }
    if (unplugged && the_handle.fd >= 0)
        context->removed(the_handle.fd, context->user);
    return 0;
}

/* --- the device -------------------------------------------------------------------------------------------------- */

int
libusb_wrap_sys_device(libusb_context *context, intptr_t fd, libusb_device_handle **handle)
{
    if (fake_answers.wrap)
        return fake_answers.wrap;
    the_handle.fd = (int)fd;
    *handle = &the_handle;
    return 0;
}

unsigned char *
libusb_dev_mem_alloc(libusb_device_handle *handle, size_t len)
{
    n_shared++;
    return g_malloc(len);
}

int
libusb_dev_mem_free(libusb_device_handle *handle, unsigned char *memory, size_t len)
{
    n_shared--;
    g_free(memory);
    return LIBUSB_SUCCESS;
}

void
libusb_close(libusb_device_handle *handle)
{
    note("close");
    handle->fd = -1;
}

libusb_device *
libusb_get_device(libusb_device_handle *handle)
{
    return (libusb_device *)handle;
}

int
libusb_get_device_speed(libusb_device *device)
{
    return LIBUSB_SPEED_HIGH;
}

int
libusb_get_device_descriptor(libusb_device *device, struct libusb_device_descriptor *descriptor)
{
    *descriptor = (struct libusb_device_descriptor){
        .idVendor = 0x1234, .idProduct = 0x5678, .bcdDevice = 0x0100, .bDeviceClass = fake_answers.class};
    return 0;
}

static const struct libusb_endpoint_descriptor bulk_endpoints[] = {
    {.bEndpointAddress = 0x81, .bmAttributes = LIBUSB_TRANSFER_TYPE_BULK},
    {.bEndpointAddress = 0x02, .bmAttributes = LIBUSB_TRANSFER_TYPE_BULK},
    {.bEndpointAddress = 0x83, .bmAttributes = LIBUSB_TRANSFER_TYPE_INTERRUPT},
};
static const struct libusb_endpoint_descriptor stream_endpoints[] = {
    {.bEndpointAddress = 0x84, .bmAttributes = LIBUSB_TRANSFER_TYPE_ISOCHRONOUS},
    {.bEndpointAddress = 0x05, .bmAttributes = LIBUSB_TRANSFER_TYPE_ISOCHRONOUS},
};
static const struct libusb_interface_descriptor first[] = {{.bInterfaceNumber = 0,
                                                            .bInterfaceClass = 8,
                                                            .bInterfaceProtocol = 0x50,
                                                            .bNumEndpoints = 3,
                                                            .endpoint = bulk_endpoints}};
static const struct libusb_interface_descriptor second[] = {{.bInterfaceNumber = 1, .bInterfaceClass = 1},
                                                            {.bInterfaceNumber = 1,
                                                             .bInterfaceClass = 1,
                                                             .bAlternateSetting = 1,
                                                             .bNumEndpoints = 2,
                                                             .endpoint = stream_endpoints}};
static const struct libusb_interface interfaces[] = {{first, 1}, {second, 2}};
static struct libusb_config_descriptor configuration = {
    .bConfigurationValue = 1, .bNumInterfaces = 2, .interface = interfaces};

int
libusb_get_active_config_descriptor(libusb_device *device, struct libusb_config_descriptor **descriptor)
{
    *descriptor = &configuration;
    return 0;
}

void
libusb_free_config_descriptor(struct libusb_config_descriptor *descriptor)
{
}

int
libusb_get_max_alt_packet_size(libusb_device *device, int interface, int alt, unsigned char endpoint)
{
    return endpoint == 0x84 ? 200 : endpoint == 0x05 ? 192 : 512;
}

int
libusb_set_auto_detach_kernel_driver(libusb_device_handle *handle, int enable)
{
    note(enable ? "auto" : "plain");
    return 0;
}

int
libusb_claim_interface(libusb_device_handle *handle, int interface)
{
    note("claim %d", interface);
    return fake_answers.claim;
}

int
libusb_release_interface(libusb_device_handle *handle, int interface)
{
    note("release %d", interface);
    return 0;
}

int
libusb_reset_device(libusb_device_handle *handle)
{
    note("reset");
    return unplugged ? LIBUSB_ERROR_NOT_FOUND : 0;
}

int
libusb_set_configuration(libusb_device_handle *handle, int value)
{
    note("configuration %d", value);
    return value == 1 || value == 2 ? 0 : LIBUSB_ERROR_NOT_FOUND;
}

int
libusb_set_interface_alt_setting(libusb_device_handle *handle, int interface, int alt)
{
    note("setting %d %d", interface, alt);
    if (interface > 1 || alt > interface)
        return LIBUSB_ERROR_NOT_FOUND;
    alts[interface] = (uint8_t)alt;
    return 0;
}

int
libusb_clear_halt(libusb_device_handle *handle, unsigned char endpoint)
{
    note("clear %02x", endpoint);
    return 0;
}

int
libusb_alloc_streams(libusb_device_handle *handle, uint32_t n, unsigned char *endpoints, int n_endpoints)
{
    note("streams %u %02x", n, endpoints[0]);
    return (int)MIN(n, 7);
}

int
libusb_free_streams(libusb_device_handle *handle, unsigned char *endpoints, int n_endpoints)
{
    note("no-streams %02x", endpoints[0]);
    return 0;
}

const char *
libusb_strerror(int code)
{
    return "an error of libusb's";
}

/* --- transfers --------------------------------------------------------------------------------------------------- */

struct libusb_transfer *
libusb_alloc_transfer(int n)
{
    return g_malloc0(sizeof(struct libusb_transfer) + (size_t)n * sizeof(struct libusb_iso_packet_descriptor));
}

void
libusb_free_transfer(struct libusb_transfer *transfer)
{
    g_free(transfer);
}

void
libusb_transfer_set_stream_id(struct libusb_transfer *transfer, uint32_t id)
{
    note("stream %u", id);
}

int
libusb_submit_transfer(struct libusb_transfer *transfer)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

    if (unplugged)
        return LIBUSB_ERROR_NO_DEVICE;
    if (fake_answers.submit)
        return fake_answers.submit;
    g_ptr_array_add(in_flight, transfer);
    return 0;
}

int
libusb_cancel_transfer(struct libusb_transfer *transfer)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

    if (!g_ptr_array_find(in_flight, transfer, NULL))
        return LIBUSB_ERROR_NOT_FOUND;
    if (obedient)
        complete(transfer, LIBUSB_TRANSFER_CANCELLED, 0);
    return 0;
}

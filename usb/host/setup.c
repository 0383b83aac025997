/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What blocks: claiming a device from the host's drivers, configuring, resetting, giving it back. All on the worker, one call
 * at a time, so nothing here needs a lock.
 *
 * All interfaces are claimed as long as the desktop has the device. The host's drivers are turned out in the same call that
 * claims (USBDEVFS_DISCONNECT_CLAIM), so that none slips in between.
 */
#include "usb/host/private.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* --- what there is ---------------------------------------------------------------------------------------------- */

static libusb_device *
device_of(const HostSetup *setup)
{
    return libusb_get_device(setup->handle);
}

static const struct libusb_interface_descriptor *
chosen_setting(const HostSetup *setup, const struct libusb_interface *interface)
{
    for (int i = 0; i < interface->num_altsetting; i++) {
        const struct libusb_interface_descriptor *setting = &interface->altsetting[i];
        for (unsigned j = 0; j < setup->n_interfaces; j++)
            if (setup->interfaces[j] == setting->bInterfaceNumber && setup->alt[j] == setting->bAlternateSetting)
                return setting;
    }
    return NULL;
}

static void
add_endpoints(const HostSetup *setup, HostLayout *layout, const struct libusb_interface_descriptor *setting)
{
    bool is_disk = usb_ahead_is_disk(setting->bInterfaceClass, setting->bInterfaceProtocol);

    for (unsigned i = 0; i < setting->bNumEndpoints; i++) {
        const struct libusb_endpoint_descriptor *endpoint = &setting->endpoint[i];
        unsigned index = host_endpoint_index(endpoint->bEndpointAddress);
        int size = libusb_get_max_alt_packet_size(device_of(setup), setting->bInterfaceNumber,
                                                  setting->bAlternateSetting, endpoint->bEndpointAddress);
        layout->type[index] = (int8_t)(endpoint->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK);
        layout->interface[index] = setting->bInterfaceNumber;
        layout->packet_size[index] = (unsigned)MAX(size, 0);
        if (is_disk && layout->type[index] == USB_BULK)
            *(index & 0x10 ? &layout->disk_in : &layout->disk_out) = endpoint->bEndpointAddress;
    }
}

static HostLayout *
make_layout(const HostSetup *setup)
{
    HostLayout *layout = g_new0(HostLayout, 1);
    struct libusb_config_descriptor *configuration;

    for (unsigned i = 0; i < HOST_ENDPOINTS; i++)
        layout->type[i] = -1;
    if (libusb_get_active_config_descriptor(device_of(setup), &configuration) != LIBUSB_SUCCESS)
        return layout;
    for (unsigned i = 0; i < configuration->bNumInterfaces; i++) {
        const struct libusb_interface_descriptor *setting = chosen_setting(setup, &configuration->interface[i]);
        if (setting)
            add_endpoints(setup, layout, setting);
    }
    libusb_free_config_descriptor(configuration);
    return layout;
}

static UsbSpeed
speed_of(const HostSetup *setup)
{
    switch (libusb_get_device_speed(device_of(setup))) {
    case LIBUSB_SPEED_LOW:
        return USB_LOW;
    case LIBUSB_SPEED_UNKNOWN:
    case LIBUSB_SPEED_FULL:
        return USB_FULL;
    case LIBUSB_SPEED_HIGH:
        return USB_HIGH;
    default:
        return USB_SUPER;
    }
}

static void
identify(const HostSetup *setup, UsbIdentity *identity)
{
    struct libusb_device_descriptor device;
    struct libusb_config_descriptor *configuration;

    libusb_get_device_descriptor(device_of(setup), &device);
    *identity = (UsbIdentity){.vendor = device.idVendor,
                              .product = device.idProduct,
                              .version = device.bcdDevice,
                              .class = device.bDeviceClass,
                              .subclass = device.bDeviceSubClass,
                              .protocol = device.bDeviceProtocol};
    if (libusb_get_active_config_descriptor(device_of(setup), &configuration) != LIBUSB_SUCCESS)
        return;
    for (unsigned i = 0; i < MIN(configuration->bNumInterfaces, USB_INTERFACES_MAX); i++) {
        const struct libusb_interface *interface = &configuration->interface[i];
        if (!interface->num_altsetting)
            continue;
        unsigned place = identity->n_interfaces++;
        identity->interface_class[place] = interface->altsetting[0].bInterfaceClass;
        identity->interface_subclass[place] = interface->altsetting[0].bInterfaceSubClass;
        identity->interface_protocol[place] = interface->altsetting[0].bInterfaceProtocol;
    }
    libusb_free_config_descriptor(configuration);
}

/* --- claiming --------------------------------------------------------------------------------------------------- */

/* @to_host: its drivers take the interfaces again. */
static void
release_all(HostSetup *setup, bool to_host)
{
    libusb_set_auto_detach_kernel_driver(setup->handle, to_host);
    while (setup->n_interfaces)
        libusb_release_interface(setup->handle, setup->interfaces[--setup->n_interfaces]);
}

/* All interfaces of the configuration, which is in its first settings. */
static int
claim_all(HostSetup *setup)
{
    struct libusb_config_descriptor *configuration;
    int status = libusb_get_active_config_descriptor(device_of(setup), &configuration);

    if (status != LIBUSB_SUCCESS)
        return status == LIBUSB_ERROR_NOT_FOUND ? LIBUSB_SUCCESS : status; /* not configured: nothing to claim */
    libusb_set_auto_detach_kernel_driver(setup->handle, 1);
    for (unsigned i = 0; status == LIBUSB_SUCCESS && i < MIN(configuration->bNumInterfaces, USB_INTERFACES_MAX); i++) {
        const struct libusb_interface *interface = &configuration->interface[i];
        if (!interface->num_altsetting)
            continue;
        uint8_t number = interface->altsetting[0].bInterfaceNumber;
        status = libusb_claim_interface(setup->handle, number);
        if (status != LIBUSB_SUCCESS)
            break;
        setup->interfaces[setup->n_interfaces] = number;
        setup->alt[setup->n_interfaces++] = 0;
    }
    libusb_free_config_descriptor(configuration);
    return status;
}

static bool
refuse(HostSetup *setup, GError **error, const char *why)
{
    g_set_error_literal(error, USB_ERROR, USB_ERROR_REFUSED, why);
    host_setup_close(setup, false);
    return false;
}

static const char *
claim_error(int status)
{
    switch (status) {
    case LIBUSB_ERROR_BUSY:
        return "another program of the host, or another desktop, uses it";
    case LIBUSB_ERROR_NO_DEVICE:
        return "it was unplugged meanwhile";
    default:
        return libusb_strerror(status);
    }
}

bool
host_setup_open(HostSetup *setup, const HostLoan *loan, UsbIdentity *identity, UsbSpeed *speed, HostLayout **layout,
                GError **error)
{
    *setup = (HostSetup){.fd = loan->fd};
    int status = libusb_wrap_sys_device(usb_host_loop_context(loan->host->loop), loan->fd, &setup->handle);

    if (status != LIBUSB_SUCCESS) {
        setup->handle = NULL;
        return refuse(setup, error,
                      status == LIBUSB_ERROR_NO_DEVICE ? claim_error(status)
                                                       : "the descriptor is not the open node of a USB device");
    }
    identify(setup, identity);
    *speed = speed_of(setup);
    if (identity->class == USB_CLASS_HUB)
        return refuse(setup, error, "a hub stays with the host; what is plugged into it can be given");
    if (!usb_policy_allows(loan->host->policy, identity))
        return refuse(setup, error, "the desktop's USB policy does not allow it");
    status = claim_all(setup);
    if (status != LIBUSB_SUCCESS)
        return refuse(setup, error, claim_error(status));
    *layout = make_layout(setup);
    if ((*layout)->disk_in)
        setup->shared = libusb_dev_mem_alloc(setup->handle, HOST_SHARED_BYTES);
    return true;
}

void
host_setup_close(HostSetup *setup, bool gone)
{
    if (setup->handle) {
        if (!gone && setup->n_interfaces)
            libusb_reset_device(setup->handle); /* it forgets what the guest did to it */
        release_all(setup, !gone);
        if (setup->shared)
            libusb_dev_mem_free(setup->handle, g_steal_pointer(&setup->shared), HOST_SHARED_BYTES);
        libusb_close(setup->handle);
    }
    setup->handle = NULL;
    g_clear_fd(&setup->fd, NULL);
}

/* --- what the guest sets ---------------------------------------------------------------------------------------- */

static void
forget_alts(HostSetup *setup)
{
    for (unsigned i = 0; i < setup->n_interfaces; i++)
        setup->alt[i] = 0;
}

int
host_setup_reset(HostSetup *setup, HostLayout **layout)
{
    int status = libusb_reset_device(setup->handle);

    forget_alts(setup);
    *layout = make_layout(setup);
    return status;
}

/* The configuration that the device has already: its interfaces go back to their first settings. */
static int
set_again(HostSetup *setup)
{
    int status = LIBUSB_SUCCESS;

    for (unsigned i = 0; i < setup->n_interfaces && status == LIBUSB_SUCCESS; i++)
        if (setup->alt[i])
            status = libusb_set_interface_alt_setting(setup->handle, setup->interfaces[i], 0);
    if (status == LIBUSB_SUCCESS)
        forget_alts(setup);
    return status;
}

int
host_setup_set_configuration(HostSetup *setup, uint8_t value, HostLayout **layout)
{
    struct libusb_config_descriptor *configuration;
    int active = 0, status;

    if (libusb_get_active_config_descriptor(device_of(setup), &configuration) == LIBUSB_SUCCESS) {
        active = configuration->bConfigurationValue;
        libusb_free_config_descriptor(configuration);
    }
    if (value == active || value == 0) { /* a guest that lets go of it sets it up anew when it takes it again */
        status = set_again(setup);
    } else {
        release_all(setup, false);
        status = libusb_set_configuration(setup->handle, value);
        int claimed = claim_all(setup); /* the old one's, where there was an error */
        status = status == LIBUSB_SUCCESS ? claimed : status;
    }
    *layout = make_layout(setup);
    return status;
}

int
host_setup_set_interface(HostSetup *setup, uint8_t interface, uint8_t alt, HostLayout **layout)
{
    int status = libusb_set_interface_alt_setting(setup->handle, interface, alt);

    for (unsigned i = 0; i < setup->n_interfaces; i++)
        if (setup->interfaces[i] == interface && status == LIBUSB_SUCCESS)
            setup->alt[i] = alt;
    *layout = make_layout(setup);
    return status;
}

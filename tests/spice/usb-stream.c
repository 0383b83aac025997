/* SPDX-License-Identifier: Apache-2.0 */
/* A little driver of devices that stream: each service interval has a packet in, and one out where the device is slow enough. */
#include "tests/spice/usb-guest.h"

#include <stdio.h>
#include <string.h>

#define IN 0x81
#define OUT 0x02
#define PACKET_MAX 512
#define HEADSET_BYTES 192

typedef struct {
    char *id;
    unsigned seconds;
    int64_t begun; /* monotonic, microseconds */
    uint32_t period;
    uint64_t served; /* intervals */
    bool has_come;
    uint32_t next; /* the number of the next packet */
    uint64_t received, lost, empty, sent;
} Stream;

static void
on_done(UsbTransfer *transfer)
{
}

static void
carry_out(Stream *stream, UsbDevice *device, uint8_t endpoint, void *bytes, uint32_t len, uint32_t *actual)
{
    struct iovec iov = {bytes, len};
    UsbTransfer transfer = {.device = device,
                            .type = USB_ISOCHRONOUS,
                            .endpoint = endpoint,
                            .iov = &iov,
                            .n_iov = 1,
                            .length = len,
                            .interval = stream->served,
                            .period_us = stream->period,
                            .done = on_done};

    device->ops->submit(device, &transfer);
    *actual = transfer.actual;
}

static void
take(Stream *stream, const uint8_t *packet, uint32_t len)
{
    uint32_t number;

    if (!len) {
        stream->empty += stream->has_come;
        return;
    }
    memcpy(&number, packet, sizeof number);
    stream->lost += stream->has_come ? number - stream->next : 0;
    stream->next = number + 1;
    stream->has_come = true;
    stream->received++;
}

static void
serve_interval(Stream *stream, UsbDevice *device)
{
    uint8_t packet[PACKET_MAX] = {0};
    uint32_t n, number = (uint32_t)stream->sent;

    carry_out(stream, device, IN, packet, PACKET_MAX, &n);
    take(stream, packet, n);
    if (device->speed == USB_FULL) {
        memset(packet, 0, sizeof packet);
        memcpy(packet, &number, sizeof number);
        carry_out(stream, device, OUT, packet, HEADSET_BYTES, &n);
        stream->sent++;
    }
    stream->served++;
}

static void
say_result(const Stream *stream)
{
    printf("usb streamed %" G_GUINT64_FORMAT " lost %" G_GUINT64_FORMAT " empty %" G_GUINT64_FORMAT
           " sent %" G_GUINT64_FORMAT "\n",
           stream->received, stream->lost, stream->empty, stream->sent);
    fflush(stdout);
}

/* On the USB thread, each millisecond. */
static gboolean
tick(gpointer user)
{
    Stream *stream = user;
    UsbDevice *device = usb_bus_find(usb_guest_bus(), stream->id);
    int64_t now = g_get_monotonic_time();

    if (!stream->begun && device) {
        stream->period = device->speed == USB_FULL ? 1000 : 125;
        stream->begun = now;
    }
    if (device && now - stream->begun < stream->seconds * G_USEC_PER_SEC) {
        while ((int64_t)stream->served * stream->period < now - stream->begun)
            serve_interval(stream, device);
        return G_SOURCE_CONTINUE;
    }
    if (device) {
        device->ops->stop(device, IN);
        device->ops->stop(device, OUT);
    }
    say_result(stream);
    g_free(stream->id);
    g_free(stream);
    return G_SOURCE_REMOVE;
}

/* Configured as drivers do it; then it streams. */
static gpointer
work(gpointer data)
{
    Stream *stream = data;
    g_autoptr(GSource) timer = g_timeout_source_new(1);

    usb_guest_control(stream->id, USB_DIR_OUT, USB_REQ_SET_CONFIGURATION, 1, NULL, 0);
    usb_guest_control(stream->id, USB_DIR_OUT | USB_RECIP_INTERFACE, USB_REQ_SET_INTERFACE, 1, NULL, 0);
    g_source_set_callback(timer, tick, stream, NULL);
    g_source_attach(timer, usb_bus_context(usb_guest_bus()));
    return NULL;
}

void
usb_guest_stream(const char *id, unsigned seconds)
{
    Stream *stream = g_new0(Stream, 1);

    stream->id = g_strdup(id);
    stream->seconds = seconds;
    g_thread_unref(g_thread_new("driver", work, stream));
}

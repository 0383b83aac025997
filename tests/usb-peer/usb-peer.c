/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A redirecting client of the smallest kind, with a device made of software: "usb-peer FD KIND [KEY=VALUE...]". FD is a
 * SPICE channel of the kind "usbredir" that somebody has opened, or with "link=bytes" a socket that carries usbredir alone; KIND
 * is disk, camera, headset or microphone.
 *
 * Its device is plugged in from the start; on standard input, "unplug" takes it back, "plug" gives it again, and the end of
 * input ends it. On standard output it says what it does: "refused" when the desktop will not have the device, "ended" when the
 * server is gone, and last what was streamed.
 */
#include "device.h"
#include "link.h"

#include <glib.h>
#include <linux/usb/ch9.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <usbredirfilter.h>

static struct {
    const PeerKind *kind;
    Link *link;
    struct usbredirparser *parser;
    uint8_t configured, alternate;
    bool ended;
} app;

const char *
peer_argument(char **arguments, const char *key, const char *fallback)
{
    for (size_t len = strlen(key); *arguments; arguments++)
        if (!strncmp(*arguments, key, len) && (*arguments)[len] == '=')
            return *arguments + len + 1;
    return fallback;
}

/* --- the device as a client describes it ------------------------------------------------------------------------ */

static unsigned
place(uint8_t endpoint)
{
    return (endpoint & 0x80) >> 3 | (endpoint & 0xf);
}

static void
describe(void)
{
    const uint8_t *at = app.kind->configuration, *end = at + (at[2] | at[3] << 8);
    struct usb_redir_interface_info_header interfaces = {.interface_count = at[4]};
    struct usb_redir_ep_info_header endpoints = {.type = {0}};
    unsigned interface = 0;

    memset(endpoints.type, usb_redir_type_invalid, sizeof endpoints.type);
    endpoints.type[0] = endpoints.type[16] = usb_redir_type_control;
    for (; at < end; at += at[0])
        if (at[1] == USB_DT_INTERFACE) {
            interface = interfaces.interface[at[2]] = at[2];
            interfaces.interface_class[interface] = at[5];
            interfaces.interface_subclass[interface] = at[6];
            interfaces.interface_protocol[interface] = at[7];
        } else if (at[1] == USB_DT_ENDPOINT) {
            endpoints.interface[place(at[2])] = (uint8_t)interface;
            endpoints.type[place(at[2])] = at[3] & 3;
            endpoints.interval[place(at[2])] = at[6];
            endpoints.max_packet_size[place(at[2])] = (uint16_t)(at[4] | at[5] << 8);
        }
    usbredirparser_send_interface_info(app.parser, &interfaces);
    usbredirparser_send_ep_info(app.parser, &endpoints);
}

static void
plug(void)
{
    const uint8_t *device = app.kind->device;
    struct usb_redir_device_connect_header offer = {
        .speed = app.kind->speed,
        .device_class = device[4],
        .vendor_id = (uint16_t)(device[8] | device[9] << 8),
        .product_id = (uint16_t)(device[10] | device[11] << 8),
        .device_version_bcd = 0x100,
    };

    describe();
    usbredirparser_send_device_connect(app.parser, &offer);
}

/* --- what it is asked ------------------------------------------------------------------------------------------- */

static void
on_hello(void *user, struct usb_redir_hello_header *hello)
{
    plug();
}

static void
on_reject(void *user)
{
    printf("refused\n");
    fflush(stdout);
}

static void
on_filter(void *user, struct usbredirfilter_rule *rules, int n)
{
    usbredirfilter_free(rules);
}

static void
end_streams(void)
{
    if (app.kind->end_stream)
        app.kind->end_stream(0x80);
}

static void
on_reset(void *user)
{
    app.configured = app.alternate = 0;
    end_streams();
}

static void
on_acknowledged(void *user)
{
}

static void
on_set_configuration(void *user, uint64_t id, struct usb_redir_set_configuration_header *header)
{
    app.configured = header->configuration;
    usbredirparser_send_configuration_status(
        app.parser, id, &(struct usb_redir_configuration_status_header){.configuration = app.configured});
}

static void
on_get_configuration(void *user, uint64_t id)
{
    usbredirparser_send_configuration_status(
        app.parser, id, &(struct usb_redir_configuration_status_header){.configuration = app.configured});
}

static void
on_set_alternate(void *user, uint64_t id, struct usb_redir_set_alt_setting_header *header)
{
    app.alternate = header->alt;
    end_streams();
    describe(); /* as clients do: endpoints may be others now */
    usbredirparser_send_alt_setting_status(app.parser, id,
                                           &(struct usb_redir_alt_setting_status_header){.alt = app.alternate});
}

static void
on_get_alternate(void *user, uint64_t id, struct usb_redir_get_alt_setting_header *header)
{
    usbredirparser_send_alt_setting_status(app.parser, id,
                                           &(struct usb_redir_alt_setting_status_header){.alt = app.alternate});
}

/* The descriptor asked for, or NULL. */
static const uint8_t *
descriptor(uint16_t value, unsigned *len)
{
    static const uint8_t languages[] = {4, USB_DT_STRING, 9, 4},
                         name[] = {10, USB_DT_STRING, 'P', 0, 'e', 0, 'e', 0, 'r', 0};

    switch (value >> 8) {
    case USB_DT_DEVICE:
        *len = app.kind->device[0];
        return app.kind->device;
    case USB_DT_CONFIG:
        *len = app.kind->configuration[2];
        return app.kind->configuration;
    case USB_DT_STRING:
        *len = value & 0xff ? name[0] : languages[0];
        return value & 0xff ? name : languages;
    default:
        return NULL;
    }
}

static void
on_control(void *user, uint64_t id, struct usb_redir_control_packet_header *header, uint8_t *data, int data_len)
{
    static const uint8_t zeroes[2] = {0};
    bool in = header->requesttype & USB_DIR_IN, other = header->requesttype & USB_TYPE_MASK;
    const uint8_t *answer = zeroes; /* a status, or the last of several units */
    unsigned len = other ? 1 : 2;

    if (in && !other && header->request == USB_REQ_GET_DESCRIPTOR)
        answer = descriptor(header->value, &len);
    header->status = answer ? usb_redir_success : usb_redir_stall;
    if (in)
        header->length = (uint16_t)(answer ? MIN(len, header->length) : 0);
    usbredirparser_send_control_packet(app.parser, id, header, in && answer ? (uint8_t *)answer : NULL,
                                       in && answer ? header->length : 0);
    usbredirparser_free_packet_data(app.parser, data);
}

static void
on_bulk(void *user, uint64_t id, struct usb_redir_bulk_packet_header *header, uint8_t *data, int len)
{
    if (app.kind->bulk)
        app.kind->bulk(id, header, data, len);
    usbredirparser_free_packet_data(app.parser, data);
}

static void
on_cancel(void *user, uint64_t id)
{
    if (app.kind->cancel)
        app.kind->cancel(id);
}

static void
on_start_stream(void *user, uint64_t id, struct usb_redir_start_iso_stream_header *header)
{
    usbredirparser_send_iso_stream_status(app.parser, id,
                                          &(struct usb_redir_iso_stream_status_header){.endpoint = header->endpoint});
    if (app.kind->stream)
        app.kind->stream(header);
}

static void
on_stop_stream(void *user, uint64_t id, struct usb_redir_stop_iso_stream_header *header)
{
    usbredirparser_send_iso_stream_status(app.parser, id,
                                          &(struct usb_redir_iso_stream_status_header){.endpoint = header->endpoint});
    if (app.kind->end_stream)
        app.kind->end_stream(header->endpoint);
}

static void
on_iso(void *user, uint64_t id, struct usb_redir_iso_packet_header *header, uint8_t *data, int len)
{
    if (app.kind->iso)
        app.kind->iso(data, len);
    usbredirparser_free_packet_data(app.parser, data);
}

static void
on_log(void *user, int level, const char *message)
{
    if (level <= usbredirparser_warning)
        fprintf(stderr, "usb-peer: %s\n", message);
}

static int
read_bytes(void *user, uint8_t *to, int len)
{
    return (int)link_read(app.link, to, (size_t)len);
}

static int
write_bytes(void *user, uint8_t *from, int len)
{
    link_write(app.link, from, (size_t)len);
    return len;
}

static struct usbredirparser *
make_parser(void)
{
    static const int ours[] = {
        usb_redir_cap_connect_device_version,  usb_redir_cap_filter,     usb_redir_cap_device_disconnect_ack,
        usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids, usb_redir_cap_32bits_bulk_length};
    struct usbredirparser *parser = usbredirparser_create();
    uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};

    parser->log_func = on_log;
    parser->read_func = read_bytes;
    parser->write_func = write_bytes;
    parser->hello_func = on_hello;
    parser->reset_func = on_reset;
    parser->filter_reject_func = on_reject;
    parser->filter_filter_func = on_filter;
    parser->device_disconnect_ack_func = on_acknowledged;
    parser->set_configuration_func = on_set_configuration;
    parser->get_configuration_func = on_get_configuration;
    parser->set_alt_setting_func = on_set_alternate;
    parser->get_alt_setting_func = on_get_alternate;
    parser->start_iso_stream_func = on_start_stream;
    parser->stop_iso_stream_func = on_stop_stream;
    parser->cancel_data_packet_func = on_cancel;
    parser->control_packet_func = on_control;
    parser->bulk_packet_func = on_bulk;
    parser->iso_packet_func = on_iso;
    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
        usbredirparser_caps_set_cap(caps, ours[i]);
    usbredirparser_init(parser, "usb-peer", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
    return parser;
}

/* --- its loop --------------------------------------------------------------------------------------------------- */

static void
obey(void)
{
    char line[64];
    ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);

    if (n <= 0) {
        app.ended = true;
        return;
    }
    line[n] = 0;
    if (g_str_has_prefix(line, "unplug")) {
        end_streams();
        usbredirparser_send_device_disconnect(app.parser);
    } else if (g_str_has_prefix(line, "plug")) {
        plug();
    }
}

static void
listen_to_server(void)
{
    if (!link_fill(app.link) || usbredirparser_do_read(app.parser) < 0) {
        printf("ended\n");
        app.ended = true;
    }
}

static void
say(void)
{
    usbredirparser_do_write(app.parser);
    link_flush(app.link);
}

/* Sleeps until something comes, or @until (CLOCK_MONOTONIC, ns). */
static void
wait_for(struct pollfd *fds, int64_t until, int64_t now)
{
    int64_t ns = MAX(until - now, 0);
    struct timespec timeout = {ns / 1000000000, ns % 1000000000};

    ppoll(fds, 2, until == NEVER ? NULL : &timeout, NULL);
}

int64_t
peer_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void
run(int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};

    while (!app.ended) {
        int64_t now = peer_clock(), next = app.kind->work ? app.kind->work(now) : NEVER;
        say();
        wait_for(fds, next, now);
        if (fds[0].revents)
            listen_to_server();
        if (fds[1].revents)
            obey();
    }
    say();
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        const PeerKind *kind;
    } kinds[] = {
        {"disk", &peer_disk}, {"camera", &peer_camera}, {"headset", &peer_headset}, {"microphone", &peer_microphone}};

    for (size_t i = 0; argc > 2 && i < G_N_ELEMENTS(kinds); i++)
        if (!strcmp(argv[2], kinds[i].name))
            app.kind = kinds[i].kind;
    if (!app.kind) {
        fprintf(stderr, "usage: usb-peer FD disk|camera|headset|microphone [KEY=VALUE...]\n");
        return 2;
    }
    int fd = atoi(argv[1]);
    app.link = link_new(fd, strcmp(peer_argument(argv + 3, "link", "messages"), "bytes"));
    app.parser = make_parser();
    app.kind->start(app.parser, argv + 3);
    run(fd);
    if (app.kind->report)
        app.kind->report();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device that the guest sees for one at a client: control, bulk and interrupt OUT transfers become requests to the client,
 * each with an id; its answers come in any order. Interrupt IN and isochronous ones are receive.c's.
 *
 * A transfer that is cancelled waits a moment for its answer, since its bytes may be on their way already: handed back too
 * early, they would be lost, and a disk would find itself between two commands.
 */
#include "usb/redirect/private.h"

#include <string.h>

#define PATIENCE_MS 300
/* Several at a time hide the way to the client and back from devices that take them: serial lines, network cards. */
#define BULK_DEPTH 8

typedef enum { CONTROL, BULK, INTERRUPT, SET_CONFIGURATION, GET_CONFIGURATION, SET_ALT, GET_ALT } RequestKind;

typedef struct {
    uint64_t id;
    RequestKind kind;
    UsbTransfer *transfer; /* NULL: the guest has it back, and the answer is not wanted any more */
    size_t out_bytes;
    gint64 deadline; /* of its patience; 0: not cancelled */
} Request;

static RedirectDevice *
redirect_of(UsbDevice *usb)
{
    return (RedirectDevice *)usb;
}

UsbStatus
redirect_status(uint8_t status)
{
    switch (status) {
    case usb_redir_success:
        return USB_OK;
    case usb_redir_cancelled:
        return USB_CANCELLED;
    case usb_redir_stall:
        return USB_STALL;
    case usb_redir_babble:
        return USB_BABBLE;
    default:
        return USB_FAULT;
    }
}

/* --- requests --------------------------------------------------------------------------------------------------- */

uint64_t
redirect_device_next_id(RedirectDevice *device)
{
    /* A client without 64-bit ids sends back the lower half. */
    do
        device->last_id = (device->last_id + 1) & UINT32_MAX;
    while (g_hash_table_contains(device->requests, &device->last_id));
    return device->last_id;
}

static Request *
request_new(RedirectDevice *device, RequestKind kind, UsbTransfer *transfer)
{
    Request *request = g_new0(Request, 1);

    request->id = redirect_device_next_id(device);
    request->kind = kind;
    request->transfer = transfer;
    request->out_bytes = usb_transfer_is_in(transfer) ? 0 : transfer->length;
    device->out_bytes += request->out_bytes;
    transfer->work = request;
    g_hash_table_replace(device->requests, &request->id, request);
    return request;
}

static void
request_drop(RedirectDevice *device, Request *request)
{
    device->out_bytes -= request->out_bytes;
    device->n_given_up -= !request->transfer;
    g_hash_table_remove(device->requests, &request->id);
}

void
redirect_device_give_up(RedirectDevice *device, uint64_t id)
{
    Request *request = g_new0(Request, 1);

    request->id = id;
    request->kind = BULK;
    device->n_given_up++;
    g_hash_table_replace(device->requests, &request->id, request);
    if (device->n_given_up > REDIRECT_UNANSWERED_MAX)
        redirect_peer_break(device->peer, "it does not answer");
}

static void
send_held(RedirectDevice *device)
{
    UsbTransfer *transfer;

    while (device->out_bytes < REDIRECT_OUT_BYTES_MAX && (transfer = g_queue_pop_head(&device->held)))
        redirect_device_send(device, transfer);
}

/*
 * The transfer that an answer is for, its request gone from the table; the caller completes it. NULL: nobody wants it. An
 * answer of a kind that was not asked for is none.
 */
static UsbTransfer *
answered(RedirectPeer *peer, uint64_t id, RequestKind kind)
{
    RedirectDevice *device = peer->device;
    Request *request = device ? g_hash_table_lookup(device->requests, &id) : NULL;

    if (!request || request->kind != kind) {
        if (device)
            redirect_peer_complain(peer, "an answer to a request never made, thrown away");
        return NULL;
    }
    UsbTransfer *transfer = request->transfer;
    request_drop(device, request);
    return transfer;
}

static void
complete(RedirectPeer *peer, UsbTransfer *transfer, UsbStatus status)
{
    usb_transfer_complete(transfer, status);
    if (peer->device)
        send_held(peer->device);
}

/* Hands the data of an answer on; more than was asked for is babble. */
static void
complete_in(RedirectPeer *peer, UsbTransfer *transfer, uint8_t status, const uint8_t *data, int len)
{
    uint32_t n = (uint32_t)MAX(len, 0);

    usb_transfer_write(transfer, data, MIN(n, transfer->length));
    complete(peer, transfer, n > transfer->length ? USB_BABBLE : redirect_status(status));
}

static void
complete_out(RedirectPeer *peer, UsbTransfer *transfer, uint8_t status, uint32_t len)
{
    transfer->actual = MIN(len, transfer->length);
    complete(peer, transfer, redirect_status(status));
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static void
on_control(void *user, uint64_t id, struct usb_redir_control_packet_header *header, uint8_t *data, int len)
{
    RedirectPeer *peer = user;
    UsbTransfer *transfer = answered(peer, id, CONTROL);

    if (transfer) {
        if (usb_transfer_is_in(transfer))
            complete_in(peer, transfer, header->status, data, len);
        else
            complete_out(peer, transfer, header->status, header->length);
    }
    usbredirparser_free_packet_data(peer->parser, data);
}

static void
on_bulk(void *user, uint64_t id, struct usb_redir_bulk_packet_header *header, uint8_t *data, int len)
{
    RedirectPeer *peer = user;

    if (peer->device && redirect_ahead_answered(peer->device, id, header->status, data, len))
        return;
    UsbTransfer *transfer = answered(peer, id, BULK);

    if (transfer) {
        if (usb_transfer_is_in(transfer))
            complete_in(peer, transfer, header->status, data, len);
        else
            complete_out(peer, transfer, header->status, (uint32_t)header->length_high << 16 | header->length);
    }
    usbredirparser_free_packet_data(peer->parser, data);
}

void
redirect_interrupt_answered(RedirectPeer *peer, uint64_t id, const struct usb_redir_interrupt_packet_header *header)
{
    UsbTransfer *transfer = answered(peer, id, INTERRUPT);

    if (transfer)
        complete_out(peer, transfer, header->status, header->length);
}

/* What GET_CONFIGURATION and GET_INTERFACE are told, and what SET_… ends with. */
static void
on_setting(RedirectPeer *peer, uint64_t id, RequestKind get, RequestKind set, uint8_t status, uint8_t value)
{
    RedirectDevice *device = peer->device;
    const Request *request = device ? g_hash_table_lookup(device->requests, &id) : NULL;
    bool is_set = request && request->kind == set;
    UsbTransfer *transfer = answered(peer, id, is_set ? set : get);

    if (!transfer)
        return;
    /* A refused setting is a refused request: clients say "invalid" where a device would stall. */
    if (status != usb_redir_success)
        complete(peer, transfer, USB_STALL);
    else if (is_set)
        complete(peer, transfer, USB_OK);
    else
        complete_in(peer, transfer, status, &value, (int)MIN(transfer->length, 1));
}

static void
on_configuration(void *user, uint64_t id, struct usb_redir_configuration_status_header *header)
{
    on_setting(user, id, GET_CONFIGURATION, SET_CONFIGURATION, header->status, header->configuration);
}

static void
on_alt(void *user, uint64_t id, struct usb_redir_alt_setting_status_header *header)
{
    on_setting(user, id, GET_ALT, SET_ALT, header->status, header->alt);
}

static void
on_streams(void *user, uint64_t id, struct usb_redir_bulk_streams_status_header *header)
{
    if (header->status != usb_redir_success)
        redirect_peer_complain(user, "the client has no bulk streams for its device");
}

/* Never asked for: nothing here starts buffered bulk receiving. */
static void
on_buffered_bulk(void *user, uint64_t id, struct usb_redir_buffered_bulk_packet_header *header, uint8_t *data, int len)
{
    RedirectPeer *peer = user;

    redirect_peer_complain(peer, "buffered bulk data never asked for, thrown away");
    usbredirparser_free_packet_data(peer->parser, data);
}

static void
on_bulk_receiving(void *user, uint64_t id, struct usb_redir_bulk_receiving_status_header *header)
{
}

void
redirect_device_set_callbacks(struct usbredirparser *parser)
{
    parser->control_packet_func = on_control;
    parser->bulk_packet_func = on_bulk;
    parser->configuration_status_func = on_configuration;
    parser->alt_setting_status_func = on_alt;
    parser->bulk_streams_status_func = on_streams;
    parser->buffered_bulk_packet_func = on_buffered_bulk;
    parser->bulk_receiving_status_func = on_bulk_receiving;
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

/*
 * The data of an OUT transfer in one piece: guest memory itself where it lies so, since the parser copies it once anyway;
 * else *@copy, to be freed.
 */
static uint8_t *
in_one_piece(UsbTransfer *transfer, uint8_t **copy)
{
    *copy = NULL;
    if (!transfer->length)
        return NULL;
    if (transfer->n_iov == 1)
        return transfer->iov[0].iov_base;
    *copy = g_try_malloc(transfer->length);
    if (*copy)
        usb_transfer_read(transfer, *copy, transfer->length);
    transfer->actual = 0;
    return *copy;
}

static void
send_control(RedirectDevice *device, UsbTransfer *transfer, uint8_t *data)
{
    const UsbSetup *setup = &transfer->setup;
    struct usb_redir_control_packet_header header = {.endpoint = setup->request_type & USB_DIR_IN,
                                                     .request = setup->request,
                                                     .requesttype = setup->request_type,
                                                     .value = setup->value,
                                                     .index = setup->index,
                                                     .length = (uint16_t)transfer->length};
    uint64_t id = request_new(device, CONTROL, transfer)->id;

    usbredirparser_send_control_packet(device->peer->parser, id, &header, data, data ? (int)transfer->length : 0);
}

static void
send_bulk(RedirectDevice *device, UsbTransfer *transfer, uint8_t *data)
{
    struct usb_redir_bulk_packet_header header = {.endpoint = transfer->endpoint,
                                                  .length = (uint16_t)transfer->length,
                                                  .length_high = (uint16_t)(transfer->length >> 16),
                                                  .stream_id = transfer->stream};
    uint64_t id = request_new(device, BULK, transfer)->id;

    usbredirparser_send_bulk_packet(device->peer->parser, id, &header, data, data ? (int)transfer->length : 0);
}

static void
send_interrupt(RedirectDevice *device, UsbTransfer *transfer, uint8_t *data)
{
    struct usb_redir_interrupt_packet_header header = {.endpoint = transfer->endpoint,
                                                       .length = (uint16_t)transfer->length};
    uint64_t id = request_new(device, INTERRUPT, transfer)->id;

    usbredirparser_send_interrupt_packet(device->peer->parser, id, &header, data, data ? (int)transfer->length : 0);
}

bool
redirect_device_can_say(const RedirectDevice *device, UsbTransferType type, uint32_t len)
{
    if (len <= UINT16_MAX)
        return true;
    return type == USB_BULK && usbredirparser_peer_has_cap(device->peer->parser, usb_redir_cap_32bits_bulk_length);
}

void
redirect_device_send(RedirectDevice *device, UsbTransfer *transfer)
{
    static void (*const send[])(RedirectDevice *, UsbTransfer *, uint8_t *) = {
        [USB_CONTROL] = send_control, [USB_BULK] = send_bulk, [USB_INTERRUPT] = send_interrupt};
    bool in = usb_transfer_is_in(transfer);
    g_autofree uint8_t *copy = NULL;
    uint8_t *data = in ? NULL : in_one_piece(transfer, &copy);

    if (!redirect_device_can_say(device, transfer->type, transfer->length) || (!in && transfer->length && !data)) {
        usb_transfer_complete(transfer, USB_FAULT);
        return;
    }
    uint32_t ahead = in ? 0 : usb_ahead_begin(&device->ahead, transfer);
    send[transfer->type](device, transfer, data);
    usb_ahead_ask(&device->ahead, ahead);
    redirect_peer_flush(device->peer);
}

/* The requests that change what endpoints there are have packets of their own (protocol, "set_configuration" and on). */
static bool
send_setting(RedirectDevice *device, UsbTransfer *transfer)
{
    struct usbredirparser *parser = device->peer->parser;
    const UsbSetup *setup = &transfer->setup;
    uint8_t interface = (uint8_t)setup->index;

    usb_ahead_control(&device->ahead, setup);
    switch (usb_setup_request(setup)) {
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_DEVICE, USB_REQ_SET_CONFIGURATION):
        redirect_receive_reset(device, -1);
        usbredirparser_send_set_configuration(
            parser, request_new(device, SET_CONFIGURATION, transfer)->id,
            &(struct usb_redir_set_configuration_header){.configuration = (uint8_t)setup->value});
        break;
    case USB_REQUEST(USB_DIR_IN | USB_RECIP_DEVICE, USB_REQ_GET_CONFIGURATION):
        usbredirparser_send_get_configuration(parser, request_new(device, GET_CONFIGURATION, transfer)->id);
        break;
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_INTERFACE, USB_REQ_SET_INTERFACE):
        redirect_receive_reset(device, interface);
        usbredirparser_send_set_alt_setting(
            parser, request_new(device, SET_ALT, transfer)->id,
            &(struct usb_redir_set_alt_setting_header){.interface = interface, .alt = (uint8_t)setup->value});
        break;
    case USB_REQUEST(USB_DIR_IN | USB_RECIP_INTERFACE, USB_REQ_GET_INTERFACE):
        usbredirparser_send_get_alt_setting(parser, request_new(device, GET_ALT, transfer)->id,
                                            &(struct usb_redir_get_alt_setting_header){.interface = interface});
        break;
    default:
        return false;
    }
    redirect_peer_flush(device->peer);
    return true;
}

/* --- the device ------------------------------------------------------------------------------------------------- */

static void
submit(UsbDevice *usb, UsbTransfer *transfer)
{
    RedirectDevice *device = redirect_of(usb);
    bool in = usb_transfer_is_in(transfer);

    transfer->work = NULL;
    if (device->leaving)
        usb_transfer_complete(transfer, USB_GONE);
    else if (transfer->type == USB_ISOCHRONOUS && in)
        redirect_receive_iso(device, transfer);
    else if (transfer->type == USB_ISOCHRONOUS)
        redirect_send_iso(device, transfer);
    else if (transfer->type == USB_INTERRUPT && in)
        redirect_receive_interrupt(device, transfer);
    else if (in && usb_ahead_take(&device->ahead, transfer))
        return;
    else if (transfer->type == USB_CONTROL && send_setting(device, transfer))
        return;
    else if (!in && device->out_bytes && device->out_bytes + transfer->length > REDIRECT_OUT_BYTES_MAX)
        g_queue_push_tail(&device->held, transfer);
    else
        redirect_device_send(device, transfer);
}

static gboolean
patience_ended(gpointer user)
{
    RedirectDevice *device = user;
    gint64 now = g_get_monotonic_time();
    g_autoptr(GPtrArray) ended = g_ptr_array_new();
    bool more = false;
    GHashTableIter iter;
    Request *request;

    g_hash_table_iter_init(&iter, device->requests);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&request)) {
        if (request->transfer && request->deadline && request->deadline <= now) {
            g_ptr_array_add(ended, g_steal_pointer(&request->transfer));
            device->n_given_up++;
        }
        more |= request->transfer && request->deadline;
    }
    if (!more)
        g_clear_pointer(&device->patience, g_source_unref);
    if (device->n_given_up > REDIRECT_UNANSWERED_MAX)
        redirect_peer_break(device->peer, "it does not answer");
    for (guint i = 0; i < ended->len; i++)
        usb_transfer_complete(ended->pdata[i], USB_CANCELLED);
    return more;
}

static void
wait_a_moment(RedirectDevice *device)
{
    if (device->patience)
        return;
    device->patience = g_timeout_source_new(PATIENCE_MS);
    g_source_set_callback(device->patience, patience_ended, device, NULL);
    g_source_attach(device->patience, usb_bus_context(device->peer->bus));
}

static void
cancel(UsbDevice *usb, UsbTransfer *transfer)
{
    RedirectDevice *device = redirect_of(usb);
    Request *request = transfer->work;

    if (device->leaving)
        return; /* it comes with the others */
    if (!request) {
        if (!usb_ahead_take_back(&device->ahead, transfer) && !redirect_receive_forget(device, transfer))
            g_assert(g_queue_remove(&device->held, transfer));
        usb_transfer_complete(transfer, USB_CANCELLED);
        return;
    }
    if (request->deadline)
        return;
    request->deadline = g_get_monotonic_time() + PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
    if (request->kind == BULK || request->kind == CONTROL || request->kind == INTERRUPT)
        usbredirparser_send_cancel_data_packet(device->peer->parser, request->id);
    redirect_peer_flush(device->peer);
    wait_a_moment(device);
}

static void
reset(UsbDevice *usb)
{
    RedirectDevice *device = redirect_of(usb);

    redirect_receive_reset(device, -1);
    usb_ahead_drop(&device->ahead, true);
    usbredirparser_send_reset(device->peer->parser); /* there is no answer: what follows it comes after it */
    redirect_peer_flush(device->peer);
    usb_device_reset_done(usb);
}

static void
stop(UsbDevice *usb, uint8_t endpoint)
{
    RedirectDevice *device = redirect_of(usb);

    redirect_receive_stop(device, endpoint);
    redirect_peer_flush(device->peer);
}

static bool
set_streams(UsbDevice *usb, uint8_t endpoint, unsigned n)
{
    struct usbredirparser *parser = redirect_of(usb)->peer->parser;
    uint32_t endpoints = 1u << redirect_index(endpoint);

    if (!usbredirparser_peer_has_cap(parser, usb_redir_cap_bulk_streams))
        return false;
    if (n)
        usbredirparser_send_alloc_bulk_streams(
            parser, 0, &(struct usb_redir_alloc_bulk_streams_header){.endpoints = endpoints, .no_streams = n});
    else
        usbredirparser_send_free_bulk_streams(parser, 0,
                                              &(struct usb_redir_free_bulk_streams_header){.endpoints = endpoints});
    redirect_peer_flush(redirect_of(usb)->peer);
    return true;
}

static unsigned
depth(UsbDevice *usb, uint8_t endpoint)
{
    return redirect_of(usb)->endpoints[redirect_index(endpoint)].type == usb_redir_type_bulk ? BULK_DEPTH : 1;
}

void
redirect_device_let_go(RedirectDevice *device)
{
    UsbTransfer *transfer;
    GHashTableIter iter;
    Request *request;
    g_autoptr(GPtrArray) out = g_ptr_array_new();

    device->leaving = true; /* the first that is given back has the controller ask for others */
    g_hash_table_iter_init(&iter, device->requests);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&request))
        if (request->transfer)
            g_ptr_array_add(out, request->transfer);
    g_hash_table_remove_all(device->requests);
    while ((transfer = g_queue_pop_head(&device->held)) || (transfer = usb_ahead_steal(&device->ahead)))
        g_ptr_array_add(out, transfer);
    for (unsigned i = 0; i < REDIRECT_ENDPOINTS; i++)
        while ((transfer = device->endpoints[i].waiting)) {
            redirect_receive_forget(device, transfer);
            g_ptr_array_add(out, transfer);
        }
    for (guint i = 0; i < out->len; i++)
        usb_transfer_complete(out->pdata[i], USB_GONE);
}

static void
finish(UsbDevice *usb)
{
    RedirectDevice *device = redirect_of(usb);

    redirect_device_let_go(device);
    redirect_receive_reset(device, -1);
    usb_ahead_drop(&device->ahead, false);
    if (device->patience)
        g_source_destroy(device->patience);
    g_clear_pointer(&device->patience, g_source_unref);
    g_hash_table_unref(device->requests);
}

/* No saved state: a restored guest sees it unplugged, and its client, connecting again, offers it anew. */
static const UsbDeviceOps device_ops = {
    .kind = "redirected",
    .at_once = true,
    .submit = submit,
    .cancel = cancel,
    .reset = reset,
    .stop = stop,
    .set_streams = set_streams,
    .depth = depth,
    .finish = finish,
};

void
redirect_device_learn(RedirectDevice *device, const struct usb_redir_ep_info_header *info)
{
    for (unsigned i = 0; i < REDIRECT_ENDPOINTS; i++) {
        device->endpoints[i].type = info->type[i];
        device->endpoints[i].interface = info->interface[i];
    }
    redirect_ahead_learn(device, &device->peer->interfaces, info);
}

RedirectDevice *
redirect_device_new(RedirectPeer *peer, UsbSpeed speed, const UsbIdentity *identity)
{
    RedirectDevice *device = g_new0(RedirectDevice, 1);
    g_autofree char *name = g_strdup_printf("%04x:%04x of a client", identity->vendor, identity->product);

    usb_device_init(&device->usb, &device_ops, speed, peer->id, name);
    device->usb.vendor = identity->vendor;
    device->usb.product = identity->product;
    device->peer = peer;
    device->requests = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    g_queue_init(&device->held);
    redirect_receive_init(device);
    redirect_ahead_init(device);
    redirect_device_learn(device, &peer->endpoints);
    return device;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desktop's SPICE server: display, cursor, inputs, main channel and the agent's port, on libspice-server.
 *
 * Owner: the main thread (spice-server's core interface runs on the main loop; each scanout's display worker is a thread of
 * its own). One per process.
 */
#pragma once

#include "display/scanout.h"
#include "display/spice/timing.h"
#include "vmm/virtio/console.h"
#include "vmm/board/input.h"

typedef struct SpiceDisplay SpiceDisplay;
struct RedsState; /* spice-server's SpiceServer */

typedef enum {
    SPICE_COMPRESSION_AUTO, /* as it is to a Unix socket's peer, LZ4 to a TCP peer */
    SPICE_COMPRESSION_OFF,
    SPICE_COMPRESSION_LZ4,
    SPICE_COMPRESSION_QUIC,
    SPICE_COMPRESSION_GLZ,
    SPICE_COMPRESSION_LZ,
} SpiceCompression;

/* Which way users may copy and paste through the guest's agent. */
typedef enum {
    SPICE_CLIPBOARD_BOTH,
    SPICE_CLIPBOARD_TO_DESKTOP,
    SPICE_CLIPBOARD_FROM_DESKTOP,
    SPICE_CLIPBOARD_NONE,
} SpiceClipboard;

typedef struct {
    int listen_fd;        /* a listening Unix or loopback TCP socket, owned by the server from here on */
    const char *ticket;   /* the first password; NULL: nobody may connect until one is set, unless … */
    bool no_ticket;       /* anyone who reaches the socket may connect */
    bool several_clients; /* one client does not displace another */
    const char *name;     /* of the desktop, shown by clients; NULL: none */
    const uint8_t *uuid;  /* 16 bytes, or NULL */
    const char *gpu;      /* where the guest finds its graphics card: "pci/0000/01.0"; NULL: not told to its agent */
    SpiceCompression compression;
    SpiceClipboard clipboard;
    bool no_file_transfer; /* clients may drop no files on the desktop */
} SpiceDisplayOptions;

/* Told on the main thread, once a client, however many channels it opens. @peer is for people. */
typedef struct {
    void (*client_connected)(void *user, const char *peer, uint64_t client);
    void (*client_disconnected)(void *user, const char *peer, uint64_t client);
    /* spice_display_connections() are others. */
    void (*connections_changed)(void *user);
} SpiceDisplayEvents;

typedef struct {
    InputSink keyboard, tablet, mouse; /* without ops: none */
} SpiceDisplayInputs;

/*
 * A listening TCP socket on a loopback address ("127.0.0.1", "::1"; others are an error), for SpiceDisplayOptions. Before
 * the sandbox, which has a network of its own. Unix sockets are made by listener_new().
 */
int spice_display_listen(const char *address, uint16_t port, GError **error);
/* The words auto, off, lz4, quic, glz, lz. */
bool spice_compression_parse(const char *word, SpiceCompression *compression);

/*
 * Starts serving on the calling thread's default main context. Starts threads: after the sandbox was entered, and no fork()
 * follows. From here on the process ignores SIGPIPE, and malloc() maps blocks of a
 * megabyte and more. @events may be NULL; the rest is used until the display is freed.
 */
SpiceDisplay *spice_display_new(const SpiceDisplayOptions *options, Screen *screen, const SpiceDisplayInputs *inputs,
                                const SpiceDisplayEvents *events, void *user, GError **error);
/* Drops all clients and joins the workers. Before the screen and the devices are freed. */
void spice_display_free(SpiceDisplay *display);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SpiceDisplay, spice_display_free)

/* Joins the agent's port ("com.redhat.spice.0") to the clients' main channel. Before the guest starts. */
void spice_display_attach_agent(SpiceDisplay *display, VirtioDevice *console);
/* Sets the password for the next connections, valid @seconds (0: for good); NULL: nobody may connect. */
bool spice_display_set_ticket(SpiceDisplay *display, const char *ticket, unsigned seconds, GError **error);
/*
 * The guest runs or is paused. While it is paused its devices get no input, and the agent's port is still; keys let go
 * meanwhile are let go when it runs again. Clients may come and go, and see the last picture.
 */
void spice_display_set_running(SpiceDisplay *display, bool running);
unsigned spice_display_n_clients(const SpiceDisplay *display);
/* Names of connections, and the end of all of one name: clients.h. */
char **spice_display_connections(const SpiceDisplay *display);
void spice_display_cut(SpiceDisplay *display, const char *name);

/*
 * How good sessions are, counted since the display was made. Nothing of it changes while nobody is connected, and nothing wakes
 * up to measure.
 *
 * The age of a picture: from the guest's word that something changed (a flush, or another surface of the same size; where the
 * guest gives no word, from when the change was found) to when the sockets of all clients have taken the last byte of the
 * picture that shows it. Several changes that went as one picture count once, from the first. Not counted: changes that changed
 * no pixel, what a client is sent because it has just come, and the first picture of a new size. A client that goes is waited
 * for no more.
 *
 * The round trip of an input: from a key or button that goes down, or a wheel that turns, as it comes from the client's socket and
 * goes on to the guest's device, to when the sockets of all clients have taken the first picture of a change that the guest
 * announced afterwards. Of several inputs before that change the first counts. Not counted: what goes up, motion, and inputs that
 * no change follows within QUESTION_SECONDS. It is not known whether the input was the cause: while a film runs, any input is
 * answered by the film's next picture.
 *
 * Neither holds the way to the client and back, nor what the client does with a picture.
 */
typedef struct {
    Timing frame_age, input;
    uint64_t sent_bytes, received_bytes; /* over all clients' channels, as they are on their sockets */
} SpiceQuality;
/* Main thread. */
void spice_display_quality(const SpiceDisplay *display, SpiceQuality *quality);
/* The server itself, for others' channels: they are gone before the display is freed. */
struct RedsState *spice_display_server(SpiceDisplay *display);

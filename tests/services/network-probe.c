/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's networks with nobody around them: a daemon that does what a test says.
 *
 *     network-probe SOCKET-FD RUNTIME STATE [PORT…]
 *
 * Each message on the sequenced socket is one order, words apart by tabs ("-" for what is not given):
 *
 *     rows [ID TYPE BRIDGE VLAN ISOLATED]…
 *     adopt [DESKTOP PLACE NETWORK MAC NAME]…
 *     plug DESKTOP PLACE NETWORK MAC NAME QUEUES
 *     unplug DESKTOP
 *     counters DESKTOP
 *     states
 *
 * and is answered by one: "ok …", with a card's descriptors, or "error CODE MESSAGE". Reports go to standard error.
 */
#include "appliance/network/network.h"

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WORDS_MAX 60000

static int channel;
static GMainLoop *loop;

static const char *
word(const char *text)
{
    return strcmp(text, "-") ? text : NULL;
}

static void
answer(const char *text, const int *fds, unsigned n_fds)
{
    char control[CMSG_SPACE(sizeof(int) * NETWORK_QUEUES_MAX)] = {0};
    struct iovec iov = {(char *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * n_fds);
    }
    if (sendmsg(channel, &message, 0) < 0)
        exit(1);
}

static bool
set_rows(Networks *host, char **words, GError **error)
{
    unsigned n = g_strv_length(words) / 5;
    g_autofree NetworkRow *rows = g_new0(NetworkRow, n + 1);

    for (unsigned i = 0; i < n; i++, words += 5) {
        rows[i] = (NetworkRow){.id = words[0], .bridge = word(words[2]), .isolated = atoi(words[4])};
        rows[i].vlan = word(words[3]) ? atoi(words[3]) : 0;
        g_assert_true(network_type_from_name(words[1], &rows[i].type));
    }
    return networks_set_rows(host, rows, n, error);
}

static NetworkCard
card_of(char **words)
{
    return (NetworkCard){words[0], atoi(words[1]), words[2], word(words[3]), word(words[4])};
}

static bool
adopt(Networks *host, char **words, GError **error)
{
    unsigned n = g_strv_length(words) / 5;
    g_autofree NetworkCard *cards = g_new0(NetworkCard, n + 1);

    for (unsigned i = 0; i < n; i++)
        cards[i] = card_of(words + 5 * i);
    return networks_adopt(host, cards, n, error);
}

static bool
plug(Networks *host, char **words, GError **error)
{
    g_auto(NetworkPlug) made = {0};
    NetworkCard card = card_of(words);

    if (!networks_plug(host, &card, atoi(words[5]), &made, error))
        return false;
    g_autofree char *text =
        g_strdup_printf("ok %s %s %s %u", made.backend, made.mac, made.address ? made.address : "-", made.mtu);
    answer(text, made.fds, made.n_fds);
    return true;
}

static void
tell_counters(Networks *host, const char *desktop)
{
    uint64_t received, sent;
    g_autofree char *text = networks_counters(host, desktop, &received, &sent)
                                ? g_strdup_printf("ok %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, received, sent)
                                : g_strdup("ok -");
    answer(text, NULL, 0);
}

static void
tell_states(Networks *host)
{
    g_autoptr(GPtrArray) states = networks_states(host);
    g_autoptr(GString) text = g_string_new("ok");

    for (unsigned i = 0; i < states->len; i++) {
        const NetworkState *state = states->pdata[i];
        g_string_append_printf(text, "\n%s %s %s %u %s", state->id, state->interface ? state->interface : "-",
                               state->subnet ? state->subnet : "-", state->n_cards,
                               state->problem ? state->problem : "");
    }
    answer(text->str, NULL, 0);
}

/* Whether it answered by itself. */
static bool
obey(Networks *host, char **words, bool *done, GError **error)
{
    *done = true;
    if (!strcmp(words[0], "plug"))
        return *done = plug(host, words + 1, error);
    if (!strcmp(words[0], "counters"))
        return tell_counters(host, words[1]), true;
    if (!strcmp(words[0], "states"))
        return tell_states(host), true;
    if (!strcmp(words[0], "rows"))
        *done = set_rows(host, words + 1, error);
    else if (!strcmp(words[0], "adopt"))
        *done = adopt(host, words + 1, error);
    else if (!strcmp(words[0], "unplug"))
        networks_unplug(host, words[1]);
    else
        g_assert_not_reached();
    return false;
}

static gboolean
on_order(int fd, GIOCondition condition, gpointer data)
{
    static char text[WORDS_MAX + 1];
    g_autoptr(GError) error = NULL;
    ssize_t got = recv(fd, text, WORDS_MAX, 0);
    bool done;

    if (got <= 0) {
        g_main_loop_quit(loop);
        return G_SOURCE_REMOVE;
    }
    text[got] = 0;
    g_auto(GStrv) words = g_strsplit(text, "\t", -1);
    if (obey(data, words, &done, &error))
        return G_SOURCE_CONTINUE;
    g_autofree char *message = done ? g_strdup("ok") : g_strdup_printf("error %d %s", error->code, error->message);
    answer(message, NULL, 0);
    return G_SOURCE_CONTINUE;
}

static void
report(void *user, const char *message)
{
    fprintf(stderr, "report: %s\n", message);
}

int
main(int argc, char **argv)
{
    uint16_t ports[16] = {0};
    NetworkOptions options = {
        .manage = true, .runtime = argv[2], .state = argv[3], .host_ports = ports, .report = report};
    g_autoptr(GError) error = NULL;

    channel = atoi(argv[1]);
    for (int i = 4; i < argc && i < 4 + 15; i++)
        ports[i - 4] = atoi(argv[i]);
    g_autoptr(Networks) host = networks_new(&options, &error);
    g_assert_no_error(error);
    loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(channel, G_IO_IN | G_IO_HUP, on_order, host);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    return 0;
}

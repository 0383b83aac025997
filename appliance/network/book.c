/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/book.h"

#include "appliance/network/names.h"

#include <errno.h>
#include <string.h>

struct NetworkBook {
    char *path;
    unsigned n_places;
    char **macs; /* by place; NULL: free */
};

static bool
find(NetworkBook *book, const char *mac, unsigned *place)
{
    for (unsigned i = 0; i < book->n_places; i++)
        if (book->macs[i] && !strcmp(book->macs[i], mac)) {
            *place = i;
            return true;
        }
    return false;
}

static void
read_line(NetworkBook *book, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 2);
    guint64 place;
    unsigned has;

    if (!words[0] || !words[1] || !network_mac_valid(words[0]))
        return;
    if (!g_ascii_string_to_unsigned(words[1], 10, 0, book->n_places - 1, &place, NULL))
        return;
    if (!book->macs[place] && !find(book, words[0], &has))
        book->macs[place] = g_strdup(words[0]);
}

NetworkBook *
network_book_new(const char *path, unsigned n_places)
{
    NetworkBook *book = g_new0(NetworkBook, 1);
    g_autofree char *text = NULL;

    book->path = g_strdup(path);
    book->n_places = n_places;
    book->macs = g_new0(char *, n_places);
    if (g_file_get_contents(path, &text, NULL, NULL)) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
            read_line(book, *line);
    }
    return book;
}

void
network_book_free(NetworkBook *book)
{
    if (!book)
        return;
    for (unsigned i = 0; i < book->n_places; i++)
        g_free(book->macs[i]);
    g_free(book->macs);
    g_free(book->path);
    g_free(book);
}

static bool
save(NetworkBook *book, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) inner = NULL;

    for (unsigned i = 0; i < book->n_places; i++)
        if (book->macs[i])
            g_string_append_printf(text, "%s %u\n", book->macs[i], i);
    if (g_file_set_contents_full(book->path, text->str, text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &inner))
        return true;
    g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "the address book cannot be written: %s", inner->message);
    return false;
}

/* The first free one from where its MAC address points to. */
static bool
find_free(NetworkBook *book, const char *mac, unsigned *place)
{
    unsigned first = g_str_hash(mac) % book->n_places;

    for (unsigned i = 0; i < book->n_places; i++) {
        *place = (first + i) % book->n_places;
        if (!book->macs[*place])
            return true;
    }
    return false;
}

static bool
find_idle(NetworkBook *book, bool (*in_use)(void *user, const char *mac), void *user, unsigned *place)
{
    for (*place = 0; *place < book->n_places; (*place)++)
        if (!in_use(user, book->macs[*place]))
            return true;
    return false;
}

bool
network_book_place(NetworkBook *book, const char *mac, bool (*in_use)(void *user, const char *mac), void *user,
                   unsigned *place, GError **error)
{
    unsigned found;

    if (find(book, mac, place))
        return true;
    if (!find_free(book, mac, &found) && !find_idle(book, in_use, user, &found)) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_TAKEN, "all %u addresses of the network are in use",
                    book->n_places);
        return false;
    }
    char *before = book->macs[found];
    book->macs[found] = g_strdup(mac);
    if (!save(book, error)) {
        g_free(book->macs[found]);
        book->macs[found] = before;
        return false;
    }
    g_free(before);
    *place = found;
    return true;
}

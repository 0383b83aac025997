/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A nat network's address book: which place in the subnet a MAC address has, kept over restarts of everything, so that a
 * desktop has its address again next time.
 *
 * It is a text file, a line for each card: "52:54:00:12:34:56 17". Places, not addresses: the subnet may become another.
 *
 * Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct NetworkBook NetworkBook;

/* Reads it; what is not there, or not readable, begins empty. Lines that make no sense are passed over. */
NetworkBook *network_book_new(const char *path, unsigned n_places);
void network_book_free(NetworkBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetworkBook, network_book_free)

/*
 * The place of @mac; the first time it gets one, and the file is written. A full book gives it that of a card of which
 * @in_use says no. False: all are in use, or the file cannot be written.
 */
bool network_book_place(NetworkBook *book, const char *mac, bool (*in_use)(void *user, const char *mac), void *user,
                        unsigned *place, GError **error);

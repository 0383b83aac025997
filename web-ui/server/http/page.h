/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page's files, from the resource /org/carrel/page: each as it is, and compressed beside it (NAME.br, NAME.gz). A
 * request that names a file by the digest of what it holds (NAME?DIGEST, as index.html does) gets one that may be kept
 * for good; any other asks again, by ETag.
 *
 * Owner: the main loop.
 */
#pragma once

#include <libsoup/soup.h>
#include <stdbool.h>

typedef struct Page Page;

Page *page_new(void);
void page_free(Page *page);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Page, page_free)

/* Answers a request for a path that is nobody else's. */
void page_serve(Page *page, SoupServerMessage *message, const char *path);

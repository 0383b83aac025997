/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/http/page.h"

#include <string.h>

#define PREFIX "/org/carrel/page"
#define INDEX "/index.html"
/* Bytes of a digest that a name has to have of it. */
#define DIGEST_MIN 8

typedef struct {
    const char *encoding; /* NULL: as it is */
    GBytes *bytes;
} Variant;

typedef struct {
    char *digest;
    const char *type;
    Variant variants[3]; /* the shortest first, the plain one last */
    unsigned n_variants;
} File;

struct Page {
    GHashTable *files; /* path → File */
};

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".json", "application/json"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
};

static const struct {
    const char *suffix, *encoding;
} encodings[] = {{".br", "br"}, {".gz", "gzip"}};

static const char *
type_of(const char *path)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
        if (g_str_has_suffix(path, types[i].suffix))
            return types[i].type;
    return "application/octet-stream";
}

static bool
is_variant(const char *path)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(encodings); i++)
        if (g_str_has_suffix(path, encodings[i].suffix))
            return true;
    return false;
}

static void
add_variant(File *file, const char *path, const char *suffix, const char *encoding)
{
    g_autofree char *name = g_strconcat(PREFIX, path, suffix, NULL);
    GBytes *bytes = g_resources_lookup_data(name, 0, NULL);

    if (bytes)
        file->variants[file->n_variants++] = (Variant){encoding, bytes};
}

static void
file_free(File *file)
{
    for (unsigned i = 0; i < file->n_variants; i++)
        g_bytes_unref(file->variants[i].bytes);
    g_free(file->digest);
    g_free(file);
}

static File *
load(const char *path)
{
    File *file = g_new0(File, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(encodings); i++)
        add_variant(file, path, encodings[i].suffix, encodings[i].encoding);
    add_variant(file, path, "", NULL);
    file->type = type_of(path);
    file->digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, file->variants[file->n_variants - 1].bytes);
    return file;
}

static void
load_folder(Page *page, const char *folder)
{
    g_autofree char *resource = g_strconcat(PREFIX, folder, NULL);
    g_auto(GStrv) names = g_resources_enumerate_children(resource, 0, NULL);

    for (char **name = names; name && *name; name++) {
        g_autofree char *path = g_strconcat(folder, *name, NULL);
        if (g_str_has_suffix(path, "/"))
            load_folder(page, path);
        else if (!is_variant(path))
            g_hash_table_insert(page->files, g_strdup(path), load(path));
    }
}

Page *
page_new(void)
{
    Page *page = g_new(Page, 1);

    page->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)file_free);
    load_folder(page, "/");
    return page;
}

void
page_free(Page *page)
{
    if (!page)
        return;
    g_hash_table_unref(page->files);
    g_free(page);
}

/* What the client takes, and the shortest of that. */
static const Variant *
choose(const File *file, SoupMessageHeaders *headers)
{
    g_autoptr(GSList) unacceptable = NULL;
    GSList *acceptable =
        soup_header_parse_quality_list(soup_message_headers_get_list(headers, "Accept-Encoding") ?: "", &unacceptable);
    const Variant *chosen = &file->variants[file->n_variants - 1];

    for (unsigned i = 0; i < file->n_variants; i++) {
        const Variant *variant = &file->variants[i];
        if (variant->encoding && g_slist_find_custom(acceptable, variant->encoding, (GCompareFunc)g_ascii_strcasecmp)) {
            chosen = variant;
            break;
        }
    }
    soup_header_free_list(acceptable);
    soup_header_free_list(g_steal_pointer(&unacceptable));
    return chosen;
}

static bool
names_digest(SoupServerMessage *message, const File *file)
{
    const char *query = g_uri_get_query(soup_server_message_get_uri(message));

    return query && strlen(query) >= DIGEST_MIN && g_str_has_prefix(file->digest, query);
}

static void
serve(SoupServerMessage *message, const File *file)
{
    SoupMessageHeaders *request = soup_server_message_get_request_headers(message);
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
    const Variant *variant = choose(file, request);
    g_autofree char *tag =
        g_strdup_printf("\"%.16s%s%s\"", file->digest, variant->encoding ? "-" : "", variant->encoding ?: "");

    soup_message_headers_replace(headers, "ETag", tag);
    soup_message_headers_replace(headers, "Vary", "Accept-Encoding");
    soup_message_headers_replace(headers, "Cache-Control",
                                 names_digest(message, file) ? "public, max-age=31536000, immutable" : "no-cache");
    if (!g_strcmp0(soup_message_headers_get_list(request, "If-None-Match"), tag)) {
        soup_server_message_set_status(message, SOUP_STATUS_NOT_MODIFIED, NULL);
        return;
    }
    soup_message_headers_replace(headers, "Content-Type", file->type);
    if (variant->encoding)
        soup_message_headers_replace(headers, "Content-Encoding", variant->encoding);
    soup_message_body_append_bytes(soup_server_message_get_response_body(message), variant->bytes);
    soup_server_message_set_status(message, SOUP_STATUS_OK, NULL);
}

void
page_serve(Page *page, SoupServerMessage *message, const char *path)
{
    const char *method = soup_server_message_get_method(message);
    const File *file = g_hash_table_lookup(page->files, strcmp(path, "/") ? path : INDEX);

    if (strcmp(method, "GET") && strcmp(method, "HEAD"))
        soup_server_message_set_status(message, SOUP_STATUS_METHOD_NOT_ALLOWED, NULL);
    else if (file)
        serve(message, file);
    else
        soup_server_message_set_status(message, SOUP_STATUS_NOT_FOUND, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/record.h"

#include <string.h>

#include <gio/gio.h>

#define CARDS_MAX 8

static void
card_free(void *data)
{
    RecordCard *card = data;

    g_free(card->network);
    g_free(card->mac);
    g_free(card);
}

Record *
record_new(void)
{
    Record *record = g_new0(Record, 1);

    record->cards = g_ptr_array_new_with_free_func(card_free);
    return record;
}

void
record_free(Record *record)
{
    if (!record)
        return;
    g_ptr_array_unref(record->cards);
    g_free(record->name);
    g_free(record);
}

void
record_add_card(Record *record, const char *network, const char *mac)
{
    RecordCard *card = g_new0(RecordCard, 1);

    card->network = g_strdup(network);
    card->mac = g_strdup(mac);
    g_ptr_array_add(record->cards, card);
}

/* Process ids and their times begin anew with the kernel. */
char *
record_boot(void)
{
    char *id = NULL;

    if (g_file_get_contents("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
        g_strchomp(id);
    return id ? id : g_strdup("");
}

bool
record_write(const Record *record, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *boot = record_boot();
    gsize size;

    g_key_file_set_string(file, "run", "boot", boot);
    g_key_file_set_string(file, "run", "name", record->name ? record->name : "");
    g_key_file_set_int64(file, "run", "pid", record->pid);
    g_key_file_set_uint64(file, "run", "began", record->began);
    g_key_file_set_int64(file, "run", "tpm-pid", record->tpm_pid);
    g_key_file_set_uint64(file, "run", "tpm-began", record->tpm_began);
    g_key_file_set_uint64(file, "run", "uid", record->uid);
    g_key_file_set_uint64(file, "run", "memory", record->memory);
    g_key_file_set_int64(file, "run", "since", record->since);
    for (unsigned i = 0; i < record->cards->len; i++) {
        const RecordCard *card = record->cards->pdata[i];
        g_autofree char *group = g_strdup_printf("card %u", i);
        g_key_file_set_string(file, group, "network", card->network);
        if (card->mac)
            g_key_file_set_string(file, group, "mac", card->mac);
    }
    g_autofree char *text = g_key_file_to_data(file, &size, NULL);
    /* Nothing of it is wanted after a power cut, so it need not reach the disk. */
    return g_file_set_contents_full(path, text, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

static void
read_cards(Record *record, GKeyFile *file)
{
    for (unsigned i = 0; i < CARDS_MAX; i++) {
        g_autofree char *group = g_strdup_printf("card %u", i);
        g_autofree char *network = g_key_file_get_string(file, group, "network", NULL);
        g_autofree char *mac = g_key_file_get_string(file, group, "mac", NULL);
        if (!network)
            return;
        record_add_card(record, network, mac);
    }
}

Record *
record_read(const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(Record) record = record_new();
    g_autofree char *now = record_boot(), *boot = NULL;

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error) ||
        !(boot = g_key_file_get_string(file, "run", "boot", error)))
        return NULL;
    if (strcmp(boot, now) != 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s: it is of before the host's last start", path);
        return NULL;
    }
    record->name = g_key_file_get_string(file, "run", "name", NULL);
    record->pid = (pid_t)g_key_file_get_int64(file, "run", "pid", NULL);
    record->began = g_key_file_get_uint64(file, "run", "began", NULL);
    record->tpm_pid = (pid_t)g_key_file_get_int64(file, "run", "tpm-pid", NULL);
    record->tpm_began = g_key_file_get_uint64(file, "run", "tpm-began", NULL);
    record->uid = (uid_t)g_key_file_get_uint64(file, "run", "uid", NULL);
    record->memory = g_key_file_get_uint64(file, "run", "memory", NULL);
    record->since = g_key_file_get_int64(file, "run", "since", NULL);
    read_cards(record, file);
    if (record->pid > 0 && record->began)
        return g_steal_pointer(&record);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: it names no process", path);
    return NULL;
}

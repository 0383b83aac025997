/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fw_cfg: items, the directory that lists those that are files, and the three ways of access.
 *
 * The guest's accesses are short copies out of, and into, arrays of bytes; all of them hold one lock. What a writable item
 * held when it was added is kept beside it, for resets.
 */
#include "vmm/firmware/fw_cfg.h"

#include "vmm/board/bytes.h"

#include <linux/qemu_fw_cfg.h>
#include <string.h>

/* Offsets of the ports. */
#define PORT_SELECTOR 0
#define PORT_DATA 1
#define PORT_DMA 4
#define PORT_DMA_LOW 8

typedef struct {
    uint16_t key;                    /* of a file: its place in the directory */
    char name[FW_CFG_MAX_FILE_PATH]; /* empty: no file */
    GByteArray *bytes;
    GByteArray *power_on; /* NULL: the guest may not write it */
    const FwCfgOps *ops;  /* may be NULL */
    void *user;
} Item;

/* A writable file in the saved state. */
typedef struct {
    uint8_t name[FW_CFG_MAX_FILE_PATH];
    GByteArray *bytes;
} SavedItem;

struct FwCfg {
    GuestMemory *memory;
    Item *directory; /* one of the items */

    GMutex lock;       /* the rest */
    GPtrArray *items;  /* Item *, owned: those of old, in no order */
    GPtrArray *files;  /* Item *, owned: in the order of their names */
    uint16_t selector; /* as the guest wrote it */
    uint64_t offset;   /* in the item selected, at most its length */
    uint64_t dma_high; /* of the address that the next write to the lower half completes */
    GPtrArray *saved;  /* SavedItem *, filled while saving or loading */
};

/* --- items ------------------------------------------------------------------------------------------------------ */

static void
item_free(void *object)
{
    Item *item = object;
    g_byte_array_unref(item->bytes);
    g_clear_pointer(&item->power_on, g_byte_array_unref);
    g_free(item);
}

static GByteArray *
copy_of(const void *bytes, size_t len)
{
    GByteArray *copy = g_byte_array_sized_new(len);
    return g_byte_array_append(copy, bytes, len);
}

static Item *
item_new(const void *bytes, size_t len)
{
    Item *item = g_new0(Item, 1);
    g_assert(len <= UINT32_MAX);
    item->bytes = copy_of(bytes, len);
    return item;
}

/* The item that the guest selected last; NULL: there is none under that key. */
static Item *
current(const FwCfg *fw_cfg)
{
    uint16_t key = fw_cfg->selector & ~FW_CFG_WRITE_CHANNEL;

    if (key >= FW_CFG_FILE_FIRST && !(key & FW_CFG_ARCH_LOCAL)) {
        unsigned place = key - FW_CFG_FILE_FIRST;
        return place < fw_cfg->files->len ? fw_cfg->files->pdata[place] : NULL;
    }
    for (guint i = 0; i < fw_cfg->items->len; i++) {
        Item *item = fw_cfg->items->pdata[i];
        if (item->key == key)
            return item;
    }
    return NULL;
}

/* The directory: a count, then of each file its size, key and name (struct fw_cfg_file), big endian. */
static void
write_directory(FwCfg *fw_cfg)
{
    GByteArray *bytes = fw_cfg->directory->bytes;
    uint32_t count = GUINT32_TO_BE(fw_cfg->files->len);

    g_byte_array_set_size(bytes, 0);
    bytes_put_raw(bytes, &count, sizeof(count));
    for (guint i = 0; i < fw_cfg->files->len; i++) {
        Item *item = fw_cfg->files->pdata[i];
        struct fw_cfg_file entry = {.size = GUINT32_TO_BE(item->bytes->len)};
        item->key = FW_CFG_FILE_FIRST + i;
        entry.select = GUINT16_TO_BE(item->key);
        memcpy(entry.name, item->name, sizeof(entry.name));
        bytes_put_raw(bytes, &entry, sizeof(entry));
    }
}

static void
add_to_directory(FwCfg *fw_cfg, const char *name, Item *item)
{
    guint place = 0;

    g_assert(*name && strlen(name) <= FW_CFG_NAME_MAX && fw_cfg->files->len < FW_CFG_FILES_MAX);
    g_strlcpy(item->name, name, sizeof(item->name));
    for (; place < fw_cfg->files->len; place++) {
        int order = strcmp(((Item *)fw_cfg->files->pdata[place])->name, name);
        g_assert(order);
        if (order > 0)
            break;
    }
    g_ptr_array_insert(fw_cfg->files, place, item);
    write_directory(fw_cfg);
}

void
fw_cfg_add_item(FwCfg *fw_cfg, uint16_t key, const void *bytes, size_t len)
{
    Item *item = item_new(bytes, len);

    g_assert(!(key & FW_CFG_WRITE_CHANNEL) && (key < FW_CFG_FILE_FIRST || (key & FW_CFG_ARCH_LOCAL)));
    item->key = key;
    g_ptr_array_add(fw_cfg->items, item);
}

void
fw_cfg_add_number(FwCfg *fw_cfg, uint16_t key, uint64_t value, unsigned size)
{
    uint64_t little = GUINT64_TO_LE(value);
    fw_cfg_add_item(fw_cfg, key, &little, size);
}

void
fw_cfg_add_file(FwCfg *fw_cfg, const char *name, const void *bytes, size_t len)
{
    add_to_directory(fw_cfg, name, item_new(bytes, len));
}

void
fw_cfg_add_live(FwCfg *fw_cfg, const char *name, const void *bytes, size_t len, const FwCfgOps *ops, void *user)
{
    Item *item = item_new(bytes, len);

    item->ops = ops;
    item->user = user;
    add_to_directory(fw_cfg, name, item);
}

void
fw_cfg_add_writable(FwCfg *fw_cfg, const char *name, const void *bytes, size_t len, const FwCfgOps *ops, void *user)
{
    Item *item = item_new(bytes, len);

    g_assert(len && len <= FW_CFG_WRITABLE_MAX);
    item->power_on = copy_of(bytes, len);
    item->ops = ops;
    item->user = user;
    add_to_directory(fw_cfg, name, item);
}

static void
tell_changed(const Item *item)
{
    if (item->ops && item->ops->changed)
        item->ops->changed(item->user, item->bytes->data, item->bytes->len);
}

/* --- what the guest does ------------------------------------------------------------------------------------------- */

static void
select_item(FwCfg *fw_cfg, uint16_t selector)
{
    fw_cfg->selector = selector;
    fw_cfg->offset = 0;
    const Item *item = current(fw_cfg);
    if (item && item->ops && item->ops->selected)
        item->ops->selected(item->user, item->bytes->data, item->bytes->len);
}

/* How many bytes of the item are left to read. */
static uint64_t
left_of(const FwCfg *fw_cfg, const Item *item)
{
    return item && fw_cfg->offset < item->bytes->len ? item->bytes->len - fw_cfg->offset : 0;
}

static uint8_t
next_byte(FwCfg *fw_cfg)
{
    const Item *item = current(fw_cfg);
    return left_of(fw_cfg, item) ? item->bytes->data[fw_cfg->offset++] : 0;
}

static bool
dma_read(FwCfg *fw_cfg, uint64_t gpa, uint32_t len)
{
    const Item *item = current(fw_cfg);
    uint8_t *to = guest_memory_at(fw_cfg->memory, gpa, len);
    uint64_t there = MIN(left_of(fw_cfg, item), len);

    if (!to)
        return false;
    if (there)
        memcpy(to, item->bytes->data + fw_cfg->offset, there);
    memset(to + there, 0, len - there);
    guest_memory_dirty(fw_cfg->memory, to, len);
    fw_cfg->offset += there;
    return true;
}

static bool
dma_write(FwCfg *fw_cfg, uint64_t gpa, uint32_t len)
{
    const Item *item = current(fw_cfg);

    if (!item || !item->power_on || len > left_of(fw_cfg, item) ||
        !guest_memory_read(fw_cfg->memory, gpa, item->bytes->data + fw_cfg->offset, len))
        return false;
    fw_cfg->offset += len;
    tell_changed(item);
    return true;
}

static bool
dma_carry_out(FwCfg *fw_cfg, uint32_t control, uint64_t gpa, uint32_t len)
{
    if (control & FW_CFG_DMA_CTL_SELECT)
        select_item(fw_cfg, control >> 16);
    if (!len)
        return true;
    if (control & FW_CFG_DMA_CTL_READ)
        return dma_read(fw_cfg, gpa, len);
    if (control & FW_CFG_DMA_CTL_WRITE)
        return dma_write(fw_cfg, gpa, len);
    if (control & FW_CFG_DMA_CTL_SKIP)
        fw_cfg->offset += MIN(left_of(fw_cfg, current(fw_cfg)), len);
    return true;
}

/* The guest wrote where its access is. */
static void
dma(FwCfg *fw_cfg, uint64_t gpa)
{
    struct fw_cfg_dma_access access;

    if (!guest_memory_read(fw_cfg->memory, gpa, &access, sizeof(access)))
        return;
    bool done = dma_carry_out(fw_cfg, GUINT32_FROM_BE(access.control), GUINT64_FROM_BE(access.address),
                              GUINT32_FROM_BE(access.length));
    uint32_t control = GUINT32_TO_BE(done ? 0 : FW_CFG_DMA_CTL_ERROR);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* another vCPU may watch it: the bytes come first */
    guest_memory_write(fw_cfg->memory, gpa, &control, sizeof(control));
}

/* --- ports --------------------------------------------------------------------------------------------------------- */

static uint64_t
fw_cfg_read(void *device, uint64_t offset, unsigned size)
{
    FwCfg *fw_cfg = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw_cfg->lock);
    uint64_t signature = GUINT64_TO_BE(FW_CFG_DMA_SIGNATURE), value = UINT64_MAX;

    if (offset == PORT_DATA && size == 1)
        return next_byte(fw_cfg);
    if (offset >= PORT_DMA) { /* the bus keeps the access inside the range */
        value = 0;
        memcpy(&value, (uint8_t *)&signature + offset - PORT_DMA, size);
        value = GUINT64_FROM_LE(value);
    }
    return value;
}

static void
fw_cfg_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    FwCfg *fw_cfg = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw_cfg->lock);

    if (offset == PORT_SELECTOR && size == 2) {
        select_item(fw_cfg, value);
    } else if (offset == PORT_DMA && size == 4) {
        fw_cfg->dma_high = (uint64_t)GUINT32_SWAP_LE_BE((uint32_t)value) << 32;
    } else if (offset == PORT_DMA_LOW && size == 4) {
        uint64_t gpa = fw_cfg->dma_high | GUINT32_SWAP_LE_BE((uint32_t)value);
        fw_cfg->dma_high = 0;
        dma(fw_cfg, gpa);
    }
}

const BusOps fw_cfg_bus_ops = {fw_cfg_read, fw_cfg_write};

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void *
saved_create(void)
{
    return g_new0(SavedItem, 1);
}

static void
saved_free(void *object)
{
    SavedItem *saved = object;
    g_clear_pointer(&saved->bytes, g_byte_array_unref);
    g_free(saved);
}

FwCfg *
fw_cfg_new(GuestMemory *memory)
{
    FwCfg *fw_cfg = g_new0(FwCfg, 1);

    fw_cfg->memory = memory;
    g_mutex_init(&fw_cfg->lock);
    fw_cfg->items = g_ptr_array_new_with_free_func(item_free);
    fw_cfg->files = g_ptr_array_new_with_free_func(item_free);
    fw_cfg->saved = g_ptr_array_new_with_free_func(saved_free);
    fw_cfg_add_item(fw_cfg, FW_CFG_SIGNATURE, "QEMU", FW_CFG_SIG_SIZE);
    fw_cfg_add_number(fw_cfg, FW_CFG_ID, FW_CFG_VERSION | FW_CFG_VERSION_DMA, 4);
    fw_cfg_add_item(fw_cfg, FW_CFG_FILE_DIR, NULL, 0);
    fw_cfg->directory = fw_cfg->items->pdata[fw_cfg->items->len - 1];
    write_directory(fw_cfg);
    return fw_cfg;
}

static void
fw_cfg_free(void *device)
{
    FwCfg *fw_cfg = device;
    if (!fw_cfg)
        return;
    g_ptr_array_unref(fw_cfg->items);
    g_ptr_array_unref(fw_cfg->files);
    g_ptr_array_unref(fw_cfg->saved);
    g_mutex_clear(&fw_cfg->lock);
    g_free(fw_cfg);
}

static void
fw_cfg_reset(void *device)
{
    FwCfg *fw_cfg = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fw_cfg->lock);

    fw_cfg->selector = 0;
    fw_cfg->offset = fw_cfg->dma_high = 0;
    for (guint i = 0; i < fw_cfg->files->len; i++) {
        Item *item = fw_cfg->files->pdata[i];
        if (!item->power_on || !memcmp(item->bytes->data, item->power_on->data, item->bytes->len))
            continue;
        memcpy(item->bytes->data, item->power_on->data, item->bytes->len);
        tell_changed(item);
    }
}

static void
fw_cfg_before_save(void *object)
{
    FwCfg *fw_cfg = object;

    g_ptr_array_set_size(fw_cfg->saved, 0);
    for (guint i = 0; i < fw_cfg->files->len; i++) {
        const Item *item = fw_cfg->files->pdata[i];
        if (!item->power_on)
            continue;
        SavedItem *saved = saved_create();
        memcpy(saved->name, item->name, sizeof(saved->name));
        saved->bytes = g_byte_array_ref(item->bytes);
        g_ptr_array_add(fw_cfg->saved, saved);
    }
}

static void
fw_cfg_after_save(void *object)
{
    FwCfg *fw_cfg = object;
    g_ptr_array_set_size(fw_cfg->saved, 0);
}

static bool
take_saved(Item *item, const SavedItem *saved)
{
    if (memcmp(saved->name, item->name, sizeof(saved->name)) || !saved->bytes || saved->bytes->len != item->bytes->len)
        return false;
    memcpy(item->bytes->data, saved->bytes->data, saved->bytes->len);
    return true;
}

/* Both lists are in the order of names. */
static bool
fw_cfg_after_load(void *object, GError **error)
{
    FwCfg *fw_cfg = object;
    guint next = 0;
    bool same = true;

    for (guint i = 0; i < fw_cfg->files->len && same; i++) {
        Item *item = fw_cfg->files->pdata[i];
        if (item->power_on)
            same = next < fw_cfg->saved->len && take_saved(item, fw_cfg->saved->pdata[next++]);
    }
    same = same && next == fw_cfg->saved->len;
    g_ptr_array_set_size(fw_cfg->saved, 0);
    if (!same) {
        g_set_error_literal(error, STATE_ERROR, STATE_ERROR_FOREIGN,
                            "state of fw_cfg: it has other files for the firmware to write than this desktop");
        return false;
    }
    for (guint i = 0; i < fw_cfg->files->len; i++)
        if (((Item *)fw_cfg->files->pdata[i])->power_on)
            tell_changed(fw_cfg->files->pdata[i]);
    return true;
}

static const StateField saved_fields[] = {
    STATE_BYTES(SavedItem, name, 1),
    STATE_BUFFER(SavedItem, bytes, 1, FW_CFG_WRITABLE_MAX),
    STATE_END,
};
static const StateTable saved_table = {
    .name = "fw_cfg-file", .version = 1, .oldest = 1, .fields = saved_fields, .create = saved_create};

static const StateField fw_cfg_fields[] = {
    STATE_UINT(FwCfg, selector, 1),
    STATE_UINT(FwCfg, offset, 1),
    STATE_UINT(FwCfg, dma_high, 1),
    STATE_LIST(FwCfg, saved, 1, &saved_table, FW_CFG_FILES_MAX),
    STATE_END,
};
static const StateTable fw_cfg_state = {
    .name = "fw_cfg",
    .version = 1,
    .oldest = 1,
    .fields = fw_cfg_fields,
    .before_save = fw_cfg_before_save,
    .after_save = fw_cfg_after_save,
    .after_load = fw_cfg_after_load,
};

const DeviceOps fw_cfg_device_ops = {
    .name = "fw_cfg",
    .reset = fw_cfg_reset,
    .state = &fw_cfg_state,
    .free = fw_cfg_free,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flash chip: a small state machine over an array of bytes.
 *
 * A run of programmed bytes is gathered as one range and written to the file in one go when the run ends, that is when the
 * guest gives any other command or programs somewhere else.
 */
#include "vmm/firmware/flash.h"

#include "vmm/board/bytewise.h"
#include "vmm/firmware/boot_file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    COMMAND_PROGRAM_ALTERNATIVE = 0x10,
    COMMAND_ERASE = 0x20,
    COMMAND_PROGRAM = 0x40,
    COMMAND_CLEAR_STATUS = 0x50,
    COMMAND_READ_STATUS = 0x70,
    COMMAND_READ_ID = 0x90,
    COMMAND_READ_CFI = 0x98,
    COMMAND_CONFIRM = 0xd0,
    COMMAND_READ_ARRAY = 0xff,
};

#define STATUS_READY 0x80
#define STATUS_COMMAND_ERROR 0x30 /* erase and program error together: a sequence of commands that is none */

#define ID_INTEL 0x89
#define ID_DEVICE 0x18

typedef enum {
    MODE_ARRAY,
    MODE_STATUS,
    MODE_ID,
    MODE_CFI,
    MODE_PROGRAM, /* the next write is the byte */
    MODE_ERASE,   /* the next write confirms */
    N_MODES,
} Mode;

struct Flash {
    char *name;
    int fd;
    uint64_t size;
    const FlashOps *ops;
    void *user;

    GMutex lock; /* the rest */
    uint8_t *bytes;
    uint8_t mode;
    uint8_t status;
    uint64_t dirty_from, dirty_to; /* not in the file yet; equal: nothing */
    GByteArray *saved;             /* the bytes, while saving or loading */
};

/* --- the file ---------------------------------------------------------------------------------------------------- */

static bool
refuse(GError **error, int code, const char *name, const char *why)
{
    g_set_error(error, BOOT_ERROR, code, "%s: %s", name, why);
    return false;
}

bool
flash_size_is_valid(uint64_t size)
{
    return size >= 2 * FLASH_BLOCK_SIZE && size <= FLASH_SIZE_MAX && size % FLASH_BLOCK_SIZE == 0;
}

/* 0 or a negative errno. */
static int
write_all(int fd, const uint8_t *bytes, uint64_t len, uint64_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, bytes, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EIO;
        bytes += n;
        offset += n;
        len -= n;
    }
    return fdatasync(fd) < 0 ? -errno : 0;
}

/* Under the lock. What cannot be written stays dirty. */
static void
flush(Flash *flash)
{
    if (flash->dirty_from == flash->dirty_to)
        return;
    int result =
        write_all(flash->fd, flash->bytes + flash->dirty_from, flash->dirty_to - flash->dirty_from, flash->dirty_from);
    if (result == 0) {
        flash->dirty_from = flash->dirty_to = 0;
        return;
    }
    g_autofree char *detail =
        g_strdup_printf("%s: cannot write the UEFI variables: %s", flash->name, g_strerror(-result));
    if (flash->ops && flash->ops->failed)
        flash->ops->failed(flash->user, detail);
}

/* Under the lock: [from, to) changed. A range apart from what is dirty already ends that run. */
static void
mark(Flash *flash, uint64_t from, uint64_t to)
{
    if (flash->dirty_from != flash->dirty_to && (from > flash->dirty_to || to < flash->dirty_from))
        flush(flash);
    if (flash->dirty_from == flash->dirty_to) {
        flash->dirty_from = from;
        flash->dirty_to = to;
        return;
    }
    flash->dirty_from = MIN(flash->dirty_from, from); /* where the file could not be written the range just grows */
    flash->dirty_to = MAX(flash->dirty_to, to);
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static void
set_mode(Flash *flash, Mode mode)
{
    bool was_array = flash->mode == MODE_ARRAY, is_array = mode == MODE_ARRAY;

    flash->mode = mode;
    if (was_array != is_array && flash->ops && flash->ops->show)
        flash->ops->show(flash->user, is_array);
}

/*
 * Hardware can only clear bits; QEMU's chip, the one that OVMF is tested with, takes the byte as it is, and so does this.
 */
static void
program(Flash *flash, uint64_t offset, uint8_t value)
{
    flash->bytes[offset] = value;
    mark(flash, offset, offset + 1);
    flash->status |= STATUS_READY;
    set_mode(flash, MODE_STATUS);
}

static void
erase(Flash *flash, uint64_t offset)
{
    uint64_t block = offset & ~(uint64_t)(FLASH_BLOCK_SIZE - 1);

    flush(flash);
    memset(flash->bytes + block, 0xff, FLASH_BLOCK_SIZE);
    mark(flash, block, block + FLASH_BLOCK_SIZE);
    flush(flash);
    flash->status |= STATUS_READY;
    set_mode(flash, MODE_STATUS);
}

static void
command(Flash *flash, uint8_t value)
{
    if (value != COMMAND_PROGRAM && value != COMMAND_PROGRAM_ALTERNATIVE)
        flush(flash); /* the run of programmed bytes is over */
    switch (value) {
    case COMMAND_PROGRAM:
    case COMMAND_PROGRAM_ALTERNATIVE:
        set_mode(flash, MODE_PROGRAM);
        break;
    case COMMAND_ERASE:
        set_mode(flash, MODE_ERASE);
        break;
    case COMMAND_READ_STATUS:
        set_mode(flash, MODE_STATUS);
        break;
    case COMMAND_READ_ID:
        set_mode(flash, MODE_ID);
        break;
    case COMMAND_READ_CFI:
        set_mode(flash, MODE_CFI);
        break;
    case COMMAND_CLEAR_STATUS: /* even of "ready": OVMF recognises the chip by that */
        flash->status = 0;
        set_mode(flash, MODE_ARRAY);
        break;
    default: /* COMMAND_READ_ARRAY, and what is no command */
        set_mode(flash, MODE_ARRAY);
        break;
    }
}

static void
write_byte(void *device, uint64_t offset, uint8_t value)
{
    Flash *flash = device;

    switch (flash->mode) {
    case MODE_PROGRAM:
        program(flash, offset, value);
        break;
    case MODE_ERASE:
        if (value == COMMAND_CONFIRM) {
            erase(flash, offset);
        } else {
            flash->status |= STATUS_READY | STATUS_COMMAND_ERROR;
            set_mode(flash, value == COMMAND_READ_ARRAY ? MODE_ARRAY : MODE_STATUS);
        }
        break;
    default:
        command(flash, value);
        break;
    }
}

/* The query table (JEDEC JESD68.01; from 0x10), one byte an address. */
static uint8_t
cfi_byte(const Flash *flash, uint64_t offset)
{
    uint64_t blocks = flash->size / FLASH_BLOCK_SIZE - 1;

    switch (offset) {
    case 0x10:
        return 'Q';
    case 0x11:
        return 'R';
    case 0x12:
        return 'Y';
    case 0x13: /* Intel's command set */
        return 0x01;
    case 0x15: /* its own table, of which there is none but the letters */
        return 0x31;
    case 0x1b: /* volts: 4.5 to 5.5 */
        return 0x45;
    case 0x1c:
        return 0x55;
    case 0x1f: /* typical times, powers of two: a byte, µs; … */
        return 0x07;
    case 0x21: /* … a block, ms */
        return 0x0a;
    case 0x23: /* the longest, as multiples of those */
        return 0x04;
    case 0x25:
        return 0x04;
    case 0x27: /* size, a power of two: the next, where it is none */
        return 64 - __builtin_clzll(flash->size - 1);
    case 0x2c: /* one run of equal blocks */
        return 1;
    case 0x2d:
        return blocks;
    case 0x2e:
        return blocks >> 8;
    case 0x2f:
        return FLASH_BLOCK_SIZE >> 8 & 0xff;
    case 0x30:
        return FLASH_BLOCK_SIZE >> 16;
    case 0x31:
        return 'P';
    case 0x32:
        return 'R';
    case 0x33:
        return 'I';
    case 0x34: /* version 1.0 of it */
        return '1';
    case 0x35:
        return '0';
    default:
        return 0;
    }
}

static uint8_t
read_byte(void *device, uint64_t offset)
{
    const Flash *flash = device;

    switch (flash->mode) {
    case MODE_ARRAY: /* while the chip was being shown again */
        return flash->bytes[offset];
    case MODE_ID:
        return offset & 1 ? ID_DEVICE : ID_INTEL;
    case MODE_CFI:
        return cfi_byte(flash, offset);
    default:
        return flash->status;
    }
}

static uint64_t
flash_read(void *device, uint64_t offset, unsigned size)
{
    Flash *flash = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&flash->lock);
    return bytewise_read(flash, offset, size, read_byte);
}

static void
flash_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Flash *flash = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&flash->lock);
    bytewise_write(flash, offset, size, value, write_byte);
}

const BusOps flash_bus_ops = {flash_read, flash_write};

/* --- life -------------------------------------------------------------------------------------------------------- */

static void
flash_free(void *device)
{
    Flash *flash = device;
    if (!flash)
        return;
    if (flash->bytes)
        munmap(flash->bytes, flash->size);
    g_clear_pointer(&flash->saved, g_byte_array_unref);
    g_clear_fd(&flash->fd, NULL);
    g_free(flash->name);
    g_mutex_clear(&flash->lock);
    g_free(flash);
}

static bool
load_file(Flash *flash, GError **error)
{
    BootFile file;

    if (!boot_file_init(&file, flash->fd, flash->name, error))
        return false;
    if (!flash_size_is_valid(file.size))
        return refuse(error, BOOT_ERROR_MALFORMED, flash->name, "no flash chip has this size");
    void *at = mmap(NULL, file.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return refuse(error, BOOT_ERROR_IO, flash->name, g_strerror(errno));
    flash->bytes = at;
    flash->size = file.size;
    return boot_file_read(&file, 0, flash->bytes, flash->size, error);
}

Flash *
flash_new(int fd, const char *name, GError **error)
{
    Flash *flash = g_new0(Flash, 1);

    flash->fd = fd;
    flash->name = g_strdup(name);
    g_mutex_init(&flash->lock);
    if (load_file(flash, error))
        return flash;
    flash_free(flash);
    return NULL;
}

void
flash_set_user(Flash *flash, const FlashOps *ops, void *user)
{
    flash->ops = ops;
    flash->user = user;
}

uint8_t *
flash_bytes(const Flash *flash)
{
    return flash->bytes;
}

uint64_t
flash_size(const Flash *flash)
{
    return flash->size;
}

static void
flash_reset(void *device)
{
    Flash *flash = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&flash->lock);
    flush(flash);
    flash->status = 0;
    set_mode(flash, MODE_ARRAY);
}

static void
flash_quiesce(void *device)
{
    Flash *flash = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&flash->lock);
    flush(flash);
}

static void
flash_before_save(void *object)
{
    Flash *flash = object;
    flash->saved = g_byte_array_sized_new(flash->size);
    g_byte_array_append(flash->saved, flash->bytes, flash->size);
}

static void
flash_after_save(void *object)
{
    Flash *flash = object;
    g_clear_pointer(&flash->saved, g_byte_array_unref);
}

/* The desktop goes on with the variables it had, and so does its file. */
static bool
flash_after_load(void *object, GError **error)
{
    Flash *flash = object;
    bool fits = flash->saved && flash->saved->len == flash->size && flash->mode < N_MODES;

    if (!fits) {
        g_clear_pointer(&flash->saved, g_byte_array_unref);
        flash->mode = MODE_ARRAY;
        g_set_error_literal(error, STATE_ERROR, STATE_ERROR_FOREIGN,
                            "state of flash: this desktop's store of UEFI variables has another size");
        return false;
    }
    if (memcmp(flash->bytes, flash->saved->data, flash->size)) {
        memcpy(flash->bytes, flash->saved->data, flash->size);
        mark(flash, 0, flash->size);
    }
    g_clear_pointer(&flash->saved, g_byte_array_unref);
    if (flash->ops && flash->ops->show)
        flash->ops->show(flash->user, flash->mode == MODE_ARRAY);
    return true;
}

static void
flash_resume(void *device)
{
    flash_quiesce(device); /* what could not be written before, or was loaded */
}

static const StateField flash_fields[] = {
    STATE_UINT(Flash, mode, 1),
    STATE_UINT(Flash, status, 1),
    STATE_BUFFER(Flash, saved, 1, FLASH_SIZE_MAX),
    STATE_END,
};
static const StateTable flash_state = {
    .name = "flash",
    .version = 1,
    .oldest = 1,
    .fields = flash_fields,
    .before_save = flash_before_save,
    .after_save = flash_after_save,
    .after_load = flash_after_load,
};

const DeviceOps flash_device_ops = {
    .name = "flash",
    .reset = flash_reset,
    .quiesce = flash_quiesce,
    .resume = flash_resume,
    .state = &flash_state,
    .free = flash_free,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fw_cfg: what the firmware is told about its machine, and what it tells back (QEMU's docs/specs/fw_cfg; the numbers are in
 * <linux/qemu_fw_cfg.h>).
 *
 * It holds items: runs of bytes under a 16-bit key. A few keys have a meaning of old (FW_CFG_NB_CPUS, …); everything else
 * is a file, found by its name in a directory that is an item too. Whoever brings a device adds its files before the guest
 * runs:
 *
 *     fw_cfg_add_file(fw_cfg, "etc/e820", table->data, table->len);
 *     fw_cfg_add_writable(fw_cfg, "etc/ramfb", zeros, sizeof(zeros), &ramfb_file_ops, ramfb);
 *
 * Files are listed in the order of their names and their keys follow that order, so they do not depend on who came first;
 * nobody but the directory names the key of a file.
 *
 * The guest reads an item from its beginning, byte by byte through the data port or whole through DMA:
 *
 *     0x510  word, write    select an item by its key; its offset becomes 0
 *     0x511  byte, read     the byte at the offset, which goes on by one; past the end, 0. Writes do nothing
 *     0x514  dword, write   upper half of the guest address of a struct fw_cfg_dma_access …
 *     0x518  dword, write   … and the lower half, which carries the access out before the instruction ends; big endian both
 *     0x514  8 bytes, read  "QEMU CFG"
 *
 * An access by DMA selects (if it is told to), then reads, writes or skips .length bytes, and ends with .control 0 or
 * FW_CFG_DMA_CTL_ERROR. Reading past an item's end gives zeros; writing past it, to an item that is not writable, or
 * anywhere outside RAM, is an error that changes nothing. The first byte of an access that is not in RAM leaves nowhere to
 * say so: nothing happens.
 *
 * Adding: main thread, before the first vCPU runs. Register access: any thread, under the device's own lock. The rest: main
 * thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/device.h"
#include "vmm/kvm/memory.h"

#define FW_CFG_PORTS 12                 /* from BOARD_PORT_FW_CFG */
#define FW_CFG_NAME_MAX 55              /* bytes of a file's name, without the terminating zero */
#define FW_CFG_FILES_MAX 128            /* as many as firmware's own tables take */
#define FW_CFG_WRITABLE_MAX (64 * 1024) /* bytes of an item the guest may write */

typedef struct FwCfg FwCfg;

/*
 * What an item's owner wants to know. Any member may be NULL. Both are called with the lock of fw_cfg held, so they call no
 * function of this file; they may change nothing of @bytes but what they say.
 */
typedef struct {
    /* The guest selected it and may read it next: bring @bytes up to date, their number stays. On a vCPU's thread. */
    void (*selected)(void *user, uint8_t *bytes, size_t len);
    /*
     * A writable item is not as it was: the guest wrote it (on a vCPU's thread; @bytes are the whole item), or a reset or a
     * load of saved state did (on the main thread; after a load it is called whether they differ or not).
     */
    void (*changed)(void *user, const uint8_t *bytes, size_t len);
} FwCfgOps;

/* With the items that say what this is. @memory outlives it. */
FwCfg *fw_cfg_new(GuestMemory *memory);

/* An item under a @key of old, below FW_CFG_FILE_FIRST or with FW_CFG_ARCH_LOCAL. The bytes are copied. */
void fw_cfg_add_item(FwCfg *fw_cfg, uint16_t key, const void *bytes, size_t len);
/* The same, a number of @size bytes in little endian. */
void fw_cfg_add_number(FwCfg *fw_cfg, uint16_t key, uint64_t value, unsigned size);

/* A file the guest reads. @name: 1 to FW_CFG_NAME_MAX bytes, not there yet. @bytes are copied. */
void fw_cfg_add_file(FwCfg *fw_cfg, const char *name, const void *bytes, size_t len);
/* The same, brought up to date whenever it is selected. @ops is not copied; @user outlives the machine's vCPUs. */
void fw_cfg_add_live(FwCfg *fw_cfg, const char *name, const void *bytes, size_t len, const FwCfgOps *ops, void *user);
/* A file the guest may write too; @bytes, at most FW_CFG_WRITABLE_MAX, are what it holds at power-on. @ops may be NULL. */
void fw_cfg_add_writable(FwCfg *fw_cfg, const char *name, const void *bytes, size_t len, const FwCfgOps *ops,
                         void *user);

extern const BusOps fw_cfg_bus_ops; /* FW_CFG_PORTS ports at BOARD_PORT_FW_CFG */
/*
 * Saved are the place in the item being read, and what writable files hold: loading refuses a state whose writable files are
 * others than these. Others are as the desktop that loads made them.
 */
extern const DeviceOps fw_cfg_device_ops;

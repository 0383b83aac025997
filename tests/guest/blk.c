/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk (virtio 1.2, 5.2): every request over every ring layout, what is refused, several queues, live resize.
 *
 * Command line: test=requests (disk 0 is writable and all zero, with the serial "carrel-disk"; disk 1 is read-only, its
 * bytes are its sector's number), test=resize, test=queues, test=fill (every sector of disk 0, whose file the host has no
 * room for until it is made), test=report (the same, and no room is made) and test=endless (writes sector after sector,
 * over and over, and says "wrote N" of what was answered).
 */
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"
#include "virtqueue.h"

#define BLK_F_RO (1ull << 5)
#define BLK_F_FLUSH (1ull << 9)
#define BLK_F_MQ (1ull << 12)
#define BLK_F_DISCARD (1ull << 13)
#define BLK_F_WRITE_ZEROES (1ull << 14)
#define BLK_FEATURES (BLK_F_RO | BLK_F_FLUSH | BLK_F_MQ | BLK_F_DISCARD | BLK_F_WRITE_ZEROES)

#define CONFIG_CAPACITY 0
#define CONFIG_QUEUES 34
#define CONFIG_DISCARD_MAX 36
#define CONFIG_ZEROES_MAX 48

#define T_IN 0
#define T_OUT 1
#define T_FLUSH 4
#define T_GET_ID 8
#define T_DISCARD 11
#define T_WRITE_ZEROES 13

#define S_OK 0
#define S_IOERR 1
#define S_UNSUPPORTED 2
#define S_UNTOUCHED 0xee /* not a status: nobody wrote one */
#define S_LOST 0xff      /* not a status: no answer came */

#define SECTOR 512

typedef struct RequestHead {
    uint32_t type, reserved;
    uint64_t sector;
} RequestHead;

typedef struct Range {
    uint64_t sector;
    uint32_t sectors, flags; /* flag 1: may unmap */
} Range;

static VirtioDevice disk;
static VirtQueue queue;
static RequestHead head;
static uint8_t status;
static uint8_t data[16 * SECTOR] __attribute__((aligned(4096)));

/* One request: its head, buffers (readable for all but T_IN and T_GET_ID) and the status byte. */
static uint8_t
request(uint32_t type, uint64_t sector, const VirtBuffer *buffers, unsigned n)
{
    VirtBuffer chain[8] = {{&head, sizeof(head)}};
    bool in = type == T_IN || type == T_GET_ID;

    head = (RequestHead){type, 0, sector};
    status = S_UNTOUCHED;
    for (unsigned i = 0; i < n; i++)
        chain[1 + i] = buffers[i];
    chain[1 + n] = (VirtBuffer){&status, 1};
    if (virtqueue_do(&queue, chain, in ? 1 : 1 + n, in ? 1 + n : 1) < 0)
        return S_LOST;
    return status;
}

static uint8_t
transfer(uint32_t type, uint64_t sector, void *bytes, uint32_t length)
{
    VirtBuffer buffer = {bytes, length};

    return request(type, sector, &buffer, length ? 1 : 0);
}

static bool
begin(unsigned index, uint64_t features)
{
    if (!virtio_find(VIRTIO_BLOCK, index, &disk) || !virtio_negotiate(&disk, features | BLK_FEATURES))
        return false;
    if (!virtqueue_init(&queue, &disk, 0, 0, VIRTIO_NO_VECTOR))
        return false;
    virtio_driver_ok(&disk);
    return true;
}

static void
fill(uint64_t seed, uint32_t length)
{
    for (uint32_t i = 0; i < length / 8; i++)
        ((uint64_t *)data)[i] = (seed + i) * 0x9e3779b97f4a7c15;
}

static bool
filled(uint64_t seed, uint32_t length)
{
    for (uint32_t i = 0; i < length / 8; i++) {
        if (((uint64_t *)data)[i] != (seed + i) * 0x9e3779b97f4a7c15)
            return false;
    }
    return true;
}

static bool
zero(uint32_t length)
{
    for (uint32_t i = 0; i < length / 8; i++) {
        if (((uint64_t *)data)[i])
            return false;
    }
    return true;
}

static void
test_mode(const VirtMode *mode, uint64_t sector)
{
    if (!ok(begin(0, mode->features), "%s: disk starts", mode->name))
        return;
    fill(sector, 2 * SECTOR);
    ok_equal(transfer(T_OUT, sector, data, 2 * SECTOR), S_OK, "%s: two sectors are written", mode->name);
    memset(data, 0xff, 2 * SECTOR);
    /* Back in pieces of sizes that are no sectors. */
    VirtBuffer pieces[] = {{data, 1}, {data + 1, 511}, {data + 512, 300}, {data + 812, 212}};
    ok_equal(request(T_IN, sector, pieces, 4), S_OK, "%s: and read in pieces", mode->name);
    ok(filled(sector, 2 * SECTOR), "%s: the same bytes", mode->name);
    ok_equal(transfer(T_FLUSH, 0, data, 0), S_OK, "%s: flush", mode->name);
}

static void
test_identity(void)
{
    ok_equal(virtio_config64(&disk, CONFIG_CAPACITY), start_option_number("sectors", 0), "capacity is the file's");
    memset(data, 0xff, 64);
    ok_equal(transfer(T_GET_ID, 0, data, 20), S_OK, "serial can be read");
    ok(strncmp((char *)data, "carrel-disk", 20) == 0, "and is the one given");
    data[20] = 0x77;
    ok(transfer(T_GET_ID, 0, data, 20) == S_OK && data[20] == 0x77, "and takes no more than 20 bytes");
}

static void
test_zeroes(void)
{
    Range range = {.sector = 64, .sectors = 2};

    ok(virtio_config32(&disk, CONFIG_DISCARD_MAX) > 0 && virtio_config32(&disk, CONFIG_ZEROES_MAX) > 0,
       "discard and write-zeroes have limits");
    fill(64, 4 * SECTOR);
    transfer(T_OUT, 64, data, 4 * SECTOR);
    ok_equal(transfer(T_WRITE_ZEROES, 0, &range, sizeof(range)), S_OK, "write-zeroes");
    transfer(T_IN, 64, data, 4 * SECTOR);
    ok(zero(2 * SECTOR), "write-zeroes: the sectors read as zero");
    ok(!zero(4 * SECTOR), "write-zeroes: and no others");

    /* Blocks of a file system are 4096 bytes: 16 KiB hold some whole ones. The harness counts them afterwards. */
    for (unsigned i = 0; i < 128; i += 16) {
        fill(i, 16 * SECTOR);
        transfer(T_OUT, 1024 + i, data, 16 * SECTOR);
    }
    range = (Range){.sector = 1024, .sectors = 128};
    ok_equal(transfer(T_DISCARD, 0, &range, sizeof(range)), S_OK, "discard");
    range.flags = 2;
    ok_equal(transfer(T_DISCARD, 0, &range, sizeof(range)), S_UNSUPPORTED, "discard: an unknown flag is unsupported");
    range = (Range){.sector = start_option_number("sectors", 0) - 1, .sectors = 2};
    ok_equal(transfer(T_DISCARD, 0, &range, sizeof(range)), S_IOERR, "discard: past the end is an error");
    range = (Range){.sector = ~0ull - 1, .sectors = 8};
    ok_equal(transfer(T_WRITE_ZEROES, 0, &range, sizeof(range)), S_IOERR, "write-zeroes: a wrapping range is an error");
}

static void
test_refused(void)
{
    uint64_t sectors = start_option_number("sectors", 0);

    ok_equal(transfer(T_IN, sectors, data, SECTOR), S_IOERR, "reading past the end is an error");
    ok_equal(transfer(T_IN, sectors - 1, data, 2 * SECTOR), S_IOERR, "so is reading over the end");
    ok_equal(transfer(T_OUT, ~0ull, data, SECTOR), S_IOERR, "so is writing at the last number there is");
    ok_equal(transfer(T_OUT, 1ull << 55, data, SECTOR), S_IOERR, "and where the offset in bytes wraps");
    ok_equal(transfer(0x1234, 0, data, SECTOR), S_UNSUPPORTED, "an unknown request is unsupported");
    ok(transfer(T_IN, 0, data, SECTOR - 1) != S_OK, "part of a sector is refused");
    ok(!virtio_needs_reset(&disk), "none of these needs a reset");
    ok_equal(transfer(T_IN, 0, data, SECTOR), S_OK, "and the disk works on");
}

/* Requests that break the form, not the disk's rules: refused, or the device stops until it is reset. */
static void
test_malformed(void)
{
    Range range = {.sector = 1, .sectors = 1};
    VirtBuffer chain[] = {{&head, sizeof(head)}, {data, SECTOR}, {&status, 1}};

    ok(transfer(T_DISCARD, 0, &range, sizeof(range) - 1) != S_OK, "malformed: a range cut short is refused");
    begin(0, 0);
    ok(transfer(T_WRITE_ZEROES, 0, &range, 0) != S_OK, "malformed: and one that is not there");
    begin(0, 0);
    head = (RequestHead){T_IN, 0, 0};
    status = S_UNTOUCHED;
    chain[0].length = sizeof(head) - 1;
    virtqueue_do(&queue, chain, 1, 2);
    ok(status != S_OK, "malformed: a head cut short");
    begin(0, 0);
    virtqueue_do(&queue, chain, 1, 0);
    begin(0, 0);
    chain[0].length = sizeof(head);
    virtqueue_do(&queue, chain, 1, 0);
    begin(0, 0);
    virtqueue_do(&queue, chain, 3, 0);
    begin(0, 0);
    virtqueue_do(&queue, chain, 0, 3);
    ok(begin(0, 0), "malformed: chains without a status, or without a head");
    status = S_UNTOUCHED;
    chain[1].length = 0;
    virtqueue_do(&queue, chain, 1, 2);
    ok(begin(0, 0) && transfer(T_IN, 0, data, SECTOR) == S_OK, "malformed: after a reset the disk works on");
}

static void
test_read_only(void)
{
    if (!ok(begin(1, 0), "read-only: disk starts"))
        return;
    ok(disk.features & BLK_F_RO, "read-only: it says so");
    ok_equal(transfer(T_IN, 3, data, SECTOR), S_OK, "read-only: it reads");
    ok(data[0] == 3 && data[SECTOR - 1] == 3, "read-only: the file's bytes");
    memset(data, 0xff, SECTOR);
    ok_equal(transfer(T_OUT, 3, data, SECTOR), S_IOERR, "read-only: it does not write");
    Range range = {.sector = 3, .sectors = 1};
    ok(transfer(T_WRITE_ZEROES, 0, &range, sizeof(range)) != S_OK, "read-only: nor write zeroes");
    ok(transfer(T_DISCARD, 0, &range, sizeof(range)) != S_OK, "read-only: nor discard");
    transfer(T_IN, 3, data, SECTOR);
    ok(data[0] == 3, "read-only: nothing changed");
}

/* Many in flight at once; answers may come in any order. */
static void
test_depth(void)
{
    enum { IN_FLIGHT = 32, ROUNDS = 4 };
    static RequestHead heads[IN_FLIGHT];
    static uint8_t statuses[IN_FLIGHT], bytes[IN_FLIGHT][SECTOR];
    uint8_t slot_of[1024];
    unsigned good = 0;

    begin(1, VIRTIO_F_EVENT_INDEX | VIRTIO_F_INDIRECT);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned slot = 0; slot < IN_FLIGHT; slot++) {
            heads[slot] = (RequestHead){T_IN, 0, (slot + 7 * round) % 64};
            statuses[slot] = S_UNTOUCHED;
            VirtBuffer chain[] = {{&heads[slot], 16}, {bytes[slot], SECTOR}, {&statuses[slot], 1}};
            slot_of[virtqueue_add(&queue, chain, 1, 2) & 1023] = slot;
        }
        virtqueue_kick(&queue);
        for (unsigned i = 0; i < IN_FLIGHT; i++) {
            int id = virtqueue_wait(&queue, NULL, SECONDS(5));
            if (id < 0)
                break;
            unsigned slot = slot_of[id & 1023];
            good += statuses[slot] == S_OK && bytes[slot][0] == heads[slot].sector &&
                    bytes[slot][SECTOR - 1] == heads[slot].sector;
        }
    }
    ok_equal(good, IN_FLIGHT * ROUNDS, "%u requests at once, %u times: each has its own sector", (unsigned)IN_FLIGHT,
             (unsigned)ROUNDS);
}

static void
test_queues(void)
{
    static VirtQueue queues[8];
    unsigned want = start_option_number("queues", 4), served = 0;

    if (!ok(virtio_find(VIRTIO_BLOCK, 0, &disk) && virtio_negotiate(&disk, BLK_FEATURES), "queues: disk starts"))
        return;
    ok(disk.features & BLK_F_MQ, "queues: more than one is offered");
    ok_equal(virtio_config16(&disk, CONFIG_QUEUES), want, "queues: as many as the configuration says");
    for (unsigned i = 0; i < want; i++)
        virtqueue_init(&queues[i], &disk, i, 16, VIRTIO_NO_VECTOR);
    virtio_driver_ok(&disk);
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < want; i++) {
            queue = queues[i];
            fill(100 * i + round, SECTOR);
            served += transfer(T_OUT, 8 * i + round, data, SECTOR) == S_OK;
            queues[i] = queue;
        }
    }
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < want; i++) {
            queue = queues[(i + 1) % want];
            served += transfer(T_IN, 8 * i + round, data, SECTOR) == S_OK && filled(100 * i + round, SECTOR);
            queues[(i + 1) % want] = queue;
        }
    }
    ok_equal(served, 8 * want, "queues: what one wrote another reads");
}

static void
test_resize(void)
{
    uint8_t vector = interrupt_allocate(NULL, NULL);
    uint64_t sectors = start_option_number("sectors", 0);

    virtio_find(VIRTIO_BLOCK, 0, &disk);
    virtio_negotiate(&disk, BLK_FEATURES);
    pci_msix_set(&disk.pci, 0, vector, false);
    pci_msix_enable(&disk.pci, true, false);
    mmio_write16(disk.common + VIRTIO_COMMON_CONFIG_VECTOR, 0);
    virtqueue_init(&queue, &disk, 0, 0, VIRTIO_NO_VECTOR);
    virtio_driver_ok(&disk);

    ok_equal(virtio_config64(&disk, CONFIG_CAPACITY), sectors, "resize: capacity at first");
    ok_equal(transfer(T_IN, sectors, data, SECTOR), S_IOERR, "resize: nothing past it");
    uint8_t generation = mmio_read8(disk.common + VIRTIO_COMMON_GENERATION);
    ask_harness("resize %lu", 2 * sectors * SECTOR);
    ok(interrupt_wait(vector, 0, SECONDS(10)), "resize: the configuration interrupt comes");
    ok_equal(virtio_config64(&disk, CONFIG_CAPACITY), 2 * sectors, "resize: capacity has doubled");
    ok(start_on_qemu() || mmio_read8(disk.common + VIRTIO_COMMON_GENERATION) != generation,
       "resize: it is another generation");
    fill(7, SECTOR);
    ok_equal(transfer(T_OUT, 2 * sectors - 1, data, SECTOR), S_OK, "resize: the new last sector takes a write");
    ok_equal(transfer(T_OUT, 2 * sectors, data, SECTOR), S_IOERR, "resize: and the one after it does not");
}

/* In user mode: it is a lot to fill. */
static uint64_t
fill_disk(void *argument)
{
    (void)argument;
    uint64_t pieces = start_option_number("sectors", 0) / 16, good = 0;

    for (uint64_t i = 0; i < pieces; i++) {
        fill(i, sizeof(data));
        good += transfer(T_OUT, 16 * i, data, sizeof(data)) == S_OK;
    }
    return good;
}

static void
test_fill(void)
{
    uint64_t pieces = start_option_number("sectors", 0) / 16;

    ok(begin(0, 0), "fill: disk starts");
    ok_equal(user_run(fill_disk, NULL), pieces, "fill: every write succeeds, however long it took");
    ok_equal(transfer(T_FLUSH, 0, data, 0), S_OK, "fill: flush");
}

static void
test_report(void)
{
    ok(begin(0, 0), "report: disk starts");
    uint64_t good = user_run(fill_disk, NULL);
    note("%lu writes succeeded", good);
    ok(good > 0 && good < start_option_number("sectors", 0) / 16, "report: some writes succeed, and some fail");
    ok(!virtio_needs_reset(&disk), "report: no reset needed");
    ok_equal(transfer(T_IN, 0, data, SECTOR), S_OK, "report: the disk reads on");
}

/* Each sector begins with how many were written before it. */
static void
write_endlessly(void)
{
    uint64_t sectors = start_option_number("sectors", 0);

    begin(0, 0);
    for (uint64_t n = 0;; n++) {
        ((uint64_t *)data)[0] = n;
        if (transfer(T_OUT, n % sectors, data, SECTOR) != S_OK)
            panic("write %lu failed", n);
        if (n % 16 == 15)
            console_printf("wrote %lu\n", n);
    }
}

void
guest_main(void)
{
    const char *test = start_option("test", "requests");

    if (strcmp(test, "resize") == 0) {
        test_resize();
    } else if (strcmp(test, "queues") == 0) {
        test_queues();
    } else if (strcmp(test, "fill") == 0) {
        test_fill();
    } else if (strcmp(test, "endless") == 0) {
        write_endlessly();
    } else if (strcmp(test, "report") == 0) {
        test_report();
    } else {
        for (unsigned i = 0; i < VIRT_MODES; i++)
            test_mode(&virt_modes[i], 8 + 4 * i);
        test_identity();
        test_zeroes();
        test_refused();
        test_malformed();
        test_depth();
        test_read_only();
    }
    tap_done();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a driver's request when it is read: the good ones, however they are cut, and the bad ones. */
#include "vmm/block/request.h"

#include "vmm/block/disk.h"

#include <string.h>

#define DISK_BYTES (1u << 20)

static const BlkLimits limits = {.bytes = DISK_BYTES, .block_size = 512, .discard = true, .serial = "SN1"};

/* A chain over plain memory: a header, @n_out and @n_in bytes, cut into pieces of at most @piece bytes. */
typedef struct {
    uint8_t out[16 + 64 * 1024];
    uint8_t in[64 * 1024 + 1];
    struct iovec store[VIRT_CHAIN_MAX];
    VirtChain chain;
    BlkCommand command;
} Request;

static void
request_free(Request *request)
{
    blk_command_clear(&request->command);
    g_free(request);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)

static size_t
cut(struct iovec *to, uint8_t *base, size_t len, size_t piece)
{
    size_t n = 0;
    for (size_t at = 0; at < len; at += piece, n++)
        to[n] = (struct iovec){.iov_base = base + at, .iov_len = MIN(piece, len - at)};
    return n;
}

static void
request_init(Request *request, uint32_t type, uint64_t sector, size_t n_out, size_t n_in, size_t piece)
{
    blk_command_clear(&request->command);
    memset(request, 0, sizeof(*request));
    struct virtio_blk_outhdr header = {.type = GUINT32_TO_LE(type), .sector = GUINT64_TO_LE(sector)};
    memcpy(request->out, &header, sizeof(header));
    VirtChain *chain = &request->chain;
    chain->store = chain->out = request->store;
    chain->out_len = n_out;
    chain->n_out = cut(chain->out, request->out, n_out, piece);
    chain->in = chain->out + chain->n_out;
    chain->in_len = n_in;
    chain->n_in = cut(chain->in, request->in, n_in, piece);
}

static const BlkCommand *
parsed(Request *request, const BlkLimits *with)
{
    blk_command_clear(&request->command);
    g_assert_true(blk_command_parse(&request->command, &request->chain, with));
    return &request->command;
}

static void
expect_answer(Request *request, const BlkLimits *with, uint8_t status)
{
    const BlkCommand *command = parsed(request, with);
    g_assert_cmpint(command->kind, ==, BLK_ANSWER);
    g_assert_cmpuint(command->answer, ==, status);
    blk_command_clear(&request->command);
}

/* The data buffers are exactly the bytes [base, base + len), in order. */
static void
expect_data(const BlkCommand *command, const uint8_t *base, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < command->n_data; i++) {
        g_assert_true(command->data[i].iov_base == base + at);
        g_assert_cmpuint(command->data[i].iov_len, >, 0);
        at += command->data[i].iov_len;
    }
    g_assert_cmpuint(at, ==, len);
    g_assert_cmpuint(command->len, ==, len);
}

/* Every way of cutting gives the same command: pieces smaller than the header, across it, across the status. */
static void
test_cuts(void)
{
    g_autoptr(Request) request = g_new0(Request, 1);
    static const size_t pieces[] = {1, 7, 15, 16, 17, 100, 512, 513, 528, 4096, 100000};

    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        size_t len = pieces[i] == 1 ? 512 : 4096;
        request_init(request, VIRTIO_BLK_T_IN, 3, 16, len + 1, pieces[i]);
        const BlkCommand *command = parsed(request, &limits);
        g_assert_cmpint(command->kind, ==, BLK_READ);
        g_assert_cmpuint(command->offset, ==, 3 * 512);
        expect_data(command, request->in, len);
        g_assert_true(command->status == request->in + len);

        request_init(request, VIRTIO_BLK_T_OUT, 8, 16 + len, 1, pieces[i]);
        command = parsed(request, &limits);
        g_assert_cmpint(command->kind, ==, BLK_WRITE);
        g_assert_cmpuint(command->offset, ==, 8 * 512);
        expect_data(command, request->out + 16, len);
        g_assert_true(command->status == request->in);
        /* and again, as a parked request is */
        expect_data(parsed(request, &limits), request->out + 16, len);
        blk_command_clear(&request->command);
    }
}

static void
test_ranges_of_transfers(void)
{
    static const struct {
        uint64_t sector;
        size_t len;
        bool good;
    } cases[] = {
        {0, 512, true},
        {DISK_BYTES / 512 - 1, 512, true},
        {DISK_BYTES / 512 - 1, 1024, false},
        {DISK_BYTES / 512, 512, false},
        {0, 0, false},
        {0, 511, false},
        {0, 513, false},
        {UINT64_MAX, 512, false},
        {UINT64_MAX / 512, 512, false},
        {UINT64_MAX / 512 + 1, 512, false}, /* times 512 is 0 */
        {(UINT64_MAX / 512) - 1, 1024, false},
    };
    g_autoptr(Request) request = g_new0(Request, 1);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (int write = 0; write < 2; write++) {
            request_init(request, write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, cases[i].sector,
                         16 + (write ? cases[i].len : 0), 1 + (write ? 0 : cases[i].len), 4096);
            if (cases[i].good)
                g_assert_cmpint(parsed(request, &limits)->kind, ==, write ? BLK_WRITE : BLK_READ);
            else
                expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
            blk_command_clear(&request->command);
        }
    }
}

static void
test_block_size_and_read_only(void)
{
    BlkLimits large = limits, protected = limits;
    g_autoptr(Request) request = g_new0(Request, 1);

    large.block_size = 4096;
    request_init(request, VIRTIO_BLK_T_IN, 8, 16, 4097, 4096);
    g_assert_cmpint(parsed(request, &large)->kind, ==, BLK_READ);
    request_init(request, VIRTIO_BLK_T_IN, 1, 16, 4097, 4096);
    expect_answer(request, &large, VIRTIO_BLK_S_IOERR);
    request_init(request, VIRTIO_BLK_T_IN, 8, 16, 513, 4096);
    expect_answer(request, &large, VIRTIO_BLK_S_IOERR);

    protected.read_only = true;
    request_init(request, VIRTIO_BLK_T_OUT, 0, 16 + 512, 1, 4096);
    expect_answer(request, &protected, VIRTIO_BLK_S_IOERR);
    request_init(request, VIRTIO_BLK_T_IN, 0, 16, 513, 4096);
    g_assert_cmpint(parsed(request, &protected)->kind, ==, BLK_READ);
}

/* Without a header or a status byte there is nothing to answer with. */
static void
test_no_room(void)
{
    g_autoptr(Request) request = g_new0(Request, 1);

    for (size_t n_out = 0; n_out < 16; n_out++) {
        request_init(request, VIRTIO_BLK_T_IN, 0, n_out, 513, 4096);
        g_assert_false(blk_command_parse(&request->command, &request->chain, &limits));
    }
    request_init(request, VIRTIO_BLK_T_IN, 0, 16, 0, 4096);
    g_assert_false(blk_command_parse(&request->command, &request->chain, &limits));
    /* A read of nothing but its status has no data. */
    request_init(request, VIRTIO_BLK_T_IN, 0, 16, 1, 4096);
    expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
}

static void
add_segment(Request *request, unsigned at, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    struct virtio_blk_discard_write_zeroes segment = {
        .sector = GUINT64_TO_LE(sector), .num_sectors = GUINT32_TO_LE(sectors), .flags = GUINT32_TO_LE(flags)};
    memcpy(request->out + 16 + at * sizeof(segment), &segment, sizeof(segment));
}

static void
test_segments(void)
{
    g_autoptr(Request) request = g_new0(Request, 1);
    static const uint32_t types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        uint32_t unmap = types[i] == VIRTIO_BLK_T_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
        request_init(request, types[i], 0, 16 + 32, 1, 20); /* segments cut in two */
        add_segment(request, 0, 8, 16, 0);
        add_segment(request, 1, 2040, 8, unmap);
        const BlkCommand *command = parsed(request, &limits);
        g_assert_cmpint(command->kind, ==, unmap ? BLK_WRITE_ZEROES : BLK_DISCARD);
        g_assert_cmpuint(command->n_ranges, ==, 2);
        g_assert_cmpuint(command->ranges[0].offset, ==, 4096);
        g_assert_cmpuint(command->ranges[0].len, ==, 8192);
        g_assert_false(command->ranges[0].unmap);
        g_assert_cmpuint(command->ranges[1].len, ==, 4096);
        g_assert_cmpint(command->ranges[1].unmap, ==, !!unmap);

        add_segment(request, 1, 2041, 8, 0); /* beyond the end */
        expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
        add_segment(request, 1, 0, 0, 0);
        expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
        add_segment(request, 1, 0, UINT32_MAX, 0);
        expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
        add_segment(request, 1, UINT64_MAX, 8, 0);
        expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
        add_segment(request, 1, 0, 8, 2); /* a flag that does not exist */
        expect_answer(request, &limits, VIRTIO_BLK_S_UNSUPP);

        /* none at all, half of one, one too many */
        request_init(request, types[i], 0, 16, 1, 4096);
        expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
        request_init(request, types[i], 0, 16 + 24, 1, 4096);
        expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
        request_init(request, types[i], 0, 16 + 16 * (BLK_RANGES_MAX + 1), 1, 4096);
        expect_answer(request, &limits, VIRTIO_BLK_S_IOERR);
    }
    request_init(request, VIRTIO_BLK_T_DISCARD, 0, 16 + 16, 1, 4096);
    add_segment(request, 0, 0, 8, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP); /* means nothing to a discard */
    expect_answer(request, &limits, VIRTIO_BLK_S_UNSUPP);

    BlkLimits without = limits;
    without.discard = false;
    add_segment(request, 0, 0, 8, 0);
    expect_answer(request, &without, VIRTIO_BLK_S_UNSUPP);
    without.read_only = true;
    request_init(request, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16 + 16, 1, 4096);
    add_segment(request, 0, 0, 8, 0);
    expect_answer(request, &without, VIRTIO_BLK_S_IOERR);
}

static void
test_others(void)
{
    g_autoptr(Request) request = g_new0(Request, 1);

    request_init(request, VIRTIO_BLK_T_FLUSH, 0, 16, 1, 4096);
    g_assert_cmpint(parsed(request, &limits)->kind, ==, BLK_FLUSH);
    static const uint32_t unknown[] = {2, 3, 7, 9, 10, 14, 15, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
        request_init(request, unknown[i], 0, 16, 513, 4096);
        expect_answer(request, &limits, VIRTIO_BLK_S_UNSUPP);
    }

    request_init(request, VIRTIO_BLK_T_GET_ID, 0, 16, 21, 8);
    memset(request->in, 'x', 21);
    expect_answer(request, &limits, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(request->in, 21, "SN1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x", 21);
    request_init(request, VIRTIO_BLK_T_GET_ID, 0, 16, 3, 8); /* room for two bytes and the status */
    expect_answer(request, &limits, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(request->in, 3, "SN\0", 3);

    BlkLimits longest = limits;
    longest.serial = "12345678901234567890";
    request_init(request, VIRTIO_BLK_T_GET_ID, 0, 16, 41, 64);
    memset(request->in, 'x', 41);
    expect_answer(request, &longest, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(request->in, 21, "12345678901234567890x", 21);
}

static void
test_slice(void)
{
    uint8_t bytes[100];
    struct iovec iov[] = {{bytes, 10}, {bytes + 20, 30}, {bytes + 60, 40}};
    size_t n;

    g_autofree struct iovec *all = blk_iov_slice(iov, 3, 0, 80, 8, &n);
    g_assert_cmpmem(all, n * sizeof(*all), iov, sizeof(iov));
    g_autofree struct iovec *some = blk_iov_slice(iov, 3, 15, 30, 8, &n);
    g_assert_cmpuint(n, ==, 2);
    g_assert_true(some[0].iov_base == bytes + 25 && some[0].iov_len == 25);
    g_assert_true(some[1].iov_base == bytes + 60 && some[1].iov_len == 5);
    g_autofree struct iovec *capped = blk_iov_slice(iov, 3, 10, 70, 1, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_true(capped[0].iov_base == bytes + 20 && capped[0].iov_len == 30);
    g_autofree struct iovec *none = blk_iov_slice(iov, 3, 80, 10, 8, &n);
    g_assert_cmpuint(n, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/request/cuts", test_cuts);
    g_test_add_func("/block/request/transfers", test_ranges_of_transfers);
    g_test_add_func("/block/request/block-size-and-read-only", test_block_size_and_read_only);
    g_test_add_func("/block/request/no-room", test_no_room);
    g_test_add_func("/block/request/segments", test_segments);
    g_test_add_func("/block/request/others", test_others);
    g_test_add_func("/block/request/slice", test_slice);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Commands in general: lengths, fences, unknown types, wrong queues, features not agreed, room for the response. */
#include "guest.h"

typedef struct virtio_gpu_ctrl_hdr Header;

static uint32_t
run(GpuGuest *guest, unsigned queue, uint32_t type)
{
    struct virtio_gpu_update_cursor command = {.hdr.type = type}; /* long enough for most */
    Header response = {0};
    g_assert_cmpuint(gpu_guest_call(guest, queue, &command, sizeof command, &response, sizeof response), ==,
                     sizeof response);
    return response.type;
}

static void
test_fence_comes_back(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    struct virtio_gpu_resource_unref command = {
        .hdr = {.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
                .flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX,
                .fence_id = 0x123456789abcdef0,
                .ctx_id = 7,
                .ring_idx = 3},
        .resource_id = 1,
    };
    Header response;

    for (uint32_t expected = OK; expected; expected = expected == OK ? VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID : 0) {
        if (expected == OK)
            g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
        gpu_guest_call(guest, GPU_QUEUE_CONTROL, &command, sizeof command, &response, sizeof response);
        g_assert_cmphex(response.type, ==, expected);
        g_assert_cmphex(response.flags, ==, VIRTIO_GPU_FLAG_FENCE);
        g_assert_cmphex(response.fence_id, ==, command.hdr.fence_id);
        g_assert_cmpuint(response.ctx_id, ==, 7);
        g_assert_cmpuint(response.ring_idx, ==, 0);
    }
    command.hdr.flags = 0;
    gpu_guest_call(guest, GPU_QUEUE_CONTROL, &command, sizeof command, &response, sizeof response);
    g_assert_cmphex(response.flags, ==, 0);
    g_assert_cmphex(response.fence_id, ==, 0);
}

static void
test_fences_in_order(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    enum { N = 100 }; /* more than one pass */
    uint64_t commands = virtio_driver_alloc(guest->driver, N * sizeof(Header));
    uint64_t responses = virtio_driver_alloc(guest->driver, N * sizeof(Header));
    Header *command = virtio_driver_at(guest->driver, commands, N * sizeof(Header));
    const Header *response = virtio_driver_at(guest->driver, responses, N * sizeof(Header));
    uint16_t ids[N];

    for (unsigned i = 0; i < N; i++) {
        command[i] = (Header){.type = 0x999, .flags = VIRTIO_GPU_FLAG_FENCE, .fence_id = 1000 + i};
        ids[i] = virtio_driver_add(guest->driver, GPU_QUEUE_CONTROL,
                                   (VirtioBuffer[]){{commands + i * sizeof(Header), sizeof(Header), false},
                                                    {responses + i * sizeof(Header), sizeof(Header), true}},
                                   2);
    }
    virtio_driver_kick(guest->driver, GPU_QUEUE_CONTROL);
    for (unsigned i = 0; i < N; i++) {
        VirtioUsed used;
        g_assert_true(virtio_driver_used(guest->driver, GPU_QUEUE_CONTROL, &used));
        g_assert_cmpuint(used.id, ==, ids[i]);
        g_assert_cmpuint(response[i].fence_id, ==, 1000 + i);
    }
}

static void
test_unknown_commands(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    static const uint32_t types[] = {
        0,
        UINT32_MAX,
        VIRTIO_GPU_CMD_GET_CAPSET_INFO,
        VIRTIO_GPU_CMD_GET_CAPSET,
        VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
        VIRTIO_GPU_CMD_CTX_CREATE,
        VIRTIO_GPU_CMD_SUBMIT_3D,
        VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
        VIRTIO_GPU_RESP_OK_NODATA,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        g_assert_cmphex(run(guest, GPU_QUEUE_CONTROL, types[i]), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
}

static void
test_wrong_queue(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    g_assert_cmphex(run(guest, GPU_QUEUE_CURSOR, VIRTIO_GPU_CMD_MOVE_CURSOR), ==, OK);
    g_assert_cmphex(run(guest, GPU_QUEUE_CONTROL, VIRTIO_GPU_CMD_MOVE_CURSOR), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(run(guest, GPU_QUEUE_CURSOR, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
}

static void
test_features_not_agreed(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    virtio_driver_reset(guest->driver);
    virtio_driver_start(guest->driver, &guest->gpu->device, 0);

    uint64_t pixels = gpu_guest_pixels(guest, 64, 0);
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 1, pixels, 256), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(gpu_guest_set_scanout_blob(guest, 0, 1, 8, 8), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    struct virtio_gpu_resp_edid edid;
    const struct virtio_gpu_cmd_get_edid get = {.hdr.type = VIRTIO_GPU_CMD_GET_EDID};
    g_assert_cmpuint(gpu_guest_call(guest, 0, &get, sizeof get, &edid, sizeof edid), ==, sizeof(Header));
    g_assert_cmphex(edid.hdr.type, ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK); /* what needs none goes on */
}

/* Every command, cut short at every length: an error, never what lies behind the buffer. */
static void
test_short_commands(void)
{
    static const struct {
        uint32_t type;
        unsigned queue;
        size_t len;
    } commands[] = {
        {VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, 0, sizeof(struct virtio_gpu_resource_create_2d)},
        {VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, sizeof(struct virtio_gpu_resource_unref)},
        {VIRTIO_GPU_CMD_SET_SCANOUT, 0, sizeof(struct virtio_gpu_set_scanout)},
        {VIRTIO_GPU_CMD_RESOURCE_FLUSH, 0, sizeof(struct virtio_gpu_resource_flush)},
        {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, 0, sizeof(struct virtio_gpu_transfer_to_host_2d)},
        {VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, 0, sizeof(struct virtio_gpu_resource_attach_backing)},
        {VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 0, sizeof(struct virtio_gpu_resource_detach_backing)},
        {VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, 0, sizeof(struct virtio_gpu_resource_create_blob)},
        {VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, 0, sizeof(struct virtio_gpu_set_scanout_blob)},
        {VIRTIO_GPU_CMD_GET_EDID, 0, sizeof(struct virtio_gpu_cmd_get_edid)},
        {VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, sizeof(struct virtio_gpu_update_cursor)},
        {VIRTIO_GPU_CMD_MOVE_CURSOR, 1, sizeof(struct virtio_gpu_update_cursor)},
    };
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        uint8_t bytes[128] = {0};
        memcpy(bytes, &commands[i].type, 4);
        for (size_t len = 0; len < commands[i].len; len++) {
            Header response = {0};
            g_assert_cmpuint(gpu_guest_call(guest, commands[i].queue, bytes, len, &response, sizeof response), ==,
                             sizeof response);
            g_assert_cmphex(response.type, ==,
                            len < sizeof(Header) ? VIRTIO_GPU_RESP_ERR_UNSPEC : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
        }
    }
    g_assert_false(virtio_driver_needs_reset(guest->driver));
}

static void
test_room_for_the_response(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    const Header info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    struct virtio_gpu_resp_display_info response;

    /* Room for a header, but not for the whole: an error, not half a response. */
    g_assert_cmpuint(gpu_guest_call(guest, 0, &info, sizeof info, &response, sizeof response - 1), ==, sizeof(Header));
    g_assert_cmphex(response.hdr.type, ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_cmpuint(gpu_guest_call(guest, 0, &info, sizeof info, &response, sizeof response), ==, sizeof response);
    g_assert_cmphex(response.hdr.type, ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);

    /* None, or less than a header: given back, and not carried out. */
    const struct virtio_gpu_resource_create_2d create = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = 1, .format = 1, .width = 8, .height = 8};
    g_assert_cmpuint(gpu_guest_call(guest, 0, &create, sizeof create, NULL, 0), ==, 0);
    g_assert_cmpuint(gpu_guest_call(guest, 0, &create, sizeof create, &response, sizeof(Header) - 1), ==, 0);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);

    /* Linux sends its cursor commands with no room at all. */
    const struct virtio_gpu_update_cursor move = {.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR, .pos = {.x = 5, .y = 6}};
    g_assert_cmpuint(gpu_guest_call(guest, 1, &move, sizeof move, NULL, 0), ==, 0);
    g_assert_cmpint(guest->notes.of[0].x, ==, 5);
}

/* A command with nothing to read, then one in pieces of one byte. */
static void
test_odd_buffers(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    VirtioDriver *driver = guest->driver;
    uint64_t response = virtio_driver_alloc(driver, sizeof(Header));
    Header *answer = virtio_driver_at(driver, response, sizeof(Header));
    VirtioUsed used;

    virtio_driver_add(driver, 0, (VirtioBuffer[]){{response, sizeof(Header), true}}, 1);
    virtio_driver_kick(driver, 0);
    virtio_driver_wait_used(driver, 0, &used);
    g_assert_cmphex(answer->type, ==, VIRTIO_GPU_RESP_ERR_UNSPEC);

    const struct virtio_gpu_resource_create_2d create = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = 1, .format = 1, .width = 8, .height = 8};
    uint64_t command = virtio_driver_alloc(driver, sizeof create);
    VirtioBuffer buffers[sizeof create + sizeof(Header)];
    memcpy(virtio_driver_at(driver, command, sizeof create), &create, sizeof create);
    for (size_t i = 0; i < sizeof create; i++)
        buffers[i] = (VirtioBuffer){command + i, 1, false};
    for (size_t i = 0; i < sizeof(Header); i++)
        buffers[sizeof create + i] = (VirtioBuffer){response + i, 1, true};
    virtio_driver_add(driver, 0, buffers, G_N_ELEMENTS(buffers));
    virtio_driver_kick(driver, 0);
    virtio_driver_wait_used(driver, 0, &used);
    g_assert_cmphex(answer->type, ==, OK);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/fence", test_fence_comes_back);
    g_test_add_func("/command/fences-in-order", test_fences_in_order);
    g_test_add_func("/command/unknown", test_unknown_commands);
    g_test_add_func("/command/wrong-queue", test_wrong_queue);
    g_test_add_func("/command/features", test_features_not_agreed);
    g_test_add_func("/command/short", test_short_commands);
    g_test_add_func("/command/room", test_room_for_the_response);
    g_test_add_func("/command/odd-buffers", test_odd_buffers);
    return g_test_run();
}

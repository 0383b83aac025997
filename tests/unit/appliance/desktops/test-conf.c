/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/conf.h"

#include <string.h>

#define ID "6a0f4c34-70ee-4f6e-8d5e-3b8a3ad2f6f1"

static Spec *
spec_of(const char *row, const char *policy)
{
    g_autoptr(GVariant) a = g_variant_ref_sink(g_variant_new_parsed(row));
    g_autoptr(GVariant) b = policy ? g_variant_ref_sink(g_variant_new_parsed(policy)) : NULL;

    return spec_new(a, b);
}

static void
test_whole(void)
{
    g_autoptr(Spec) spec = spec_of("@a{sv} {'id': <'" ID "'>, 'name': <'Anna'>, 'memory': <int64 4096>,"
                                   "'vcpus': <int64 4>, 'monitors': <int64 2>, 'secure_boot': <true>, 'tpm': <true>,"
                                   "'guest_os': <'windows'>, 'disks': <@aa{sv} [{'type': <'disk'>},"
                                   "{'type': <'cdrom'>, 'image': <'x'>}, {'type': <'cdrom'>}]>,"
                                   "'nics': <@aa{sv} [{'network': <'lan'>}, {'network': <'home'>}]>}",
                                   "@a{sv} {'usb': <'0x08,-1,-1,-1,1'>, 'clipboard': <'to-desktop'>,"
                                   "'file_transfer': <'both'>}");
    const bool discs[] = {false, true, false};
    const ConfCard cards[] = {{"tap", "52:54:00:00:00:01", 1400}, {"passt", NULL, 0}};
    const ConfRun run = {.spec = spec, .variables = "/v", .tpm = true, .discs = discs, .cards = cards, .uid = 70001};
    g_autofree char *text = conf_text(&run), *again = conf_text(&run);

    g_assert_cmpstr(text, ==, again);
    g_assert_cmpstr(text, ==,
                    "[desktop]\nname=Anna\nuuid=" ID "\nmemory=4096M\nvcpus=4\nguest-os=windows\n\n"
                    "[boot]\nfirmware=uefi\nsecure-boot=true\nvariables=/v\n\n"
                    "[disk disk0]\nfd=disk0\nboot-index=1\nserial=disk0\n\n"
                    "[cdrom cdrom1]\nfd=disk1\nboot-index=2\n\n"
                    "[cdrom cdrom2]\nboot-index=3\n\n"
                    "[net net0]\nbackend=tap\nfd=net0\nmac=52:54:00:00:00:01\nmtu=1400\n\n"
                    "[net net1]\nbackend=passt\n\n"
                    "[usb]\nports=31\nredirect=8\npolicy=0x08,-1,-1,-1,1\n\n"
                    "[display]\nscanouts=2\n\n"
                    "[spice]\nfd=spice\nseveral-clients=true\nclipboard=to-desktop\nfile-transfer=true\n\n"
                    "[tpm]\nfd=tpm\n\n"
                    "[control]\nfd=control\nend=end\n\n"
                    "[sandbox]\nuid=70001\n");
}

/* Without a policy nothing is allowed. */
static void
test_no_policy(void)
{
    g_autoptr(Spec) spec = spec_of("@a{sv} {'id': <'" ID "'>, 'firmware': <'bios'>}", NULL);
    const ConfRun run = {.spec = spec};
    g_autofree char *text = conf_text(&run);

    g_assert_nonnull(strstr(text, "redirect=0\n"));
    g_assert_null(strstr(text, "policy="));
    g_assert_nonnull(strstr(text, "clipboard=none\nfile-transfer=false\n"));
    g_assert_null(strstr(text, "variables"));
    g_assert_null(strstr(text, "[sandbox]"));
}

static void
test_policy_that_refuses_all(void)
{
    g_autoptr(Spec) spec = spec_of("@a{sv} {'id': <'" ID "'>}", "@a{sv} {'usb': <'-1,-1,-1,-1,0'>,"
                                                                "'file_transfer': <'from-desktop'>}");
    const ConfRun run = {.spec = spec, .variables = "/v"};
    g_autofree char *text = conf_text(&run);

    g_assert_nonnull(strstr(text, "redirect=0\n"));
    g_assert_nonnull(strstr(text, "file-transfer=false\n"));
}

/* A name is text, whatever stands in it. */
static void
test_name_that_looks_like_more(void)
{
    static const char name[] = " a\n[control]\nsocket=/etc/passwd\\n#";
    g_autoptr(GKeyFile) file = g_key_file_new();
    Spec spec = {.id = (char *)ID,
                 .name = (char *)name,
                 .firmware = (char *)"bios",
                 .guest_os = (char *)"linux",
                 .disks = g_ptr_array_new(),
                 .cards = g_ptr_array_new()};
    const ConfRun run = {.spec = &spec};
    g_autofree char *text = conf_text(&run);

    g_assert_true(g_key_file_load_from_data(file, text, (gsize)-1, G_KEY_FILE_NONE, NULL));
    g_autofree char *read = g_key_file_get_string(file, "desktop", "name", NULL);
    g_assert_cmpstr(read, ==, name);
    g_assert_false(g_key_file_has_key(file, "control", "socket", NULL));
    g_ptr_array_unref(spec.disks);
    g_ptr_array_unref(spec.cards);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/conf/whole", test_whole);
    g_test_add_func("/conf/no-policy", test_no_policy);
    g_test_add_func("/conf/policy-that-refuses-all", test_policy_that_refuses_all);
    g_test_add_func("/conf/name-that-looks-like-more", test_name_that_looks_like_more);
    return g_test_run();
}

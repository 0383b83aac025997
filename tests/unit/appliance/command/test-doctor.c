/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor reads off the kernel's texts; and each look, on whatever this machine is. */
#include "appliance/command/doctor/doctor.h"

static void
test_meminfo(void)
{
    static const char text[] = "MemTotal:       24624000 kB\nMemFree:         1 kB\nMemAvailable:   5 kB\n";

    g_assert_cmpuint(doctor_meminfo(text, "MemTotal"), ==, 24624000);
    g_assert_cmpuint(doctor_meminfo(text, "MemAvailable"), ==, 5);
    g_assert_cmpuint(doctor_meminfo(text, "Mem"), ==, 0);
    g_assert_cmpuint(doctor_meminfo("", "MemTotal"), ==, 0);
}

static void
test_cpu_flags(void)
{
    static const char text[] = "processor\t: 0\nflags\t\t: fpu vmx_x svm hypervisor\nbugs\t\t: vmx\n";

    g_assert_true(doctor_cpu_flag(text, "svm"));
    g_assert_true(doctor_cpu_flag(text, "fpu"));
    g_assert_true(doctor_cpu_flag(text, "hypervisor"));
    g_assert_false(doctor_cpu_flag(text, "vmx"));
    g_assert_false(doctor_cpu_flag("processor : 0\n", "vmx"));
}

static void
test_profiles(void)
{
    static const char text[] = "carrel-web (enforce)\ncarrel-vmm (complain)\nnot-carrel-tpm (enforce)\n";

    g_assert_true(doctor_profile_enforced(text, "carrel-web"));
    g_assert_false(doctor_profile_enforced(text, "carrel-vmm"));
    g_assert_false(doctor_profile_enforced(text, "carrel-tpm"));
    g_assert_false(doctor_profile_enforced("", "carrel-web"));
}

static void
test_listener(void)
{
    static const char text[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 00000000:01BB 0100007F:01BB 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0\n"
        "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0\n"
        "   2: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 "
        "00:00000000 "
        "00000000   991        0 33 1 0\n";

    g_assert_cmpuint(doctor_listener(text, 443), ==, 33); /* not the connection */
    g_assert_cmpuint(doctor_listener(text, 22), ==, 22);
    g_assert_cmpuint(doctor_listener(text, 80), ==, 0);
    g_assert_cmpuint(doctor_listener("", 443), ==, 0);
}

static void
test_looks(void)
{
    static void (*const looks[])(DoctorFinding *) = {
        doctor_look_processor, doctor_look_memory, doctor_look_huge_pages, doctor_look_disk,     doctor_look_reflink,
        doctor_look_port,      doctor_look_clock,  doctor_look_network,    doctor_look_programs, doctor_look_kvm,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(looks); i++) {
        g_auto(DoctorFinding) finding = {0};
        looks[i](&finding);
        g_assert_nonnull(finding.found);
        /* Who is told that something is wrong is told what to do. */
        g_assert_true(finding.grade == DOCTOR_FINE || finding.remedy);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/doctor/meminfo", test_meminfo);
    g_test_add_func("/command/doctor/cpu-flags", test_cpu_flags);
    g_test_add_func("/command/doctor/profiles", test_profiles);
    g_test_add_func("/command/doctor/listener", test_listener);
    g_test_add_func("/command/doctor/looks", test_looks);
    return g_test_run();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* carrel doctor: the looks in order, and their findings told. */
#include "appliance/command/doctor/doctor.h"

#include "appliance/command/call.h"
#include "appliance/command/print.h"

#include <stdio.h>

/* clang-format off */
static const DoctorLook looks[] = {
    {"processors", doctor_look_processor},
    {"KVM",        doctor_look_kvm},
    {"AppArmor",   doctor_look_apparmor},
    {"memory",     doctor_look_memory},
    {"huge pages", doctor_look_huge_pages},
    {"disk",       doctor_look_disk},
    {"clones",     doctor_look_reflink},
    {"network",    doctor_look_network},
    {"port 443",   doctor_look_port},
    {"clock",      doctor_look_clock},
    {"programs",   doctor_look_programs},
};
/* clang-format on */

static const char *const grade_names[] = {"fine", "warning", "bad"};

static GVariant *
as_variant(const char *what, const DoctorFinding *finding)
{
    GVariantBuilder members;

    g_variant_builder_init(&members, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&members, "{sv}", "what", g_variant_new_string(what));
    g_variant_builder_add(&members, "{sv}", "grade", g_variant_new_string(grade_names[finding->grade]));
    g_variant_builder_add(&members, "{sv}", "found", g_variant_new_string(finding->found));
    if (finding->remedy)
        g_variant_builder_add(&members, "{sv}", "remedy", g_variant_new_string(finding->remedy));
    return g_variant_builder_end(&members);
}

static void
tell(const char *what, const DoctorFinding *finding)
{
    printf("%-8s %-11s %s\n", finding->grade ? grade_names[finding->grade] : "", what, finding->found);
    if (finding->remedy)
        printf("%-20s %s\n", "", finding->remedy);
}

CliExit
cli_run_doctor(CliCall *call, GError **error)
{
    g_autoptr(GVariantBuilder) all = g_variant_builder_new(G_VARIANT_TYPE("aa{sv}"));
    DoctorGrade worst = DOCTOR_FINE;

    for (size_t i = 0; i < G_N_ELEMENTS(looks); i++) {
        g_auto(DoctorFinding) finding = {0};
        looks[i].look(&finding);
        worst = MAX(worst, finding.grade);
        if (call->json)
            g_variant_builder_add_value(all, as_variant(looks[i].what, &finding));
        else
            tell(looks[i].what, &finding);
    }
    if (call->json) {
        g_autoptr(GVariant) list = g_variant_ref_sink(g_variant_builder_end(all));
        cli_print_json(list);
    } else if (worst == DOCTOR_FINE) {
        puts("This host is ready for desktops.");
    }
    return worst == DOCTOR_BAD ? CLI_FAILED : CLI_DONE;
}

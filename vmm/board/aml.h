/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing AML (ACPI 6.5, 20): the byte code of the DSDT.
 *
 * AML is prefix code, so functions are called in the order the source would be read: an operator first, then its operands.
 * What has a length (scope, device, method, package, If) is begun and ended; lengths are filled in at the end. Names are
 * one segment of up to 4 characters, in the scope begun last.
 *
 *     aml_begin_device(&aml, "RTC");
 *     aml_name(&aml, "_HID");
 *     aml_eisa_id(&aml, "PNP0B00");
 *     aml_end(&aml);
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define AML_DEPTH_MAX 16

typedef struct {
    GByteArray *code; /* owned */
    unsigned depth;
    guint open[AML_DEPTH_MAX]; /* where the length of each thing begun belongs */
} Aml;

void aml_init(Aml *aml);
/* Asserts that everything begun was ended. Returns the code, now the caller's. */
GByteArray *aml_finish(Aml *aml);

/* Begun with these, ended with aml_end(). */
void aml_begin_scope(Aml *aml, const char *name);
void aml_begin_device(Aml *aml, const char *name);
void aml_begin_method(Aml *aml, const char *name, unsigned n_arguments); /* serialised: it may create names */
void aml_begin_package(Aml *aml, uint8_t n_elements);
void aml_begin_if(Aml *aml);   /* then its predicate, then the body */
void aml_begin_else(Aml *aml); /* right after the If's end */
void aml_end(Aml *aml);

/* Name(@name, …): the data object comes next. */
void aml_name(Aml *aml, const char *name);

/* Data objects and operands. */
void aml_integer(Aml *aml, uint64_t value);
void aml_string(Aml *aml, const char *text);
void aml_eisa_id(Aml *aml, const char *id); /* "PNP0A08" (19.6.36) */
void aml_buffer(Aml *aml, const uint8_t *bytes, size_t len);
void aml_uuid(Aml *aml, const char *uuid); /* ToUUID: the buffer of 16 bytes (19.6.142) */
void aml_reference(Aml *aml, const char *name);
void aml_argument(Aml *aml, unsigned n); /* Arg0 … Arg6 */
void aml_local(Aml *aml, unsigned n);    /* Local0 … Local7 */

/* Operators; operands follow as the comment says. */
void aml_store(Aml *aml);                                                      /* value, target */
void aml_and(Aml *aml);                                                        /* a, b, target */
void aml_or(Aml *aml);                                                         /* a, b, target */
void aml_equal(Aml *aml);                                                      /* a, b */
void aml_not_equal(Aml *aml);                                                  /* a, b */
void aml_return(Aml *aml);                                                     /* value */
void aml_dword_field(Aml *aml, const char *name, unsigned n, uint64_t offset); /* over buffer Arg@n, at byte @offset */

/* Resource descriptors (6.4), gathered in an array of their own and then given out by aml_resources(). */
void aml_resource_io(GByteArray *resources, uint16_t first, uint8_t n);
void aml_resource_irq(GByteArray *resources, unsigned irq); /* edge, active high, exclusive */
void aml_resource_memory(GByteArray *resources, uint32_t base, uint32_t size);
/* What a bridge hands on: [first, last]. */
void aml_resource_window_bus(GByteArray *resources, uint16_t first, uint16_t last);
void aml_resource_window_io(GByteArray *resources, uint16_t first, uint16_t last);
void aml_resource_window_memory32(GByteArray *resources, uint32_t first, uint32_t last);
void aml_resource_window_memory64(GByteArray *resources, uint64_t first, uint64_t last);
/* The ResourceTemplate of all that, as a data object; frees @resources. */
void aml_resources(Aml *aml, GByteArray *resources);

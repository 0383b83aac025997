/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pixels held in this process for the guest's 2D resources, and the budget they are taken from.
 *
 * Each block is an anonymous mapping of its own, so that freeing one gives its pages back at once, and pages the guest
 * never filled are never there. A block is counted: surfaces that show it keep it alive, and it weighs on the budget
 * until the last of them is gone, so that a guest cannot multiply its memory by destroying what is still being viewed.
 * Any thread.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PixelBudget PixelBudget;

PixelBudget *pixel_budget_new(uint64_t max_bytes);
/* Drops the owner's hold; blocks still alive keep it. */
void pixel_budget_unref(PixelBudget *budget);
/* Bytes taken now. */
uint64_t pixel_budget_used(const PixelBudget *budget);

typedef struct {
    uint8_t *bytes; /* page aligned; zero until written */
    size_t len;
    /* private */
    PixelBudget *budget;
    gatomicrefcount references;
} Pixels;

/* NULL where the budget or the host has no room. */
Pixels *pixels_new(PixelBudget *budget, uint64_t len);
Pixels *pixels_ref(Pixels *pixels);
void pixels_unref(Pixels *pixels);

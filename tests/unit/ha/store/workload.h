/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands at random, made from the catalog: of every kind, well-formed, over few enough ids and names that they meet.
 * The one at a place in a history is always the same for the same seed, so that a history can be made again from any
 * place on.
 */
#pragma once

#include "ha/store/catalog.h"

StoreCommand *workload_command(uint32_t seed, uint32_t place);

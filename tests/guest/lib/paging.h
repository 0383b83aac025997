/* SPDX-License-Identifier: Apache-2.0 */
/* Address space above the first 4 GiB, which boot.S has mapped already. Kernel mode. */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include <stdint.h>

/* Maps the gibibytes that hold [address, address + size) one to one, for user mode too. At most 128 TiB. */
void paging_map(uint64_t address, uint64_t size);

#endif

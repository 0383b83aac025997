/* SPDX-License-Identifier: Apache-2.0 */
/* The ELF loader, as on a reset (what is to be zero is written), with an initrd. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-loader.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    fuzz_loader(&elf_loader, bytes, len);
    return 0;
}

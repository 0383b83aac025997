/* SPDX-License-Identifier: Apache-2.0 */
/* The way to user mode and back; the steps themselves are in boot.S. */
#include "user.h"
#include "layout.h"

uint64_t user_enter(uint64_t (*run)(void *), void *argument, void *stack, uint64_t *kernel_stack);
_Noreturn void user_leave(uint64_t result, uint64_t kernel_stack);

static char user_stack[USER_STACK_SIZE] __attribute__((aligned(16)));
static uint64_t kernel_stack;

uint64_t
user_run(uint64_t (*run)(void *argument), void *argument)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    uint64_t result = user_enter(run, argument, user_stack + sizeof(user_stack), &kernel_stack);
    if (flags & 1u << 9)
        __asm__ volatile("sti" : : : "memory");
    return result;
}

void
user_exit(uint64_t result)
{
    user_leave(result, kernel_stack);
}

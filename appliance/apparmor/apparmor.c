/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/apparmor/apparmor.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "exec "
#define PROFILE_MAX 32

int
apparmor_open_on_exec(void)
{
    return open("/proc/thread-self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
}

void
apparmor_on_exec(int fd, const char *profile)
{
    char line[sizeof(COMMAND) + PROFILE_MAX] = COMMAND;
    size_t length = strlen(profile);

    if (fd < 0)
        return;
    if (length <= PROFILE_MAX) {
        memcpy(line + strlen(COMMAND), profile, length);
        (void)!write(fd, line, strlen(COMMAND) + length); /* one write: the kernel takes each for a command */
    }
    close(fd);
}

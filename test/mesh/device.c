#include "mesh/device.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Whole packets without a header before them. */
static int open_here(void) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", MESH_DEVICE);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device >= 0 && ioctl(device, TUNSETIFF, &request) != 0) {
        int error = errno;
        close(device);
        errno = error;
        return -1;
    }
    return device;
}

/* The device belongs to the namespace in which its file was opened. */
int mesh_device_open(const char *namespace_name) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", namespace_name);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    int device = -1;
    if (home >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0) {
        device = open_here();
        int error = errno;
        CHECK(setns(home, CLONE_NEWNET) == 0);
        errno = error;
    }
    int error = errno;
    if (home >= 0)
        close(home);
    if (there >= 0)
        close(there);
    errno = error;
    return device;
}

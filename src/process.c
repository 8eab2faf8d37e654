#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* A file of /proc as text, cut off at the capacity; false: it cannot be read. */
static bool read_file(const char *path, char *text, size_t capacity) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t len = read(file, text, capacity - 1);
    (void)close(file); /* it was only read */
    text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static void read_memory(uint64_t *ret_mapped, uint64_t *ret_resident) {
    char text[128];
    uint64_t mapped = 0;
    uint64_t resident = 0;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (read_file("/proc/self/statm", text, sizeof text) &&
        sscanf(text, "%" SCNu64 " %" SCNu64, &mapped, &resident) != 2)
        mapped = resident = 0;
    *ret_mapped = mapped * page;
    *ret_resident = resident * page;
}

uint64_t process_memory_bytes(void) {
    uint64_t mapped;
    uint64_t resident;
    read_memory(&mapped, &resident);
    return resident;
}

static uint64_t milliseconds(clockid_t clock) {
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); /* on failure the zeros show */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t count_files(void) {
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    (void)closedir(directory);        /* it was only read */
    return count > 0 ? count - 1 : 0; /* but for the directory itself */
}

/* The 22nd field of stat(5): ticks from the machine's start to this process's. Its second field is
 * a name in parentheses that may contain anything. */
static uint64_t start_unix_ms(void) {
    char text[1024];
    uint64_t ticks = 0;
    if (!read_file("/proc/self/stat", text, sizeof text))
        return 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at || sscanf(at, " %" SCNu64, &ticks) != 1)
        return 0;
    uint64_t up_ms = milliseconds(CLOCK_BOOTTIME) - ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    return milliseconds(CLOCK_REALTIME) - up_ms;
}

void process_read(struct process_use *ret_use) {
    struct process_use use = {.cpu_ms = milliseconds(CLOCK_PROCESS_CPUTIME_ID)};
    struct rlimit files = {0};
    read_memory(&use.virtual_bytes, &use.memory_bytes);
    use.open_files = count_files();
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        use.open_files_max = (uint64_t)files.rlim_cur;
    use.start_unix_ms = start_unix_ms();
    *ret_use = use;
}

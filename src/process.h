/* What this process uses of its machine. */
#ifndef PHALANX_PROCESS_H
#define PHALANX_PROCESS_H

#include <stdint.h>

struct process_use {
    uint64_t memory_bytes;  /* resident */
    uint64_t virtual_bytes; /* mapped */
    uint64_t cpu_ms;        /* on all processors */
    uint64_t open_files;    /* and other descriptors */
    uint64_t open_files_max;
    uint64_t start_unix_ms; /* when it began */
};

/* Resident memory alone, which takes microseconds; 0: it cannot be read. */
uint64_t process_memory_bytes(void);

/* All of it; counting the open files takes time for each. What cannot be read is 0. */
void process_read(struct process_use *ret_use);

#endif

// What glibc declares under _GNU_SOURCE alone.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

/// How many processors this thread may run on (sched_getaffinity(2)); 0: nobody knows.
static inline int processors_of_affinity(void) {
    unsigned long mask[1024];
    long octets = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (long i = 0; i < octets / (long)sizeof mask[0]; i++) count += __builtin_popcountl(mask[i]);
    return count;
}

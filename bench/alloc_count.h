// What alloc_count.so counts, and how a program asks for it: by dlsym(RTLD_DEFAULT, "bench_counters"), which is NULL
// where the library was not preloaded.
#pragma once
#include <stdint.h>

/// Calls made by the calling thread since it started. `free` counts only pointers other than NULL.
struct bench_counters {
    // Everything outside libldns: ours, the Swift runtime's, libc's.
    uint64_t malloc_calls;
    uint64_t calloc_calls;
    uint64_t realloc_calls;
    uint64_t aligned_calls;  // posix_memalign, aligned_alloc, memalign
    uint64_t free_calls;
    // What libldns itself allocates, and the freeing of just those blocks, whoever frees them.
    uint64_t ldns_malloc_calls;
    uint64_t ldns_calloc_calls;
    uint64_t ldns_realloc_calls;
    uint64_t ldns_free_calls;
    // The Swift runtime's, from any caller, the standard library included.
    uint64_t swift_retain_calls;
    uint64_t swift_retain_n_calls;
    uint64_t swift_release_calls;
    uint64_t swift_release_n_calls;
    uint64_t swift_allocate_calls;
    // pthread_mutex_lock and pthread_mutex_trylock. Swift's own Mutex is built on futexes and not seen here.
    uint64_t mutex_lock_calls;
    // 1 where the Swift runtime's calls are really counted; with 0 their counters say nothing.
    uint64_t swift_is_counted;
};

/// Copies the calling thread's counters to `out`. Call it in pairs, before and after what is measured: the Swift runtime's
/// calls are counted only in between.
void bench_counters(struct bench_counters *out);

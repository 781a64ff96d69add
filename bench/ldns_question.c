// What ldns's own parse of a question costs: the one part of answering a query that may allocate.
//
//     LD_PRELOAD=.../alloc_count.so ldns_question [COUNT]
//
// Parses COUNT questions with ldns_wire2rr and prints one JSON line: time and heap calls for each. It also shows that
// alloc_count.so tells libldns's calls from others: one malloc of its own a question must appear beside them.
#define _GNU_SOURCE 1
#include "alloc_count.h"

#include <dlfcn.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
    static const uint8_t query[] = {0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 's', 'v', 'c', '0', '1', '2', '3', 7,
                                    's', 'e', 'r', 'v', 'i', 'c', 'e', 4, 'k', 'o', 'n', 'g', 0, 0, 1, 0, 1};
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    void (*counters)(struct bench_counters *) = dlsym(RTLD_DEFAULT, "bench_counters");
    if (counters == NULL || count <= 0) return fprintf(stderr, "ldns_question: preload alloc_count.so\n"), 2;
    struct bench_counters before, after;
    struct timespec start, end;
    void *volatile own;
    counters(&before);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < count; i++) {
        ldns_rr *question = NULL;
        size_t position = 12;
        if (ldns_wire2rr(&question, query, sizeof query, &position, LDNS_SECTION_QUESTION) != LDNS_STATUS_OK) return 1;
        ldns_rr_free(question);
        own = malloc(32);
        free(own);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    counters(&after);
    double nanoseconds = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
#define EACH(name) ((double)(after.name - before.name) / count)
    printf("{\"nanoseconds\": %.1f, \"ldns_allocations\": %.3f, \"ldns_frees\": %.3f, \"other_allocations\": %.3f, "
           "\"other_frees\": %.3f, \"mutex_locks\": %.3f}\n",
           nanoseconds / count, EACH(ldns_malloc_calls) + EACH(ldns_calloc_calls) + EACH(ldns_realloc_calls),
           EACH(ldns_free_calls), EACH(malloc_calls) + EACH(calloc_calls) + EACH(realloc_calls) + EACH(aligned_calls),
           EACH(free_calls), EACH(mutex_lock_calls));
    return 0;
}

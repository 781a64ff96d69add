// A library to preload (LD_PRELOAD) that counts heap, reference counting and lock calls of each thread, for programs
// that ask through bench_counters(), see alloc_count.h. Linux with glibc; the Swift runtime's calls on x86-64 only.
//
// The heap functions are interposed. A block counts as libldns's when the immediate caller lies in libldns's code;
// it is marked so in its last octets, because freeing it is often a tail call whose caller can't be told.
//
// The Swift runtime's functions can't be interposed for calls from within libswiftCore (its symbols are protected), so
// the hooks that the runtime offers to instruments are used: function pointers, followed once a flag is set.
#define _GNU_SOURCE 1
#include "alloc_count.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

// Initial-exec: reached without a call, so it can be used inside malloc and in the assembly below.
__attribute__((tls_model("initial-exec"), visibility("hidden"), used)) __thread struct bench_counters bench_counts;

static uintptr_t ldns_start, ldns_end;
static const uint64_t LDNS_MARK = 0x6c646e7321b10c4b;
enum { MARK_OCTETS = sizeof(uint64_t) };

#define CALLER_IS_LDNS() is_ldns((uintptr_t)__builtin_return_address(0))

static inline bool is_ldns(uintptr_t address) { return address - ldns_start < ldns_end - ldns_start; }

static inline char *mark_position(void *block) { return (char *)block + malloc_usable_size(block) - MARK_OCTETS; }

static void *marked(void *block) {
    uint64_t mark = LDNS_MARK ^ (uintptr_t)block;
    if (block != NULL) memcpy(mark_position(block), &mark, MARK_OCTETS);
    return block;
}

/// Whether `block` is libldns's. Takes the mark away, as the block is about to be freed.
static bool take_mark(void *block) {
    uint64_t mark;
    memcpy(&mark, mark_position(block), MARK_OCTETS);
    if (mark != (LDNS_MARK ^ (uintptr_t)block)) return false;
    memset(mark_position(block), 0, MARK_OCTETS);
    return true;
}

void *malloc(size_t size) {
    if (!CALLER_IS_LDNS()) {
        bench_counts.malloc_calls++;
        return __libc_malloc(size);
    }
    bench_counts.ldns_malloc_calls++;
    return marked(__libc_malloc(size + MARK_OCTETS));
}

void *calloc(size_t count, size_t size) {
    size_t octets;
    if (!CALLER_IS_LDNS() || __builtin_mul_overflow(count, size, &octets)) {
        bench_counts.calloc_calls++;
        return __libc_calloc(count, size);
    }
    bench_counts.ldns_calloc_calls++;
    return marked(__libc_calloc(1, octets + MARK_OCTETS));
}

void *realloc(void *block, size_t size) {
    bool was_ldns = block != NULL && take_mark(block);
    if (!was_ldns && !CALLER_IS_LDNS()) {
        bench_counts.realloc_calls++;
        return __libc_realloc(block, size);
    }
    bench_counts.ldns_realloc_calls++;
    return marked(__libc_realloc(block, size + MARK_OCTETS));
}

void free(void *block) {
    if (block == NULL) return;
    if (take_mark(block)) bench_counts.ldns_free_calls++;
    else bench_counts.free_calls++;
    __libc_free(block);
}

void *memalign(size_t alignment, size_t size) {
    bench_counts.aligned_calls++;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    bench_counts.aligned_calls++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    bench_counts.aligned_calls++;
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    void *result = __libc_memalign(alignment, size);
    if (result == NULL) return ENOMEM;
    *block = result;
    return 0;
}

static int (*real_mutex_lock)(pthread_mutex_t *), (*real_mutex_trylock)(pthread_mutex_t *);

// Looked up where first used, as other libraries' constructors may lock before ours ran.
static int mutex_call(pthread_mutex_t *mutex, int (**real)(pthread_mutex_t *), const char *name) {
    bench_counts.mutex_lock_calls++;
    if (*real == NULL) *real = (int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, name);
    return (*real)(mutex);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    return mutex_call(mutex, &real_mutex_lock, "pthread_mutex_lock");
}

int pthread_mutex_trylock(pthread_mutex_t *mutex) {
    return mutex_call(mutex, &real_mutex_trylock, "pthread_mutex_trylock");
}

static bool swift_is_counted;
static bool *hooks_enabled;

static int find_ldns(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size, (void)context;
    if (strstr(object->dlpi_name, "/libldns.so") == NULL) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        ldns_start = object->dlpi_addr + segment->p_vaddr;
        ldns_end = ldns_start + segment->p_memsz;
    }
    return 1;
}

#if defined(__x86_64__)
// Each hook adds one to its counter and jumps on. In assembly, since the runtime's callers rely on a convention in
// which retain and release preserve all registers but rax and r11.
#define HOOK(name, offset)                                                                                   \
    _Static_assert(offsetof(struct bench_counters, name##_calls) == offset, "offset of " #name);           \
    __attribute__((visibility("hidden"))) void *original_##name;                                           \
    extern char count_##name[] __attribute__((visibility("hidden")));                                       \
    __asm__(".text\n"                                                                                       \
            ".hidden count_" #name "\n"                                                                     \
            ".globl count_" #name "\n"                                                                      \
            ".type count_" #name ", @function\n"                                                            \
            "count_" #name ":\n"                                                                            \
            "    movq bench_counts@gottpoff(%rip), %r11\n"                                                  \
            "    incq %fs:" #offset "(%r11)\n"                                                              \
            "    jmpq *original_" #name "(%rip)\n"                                                          \
            ".size count_" #name ", . - count_" #name "\n")

HOOK(swift_retain, 72);
HOOK(swift_retain_n, 80);
HOOK(swift_release, 88);
HOOK(swift_release_n, 96);
HOOK(swift_allocate, 104);

static struct hook {
    const char *symbol;
    void **original, *counting, **pointer;
} hooks[] = {
    {"_swift_retain", &original_swift_retain, count_swift_retain, NULL},
    {"_swift_retain_n", &original_swift_retain_n, count_swift_retain_n, NULL},
    {"_swift_release", &original_swift_release, count_swift_release, NULL},
    {"_swift_release_n", &original_swift_release_n, count_swift_release_n, NULL},
    {"_swift_allocObject", &original_swift_allocate, count_swift_allocate, NULL},
};
enum { HOOKS = sizeof hooks / sizeof hooks[0] };

static bool find_swift(void) {
    hooks_enabled = dlsym(
        RTLD_DEFAULT, "_swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly");
    if (hooks_enabled == NULL) return false;
    for (int i = 0; i < HOOKS; i++) {
        hooks[i].pointer = dlsym(RTLD_DEFAULT, hooks[i].symbol);
        if (hooks[i].pointer == NULL) return false;
        *hooks[i].original = *hooks[i].pointer;
    }
    return true;
}

static void toggle_hooks(void) {
    bool enable = !*hooks_enabled;
    for (int i = 0; i < HOOKS; i++) *hooks[i].pointer = enable ? hooks[i].counting : *hooks[i].original;
    *hooks_enabled = enable;
}
#else
static bool find_swift(void) { return false; }
static void toggle_hooks(void) {}
#endif

void bench_counters(struct bench_counters *out) {
    // Only between the two calls of a measurement: while hooked, Swift 6.3.1's runtime takes a small string's bits for
    // an object and crashes.
    if (swift_is_counted) toggle_hooks();
    *out = bench_counts;
    out->swift_is_counted = swift_is_counted;
}

__attribute__((constructor)) static void start(void) {
    dl_iterate_phdr(find_ldns, NULL);
    swift_is_counted = find_swift();
}

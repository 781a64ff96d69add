/* Teaches ThreadSanitizer the contended path of Swift's Mutex (module Synchronization, Linux).
 *
 * The uncontended path is inlined into our code, which is instrumented. A contended lock or unlock goes through the two
 * functions below in libswiftSynchronization.so, which is not instrumented, and on to the kernel (FUTEX_LOCK_PI): the
 * sanitizer would not see that one thread's unlock comes before another's lock, and report what the lock protects.
 *
 * Preloaded by `make test-tsan`. Each function calls the real one and says what it did. The mutex's word is at the start
 * of the handle; the inlined path synchronizes on the same address.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

/* Missing in processes that have no sanitizer, such as `swift test` itself. */
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define CONTEXT __attribute__((swift_context))

typedef SWIFT void (*lock_function)(uint32_t thread, CONTEXT void *handle);
typedef SWIFT void (*unlock_function)(CONTEXT void *handle);

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

SWIFT void lock_slow(uint32_t thread, CONTEXT void *handle) __asm__(LOCK_SLOW);
SWIFT void lock_slow(uint32_t thread, CONTEXT void *handle) {
    ((lock_function)next(LOCK_SLOW))(thread, handle);
    if (__tsan_acquire) __tsan_acquire(handle);
}

SWIFT void unlock_slow(CONTEXT void *handle) __asm__(UNLOCK_SLOW);
SWIFT void unlock_slow(CONTEXT void *handle) {
    if (__tsan_release) __tsan_release(handle);
    ((unlock_function)next(UNLOCK_SLOW))(handle);
}

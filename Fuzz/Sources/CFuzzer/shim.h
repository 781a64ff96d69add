#pragma once
#include <stddef.h>
#include <stdint.h>

// libFuzzer as a library (https://llvm.org/docs/LibFuzzer.html): it has no header for this function.
extern int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *octets, size_t count));

// <sanitizer/lsan_interface.h>: what the calling thread allocates in between may leak.
extern void __lsan_disable(void);
extern void __lsan_enable(void);

// What Swift can't see without ambiguity: other modules define struct stat too.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/// What tells a file from all others that exist.
struct file_identity {
    uint64_t device;
    uint64_t number;
};

static inline bool file_identity_from_status(struct stat const *status, struct file_identity *identity) {
    identity->device = status->st_dev;
    identity->number = status->st_ino;
    return true;
}

/// The identity of an open file; false: nothing is open there.
static inline bool file_identity_of_descriptor(int descriptor, struct file_identity *identity) {
    struct stat status;
    return fstat(descriptor, &status) == 0 && file_identity_from_status(&status, identity);
}

/// The identity of the file that a path leads to; false: none.
static inline bool file_identity_of_path(char const *path, struct file_identity *identity) {
    struct stat status;
    return stat(path, &status) == 0 && file_identity_from_status(&status, identity);
}

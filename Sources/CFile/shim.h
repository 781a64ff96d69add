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

/// What kind of file is open, and who may read and write it (`st_mode`); -1: nothing is open there.
static inline int64_t file_mode_of_descriptor(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? (int64_t)status.st_mode : -1;
}

/// Whether a mode is that of a regular file.
static inline bool file_mode_is_regular(int64_t mode) {
    return mode >= 0 && S_ISREG((mode_t)mode);
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

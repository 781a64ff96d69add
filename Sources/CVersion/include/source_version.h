// From which commit the program was built. In C, since a C target can be given values when it is built: `make build`
// passes them through Package.swift, and another commit compiles this target and the program's own few files again.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// The first 12 hexadecimal digits of the commit; 0: it is not known, as in a build without git, or for debugging.
uint64_t source_commit(void);

/// Whether the sources had changes that were in no commit.
bool source_is_modified(void);

#include "source_version.h"

#ifndef SOURCE_COMMIT
#define SOURCE_COMMIT 0
#endif
#ifndef SOURCE_IS_MODIFIED
#define SOURCE_IS_MODIFIED 0
#endif

uint64_t source_commit(void) { return SOURCE_COMMIT; }
bool source_is_modified(void) { return SOURCE_IS_MODIFIED; }

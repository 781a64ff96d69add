#pragma once
// Without _GNU_SOURCE, like CEvent and Glibc's Swift module: with it they would disagree on fd_set.
#include <ldns/ldns.h>

// How the load generators write their queries.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    HEADER_OCTETS = 12,
    QUERY_OCTETS = 5 * 64,  // 12 + 255 + 4 fit; an odd number of cache lines
};

struct query {
    uint8_t octets[QUERY_OCTETS];
    unsigned length;
};

/// Writes a query of class IN with the ID 0. Returns false for what is no name.
static inline bool encode_query(struct query *query, const char *name, unsigned type, bool recursion_desired) {
    uint8_t *octets = query->octets;
    memset(octets, 0, HEADER_OCTETS);
    octets[2] = recursion_desired;
    octets[5] = 1;  // QDCOUNT
    unsigned position = HEADER_OCTETS;
    while (*name != 0) {
        size_t length = strcspn(name, ".");
        if (length == 0 || length > 63 || position + length + 7 > HEADER_OCTETS + 255 + 4) return false;
        octets[position++] = length;
        memcpy(octets + position, name, length);
        position += length;
        name += length + (name[length] == '.');
    }
    octets[position++] = 0;
    octets[position++] = type >> 8;
    octets[position++] = type;
    octets[position++] = 0;
    octets[position++] = 1;
    query->length = position;
    return true;
}

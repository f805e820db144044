/* Keys of a sort, whole numbers of 16 bits or (`wide`) of 32, and bits of elements, 64 to a word. */
#ifndef MODELPROV_KEYS_H
#define MODELPROV_KEYS_H

#include <stdint.h>

enum { WORD = 64 };

static inline uint32_t key_at(const void *keys, int64_t wide, int64_t place) {
    return wide ? ((const uint32_t *)keys)[place] : ((const uint16_t *)keys)[place];
}

/* Which of three keys is in the middle, as the sort sees it. */
static inline int64_t median_of(const uint32_t *keys, int64_t a, int64_t b, int64_t c) {
    if (keys[0] < keys[1]) return keys[1] < keys[2] ? b : keys[0] < keys[2] ? c : a;
    return keys[0] < keys[2] ? a : keys[1] < keys[2] ? c : b;
}

#endif

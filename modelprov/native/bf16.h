/* Inner loops of the moments: sums in lanes, and what is done with bf16 by the word, two elements of 16 bits in each.
 *
 * A chunk stays in the first-level cache from loop to loop; what brings the next one there meanwhile are the loops'
 * prefetches, one stream each, so that memory is never waited for by one loop and idle in the others. */
#ifndef MODELPROV_BF16_H
#define MODELPROV_BF16_H

#include "formats.h"

enum { CHUNK = 1024, STEP = 32, AHEAD = 2 * CHUNK }; /* elements of a chunk, of a loop's step; bytes to look ahead */

static inline void prefetch(const uint8_t *at) { __builtin_prefetch(at + AHEAD, 0, 3); }

static inline Words words_at(const uint8_t *at) {
    Words words;
    memcpy(&words, at, sizeof words);
    return words;
}

static inline Floats floats_at(const float *at) {
    Floats values;
    memcpy(&values, at, sizeof values);
    return values;
}

/* Of two bf16 numbers a word the first, and the second, as float32. */
static inline Floats even(Words words) { return (Floats)(words << 16); }

static inline Floats odd(Words words) { return (Floats)(words & 0xFFFF0000u); }

static inline double lanes_added(const Floats *lanes, int apart) {
    double total = 0;
    for (int part = 0; part < PARTS; part++)
        for (int i = 0; i < WIDE; i++) total += (double)lanes[part * apart][i];
    return total;
}

/* Sums of products of v = suspect - reference, u = parent - reference and z = reference, in the order of the columns. */
typedef struct {
    Floats vv, vu, vz, v, uu, uz, u, zz, z;
} Three;

typedef struct {
    Floats vv, vz, v, zz, z;
} Two;

static inline void add_three(Three *to, Floats v, Floats u, Floats z) {
    to->vv = fused(v, v, to->vv);
    to->vu = fused(v, u, to->vu);
    to->vz = fused(v, z, to->vz);
    to->v += v;
    to->uu = fused(u, u, to->uu);
    to->uz = fused(u, z, to->uz);
    to->u += u;
    to->zz = fused(z, z, to->zz);
    to->z += z;
}

static inline void add_two(Two *to, Floats v, Floats z) {
    to->vv = fused(v, v, to->vv);
    to->vz = fused(v, z, to->vz);
    to->v += v;
    to->zz = fused(z, z, to->zz);
    to->z += z;
}

static inline void put(const Floats *sums, int columns, double *part) {
    for (int column = 0; column < columns; column++) part[column] += lanes_added(sums + column, columns);
}

/* Gram of one chunk of three checkpoints added to `part`; m a multiple of 32, as in all loops below. */
static void sums_of_three(const uint8_t *a, const uint8_t *p, const uint8_t *r, int64_t m, double *part) {
    Three sums[PARTS];
    memset(sums, 0, sizeof sums);
    for (int64_t i = 0; i < 2 * m; i += 2 * STEP) {
        prefetch(a + i);
        for (int at = 0; at < 2 * STEP; at += WIDTH) {
            const Words s = words_at(a + i + at), q = words_at(p + i + at), b = words_at(r + i + at);
            Three *to = sums + at / WIDTH % PARTS;
            add_three(to, even(s) - even(b), even(q) - even(b), even(b));
            add_three(to, odd(s) - odd(b), odd(q) - odd(b), odd(b));
        }
    }
    put((const Floats *)sums, 9, part);
}

static void sums_of_two(const uint8_t *a, const uint8_t *r, int64_t m, double *part) {
    Two sums[PARTS];
    memset(sums, 0, sizeof sums);
    for (int64_t i = 0; i < 2 * m; i += 2 * STEP) {
        prefetch(a + i);
        for (int at = 0; at < 2 * STEP; at += WIDTH) {
            const Words s = words_at(a + i + at), b = words_at(r + i + at);
            Two *to = sums + at / WIDTH % PARTS;
            add_two(to, even(s) - even(b), even(b));
            add_two(to, odd(s) - odd(b), odd(b));
        }
    }
    put((const Floats *)sums, 5, part);
}

static inline int64_t lanes_counted(Shorts counted) {
    int64_t total = 0;
    for (int i = 0; i < WIDTH / 2; i++) total += counted[i];
    return total;
}

/* Equality and betweenness of a chunk added to `counts` (columns of `moments.py`); a lane holds few of them.
 *
 * The order of bf16, with -0 just below +0, is that of their bits as int16, turned around where both are negative.
 * What equals neither parent is between them where it is below one and not below the other. */
static void counts_of_three(const uint8_t *a, const uint8_t *p, const uint8_t *r, int64_t m, int64_t *counts) {
    Shorts sp = {0}, sr = {0}, pr = {0}, everywhere = {0}, between = {0};
    for (int64_t i = 0; i < 2 * m; i += 2 * STEP) {
        prefetch(p + i);
        prefetch(r + i);
        for (int at = 0; at < 2 * STEP; at += WIDTH) {
            const Shorts x = (Shorts)words_at(a + i + at), y = (Shorts)words_at(p + i + at);
            const Shorts z = (Shorts)words_at(r + i + at), same_p = x == y, same_r = x == z;
            sp -= same_p;
            sr -= same_r;
            pr -= (Shorts)(y == z);
            everywhere -= same_p & same_r;
            between -= same_p | same_r | ((Shorts)(x < y) ^ (Shorts)(x < z) ^ ((x & (y ^ z)) >> 15));
        }
    }
    counts[3] += lanes_counted(everywhere);
    counts[4] += lanes_counted(pr);
    counts[5] += lanes_counted(between);
    counts[6] += lanes_counted(sp);
    counts[7] += lanes_counted(sr);
    counts[8] += lanes_counted(pr);
}

static void counts_of_two(const uint8_t *a, const uint8_t *r, int64_t m, int64_t *counts) {
    Shorts same = {0};
    for (int64_t i = 0; i < 2 * m; i += 2 * STEP) {
        prefetch(r + i);
        for (int at = 0; at < 2 * STEP; at += WIDTH)
            same -= (Shorts)((Shorts)words_at(a + i + at) == (Shorts)words_at(r + i + at));
    }
    const int64_t equal = lanes_counted(same);
    counts[3] += equal;
    counts[5] += equal;
    counts[6] += equal;
}

/* As words with the bf16 in their upper half, below it what rounding left; finite or infinite, no NaN of an input. */
static inline Words rounded(Floats values) {
    const Words bits = (Words)values;
    return bits + 0x7FFFu + ((bits >> 16) & 1u);
}

/* How many elements of a chunk equal bf16(first * x + second * y), in float32: each product rounded, or fused. */
static inline __attribute__((always_inline)) int64_t recipe(
    const uint8_t *a, const uint8_t *x, const uint8_t *y, int64_t m, float first, float second, int is_fused
) {
    const Floats one = (Floats){0} + first, other = (Floats){0} + second;
    Shorts same = {0};
    for (int64_t i = 0; i < 2 * m; i += WIDTH) {
        const Words s = words_at(a + i), p = words_at(x + i), r = words_at(y + i);
        Floats low = even(p) * one, high = odd(p) * one;
        low = is_fused ? fused(even(r), other, low) : low + even(r) * other;
        high = is_fused ? fused(odd(r), other, high) : high + odd(r) * other;
        same -= (Shorts)((Shorts)((rounded(high) & 0xFFFF0000u) | (rounded(low) >> 16)) == (Shorts)s);
    }
    return lanes_counted(same);
}

static int64_t recipe_of_three(
    const uint8_t *a, const uint8_t *x, const uint8_t *y, int64_t m, float first, float second, int is_fused
) {
    return is_fused ? recipe(a, x, y, m, first, second, 1) : recipe(a, x, y, m, first, second, 0);
}

#endif

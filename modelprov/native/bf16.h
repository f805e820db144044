/* Inner loops of the moments: sums in lanes, and what is done with bf16 by the word, two elements of 16 bits in each.
 *
 * A chunk stays in the first-level cache from loop to loop; what brings the next one there meanwhile are the loops'
 * prefetches, as many lines as fit their work, so that memory is never waited for by one loop and idle in the others. */
#ifndef MODELPROV_BF16_H
#define MODELPROV_BF16_H

#include "vectors.h"

enum { STEP = 32, LINE = 64, AHEAD = 4 * GROUP }; /* elements; bytes of a cache line; bytes to look ahead */
enum { MOST_RECIPES = 8 };             /* a pass tries, `RECIPES` of moments.py */
enum { MOST = 6, MOST_COLUMNS = (MOST + 1) * (MOST + 2) / 2 - 1, MOST_COUNTED = MOST * (MOST - 1) / 2 + 3 };
/* checkpoints that go by the word, their sums, and what of them is counted */

static inline int64_t pairs(int64_t n) { return n * (n - 1) / 2; }

static inline int64_t gram_columns(int64_t n) { return (n + 1) * (n + 2) / 2 - 1; }

/* Loops that fill all registers are no part of what calls them, or some of theirs are kept in memory. */
#define APART __attribute__((noinline))

static inline void prefetch(const uint8_t *at) { __builtin_prefetch(at + AHEAD, 0, 3); }

static inline Words words_at(const uint8_t *at) {
    Words words;
    memcpy(&words, at, sizeof words);
    return words;
}

/* The words from there on that are added up at once: of one chunk, or of two. */
static inline Words words_of(const uint8_t *at) {
    Words words;
    load(&words, at, CHUNK * sizeof(uint16_t));
    return words;
}

static inline Floats floats_of(const float *at) {
    Floats values;
    load(&values, at, CHUNK * sizeof *at);
    return values;
}

/* Of two bf16 numbers a word the first, and the second, as float32. */
static inline Floats even(Words words) { return (Floats)(words << 16); }

static inline Floats odd(Words words) { return (Floats)(words & 0xFFFF0000u); }

/* Sums of products of v = suspect - reference, u = parent - reference and z = reference, in the order of the columns. */
typedef struct {
    Floats vv, vu, vz, v, uu, uz, u, zz, z;
} Three;

typedef struct {
    Floats vv, vz, v, zz, z;
} Two;

#define NONE ((Floats){0})

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

/* Where the sum of one lane of a chunk of the group is, among `columns` vectors a part. */
static inline const float *lane_of(const Floats *sums, int columns, int column, int chunk, int lane) {
    const int at = chunk * LANES + lane;
    return (const float *)(sums + at / WIDE * columns + column) + at % WIDE;
}

/* Adds the lanes of each chunk, one after the other. */
static inline void put(const Floats *sums, int columns, double *part) {
    for (int chunk = 0; chunk < TOGETHER; chunk++)
        for (int column = 0; column < columns; column++) {
            double total = 0;
            for (int lane = 0; lane < LANES; lane++) total += (double)*lane_of(sums, columns, column, chunk, lane);
            part[column] += total;
        }
}

/* What a run adds up in float64 and counts in 16 bits, lane by lane; the lanes are added when the run is over, since
 * doing so for every chunk takes as long as half of its elements. */
typedef struct {
    double sums[MOST_COLUMNS * LANES];
    Shorts counted[MOST_COUNTED], recipes[MOST_RECIPES];
} Lanes;

static inline void keep(const Floats *sums, int columns, double *lanes) {
    for (int column = 0; column < columns; column++)
        for (int lane = 0; lane < LANES; lane += 4) {
            double *to = lanes + column * LANES + lane;
            Wides total;
            memcpy(&total, to, sizeof total);
            for (int chunk = 0; chunk < TOGETHER; chunk++) {
                Fours four;
                memcpy(&four, lane_of(sums, columns, column, chunk, lane), sizeof four);
                total += wide(four);
            }
            memcpy(to, &total, sizeof total);
        }
}

/* Gram of one group of three checkpoints added to `lanes`. `also` is what else is brought for the next group beside the
 * suspect. */
static APART void sums_of_three(
    const uint8_t *a, const uint8_t *p, const uint8_t *r, const uint8_t *also, double *lanes
) {
    Three sums[PARTS];
    for (int part = 0; part < PARTS; part++) sums[part] = (Three){NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE};
    for (int64_t line = 0; line < 2 * CHUNK; line += LINE) {
        for (int64_t chunk = 0; chunk < 2 * GROUP; chunk += 2 * CHUNK) {
            prefetch(a + chunk + line);
            prefetch(also + chunk + line);
        }
        for (int64_t i = line; i < line + LINE; i += 4 * LANES)
            for (int part = 0; part < PARTS; part++) {
                const int64_t at = i + part * VECTOR;
                const Words s = words_of(a + at), q = words_of(p + at), b = words_of(r + at);
                add_three(sums + part, even(s) - even(b), even(q) - even(b), even(b));
                add_three(sums + part, odd(s) - odd(b), odd(q) - odd(b), odd(b));
            }
    }
    keep((const Floats *)sums, 9, lanes);
}

static void sums_of_two(const uint8_t *a, const uint8_t *r, double *lanes) {
    Two sums[PARTS];
    for (int part = 0; part < PARTS; part++) sums[part] = (Two){NONE, NONE, NONE, NONE, NONE};
    for (int64_t line = 0; line < 2 * CHUNK; line += LINE) {
        for (int64_t chunk = 0; chunk < 2 * GROUP; chunk += 2 * CHUNK) prefetch(a + chunk + line);
        for (int64_t i = line; i < line + LINE; i += 4 * LANES)
            for (int part = 0; part < PARTS; part++) {
                const int64_t at = i + part * VECTOR;
                const Words s = words_of(a + at), b = words_of(r + at);
                add_two(sums + part, even(s) - even(b), even(b));
                add_two(sums + part, odd(s) - odd(b), odd(b));
            }
    }
    keep((const Floats *)sums, 5, lanes);
}

static inline int64_t lanes_counted(Shorts counted) {
    int64_t total = 0;
    for (int i = 0; i < VECTOR / 2; i++) total += counted[i];
    return total;
}

/* Float32 of even and of odd elements rounded to bf16 (nearest, ties to even), in their order; no NaN.
 *
 * Upper and lower halves apart: what the lower half adds to the upper one is the carry of its sum with 0x7FFF, and 1
 * where the upper half is odd. The average of two numbers of 16 bits has that carry in its uppermost bit. */
static inline Halves rounded(Floats even, Floats odd) {
    const Words low = (Words)even, high = (Words)odd;
    const Halves upper = halves_of(low >> 16, high), lower = halves_of(low, high << 16);
    return upper + (average(lower, (upper & 1) + 0x7FFE) >> 15);
}

/* A weighted sum of parents: float32 products added in an order, each rounded, or all but the first one fused. */
typedef struct {
    float weights[MOST - 1]; /* by parent, in the order of adding */
    int parents[MOST - 1], fused;
} Tried;

/* The same of parent and reference: which product is fused. */
enum { EACH_ROUNDED, REFERENCE_FUSED, PARENT_FUSED };

static inline int how_of(const Tried *tried) {
    if (!tried->fused) return EACH_ROUNDED;
    return tried->parents[0] == 0 ? REFERENCE_FUSED : PARENT_FUSED;
}

static inline float weight_of(const Tried *tried, int parent) { return tried->weights[tried->parents[0] != parent]; }

static inline Floats merged(Floats p, Floats r, Floats parent, Floats reference, int how) {
    if (how == EACH_ROUNDED) return p * parent + r * reference;
    return how == REFERENCE_FUSED ? fused(r, reference, p * parent) : fused(p, parent, r * reference);
}

static inline Halves merged_words(Words p, Words r, Floats parent, Floats reference, int how) {
    const Floats first = merged(even(p), even(r), parent, reference, how);
    return rounded(first, merged(odd(p), odd(r), parent, reference, how));
}

/* Equality and betweenness of a group, counted in lanes: suspect and parent, suspect and reference, parents; all, parents,
 * and between; then where the suspect equals a recipe, unless `how` is below zero. A lane holds 32,767 and a run gives it
 * 4,096 at most.
 *
 * The order of bf16, with -0 just below +0, is that of their bits as int16, turned around where both are negative.
 * What equals neither parent is between them where it is below one and not below the other. */
static inline __attribute__((always_inline)) void counts(
    const uint8_t *a, const uint8_t *p, const uint8_t *r, Shorts *counted, const Tried *tried, int how, Shorts *same
) {
    Shorts sp = counted[0], sr = counted[1], pr = counted[2], everywhere = counted[3], between = counted[5];
    Shorts recipe = how < 0 ? sp : *same;
    const Floats parent = NONE + (how < 0 ? 0 : weight_of(tried, 0)), reference = NONE + (how < 0 ? 0 : weight_of(tried, 1));
    for (int64_t line = 0; line < 2 * GROUP; line += LINE) {
        prefetch(r + line);
        if (how >= 0) prefetch(p + line);
        for (int64_t i = line; i < line + LINE; i += VECTOR) {
            const Words s = words_at(a + i), q = words_at(p + i), b = words_at(r + i);
            const Shorts x = (Shorts)s, y = (Shorts)q, z = (Shorts)b;
            const Mask same_p = equal(x, y), same_r = equal(x, z), turned = negative(x & (y ^ z));
            sp = counted_up(sp, same_p);
            sr = counted_up(sr, same_r);
            pr = counted_up(pr, equal(y, z));
            everywhere = counted_up(everywhere, both(same_p, same_r));
            between = counted_up(
                between, either(either(same_p, same_r), differ(differ(less(x, y), less(x, z)), turned))
            );
            if (how >= 0) recipe = counted_up(recipe, equal((Shorts)merged_words(q, b, parent, reference, how), x));
        }
    }
    counted[0] = sp;
    counted[1] = sr;
    counted[2] = pr;
    counted[3] = everywhere;
    counted[4] = pr; /* the parents are that pair */
    counted[5] = between;
    if (how >= 0) *same = recipe;
}

/* `tried` is NULL where there is no recipe. */
static APART void counts_of_three(
    const uint8_t *a, const uint8_t *p, const uint8_t *r, Shorts *counted, const Tried *tried, Shorts *same
) {
    if (tried == NULL) counts(a, p, r, counted, tried, -1, same);
    else if (how_of(tried) == EACH_ROUNDED) counts(a, p, r, counted, tried, EACH_ROUNDED, same);
    else if (how_of(tried) == REFERENCE_FUSED) counts(a, p, r, counted, tried, REFERENCE_FUSED, same);
    else counts(a, p, r, counted, tried, PARENT_FUSED, same);
}

/* Where the suspect equals one more recipe. */
static inline __attribute__((always_inline)) void equal_to(
    const uint8_t *a, const uint8_t *p, const uint8_t *r, const Tried *tried, int how, Shorts *same
) {
    const Floats parent = NONE + weight_of(tried, 0), reference = NONE + weight_of(tried, 1);
    Shorts total = *same;
    for (int64_t i = 0; i < 2 * GROUP; i += VECTOR) {
        const Halves merged = merged_words(words_at(p + i), words_at(r + i), parent, reference, how);
        total = counted_up(total, equal((Shorts)merged, (Shorts)words_at(a + i)));
    }
    *same = total;
}

static APART void recipe_of_three(
    const uint8_t *a, const uint8_t *p, const uint8_t *r, const Tried *tried, Shorts *same
) {
    if (how_of(tried) == EACH_ROUNDED) equal_to(a, p, r, tried, EACH_ROUNDED, same);
    else if (how_of(tried) == REFERENCE_FUSED) equal_to(a, p, r, tried, REFERENCE_FUSED, same);
    else equal_to(a, p, r, tried, PARENT_FUSED, same);
}

static void counts_of_two(const uint8_t *a, const uint8_t *r, Shorts *counted) {
    Shorts same = counted[0];
    for (int64_t line = 0; line < 2 * GROUP; line += LINE) {
        prefetch(r + line);
        for (int64_t i = line; i < line + LINE; i += VECTOR)
            same = counted_up(same, equal((Shorts)words_at(a + i), (Shorts)words_at(r + i)));
    }
    counted[0] = same;
}

/* The lanes of a run of n checkpoints added to its sums and its counts (columns of `moments.py`). */
static void add_lanes(const Lanes *lanes, int64_t n, double *part, int64_t *counts) {
    const int64_t columns = gram_columns(n), equals = pairs(n);
    for (int64_t column = 0; column < columns; column++)
        for (int lane = 0; lane < LANES; lane++) part[column] += lanes->sums[column * LANES + lane];
    for (int64_t pair = 0; pair < equals; pair++) counts[6 + pair] += lanes_counted(lanes->counted[pair]);
    if (n == 2) {
        const int64_t same = lanes_counted(lanes->counted[0]);
        counts[3] += same;
        counts[5] += same;
        return;
    }
    for (int64_t at = 0; at < 3; at++) counts[3 + at] += lanes_counted(lanes->counted[equals + at]);
}

#endif

/* Sums and counts of a chunk of any number of checkpoints, of any format, decoded to float32. */
#ifndef MODELPROV_PLAIN_H
#define MODELPROV_PLAIN_H

#include "work.h"

static inline Eights eights_at(const float *at) {
    Eights values;
    memcpy(&values, at, sizeof values);
    return values;
}

static inline double lanes_added(const Eights *lanes) {
    double total = 0;
    for (int part = 0; part < PARTS; part++)
        for (int i = 0; i < LANES / PARTS; i++) total += (double)lanes[part][i];
    return total;
}

enum { AT_ONCE = 5 }; /* products that are added up side by side, or each would wait for its own last sum */

/* Products of `a` with `count` rows, AT_ONCE at most, each added to its place in `part`. */
static inline __attribute__((always_inline)) void dots(
    const float *a, const float *const *rows, int count, int64_t m, double *part
) {
    Eights total[AT_ONCE][PARTS];
    memset(total, 0, sizeof total);
    for (int64_t i = 0; i < m; i += LANES)
        for (int in = 0; in < PARTS; in++) {
            const int64_t at = i + in * LANES / PARTS;
            const Eights values = eights_at(a + at);
            for (int row = 0; row < count; row++)
                total[row][in] = fused_eights(values, eights_at(rows[row] + at), total[row][in]);
        }
    for (int row = 0; row < count; row++) part[row] += lanes_added(total[row]);
}

/* Gram of one group of three checkpoints added to `part`; rows float32 [3, RUN]. */
static void gram_of_three(const float *rows, double *part) {
    Three sums[PARTS];
    memset(sums, 0, sizeof sums);
    for (int64_t i = 0; i < CHUNK; i += LANES)
        for (int in = 0; in < PARTS; in++) {
            const float *at = rows + i + in * WIDE;
            const Floats z = floats_of(at + 2 * RUN);
            add_three(sums + in, floats_of(at) - z, floats_of(at + RUN) - z, z);
        }
    put((const Floats *)sums, 9, part);
}

/* Gram of one chunk added to `part`; rows float32 [n, RUN] of which m elements count, m a multiple of 8. `deltas`
 * float32 [n, CHUNK] has a last row of ones: a sum is a product with them, bit by bit. */
static void gram(const float *rows, int64_t n, int64_t m, float *deltas, double *part) {
    const float *r = rows + (n - 1) * RUN, *factors[n + 1];
    for (int64_t i = 0; i <= n; i++) factors[i] = i == n - 1 ? r : deltas + (i < n ? i : n - 1) * CHUNK;
    for (int64_t i = 0; i < n - 1; i++)
        for (int64_t t = 0; t < m; t++) deltas[i * CHUNK + t] = rows[i * RUN + t] - r[t];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j <= n; j += AT_ONCE) {
            const float *const *with = factors + j;
            const int count = n + 1 - j < AT_ONCE ? (int)(n + 1 - j) : AT_ONCE;
            switch (count) {
            case 1: dots(factors[i], with, 1, m, part); break;
            case 2: dots(factors[i], with, 2, m, part); break;
            case 3: dots(factors[i], with, 3, m, part); break;
            case 4: dots(factors[i], with, 4, m, part); break;
            default: dots(factors[i], with, AT_ONCE, m, part);
            }
            part += count;
        }
}

static void gram_double(const float *rows, int64_t n, int64_t m, double *part) {
    const float *r = rows + (n - 1) * RUN;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j <= n; j++) {
            const float *x = rows + i * RUN, *y = rows + (j < n ? j : 0) * RUN;
            double total = 0;
            for (int64_t t = 0; t < m; t++) {
                const double a = i < n - 1 ? (double)x[t] - (double)r[t] : (double)x[t];
                const double b = j == n ? 1.0 : j < n - 1 ? (double)y[t] - (double)r[t] : (double)y[t];
                total += a * b;
            }
            *part++ = total;
        }
}

typedef int32_t Ints __attribute__((vector_size(32)));
enum { INTS = 8 };

static inline Ints ints_at(const float *at) {
    Ints bits;
    memcpy(&bits, at, sizeof bits);
    return bits;
}

static inline int64_t ints_added(Ints counted) {
    int64_t total = 0;
    for (int i = 0; i < INTS; i++) total += counted[i];
    return total;
}

static int64_t same(const float *a, const float *b, int64_t m) {
    Ints counted = {0};
    const int64_t whole = m / INTS * INTS;
    for (int64_t t = 0; t < whole; t += INTS) counted -= ints_at(a + t) == ints_at(b + t);
    int64_t total = ints_added(counted);
    for (int64_t t = whole; t < m; t++) total += bits_of(a[t]) == bits_of(b[t]);
    return total;
}

/* Integers in the order of the floats with these bits; -0 comes just below +0. */
static inline Ints keys(Ints bits) { return bits ^ ((bits >> 31) & 0x7FFFFFFF); }

static inline Ints chosen(Ints where, Ints a, Ints b) { return (a & where) | (b & ~where); }

/* Equality and betweenness of a chunk, parents rounded to the suspect's format where they do not hold its very bits. What
 * it lacks of a vector is filled up with a suspect above its parents, which differ. */
static void counts_of(const Work *work, int64_t s, const float *rows, int64_t m, Scratch *scratch) {
    const int64_t n = work->n, code = work->rounded_to[s], whole = (m + INTS - 1) / INTS * INTS;
    int64_t *counts = scratch->run;
    float *stored = scratch->stored;
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + i * RUN;
        float *kept = stored + i * CHUNK;
        if (i == 0 || work->dtype[i * work->segments + s] == code)
            memcpy(kept, row, (size_t)m * sizeof *kept);
        else if (code == BF16)
            for (int64_t t = 0; t < m; t++) kept[t] = bits_of(row[t]) == bits_of(rows[t]) ? row[t] : to_bf16(row[t]);
        else
            for (int64_t t = 0; t < m; t++) kept[t] = bits_of(row[t]) == bits_of(rows[t]) ? row[t] : store(row[t], code);
        for (int64_t t = m; t < whole; t++) kept[t] = float_of(i == 0 ? 0x7FFFFFFFu : (uint32_t)i);
    }
    int64_t *column = counts + FIRST_PAIR;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) *column++ += same(stored + i * CHUNK, stored + j * CHUNK, whole);
    Ints everywhere = {0}, parents = {0}, between = {0};
    for (int64_t t = 0; t < whole; t += INTS) {
        const Ints suspect = ints_at(stored + t), last = ints_at(stored + (n - 1) * CHUNK + t), key = keys(suspect);
        Ints low = keys(last), high = low, agree = ~(Ints){0};
        for (int64_t i = 1; i < n - 1; i++) {
            const Ints held = ints_at(stored + i * CHUNK + t), at = keys(held);
            low = chosen(at < low, at, low);
            high = chosen(at > high, at, high);
            agree &= held == last;
        }
        parents -= agree;
        everywhere -= agree & (suspect == last);
        between -= (low <= key) & (key <= high);
    }
    counts[0] += m;
    counts[3] += ints_added(everywhere);
    counts[4] += ints_added(parents) - (n == 2 ? whole - m : 0); /* there is no other parent to differ */
    counts[5] += ints_added(between);
}

#endif

/* Totals of a tensor that comes block by block, to the bits of torch's sums (`recipes/methods/totals.py`).
 *
 * `recipes/methods/loops.py` (numba) and the steps in numpy are the oracles; nothing is fused. */
#include "formats.h"

enum { ROW = 1024, LANES = 8, UNROLLED = 4, LEVELS = 4 };

/* Add the squares of `values` [n], n a multiple of LANES, to `lanes` [LANES], each to the lane of its place. */
void EXPORT(add_squares)(const float *values, int64_t n, float *lanes) {
    float sums[LANES];
    memcpy(sums, lanes, sizeof sums);
    for (int64_t i = 0; i < n; i += LANES)
        for (int lane = 0; lane < LANES; lane++) sums[lane] += values[i + lane] * values[i + lane];
    memcpy(lanes, sums, sizeof sums);
}

typedef float Level[UNROLLED * LANES];

/* Hand on what a level holds after so many steps, and so on upwards. */
static void carry(Level *levels, int64_t at, int64_t power) {
    const int64_t whole = (int64_t)1 << power;
    for (int level = 1; level < LEVELS; level++) {
        for (int lane = 0; lane < UNROLLED * LANES; lane++) {
            levels[level][lane] += levels[level - 1][lane];
            levels[level - 1][lane] = 0;
        }
        if (at & ((whole - 1) << (level * power))) return;
    }
}

static inline void add_step(const float *values, int64_t wide, float *restrict sums) {
    for (int k = 0; k < UNROLLED; k++) {
        const float *row = values + k * (wide ? 2 * LANES : LANES);
        for (int lane = 0; lane < LANES; lane++)
            sums[k * LANES + lane] += wide ? row[lane] + row[LANES + lane] : row[lane];
    }
}

/* Add `values` [n] to `levels` [LEVELS, UNROLLED, LANES] as a cascaded sum does; the number of steps so far.
 *
 * A step is UNROLLED vectors of LANES numbers, or of pairs that are added first (`wide`); n is a multiple of it. After
 * every 2**power steps a level is added to the next one. */
int64_t EXPORT(add_in_levels)(
    const float *values, int64_t n, float *levels, int64_t at, int64_t power, int64_t wide
) {
    const int64_t step = UNROLLED * LANES * (wide ? 2 : 1), whole = (int64_t)1 << power;
    Level *held = (Level *)levels;
    for (int64_t first = 0; first < n;) {
        int64_t steps = whole - (at & (whole - 1)); /* until a level is handed on */
        if (steps > (n - first) / step) steps = (n - first) / step;
        float sums[UNROLLED * LANES];
        memcpy(sums, held[0], sizeof sums);
        if (wide)
            for (int64_t i = 0; i < steps; i++) add_step(values + first + i * step, 1, sums);
        else
            for (int64_t i = 0; i < steps; i++) add_step(values + first + i * step, 0, sums);
        memcpy(held[0], sums, sizeof sums);
        first += steps * step;
        at += steps;
        if ((at & (whole - 1)) == 0) carry(held, at, power);
    }
    return at;
}

/* `out` [n] = x divided by one number times y divided by another, every operation rounded to `code`. */
void EXPORT(unit_products)(
    const float *x, const float *y, int64_t n, const float *divisors, int64_t code, float *out
) {
    const float first = divisors[0], second = divisors[1];
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        const float *a = x + at, *b = y + at;
        float one[ROW], other[ROW], *restrict row = out + at;
        for (int64_t i = 0; i < m; i++) one[i] = a[i] / first;
        for (int64_t i = 0; i < m; i++) other[i] = b[i] / second;
        round_all(one, m, code);
        round_all(other, m, code);
        for (int64_t i = 0; i < m; i++) row[i] = one[i] * other[i];
        round_all(row, m, code);
    }
}

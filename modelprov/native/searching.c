/* Loops over sampled elements: decoded, with their rounding cells, and held against recipes.
 *
 * `checkpoints/formats/dtypes.py` and `forensics/search/recipes.py` have the same in numpy, their oracles.
 * Compiled without contraction: the bits are those of `arithmetics.h`. */
#include "arithmetics.h"

enum { PIECE = 1024 };

/* How many of m elements of a weighted sum have the bits of `suspect`; -1 as soon as more than `spare` have others. */
int64_t EXPORT(count_equal)(
    int64_t arithmetic, const float *parents, int64_t k, int64_t stride, const double *weights, const int64_t *order,
    int64_t code, const uint32_t *suspect, int64_t m, int64_t spare
) {
    float out[PIECE];
    int64_t others = 0;
    for (int64_t first = 0; first < m; first += PIECE) {
        const int64_t taken = m - first < PIECE ? m - first : PIECE;
        const Merge merge = {parents + first, stride, k, weights, order};
        evaluate(arithmetic, &merge, code, out, taken);
        int32_t apart = 0;
        for (int64_t i = 0; i < taken; i++) apart += bits_of(out[i]) != suspect[first + i];
        others += apart;
        if (others > spare) return -1;
    }
    return m - others;
}

static inline uint64_t long_bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Stored bytes of m elements as double, exactly. */
void EXPORT(widen)(const uint8_t *raw, int64_t code, int64_t m, double *restrict out) {
    if (code == F64) {
        memcpy(out, raw, (size_t)m * sizeof *out);
        return;
    }
    float values[PIECE];
    for (int64_t first = 0; first < m; first += PIECE) {
        const int64_t taken = m - first < PIECE ? m - first : PIECE;
        decode(raw + size_of(code) * first, code, taken, values);
        for (int64_t i = 0; i < taken; i++) out[first + i] = (double)values[i];
    }
}

/* Bounds of the numbers that a format stores as these values: half a unit in the last place away, a quarter towards
 * zero of a power of two. `unit` is that of 1, `smallest` that of a subnormal. */
void EXPORT(rounding_cells)(
    const double *restrict values, double unit, double smallest, double *restrict lower, double *restrict upper,
    int64_t m
) {
    for (int64_t i = 0; i < m; i++) {
        const double value = values[i];
        const uint64_t bits = long_bits_of(value);
        const double spaced = double_of(bits & 0x7FF0000000000000u) * unit, ulp = spaced > smallest ? spaced : smallest;
        const double half = ulp * 0.5;
        const int power = (bits & 0x000FFFFFFFFFFFFFu) == 0 && ulp > smallest;
        const double inner = power ? half * 0.5 : half;
        lower[i] = value - (value > 0 ? inner : half);
        upper[i] = value + (value > 0 ? half : inner);
    }
}

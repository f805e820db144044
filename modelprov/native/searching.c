/* Loops over sampled elements: decoded, with their rounding cells, and held against recipes.
 *
 * `checkpoints/formats/dtypes.py` and `forensics/search/recipes.py` have the same in numpy, their oracles.
 * Compiled without contraction: the bits are those of `arithmetics.h`. */
#include <math.h>

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

/* Elements held against the bits of a weighted sum of which one weight is moved; `moved` is room for k weights. */
typedef struct {
    int64_t arithmetic, k, stride, code, m, spare, parent, highest;
    const float *parents;
    const double *weights;
    const int64_t *order;
    const uint32_t *suspect;
    double *moved;
} Search;

/* The parent, of those that a recipe takes, that has what the weights of the others leave. */
static inline int64_t highest_of(const Merge *of) {
    int64_t highest = of->order[0];
    for (int64_t step = 1; step < of->k; step++) highest = of->order[step] > highest ? of->order[step] : highest;
    return highest;
}

/* Whether no more than `spare` elements have other bits with the weight moved `by` so much, the highest taking the rest. */
static int holds(const Search *of, double by) {
    const double twelve_digits = 1e12, last = of->weights[of->highest], own = of->weights[of->parent];
    const double rest = last + own - (own + by);
    of->moved[of->highest] = (rint(rest * twelve_digits) + 0.0) / twelve_digits; /* + 0.0: no negative zero */
    of->moved[of->parent] = own + by;
    return EXPORT(count_equal)(of->arithmetic, of->parents, of->k, of->stride, of->moved, of->order, of->code,
                               of->suspect, of->m, of->spare) >= 0;
}

/* The largest distance up to `limit` by which the weight of `parent` may go in the direction of `sign` with no more
 * than `spare` of m elements having other bits: doubled from `start`, then halved, as `reach` of
 * `forensics/search/same_bits.py` does, to the bit. */
double EXPORT(reach)(
    int64_t arithmetic, const float *parents, int64_t k, int64_t stride, const double *weights, const int64_t *order,
    int64_t code, const uint32_t *suspect, int64_t m, int64_t spare, int64_t parent, double sign, double start,
    double limit, int64_t halvings, double *moved
) {
    const Merge given = {parents, stride, k, weights, order}, taken = taken_of(&given);
    const Search of = {
        arithmetic, k, stride, code, m, spare, parent, highest_of(&taken), parents, weights, order, suspect, moved,
    };
    memcpy(moved, weights, (size_t)k * sizeof *moved);
    if (holds(&of, sign * limit)) return limit;
    double inside = 0, outside = limit;
    for (double distance = start; 0 < distance && distance < limit; distance *= 2) {
        if (!holds(&of, sign * distance)) {
            outside = distance;
            break;
        }
        inside = distance;
    }
    for (int64_t i = 0; i < halvings; i++) {
        const double middle = (inside + outside) / 2;
        if (holds(&of, sign * middle)) inside = middle;
        else outside = middle;
    }
    return inside;
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

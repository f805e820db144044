/* Loops of the search for recipes over sampled elements; `forensics/search/recipes.py` has the same in numpy.
 *
 * Compiled without contraction: the bits are those of `arithmetics.h`. */
#include "arithmetics.h"

#define JOINED(a, b) a##_##b
#define NAMED(a, b) JOINED(a, b)
#define EXPORT(name) NAMED(modelprov_##name, VARIANT)

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

/* Sizes of rows and columns of matrices, and how far two samples are apart; `forensics/search/sizes.py` and
 * `forensics/search/profiles.py` have the same in numpy, their oracles, to the bit.
 *
 * Compiled without contraction: nothing is fused. */
#include "formats.h"

enum { STRAIGHT = 8, BLOCK = 128 };

/* A sum in numpy's order: eight sums side by side of 128 elements at most, of more the sum of the sums of two halves
 * (pairwise; N. Higham 1993). */
static double pairwise(const double *values, int64_t n) {
    if (n > BLOCK) {
        const int64_t half = n / 2 - n / 2 % STRAIGHT;
        return pairwise(values, half) + pairwise(values + half, n - half);
    }
    if (n < STRAIGHT) {
        double total = 0;
        for (int64_t i = 0; i < n; i++) total += values[i];
        return total;
    }
    double lanes[STRAIGHT];
    memcpy(lanes, values, sizeof lanes);
    int64_t i = STRAIGHT;
    for (; i + STRAIGHT <= n; i += STRAIGHT)
        for (int lane = 0; lane < STRAIGHT; lane++) lanes[lane] += values[i + lane];
    double total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    for (; i < n; i++) total += values[i];
    return total;
}

/* Stored numbers squared; what is not finite is 0. */
static void squared(const uint8_t *raw, int64_t code, int64_t n, double *restrict out) {
    if (code == F64) {
        for (int64_t i = 0; i < n; i++) {
            double value;
            memcpy(&value, raw + 8 * i, sizeof value);
            const double finite = fabs(value) <= 0x1.fffffffffffffp1023 ? value : 0;
            out[i] = finite * finite;
        }
        return;
    }
    enum { PIECE = 1024 };
    float values[PIECE];
    for (int64_t first = 0; first < n; first += PIECE) {
        const int64_t taken = n - first < PIECE ? n - first : PIECE;
        decode(raw + size_of(code) * first, code, taken, values);
        for (int64_t i = 0; i < taken; i++) {
            const uint32_t bits = bits_of(values[i]);
            const double finite = (double)float_of((bits & 0x7F800000u) == 0x7F800000u ? 0 : bits);
            out[first + i] = finite * finite;
        }
    }
}

/* Sums of squares of whole rows of a stored matrix: `by_row` [rows] is filled, `by_column` [columns] added to. Squares are
 * multiplied by `of_columns` [columns] and by `of_rows` [rows], where those are not NULL. `scratch` is room for a row. */
void EXPORT(squares)(
    const uint8_t *raw, int64_t code, int64_t rows, int64_t columns, const double *of_columns, const double *of_rows,
    double *restrict by_row, double *restrict by_column, double *restrict scratch
) {
    const int64_t size = code == F64 ? 8 : size_of(code);
    for (int64_t row = 0; row < rows; row++) {
        squared(raw + size * columns * row, code, columns, scratch);
        if (of_columns != NULL)
            for (int64_t i = 0; i < columns; i++) scratch[i] *= of_columns[i];
        if (of_rows != NULL)
            for (int64_t i = 0; i < columns; i++) scratch[i] *= of_rows[row];
        for (int64_t i = 0; i < columns; i++) by_column[i] += scratch[i];
        by_row[row] = pairwise(scratch, columns);
    }
}

/* The two-sample Kolmogorov-Smirnov distance, times n, of every two samples of n ascending numbers each, `first` [p, n] and
 * `second` [q, n]; equal numbers count as far apart as they could be. */
void EXPORT(apart)(const double *first, int64_t p, const double *second, int64_t q, int64_t n, int64_t *restrict found) {
    for (int64_t row = 0; row < p; row++)
        for (int64_t other = 0; other < q; other++) {
            const double *const a = first + n * row, *const b = second + n * other;
            int64_t most = 0, i = 0, j = 0, k = 0, l = 0;
            /* Two walks through both in order: of equal numbers the first sample's come first, then the second's. */
            while (i < n && j < n && k < n && l < n) {
                const int64_t later = b[j] < a[i], sooner = a[k] < b[l];
                j += later;
                i += !later;
                k += sooner;
                l += !sooner;
                const int64_t ahead = i - j, behind = l - k, further = ahead > behind ? ahead : behind;
                most = further > most ? further : most;
            }
            for (; i < n && j < n; most = i - j > most ? i - j : most) {
                const int64_t later = b[j] < a[i];
                j += later;
                i += !later;
            }
            for (; k < n && l < n; most = l - k > most ? l - k : most) {
                const int64_t sooner = a[k] < b[l];
                k += sooner;
                l += !sooner;
            }
            found[q * row + other] = most;
        }
}

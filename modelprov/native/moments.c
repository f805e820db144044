/* Moments of segments in memory, in C; the loops of `forensics/sums/kernels/numba_loops.py`, which is its oracle.
 *
 * Compiled once a kind of processor (VARIANT names it, `build.py` has their flags) from plain C and vectors. Runs of
 * 4,096 elements in chunks of 1,024: float32 lanes within a chunk, float64 across. Nothing is fused but where the
 * sources say so, and every variant returns the same bits. What lies in files is read into a window that stays in the
 * processor's cache: maps of them would be slower to make and to give back than to read. */
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#include <stdlib.h>

#include "plain.h"
#include "stored.h"
#include "words.h"

static const double TINY = 1e-27; /* below this, squares may have been lost to underflow: add in float64 instead */

static void decode_all(const Work *work, int64_t s, int64_t first, int64_t m, Scratch *scratch) {
    for (int64_t i = 0; i < work->n; i++)
        decode(element(work, scratch, i, s, first), work->dtype[i * work->segments + s], m, scratch->values + i * RUN);
}

/* Elements of a segment that a window holds of every checkpoint, whole runs. */
static int64_t held_at_once(const Work *work, int64_t s) {
    int64_t widest = 2;
    for (int64_t i = 0; i < work->n; i++)
        if (size_of(work->dtype[i * work->segments + s]) > widest) widest = size_of(work->dtype[i * work->segments + s]);
    return WINDOW / widest;
}

/* Read m elements of what lies in files; 0 where that fails. */
static int bring(const Work *work, int64_t s, int64_t first, int64_t m, Scratch *scratch) {
    scratch->begins = first;
    for (int64_t i = 0; i < work->n; i++) {
        const int64_t at = i * work->segments + s, size = size_of(work->dtype[at]);
        if (work->descriptor[i] < 0) continue;
        uint8_t *window = scratch->window + i * WINDOW;
        if (!read_at(work->descriptor[i], window, size * m, work->start[at] + size * first)) return 0;
    }
    return 1;
}

/* Move the elements that are finite in every checkpoint to the front; how many there are. */
static int64_t drop_nonfinite(float *values, int64_t n, int64_t m) {
    int64_t kept = 0;
    for (int64_t t = 0; t < m; t++) {
        int finite = 1;
        for (int64_t i = 0; i < n; i++) finite &= (bits_of(values[i * RUN + t]) & 0x7F800000u) != 0x7F800000u;
        if (!finite) continue;
        for (int64_t i = 0; i < n; i++) values[i * RUN + kept] = values[i * RUN + t];
        kept++;
    }
    return kept;
}

/* Whether the float32 sums of a run can be trusted: all finite, and no sum of squares lost to underflow.
 *
 * A delta's squares may add up to nothing only where all its elements are equal, by the counts of the run; those are
 * taken in the suspect's format, so with several formats (not `one_format`) they prove nothing. */
static int in_range(const Scratch *scratch, int64_t n, int64_t m, int one_format) {
    const double *part = scratch->part;
    for (int64_t c = 0; c < gram_columns(n); c++)
        if (!isfinite(part[c])) return 0;
    int64_t column = 0, pair = FIRST_PAIR - 1;
    for (int64_t i = 0; i < n; i++) {
        pair += n - 1 - i; /* the column that counts where checkpoint i equals the last */
        if (part[column] < TINY && (i == n - 1 || part[column] != 0 || scratch->run[pair] != m || !one_format)) return 0;
        column += n + 1 - i;
    }
    return m > 0;
}

/* Products of a run's own sums: <u_i,u_i>, <u_i,v>. */
static void jackknife(double *part, int64_t n) {
    double *to = part + gram_columns(n);
    int64_t row = n + 1;
    for (int64_t parent = 1; parent < n - 1; parent++) {
        const double a = part[row], c = part[parent];
        *to++ = a * a;
        *to++ = a * c;
        *to++ = c * c;
        row += n + 1 - parent;
    }
}

static void count_recipes(const Work *work, int64_t s, int64_t m, int words_too, Scratch *scratch) {
    for (int64_t k = 0; k < work->recipes; k++) {
        if (!words_too && scratch->in_words[k]) continue;
        const Merge merge = merge_of(work, s, k, scratch->values);
        evaluate(work->arithmetic[k], &merge, work->rounded_to[s], scratch->out, m);
        scratch->run[FIRST_PAIR + pairs(work->n) + k] += same(scratch->values, scratch->out, m);
    }
}

static void plain_run(const Work *work, int64_t s, int64_t first, int64_t m, Scratch *scratch) {
    float *values = scratch->values;
    decode_all(work, s, first, m, scratch);
    const int64_t whole = (m + GROUP - 1) / GROUP * GROUP;
    for (int64_t i = 0; i < work->n; i++)
        for (int64_t t = m; t < whole; t++) values[i * RUN + t] = 0;
    for (int64_t done = 0; done < m; done += CHUNK) {
        const int64_t taken = m - done < CHUNK ? m - done : CHUNK;
        if (work->n != 3)
            gram(values + done, work->n, (taken + LANES - 1) / LANES * LANES, scratch->deltas, scratch->part);
        else if (done % GROUP == 0) gram_of_three(values + done, scratch->part);
        counts_of(work, s, values + done, taken, scratch);
    }
}

static void exact_run(const Work *work, int64_t s, int64_t first, int64_t m, Scratch *scratch, int64_t *counts) {
    const int64_t n = work->n;
    decode_all(work, s, first, m, scratch);
    const int64_t kept = drop_nonfinite(scratch->values, n, m);
    memset(scratch->part, 0, (size_t)(gram_columns(n) + 3 * (n - 2)) * sizeof *scratch->part);
    memset(scratch->run, 0, (size_t)(FIRST_PAIR + pairs(n) + work->recipes) * sizeof *scratch->run);
    counts[1] += m - kept;
    if (kept == 0) return;
    gram_double(scratch->values, n, kept, scratch->part);
    for (int64_t done = 0; done < kept; done += CHUNK)
        counts_of(work, s, scratch->values + done, kept - done < CHUNK ? kept - done : CHUNK, scratch);
    count_recipes(work, s, kept, 1, scratch);
    scratch->run[2] += 1;
}

static int segment(const Work *work, int64_t s, int64_t columns, int64_t row, Scratch *scratch) {
    const int64_t n = work->n;
    int64_t *counts = work->counts + s * columns;
    double *sums = work->sums + s * row;
    int one_format = 1;
    for (int64_t i = 0; i < n; i++) one_format &= work->dtype[i * work->segments + s] == work->rounded_to[s];
    const int words = n <= MOST && one_format && work->rounded_to[s] == BF16;
    for (int64_t k = 0; k < work->recipes; k++) {
        const Merge merge = merge_of(work, s, k, scratch->values);
        scratch->in_words[k] = words && n >= 3 && merge.k == n - 1 && work->arithmetic[k] <= FLOAT32_FUSED
                               && total_of(merge.weights, merge.order, merge.k) == 1.0f;
    }
    const int64_t at_once = held_at_once(work, s);
    for (int64_t first = 0; first < work->count[s]; first += RUN) {
        const int64_t left = work->count[s] - first;
        if (first % at_once == 0 && !bring(work, s, first, left < at_once ? left : at_once, scratch)) return 0;
        const int64_t m = left < RUN ? left : RUN;
        memset(scratch->part, 0, (size_t)row * sizeof *scratch->part);
        memset(scratch->run, 0, (size_t)columns * sizeof *scratch->run);
        (words ? words_run : plain_run)(work, s, first, m, scratch);
        if (in_range(scratch, n, m, one_format)) {
            int rest = 0;
            for (int64_t k = 0; k < work->recipes; k++) rest |= !scratch->in_words[k];
            if (words && rest) decode_all(work, s, first, m, scratch);
            count_recipes(work, s, m, 0, scratch);
            scratch->run[2] += 1;
        } else {
            exact_run(work, s, first, m, scratch, counts);
        }
        jackknife(scratch->part, n);
        for (int64_t c = 0; c < row; c++) sums[c] += scratch->part[c];
        for (int64_t c = 0; c < columns; c++) counts[c] += scratch->run[c];
    }
    return 1;
}

/* Adds every segment's moments to its row of `counts` and `sums`; 1 where there is no memory, 2 where a segment is not
 * within its buffer, 3 where a file cannot be read. Layouts of the arrays: `kernels/interface.py`. */
int EXPORT(moments)(const Work *work) {
    const int64_t n = work->n, columns = FIRST_PAIR + pairs(n) + MOST_RECIPES, row = gram_columns(n) + 3 * (n - 2);
    for (int64_t s = 0; s < work->segments; s++)
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = i * work->segments + s, start = work->start[at];
            if (start < 0) return 2;
            if (work->descriptor[i] < 0 && start + size_of(work->dtype[at]) * work->count[s] > work->size[i]) return 2;
        }
    const size_t floats = (size_t)(n * RUN + 2 * n * CHUNK + RUN) * sizeof(float);
    const size_t wide = (size_t)(columns + row) * 8;
    uint8_t *held = malloc((size_t)(n * WINDOW) + wide + floats + (size_t)(work->recipes + 1) * sizeof(int));
    if (held == NULL) return 1;
    Lanes lanes;
    Scratch scratch;
    scratch.lanes = &lanes;
    scratch.window = held;
    scratch.part = (double *)(held + n * WINDOW);
    scratch.run = (int64_t *)(scratch.part + row);
    scratch.values = (float *)(scratch.run + columns);
    scratch.stored = scratch.values + n * RUN;
    scratch.deltas = scratch.stored + n * CHUNK;
    scratch.out = scratch.deltas + n * CHUNK;
    for (float *ones = scratch.out - CHUNK; ones < scratch.out; ones++) *ones = 1;
    scratch.in_words = (int *)(scratch.out + RUN);
    int read = 1;
    for (int64_t s = 0; read && s < work->segments; s++) read = segment(work, s, columns, row, &scratch);
    free(held);
    return read ? 0 : 3;
}

/* `evaluate` of `arithmetics.h` on whole arrays. */
void EXPORT(evaluate)(
    int64_t arithmetic, const float *parents, int64_t k, int64_t stride, const double *weights, const int64_t *order,
    int64_t code, float *out, int64_t m
) {
    const Merge merge = {parents, stride, k, weights, order};
    evaluate(arithmetic, &merge, code, out, m);
}

/* The share of the standard normal distribution below each value; relative error 1e-15 (`estimators/normal.py`). */
void EXPORT(cumulative)(const double *values, double *out, int64_t m) {
    for (int64_t i = 0; i < m; i++) {
        const double scaled = values[i] * 0.70710678118654757;
        if (fabs(scaled) < 1.0) out[i] = 0.5 + 0.5 * erf(scaled);
        else out[i] = scaled < 0.0 ? 0.5 * erfc(-scaled) : 1.0 - 0.5 * erfc(scaled);
    }
}

/* `values` rounded to bf16, as float32; what is not finite stays as it is. */
void EXPORT(round_bf16)(const float *values, float *out, int64_t m) {
    for (int64_t i = 0; i < m; i++) {
        const uint32_t bits = bits_of(values[i]), nearest = bf16_bits(values[i]);
        out[i] = float_of((bits & 0x7F800000u) == 0x7F800000u ? bits : nearest);
    }
}

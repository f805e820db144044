/* The exact arithmetics of known merging programs in C; the same bits as `recipes/arithmetics_compiled.py`, its oracle.
 *
 * Compiled without contraction and without fast-math: a product and a sum are fused where `fmaf` says so, nowhere else.
 * `parents` float32 [k, stride] (the reference last), `weights` double [k], `order` int64 [k], `out` float32 [m]. A recipe
 * that leaves parents out has an order of those it takes, and -1 behind; the last of them is its reference. */
#ifndef MODELPROV_ARITHMETICS_H
#define MODELPROV_ARITHMETICS_H

#include "formats.h"

enum {
    FLOAT32, FLOAT32_FUSED, FLOAT32_DELTA, FLOAT32_DELTA_FUSED, FLOAT64, STEPWISE, STEPWISE_UNNORMALISED,
    STEPWISE_DELTA, FLOAT32_LERP, TORCH_SUM, TORCH_DELTA, TORCH_ALPHA, TORCH_LERP, TORCH_ALPHA_FROM_ZERO,
    TORCH_DELTA_ALPHA, TORCH_DELTA_SUM, FLOAT32_MEAN, TORCH_MEAN
};

typedef struct {
    const float *parents;
    int64_t stride, k;
    const double *weights;
    const int64_t *order;
} Merge;

static inline const float *row_of(const Merge *of, int64_t j) { return of->parents + j * of->stride; }

/* The same of the parents that it takes. */
static inline Merge taken_of(const Merge *of) {
    Merge taken = *of;
    for (taken.k = 0; taken.k < of->k && of->order[taken.k] >= 0;) taken.k++;
    return taken;
}

/* What differences are taken from: the last in the order. */
static inline const float *reference_of(const Merge *of) { return row_of(of, of->order[of->k - 1]); }

static inline float total_of(const double *weights, const int64_t *order, int64_t k) {
    float total = 0;
    for (int64_t j = 0; j < k; j++) total = total + (float)weights[order[j]];
    return total;
}

static void weighted_sum(const Merge *of, int fused, int64_t code, float *restrict out, int64_t m) {
    for (int64_t step = 0; step < of->k; step++) {
        const float *restrict row = row_of(of, of->order[step]);
        const float weight = (float)of->weights[of->order[step]];
        if (step == 0)
            for (int64_t i = 0; i < m; i++) out[i] = row[i] * weight;
        else if (fused)
            for (int64_t i = 0; i < m; i++) out[i] = fmaf(row[i], weight, out[i]);
        else
            for (int64_t i = 0; i < m; i++) out[i] = row[i] * weight + out[i];
    }
    const float total = total_of(of->weights, of->order, of->k);
    if (total != 1.0f)
        for (int64_t i = 0; i < m; i++) out[i] = out[i] / total;
    round_all(out, m, code);
}

static void reference_plus_deltas(const Merge *of, int fused, int64_t code, float *restrict out, int64_t m) {
    const float *restrict reference = reference_of(of);
    const int single = fused && of->k == 2;
    for (int64_t i = 0; i < m; i++) out[i] = single ? reference[i] : 0.0f;
    for (int64_t step = 0; step < of->k - 1; step++) {
        const int64_t j = of->order[step];
        const float *restrict row = row_of(of, j);
        const float weight = (float)of->weights[j];
        if (fused)
            for (int64_t i = 0; i < m; i++) out[i] = fmaf(row[i] - reference[i], weight, out[i]);
        else
            for (int64_t i = 0; i < m; i++) out[i] = out[i] + (row[i] - reference[i]) * weight;
    }
    if (!single)
        for (int64_t i = 0; i < m; i++) out[i] = reference[i] + out[i];
    round_all(out, m, code);
}

static void weighted_double(const Merge *of, int64_t code, float *restrict out, int64_t m) {
    enum { AT_A_TIME = 256 }; /* totals that the nearest cache holds */
    double total[AT_A_TIME];
    for (int64_t first = 0; first < m; first += AT_A_TIME) {
        const int64_t count = m - first < AT_A_TIME ? m - first : AT_A_TIME;
        for (int64_t i = 0; i < count; i++) total[i] = 0;
        for (int64_t step = 0; step < of->k; step++) {
            const float *restrict row = row_of(of, of->order[step]) + first;
            const double weight = of->weights[of->order[step]];
            for (int64_t i = 0; i < count; i++) total[i] += (double)row[i] * weight;
        }
        for (int64_t i = 0; i < count; i++) out[first + i] = code == F32 ? (float)total[i] : to_odd(total[i]);
    }
    round_all(out, m, code);
}

static void stepwise(const Merge *of, int normalise, int64_t code, float *restrict out, int64_t m) {
    float total = 0;
    for (int64_t step = 0; step < of->k; step++) total = total + store((float)of->weights[of->order[step]], code);
    total = store(total, code);
    for (int64_t i = 0; i < m; i++) out[i] = 0;
    for (int64_t step = 0; step < of->k; step++) {
        const float *restrict row = row_of(of, of->order[step]);
        const float weight = store((float)of->weights[of->order[step]], code);
        for (int64_t i = 0; i < m; i++) out[i] = out[i] + store(row[i] * weight, code);
    }
    round_all(out, m, code);
    if (normalise && total != 1.0f) {
        for (int64_t i = 0; i < m; i++) out[i] = out[i] / total;
        round_all(out, m, code);
    }
}

/* The reference and a sum of differences: in torch weights are float32 numbers, and each sum is rounded. */
static void rounded_deltas(const Merge *of, int torch, int64_t code, float *restrict out, int64_t m) {
    const float *restrict reference = reference_of(of);
    for (int64_t i = 0; i < m; i++) out[i] = 0;
    for (int64_t step = 0; step < of->k - 1; step++) {
        const int64_t j = of->order[step];
        const float *restrict row = row_of(of, j);
        const float weight = torch ? (float)of->weights[j] : store((float)of->weights[j], code);
        for (int64_t i = 0; i < m; i++) out[i] = out[i] + store(store(row[i] - reference[i], code) * weight, code);
        if (torch) round_all(out, m, code);
    }
    round_all(out, m, code);
    for (int64_t i = 0; i < m; i++) out[i] = reference[i] + out[i];
    round_all(out, m, code);
}

static void interpolated(const Merge *of, int64_t code, float *restrict out, int64_t m) {
    const float *restrict first = row_of(of, of->order[0]), *restrict second = row_of(of, of->order[1]);
    float weight = (float)of->weights[of->order[0]];
    const int near_first = !(weight < 0.5f);
    const float *restrict base = near_first ? first : second;
    if (near_first) weight = -(1.0f - weight);
    for (int64_t i = 0; i < m; i++) out[i] = base[i] + weight * (first[i] - second[i]);
    round_all(out, m, code);
}

static void torch_sum(const Merge *of, int alpha, int from_zero, int64_t code, float *restrict out, int64_t m) {
    for (int64_t step = 0; step < of->k; step++) {
        const float *restrict row = row_of(of, of->order[step]);
        float weight = (float)of->weights[of->order[step]];
        if (alpha && (step || from_zero)) weight = store(weight, code);
        if (step == 0 && from_zero)
            for (int64_t i = 0; i < m; i++) out[i] = row[i] * weight + 0.0f;
        else if (step == 0)
            for (int64_t i = 0; i < m; i++) out[i] = row[i] * weight;
        else if (alpha) {
            for (int64_t i = 0; i < m; i++) out[i] = fmaf(row[i], weight, out[i]);
        } else
            for (int64_t i = 0; i < m; i++) out[i] = out[i] + store(row[i] * weight, code);
        round_all(out, m, code);
    }
}

static void torch_delta(const Merge *of, int alpha, int64_t code, float *restrict out, int64_t m) {
    const float *restrict reference = reference_of(of);
    for (int64_t i = 0; i < m; i++) out[i] = reference[i];
    for (int64_t step = 0; step < of->k - 1; step++) {
        const int64_t j = of->order[step];
        const float *restrict row = row_of(of, j);
        const float weight = alpha ? store((float)of->weights[j], code) : (float)of->weights[j];
        if (alpha)
            for (int64_t i = 0; i < m; i++) out[i] = fmaf(store(row[i] - reference[i], code), weight, out[i]);
        else
            for (int64_t i = 0; i < m; i++) out[i] = out[i] + store(store(row[i] - reference[i], code) * weight, code);
        round_all(out, m, code);
    }
}

/* Weights in multiples of the largest, sums rounded to `steps`, then divided by the sum of the multiples. */
static void mean(const Merge *of, int64_t steps, int64_t code, float *restrict out, int64_t m) {
    double unit = 0;
    for (int64_t step = 0; step < of->k; step++) unit = fmax(unit, fabs(of->weights[of->order[step]]));
    if (unit == 0) unit = 1;
    float total = 0;
    for (int64_t i = 0; i < m; i++) out[i] = 0;
    for (int64_t step = 0; step < of->k; step++) {
        const float *restrict row = row_of(of, of->order[step]);
        const float weight = (float)(of->weights[of->order[step]] / unit);
        total = total + weight;
        for (int64_t i = 0; i < m; i++) out[i] = out[i] + store(row[i] * weight, steps);
        round_all(out, m, steps);
    }
    for (int64_t i = 0; i < m; i++) out[i] = out[i] / total;
    round_all(out, m, code);
}

static void torch_lerp(const Merge *of, int64_t code, float *restrict out, int64_t m) {
    const float *restrict start = row_of(of, of->order[0]), *restrict end = row_of(of, of->order[1]);
    float weight = (float)of->weights[of->order[1]];
    const int near_start = fabsf(weight) < 0.5f;
    const float *restrict base = near_start ? start : end;
    if (!near_start) weight = weight - 1.0f;
    for (int64_t i = 0; i < m; i++) out[i] = fmaf(weight, end[i] - start[i], base[i]);
    round_all(out, m, code);
}

static void evaluate(int64_t arithmetic, const Merge *given, int64_t code, float *out, int64_t m) {
    const Merge taken = taken_of(given), *of = &taken;
    switch (arithmetic) {
    case FLOAT32: case FLOAT32_FUSED: weighted_sum(of, arithmetic == FLOAT32_FUSED, code, out, m); break;
    case FLOAT32_DELTA: case FLOAT32_DELTA_FUSED:
        reference_plus_deltas(of, arithmetic == FLOAT32_DELTA_FUSED, code, out, m); break;
    case FLOAT64: weighted_double(of, code, out, m); break;
    case STEPWISE: case STEPWISE_UNNORMALISED: stepwise(of, arithmetic == STEPWISE, code, out, m); break;
    case STEPWISE_DELTA: case TORCH_DELTA_SUM:
        rounded_deltas(of, arithmetic == TORCH_DELTA_SUM, code, out, m); break;
    case FLOAT32_LERP: interpolated(of, code, out, m); break;
    case TORCH_SUM: case TORCH_ALPHA: case TORCH_ALPHA_FROM_ZERO:
        torch_sum(of, arithmetic != TORCH_SUM, arithmetic == TORCH_ALPHA_FROM_ZERO, code, out, m); break;
    case TORCH_DELTA: case TORCH_DELTA_ALPHA: torch_delta(of, arithmetic == TORCH_DELTA_ALPHA, code, out, m); break;
    case FLOAT32_MEAN: case TORCH_MEAN: mean(of, arithmetic == TORCH_MEAN ? code : F32, code, out, m); break;
    default: torch_lerp(of, code, out, m);
    }
}

#endif

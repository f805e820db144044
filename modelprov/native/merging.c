/* Loops of merges: tensors read, weighed, moved by their changes and stored; the bits of `recipes/methods`.
 *
 * `recipes/methods/loops.py` (numba) and the steps in numpy are their oracles. Numbers are float32 of finite values and
 * `code` is the format that every operation is rounded to. Compiled without contraction: nothing is fused. */
#include <stdlib.h>

#include "arithmetics.h"

enum { ROW = 1024 };

/* Stored bytes of m elements as float32, and whether all of them are finite. */
int64_t EXPORT(load)(const uint8_t *raw, int64_t code, int64_t m, float *out) {
    decode(raw, code, m, out);
    uint32_t infinite = 0;
    for (int64_t i = 0; i < m; i++) infinite |= (bits_of(out[i]) & 0x7F800000u) == 0x7F800000u;
    return !infinite;
}

/* Whether m stored numbers are finite. */
int64_t EXPORT(all_finite)(const uint8_t *raw, int64_t code, int64_t m) {
    if (code == F32) {
        uint32_t infinite = 0;
        for (int64_t i = 0; i < m; i++) {
            uint32_t bits;
            memcpy(&bits, raw + 4 * i, sizeof bits);
            infinite |= (bits & 0x7F800000u) == 0x7F800000u;
        }
        return !infinite;
    }
    const uint16_t exponent = code == F16 ? 0x7C00 : 0x7F80;
    uint16_t found = 0;
    for (int64_t i = 0; i < m; i++) {
        uint16_t half;
        memcpy(&half, raw + 2 * i, sizeof half);
        found |= (uint16_t)((half & exponent) == exponent);
    }
    return !found;
}

/* Numbers that bf16 holds as its stored bytes. */
void EXPORT(pack_bf16)(const float *values, int64_t m, uint8_t *out) {
    for (int64_t i = 0; i < m; i++) {
        const uint16_t half = (uint16_t)(bits_of(values[i]) >> 16);
        memcpy(out + 2 * i, &half, sizeof half);
    }
}

/* Weighted sums of stored bytes: `raw` [k, stride] of formats `codes` [k] into `out` of bf16 or float32. */
int EXPORT(weighted)(
    int64_t arithmetic, const uint8_t *raw, int64_t stride, int64_t k, const int64_t *codes, const double *weights,
    const int64_t *order, int64_t out_code, int64_t n, uint8_t *out
) {
    float *parents = malloc((size_t)k * ROW * sizeof *parents), row[ROW];
    if (parents == NULL) return 1;
    const Merge merge = {parents, ROW, k, weights, order};
    for (int64_t first = 0; first < n; first += ROW) {
        const int64_t m = n - first < ROW ? n - first : ROW;
        for (int64_t j = 0; j < k; j++)
            decode(raw + j * stride + size_of(codes[j]) * first, codes[j], m, parents + j * ROW);
        evaluate(arithmetic, &merge, out_code, row, m);
        if (out_code == F32) {
            memcpy(out + 4 * first, row, (size_t)m * sizeof *row);
            continue;
        }
        uint16_t halves[ROW];
        for (int64_t i = 0; i < m; i++) halves[i] = (uint16_t)(bits_of(row[i]) >> 16);
        memcpy(out + 2 * first, halves, (size_t)m * sizeof *halves);
    }
    free(parents);
    return 0;
}

static inline __attribute__((always_inline)) float in_format(float value, int64_t code) {
    return code == BF16 ? to_bf16(value) : code == F16 ? to_f16(value) : value;
}

/* `out` [n] = x times one factor plus y times another, and that divided unless `divisor` is 0; every operation is
 * rounded, and the last result to `out_code`. */
void EXPORT(blended)(
    const float *x, const float *y, int64_t n, const float *factors, float divisor, int64_t code, int64_t out_code,
    float *out
) {
    const float first = factors[0], second = factors[1];
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        const float *a = x + at, *b = y + at;
        float one[ROW], other[ROW], *restrict row = out + at;
        for (int64_t i = 0; i < m; i++) one[i] = a[i] * first;
        for (int64_t i = 0; i < m; i++) other[i] = b[i] * second;
        round_all(one, m, code);
        round_all(other, m, code);
        for (int64_t i = 0; i < m; i++) row[i] = one[i] + other[i];
        round_all(row, m, code);
        if (divisor != 0.0f) {
            for (int64_t i = 0; i < m; i++) row[i] = row[i] / divisor;
            round_all(row, m, code);
        }
        if (out_code != code) round_all(row, m, out_code);
    }
}

typedef struct {
    const float *changes, *weights;
    int64_t stride, k;
} Changes;

/* Weighted changes added up in their order, each product rounded. */
static inline __attribute__((always_inline)) void added(
    const Changes *of, int64_t code, int64_t m, float *restrict total
) {
    for (int64_t j = 0; j < of->k; j++) {
        const float *restrict change = of->changes + j * of->stride;
        const float weight = of->weights[j];
        if (j == 0)
            for (int64_t i = 0; i < m; i++) total[i] = in_format(change[i] * weight, code);
        else
            for (int64_t i = 0; i < m; i++) total[i] = total[i] + in_format(change[i] * weight, code);
    }
    for (int64_t i = 0; i < m; i++) total[i] = in_format(total[i], code);
}

/* The same of those that have the sign of the sum, which `total` holds before, and the sum of their weights. */
static inline __attribute__((always_inline)) void elected(
    const Changes *of, int64_t code, int64_t m, float *restrict total, float *restrict divisor
) {
    float sign[ROW];
    for (int64_t i = 0; i < m; i++) sign[i] = total[i] >= 0.0f ? 1.0f : -1.0f;
    for (int64_t i = 0; i < m; i++) total[i] = divisor[i] = 0.0f;
    for (int64_t j = 0; j < of->k; j++) {
        const float *restrict change = of->changes + j * of->stride;
        const float weight = of->weights[j];
        for (int64_t i = 0; i < m; i++) {
            const float share = in_format(change[i] * weight, code);
            const int agrees = share * sign[i] > 0.0f;
            total[i] = total[i] + (agrees ? share : 0.0f);
            divisor[i] = divisor[i] + (agrees ? weight : 0.0f);
        }
    }
    for (int64_t i = 0; i < m; i++) total[i] = in_format(total[i], code);
    for (int64_t i = 0; i < m; i++) divisor[i] = in_format(divisor[i], code);
}

/* Both of a single model, whose share always has the sign of the sum, unless it is 0: that is +0. */
static inline __attribute__((always_inline)) void elected_alone(
    const Changes *of, int64_t code, int64_t m, float *restrict total, float *restrict divisor
) {
    const float *restrict change = of->changes;
    const float weight = of->weights[0], held = in_format(weight, code);
    for (int64_t i = 0; i < m; i++) {
        const float share = in_format(change[i] * weight, code);
        total[i] = share != 0.0f ? share : 0.0f;
        divisor[i] = share != 0.0f ? held : 0.0f;
    }
}

static inline __attribute__((always_inline)) void moved_row(
    const float *restrict base, const Changes *of, int64_t vote, int64_t normalize, float whole, float scale,
    int64_t code, int64_t m, float *restrict out
) {
    float total[ROW], divisor[ROW];
    if (vote && of->k == 1) elected_alone(of, code, m, total, divisor);
    else added(of, code, m, total);
    if (vote && of->k > 1) elected(of, code, m, total, divisor);
    else if (normalize && !vote)
        for (int64_t i = 0; i < m; i++) divisor[i] = whole;
    if (normalize)
        for (int64_t i = 0; i < m; i++)
            total[i] = in_format(total[i] / (fabsf(divisor[i]) < 1e-8f ? 1.0f : divisor[i]), code);
    if (scale != 1.0f)
        for (int64_t i = 0; i < m; i++) total[i] = in_format(total[i] * scale, code);
    for (int64_t i = 0; i < m; i++) out[i] = in_format(in_format(base[i], code) + total[i], code);
}

/* `out` [n] = base + changes [k, stride] by their weights; as `combining.moved` does it, rounded to `out_code` last. */
void EXPORT(moved)(
    const float *base, const float *changes, int64_t stride, int64_t k, const float *weights, int64_t vote,
    int64_t normalize, float scale, int64_t code, int64_t out_code, int64_t n, float *out
) {
    float whole = weights[0];
    for (int64_t j = 1; j < k; j++) whole = whole + weights[j];
    whole = store(whole, code);
    for (int64_t first = 0; first < n; first += ROW) {
        const int64_t m = n - first < ROW ? n - first : ROW;
        const Changes of = {changes + first, weights, stride, k};
        const float *from = base + first;
        float *row = out + first;
        if (code == BF16) moved_row(from, &of, vote, normalize, whole, scale, BF16, m, row);
        else if (code == F16) moved_row(from, &of, vote, normalize, whole, scale, F16, m, row);
        else moved_row(from, &of, vote, normalize, whole, scale, F32, m, row);
        if (out_code != code) round_all(row, m, out_code);
    }
}

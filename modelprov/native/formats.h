/* Stored numbers in C: decoded, encoded, rounded; the same bits as `checkpoints/formats/compiled.py`, its oracle.
 *
 * No arithmetic of merges. */
#ifndef MODELPROV_FORMATS_H
#define MODELPROV_FORMATS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "stored numbers are little-endian, and so must be the processor"
#endif
#if __FLT_EVAL_METHOD__ != 0
#error "float arithmetic must round to float"
#endif

/* Every function that Python calls is there once for each variant. */
#define JOINED(a, b) a##_##b
#define NAMED(a, b) JOINED(a, b)
#define EXPORT(name) NAMED(modelprov_##name, VARIANT)

enum { BF16 = 0, F16 = 1, F32 = 2, F64 = 3 }; /* DType.code */

static inline uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int64_t size_of(int64_t code) { return code == F32 ? 4 : 2; }

/* float32 rounded to bf16 (nearest, ties to even), as the bits of the float32 that holds it; NaN stays NaN. */
static inline uint32_t bf16_bits(float value) {
    uint32_t bits = bits_of(value);
    uint32_t rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
    uint32_t quiet = bits | 0x00400000u;
    return ((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded) & 0xFFFF0000u;
}

static inline float to_bf16(float value) { return float_of(bf16_bits(value)); }

/* Finite float32 rounded to IEEE half precision (nearest, ties to even), as float32. */
static inline float to_f16(float value) {
    uint32_t bits = bits_of(value), sign = bits & 0x80000000u;
    float magnitude = float_of(bits & 0x7FFFFFFFu);
    uint32_t normal = (bits + 0xFFFu + ((bits >> 13) & 1u)) & 0xFFFFE000u;
    /* Subnormal: adding and subtracting 0.5 makes float32 round at bit 2**-24. */
    uint32_t small = bits_of((magnitude + 0.5f) - 0.5f) | sign;
    uint32_t rounded = magnitude < 6.103515625e-05f ? small : normal;
    return float_of(magnitude >= 65520.0f ? sign | 0x7F800000u : rounded);
}

static inline float store(float value, int64_t code) {
    return code == BF16 ? to_bf16(value) : code == F16 ? to_f16(value) : value;
}

/* Finite float64 as the float32 that is rounded to odd (Boldo & Melquiond 2008): a second rounding is then the first. */
static inline float to_odd(double value) {
    float single = (float)value;
    uint32_t bits = bits_of(single);
    uint32_t move = (uint32_t)((double)single != value) & ~bits & 1u;
    uint32_t outward = (uint32_t)(fabs((double)single) < fabs(value));
    return float_of(bits + move * (2u * outward - 1u));
}

static inline void round_all(float *values, int64_t m, int64_t code) {
    if (code == BF16)
        for (int64_t i = 0; i < m; i++) values[i] = to_bf16(values[i]);
    else if (code == F16)
        for (int64_t i = 0; i < m; i++) values[i] = to_f16(values[i]);
}

/* Stored bytes of m elements as float32; exact. */
static inline void decode(const uint8_t *raw, int64_t code, int64_t m, float *out) {
    if (code == F32) {
        memcpy(out, raw, (size_t)m * 4);
        return;
    }
    if (code == BF16) { /* a loop of its own, or it would take the steps of the other */
        for (int64_t i = 0; i < m; i++) {
            uint16_t half;
            memcpy(&half, raw + 2 * i, 2);
            out[i] = float_of((uint32_t)half << 16);
        }
        return;
    }
    for (int64_t i = 0; i < m; i++) {
        uint16_t half;
        memcpy(&half, raw + 2 * i, 2);
        uint32_t shifted = ((uint32_t)half & 0x7FFFu) << 13, sign = ((uint32_t)half & 0x8000u) << 16;
        /* Times a power of two is exact for subnormal numbers too; what is not finite keeps its bits. */
        uint32_t finite = bits_of(float_of(shifted) * 0x1p112f);
        uint32_t word = (half & 0x7C00u) == 0x7C00u ? shifted | 0x7F800000u : finite;
        out[i] = float_of(word | sign);
    }
}

#endif

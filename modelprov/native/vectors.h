/* Vectors of the processor that a variant is made for, the compilers' own (gcc and clang), and what they lack.
 *
 * Sums have eight lanes a chunk on every processor, so that all return the same bits: a vector holds those of one chunk,
 * or one of its PARTS does, or those of two chunks TOGETHER. Products are fused into sums everywhere; a processor without
 * fused multiply-add is better served by numba. Counts are exact, however their lanes lie. */
#ifndef MODELPROV_VECTORS_H
#define MODELPROV_VECTORS_H

#include "formats.h"

#if defined(__AVX512BW__)
#include <immintrin.h>
#define VECTOR 64
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define VECTOR 32
#elif defined(__aarch64__)
#include <arm_neon.h>
#define VECTOR 16
#else
#error "no fused multiply-add for vectors that these sources know"
#endif
enum { LANES = 8, WIDE = VECTOR / 4, PARTS = WIDE < LANES ? LANES / WIDE : 1, TOGETHER = WIDE > LANES ? WIDE / LANES : 1 };
enum { CHUNK = 1024, GROUP = TOGETHER * CHUNK }; /* elements that float32 adds up in lanes; that a loop takes at once */
typedef float Floats __attribute__((vector_size(VECTOR)));
typedef uint32_t Words __attribute__((vector_size(VECTOR)));
typedef uint16_t Halves __attribute__((vector_size(VECTOR)));
typedef int16_t Shorts __attribute__((vector_size(VECTOR)));
typedef float Fours __attribute__((vector_size(16)));
typedef double Wides __attribute__((vector_size(32)));

/* A vector of what is at a place; where two chunks go together half of it, and half of what is `apart` bytes further. */
static inline void load(void *vector, const void *at, size_t apart) {
#if VECTOR == 64
    const __m512i lower = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)at));
    const __m256i upper = _mm256_loadu_si256((const __m256i *)((const char *)at + apart));
    *(__m512i *)vector = _mm512_inserti64x4(lower, upper, 1);
#else
    (void)apart;
    memcpy(vector, at, VECTOR);
#endif
}

/* a * b + c, rounded once. */
static inline Floats fused(Floats a, Floats b, Floats c) {
#if VECTOR == 64
    return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VECTOR == 32
    return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return (Floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#endif
}

/* The lanes of one chunk, or one of their PARTS. */
#if VECTOR == 64
typedef float Eights __attribute__((vector_size(32)));
static inline Eights fused_eights(Eights a, Eights b, Eights c) {
    return (Eights)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#else
typedef Floats Eights;
static inline Eights fused_eights(Eights a, Eights b, Eights c) { return fused(a, b, c); }
#endif

/* (a + b + 1) / 2 of unsigned numbers, exact. */
static inline Halves average(Halves a, Halves b) {
#if VECTOR == 64
    return (Halves)_mm512_avg_epu16((__m512i)a, (__m512i)b);
#elif VECTOR == 32
    return (Halves)_mm256_avg_epu16((__m256i)a, (__m256i)b);
#else
    return (Halves)vrhaddq_u16((uint16x8_t)a, (uint16x8_t)b);
#endif
}

/* The lesser, and the greater, of each pair of numbers. */
#if VECTOR == 64
static inline Shorts lesser(Shorts a, Shorts b) { return (Shorts)_mm512_min_epi16((__m512i)a, (__m512i)b); }
static inline Shorts greater(Shorts a, Shorts b) { return (Shorts)_mm512_max_epi16((__m512i)a, (__m512i)b); }
#elif VECTOR == 32
static inline Shorts lesser(Shorts a, Shorts b) { return (Shorts)_mm256_min_epi16((__m256i)a, (__m256i)b); }
static inline Shorts greater(Shorts a, Shorts b) { return (Shorts)_mm256_max_epi16((__m256i)a, (__m256i)b); }
#else
static inline Shorts lesser(Shorts a, Shorts b) { return (Shorts)vminq_s16((int16x8_t)a, (int16x8_t)b); }
static inline Shorts greater(Shorts a, Shorts b) { return (Shorts)vmaxq_s16((int16x8_t)a, (int16x8_t)b); }
#endif

/* Of each word the lower half of `low`, and the upper half of `high`. */
static inline Halves halves_of(Words low, Words high) {
#if VECTOR == 64
    return (Halves)_mm512_mask_blend_epi16(0xAAAAAAAAu, (__m512i)low, (__m512i)high);
#elif VECTOR == 32
    return (Halves)_mm256_blend_epi16((__m256i)low, (__m256i)high, 0xAA);
#else
    return (Halves)((low & 0xFFFFu) | (high & 0xFFFF0000u));
#endif
}

static inline Wides wide(Fours values) { return __builtin_convertvector(values, Wides); }

/* Which elements of 16 bits: a bit of each where registers for masks are, else a lane of ones. */
#if VECTOR == 64
typedef __mmask32 Mask;
static inline Mask equal(Shorts a, Shorts b) { return _mm512_cmpeq_epi16_mask((__m512i)a, (__m512i)b); }
static inline Mask less(Shorts a, Shorts b) { return _mm512_cmplt_epi16_mask((__m512i)a, (__m512i)b); }
static inline Mask negative(Shorts a) { return _mm512_movepi16_mask((__m512i)a); }
static inline Mask both(Mask a, Mask b) { return _kand_mask32(a, b); }
static inline Mask either(Mask a, Mask b) { return _kor_mask32(a, b); }
static inline Mask differ(Mask a, Mask b) { return _kxor_mask32(a, b); }
static inline Shorts counted_up(Shorts counted, Mask where) {
    return (Shorts)_mm512_mask_sub_epi16((__m512i)counted, where, (__m512i)counted, _mm512_set1_epi16(-1));
}
#else
typedef Shorts Mask;
static inline Mask equal(Shorts a, Shorts b) { return (Mask)(a == b); }
static inline Mask less(Shorts a, Shorts b) { return (Mask)(a < b); }
static inline Mask negative(Shorts a) { return a >> 15; }
static inline Mask both(Mask a, Mask b) { return a & b; }
static inline Mask either(Mask a, Mask b) { return a | b; }
static inline Mask differ(Mask a, Mask b) { return a ^ b; }
static inline Shorts counted_up(Shorts counted, Mask where) { return counted - where; }
#endif

#endif

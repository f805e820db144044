/* Changes of tensors from a base, and their sizes as whole numbers; of finite float32, every operation rounded. */
#ifndef MODELPROV_CHANGES_H
#define MODELPROV_CHANGES_H

#include "formats.h"

enum { ROW = 1024 };

/* The change of a row of elements from the base. */
static void changes(const float *tensor, const float *base, int64_t m, int64_t code, float *restrict out) {
    if (code == F32)
        for (int64_t i = 0; i < m; i++) out[i] = tensor[i] - base[i];
    else if (code == BF16)
        for (int64_t i = 0; i < m; i++) out[i] = to_bf16(to_bf16(tensor[i]) - to_bf16(base[i]));
    else
        for (int64_t i = 0; i < m; i++) out[i] = to_f16(to_f16(tensor[i]) - to_f16(base[i]));
}

static inline uint32_t size_bits(float change) { return bits_of(change) & 0x7FFFFFFFu; }

#endif

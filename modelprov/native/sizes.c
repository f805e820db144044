/* The sizes of changes: counted, and those thinned away that a cut does not keep; the bits of `recipes/methods`.
 *
 * `recipes/methods/loops.py` (numba) and the steps in numpy are the oracles. Numbers are float32 of finite values and
 * `code` is the format that every operation is rounded to. Compiled without contraction: nothing is fused. */
#include "counts.h"

/* Count sizes of changes by their upper 16 bits (`known` below 0), or those whose upper bits are `known` by their lower. `bins`
 * are uint32 [TABLES, BINS]. */
void EXPORT(count_sizes)(
    const float *tensor, const float *base, int64_t n, int64_t code, int64_t known, uint32_t *bins
) {
    float change[ROW];
    uint32_t sizes[ROW];
    for (int64_t first = 0; first < n; first += ROW) {
        const int64_t m = n - first < ROW ? n - first : ROW;
        changes(tensor + first, base + first, m, code, change);
        for (int64_t i = 0; i < m; i++) sizes[i] = size_bits(change[i]);
        if (known < 0) count_upper(sizes, m, bins);
        else count_lower(sizes, m, (uint32_t)known, bins);
    }
}

/* The place of the last element that a cut keeps of those equal to it, within a row that begins at `first`. */
static int32_t last_in_row(int64_t last, int64_t first) {
    return last < first ? -1 : last - first < ROW ? (int32_t)(last - first) : ROW;
}

/* Changes whose sizes are kept by the first of two cuts and not by the second, 0 elsewhere. A cut keeps what is above
 * it, and what equals it up to the place of its `last`; `first` is the place of the first element. */
void EXPORT(thin)(
    const float *tensor, const float *base, int64_t n, int64_t code, int64_t first, const float *cut,
    const int64_t *last, float *restrict out
) {
    const float inside = cut[0], outside = cut[1];
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        float *restrict row = out + at;
        changes(tensor + at, base + at, m, code, row);
        const int32_t in_last = last_in_row(last[0], first + at), out_last = last_in_row(last[1], first + at);
        for (int32_t i = 0; i < (int32_t)m; i++) {
            const float size = fabsf(row[i]);
            const int kept = (size > inside) | ((size == inside) & (i <= in_last));
            const int dropped = (size > outside) | ((size == outside) & (i <= out_last));
            row[i] = kept & !dropped ? row[i] : 0.0f;
        }
    }
}

/* Changes whose `bits` are set, 0 elsewhere; the first one's bit is that of place `first`, the lowest of a byte coming first.
 * Eight bytes more can be read. */
void EXPORT(thin_by_bits)(
    const float *tensor, const float *base, int64_t n, int64_t code, const uint8_t *bits, int64_t first, float *out
) {
    enum { TOGETHER = 32 };
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        float change[ROW + TOGETHER], kept[ROW + TOGETHER];
        changes(tensor + at, base + at, m, code, change);
        for (int64_t group = 0; group < m; group += TOGETHER) {
            const int64_t place = first + at + group;
            uint64_t window;
            memcpy(&window, bits + (place >> 3), sizeof window);
            const uint32_t here = (uint32_t)(window >> (place & 7));
            for (uint32_t i = 0; i < TOGETHER; i++) kept[group + i] = here >> i & 1u ? change[group + i] : 0.0f;
        }
        memcpy(out + at, kept, (size_t)m * sizeof *kept);
    }
}

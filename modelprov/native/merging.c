/* Loops of merges that look at whole tensors: read, measured, chosen, thinned, moved; the bits of `recipes/methods`.
 *
 * `recipes/methods/loops.py` (numba) and the steps in numpy are their oracles. Numbers are float32 of finite values and
 * `code` is the format that every operation is rounded to. Compiled without contraction: nothing is fused. */
#include <stdlib.h>

#include "arithmetics.h"

#define JOINED(a, b) a##_##b
#define NAMED(a, b) JOINED(a, b)
#define EXPORT(name) NAMED(modelprov_##name, VARIANT)

enum { ROW = 1024, TABLES = 4, BINS = 1 << 16 };

/* Stored bytes of m elements as float32, and whether all of them are finite. */
int64_t EXPORT(load)(const uint8_t *raw, int64_t code, int64_t m, float *out) {
    decode(raw, code, m, out);
    uint32_t infinite = 0;
    for (int64_t i = 0; i < m; i++) infinite |= (bits_of(out[i]) & 0x7F800000u) == 0x7F800000u;
    return !infinite;
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

/* The change of a row of elements from the base; every operation is rounded. */
static void changes(const float *tensor, const float *base, int64_t m, int64_t code, float *restrict out) {
    if (code == F32)
        for (int64_t i = 0; i < m; i++) out[i] = tensor[i] - base[i];
    else if (code == BF16)
        for (int64_t i = 0; i < m; i++) out[i] = to_bf16(to_bf16(tensor[i]) - to_bf16(base[i]));
    else
        for (int64_t i = 0; i < m; i++) out[i] = to_f16(to_f16(tensor[i]) - to_f16(base[i]));
}

static inline uint32_t size_bits(float change) { return bits_of(change) & 0x7FFFFFFFu; }

static void count_upper(const uint32_t *sizes, int64_t m, uint32_t *bins) {
    int64_t i = 0;
    for (; i + TABLES <= m; i += TABLES)
        for (int table = 0; table < TABLES; table++) bins[table * BINS + (sizes[i + table] >> 16)]++;
    for (; i < m; i++) bins[sizes[i] >> 16]++;
}

/* Few have the known bits: a group of elements is asked first whether one of them does. */
static void count_lower(const uint32_t *sizes, int64_t m, uint32_t known, uint32_t *bins) {
    enum { GROUP = 8 };
    int64_t i = 0;
    for (; i + GROUP <= m; i += GROUP) {
        uint32_t any = 0;
        for (int j = 0; j < GROUP; j++) any |= (sizes[i + j] >> 16) == known;
        if (!any) continue;
        for (int j = 0; j < GROUP; j++)
            if ((sizes[i + j] >> 16) == known) bins[(j & (TABLES - 1)) * BINS + (sizes[i + j] & 0xFFFFu)]++;
    }
    for (; i < m; i++)
        if ((sizes[i] >> 16) == known) bins[sizes[i] & 0xFFFFu]++;
}

/* Count sizes of changes by their upper 16 bits (`known` below 0), or those whose upper bits are `known` by their lower.
 *
 * `bins` uint32 [TABLES, BINS]: neighbours are counted apart, since equal ones would wait for each other. */
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

/* `items` of a sort of changes by their sizes: a key above, the place (`first` on) below; the largest first, or last. */
void EXPORT(fill_items)(
    const float *tensor, const float *base, int64_t n, int64_t code, int64_t first, int64_t largest_first,
    uint64_t *items
) {
    float change[ROW];
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        changes(tensor + at, base + at, m, code, change);
        const uint32_t turned = largest_first ? 0xFFFFFFFFu : 0;
        for (int64_t i = 0; i < m; i++)
            items[at + i] = (uint64_t)(size_bits(change[i]) ^ turned) << 32 | (uint64_t)(first + at + i);
    }
}

static inline int before(uint64_t a, uint64_t b) { return (uint32_t)(a >> 32) < (uint32_t)(b >> 32); }

static inline void swap(uint64_t *a, uint64_t *b) {
    const uint64_t held = *a;
    *a = *b;
    *b = held;
}

/* What follows are the steps of the sort that the programs call (introsort: Musser 1997, as in the GNU C++ library), so
 * that of equal sizes those come first that come first there; parts that hold no wanted border are left unsorted. */
static void median_to_first(uint64_t *result, uint64_t *a, uint64_t *b, uint64_t *c) {
    if (before(*a, *b)) {
        if (before(*b, *c)) swap(result, b);
        else if (before(*a, *c)) swap(result, c);
        else swap(result, a);
    } else if (before(*a, *c)) swap(result, a);
    else if (before(*b, *c)) swap(result, c);
    else swap(result, b);
}

/* Where a scan from the left stops, and one from the right, within a stretch; without a branch for every element. */
enum { STRETCH = 128 };

static int64_t stops_from_left(const uint64_t *low, uint64_t pivot, uint8_t *at) {
    int64_t found = 0;
    for (int i = 0; i < STRETCH; i++) {
        at[found] = (uint8_t)i;
        found += !before(low[i], pivot);
    }
    return found;
}

static int64_t stops_from_right(const uint64_t *high, uint64_t pivot, uint8_t *at) {
    int64_t found = 0;
    for (int i = 0; i < STRETCH; i++) {
        at[found] = (uint8_t)i;
        found += !before(pivot, high[-1 - i]);
    }
    return found;
}

/* Parts as scans from both ends do that swap where both have stopped. While they are far apart, their stops are found
 * for stretches at a time (Edelkamp & Weiss 2016): the same swaps in the same order. */
static uint64_t *parted(uint64_t *first, uint64_t *last) {
    median_to_first(first, first + 1, first + (last - first) / 2, last - 1);
    const uint64_t pivot = *first;
    uint64_t *low = first + 1, *high = last;
    uint8_t left[STRETCH], right[STRETCH];
    int64_t lefts = 0, rights = 0, l = 0, r = 0;
    while (high - low > 2 * STRETCH) {
        if (l == lefts) {
            lefts = stops_from_left(low, pivot, left);
            l = 0;
        }
        if (r == rights) {
            rights = stops_from_right(high, pivot, right);
            r = 0;
        }
        const int64_t both = lefts - l < rights - r ? lefts - l : rights - r;
        for (int64_t i = 0; i < both; i++) swap(low + left[l + i], high - 1 - right[r + i]);
        l += both;
        r += both;
        if (l == lefts) low += STRETCH;
        if (r == rights) high -= STRETCH;
    }
    if (l < lefts) low += left[l];
    if (r < rights) high -= right[r];
    for (;;) {
        while (before(*low, pivot)) low++;
        high--;
        while (before(pivot, *high)) high--;
        if (!(low < high)) return low;
        swap(low, high);
        low++;
    }
}

static void sifted(uint64_t *heap, int64_t hole, int64_t count, uint64_t value) {
    const int64_t top = hole;
    int64_t child = hole;
    while (child < (count - 1) / 2) {
        child = 2 * (child + 1);
        if (before(heap[child], heap[child - 1])) child--;
        heap[hole] = heap[child];
        hole = child;
    }
    if ((count & 1) == 0 && child == (count - 2) / 2) {
        child = 2 * (child + 1);
        heap[hole] = heap[child - 1];
        hole = child - 1;
    }
    for (int64_t parent = (hole - 1) / 2; hole > top && before(heap[parent], value); parent = (hole - 1) / 2) {
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = value;
}

static void sorted_as_heap(uint64_t *first, int64_t count) {
    for (int64_t parent = (count - 2) / 2; count > 1 && parent >= 0; parent--) sifted(first, parent, count, first[parent]);
    for (int64_t last = count - 1; last > 0; last--) {
        const uint64_t value = first[last];
        first[last] = first[0];
        sifted(first, 0, last, value);
    }
}

static void inserted(uint64_t *first, uint64_t *last) {
    for (uint64_t *at = first + 1; at < last; at++) {
        const uint64_t value = *at;
        uint64_t *hole = at;
        for (; hole > first && before(value, hole[-1]); hole--) *hole = hole[-1];
        *hole = value;
    }
}

/* Whether a border lies within first to last, the ends not counted. */
static int wanted(const uint64_t *first, const uint64_t *last, uint64_t *const *borders) {
    return (first < borders[0] && borders[0] < last) || (first < borders[1] && borders[1] < last);
}

static void sorted_around(uint64_t *first, uint64_t *last, int64_t depth, uint64_t *const *borders) {
    while (last - first > 16) {
        if (!wanted(first, last, borders)) return;
        if (depth == 0) {
            sorted_as_heap(first, last - first);
            return;
        }
        depth--;
        uint64_t *cut = parted(first, last);
        sorted_around(cut, last, depth, borders);
        last = cut;
    }
    if (wanted(first, last, borders)) inserted(first, last);
}

/* Set the bits of the places that the sort puts at `start` to `stop` of n items, which are moved. */
void EXPORT(choose)(uint64_t *items, int64_t n, int64_t start, int64_t stop, uint8_t *bits) {
    uint64_t *borders[2] = {items + start, items + stop};
    int64_t depth = 0;
    for (int64_t left = n; left > 1; left >>= 1) depth += 2;
    sorted_around(items, items + n, depth, borders);
    for (int64_t i = start; i < stop; i++) {
        const uint32_t place = (uint32_t)items[i];
        bits[place >> 3] |= (uint8_t)(0x80u >> (place & 7));
    }
}

/* Changes whose bits are set, 0 elsewhere: those of `bits`, big-endian, from number `first` on. */
void EXPORT(thin_by_bits)(
    const float *tensor, const float *base, int64_t n, int64_t code, int64_t first, const uint8_t *bits, float *out
) {
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        float *restrict row = out + at;
        changes(tensor + at, base + at, m, code, row);
        int64_t i = 0;
        if ((first + at) % 8 == 0)
            for (; i + 8 <= m; i += 8) {
                const uint32_t byte = bits[(first + at + i) >> 3];
                for (int j = 0; j < 8; j++) row[i + j] = byte >> (7 - j) & 1u ? row[i + j] : 0.0f;
            }
        for (; i < m; i++) {
            const int64_t place = first + at + i;
            row[i] = bits[place >> 3] >> (7 - (place & 7)) & 1u ? row[i] : 0.0f;
        }
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

static inline __attribute__((always_inline)) float in_format(float value, int64_t code) {
    return code == BF16 ? to_bf16(value) : code == F16 ? to_f16(value) : value;
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

static inline __attribute__((always_inline)) void moved_row(
    const float *restrict base, const Changes *of, int64_t vote, int64_t normalize, float whole, float scale,
    int64_t code, int64_t m, float *restrict out
) {
    float total[ROW], divisor[ROW];
    added(of, code, m, total);
    if (vote) elected(of, code, m, total, divisor);
    else if (normalize)
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

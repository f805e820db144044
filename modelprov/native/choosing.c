/* Which of equally large changes a sort puts first that is not stable: the swaps of an introsort (Musser 1997, as in the
 * GNU C++ library), as far as they decide what lies before a border. Parts that hold no border are left unsorted.
 *
 * An item is a whole number of 32 bits. Only of the sizes at the borders, the ties, does it matter which element is
 * which: each of them has a number of its own, in a range that opens where its size is; all others are their sizes. */
#include "counts.h"

typedef struct {
    uint32_t low, low_end, high, high_end; /* items of the lower and of the higher size at a border */
} Ties;

/* `sizes` int64 [2, 2]: of either tie its key, and how many there are; a key of 2**32 - 1 where there is none. */
static Ties ties_of(const int64_t *sizes) {
    const uint32_t low = (uint32_t)sizes[0], low_end = low + (uint32_t)sizes[1];
    if (sizes[2] == UINT32_MAX) return (Ties){low, low_end, UINT32_MAX, UINT32_MAX};
    const uint32_t high = (uint32_t)sizes[2] + (uint32_t)sizes[1] - 1;
    return (Ties){low, low_end, high, high + (uint32_t)sizes[3]};
}

/* Give the items of one tie their numbers, from `number` on; how many there were then. There may be many of them, so
 * nothing branches. */
static int64_t number_ties(const uint32_t *keys, int64_t m, uint32_t tie, int64_t number, uint32_t *items) {
    uint32_t next = (uint32_t)number;
    for (int64_t i = 0; i < m; i++) {
        const uint32_t equal = keys[i] == tie;
        items[i] += next & (0u - equal);
        next += equal;
    }
    return number + (next - (uint32_t)number);
}

/* `items` of a sort of changes by their sizes, the largest first or last, before the ties have numbers: the keys. A key
 * is the bits of a size that the format has, shifted by `shift`, taken from `top` where the largest come first (else it is
 * below 0). `bins` uint32 [TABLES, BINS] count the upper 16 bits of the sizes. */
void EXPORT(fill_items)(
    const float *tensor, const float *base, int64_t n, int64_t code, int64_t shift, int64_t top, uint32_t *bins,
    uint32_t *items
) {
    const uint32_t turned = top >= 0 ? 0xFFFFFFFFu : 0, add = top >= 0 ? (uint32_t)top + 1u : 0;
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        float change[ROW];
        uint32_t sizes[ROW], *restrict keys = items + at;
        changes(tensor + at, base + at, m, code, change);
        for (int64_t i = 0; i < m; i++) sizes[i] = size_bits(change[i]);
        for (int64_t i = 0; i < m; i++) keys[i] = ((sizes[i] >> shift) ^ turned) + add;
        count_upper(sizes, m, bins);
    }
}

/* Count the sizes of n keys whose upper 16 bits are `known` by their lower ones. */
void EXPORT(count_items)(
    const uint32_t *items, int64_t n, int64_t shift, int64_t top, int64_t known, uint32_t *bins
) {
    const uint32_t turned = top >= 0 ? 0xFFFFFFFFu : 0, add = top >= 0 ? (uint32_t)top + 1u : 0;
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        uint32_t sizes[ROW];
        for (int64_t i = 0; i < m; i++) sizes[i] = ((items[at + i] ^ turned) + add) << shift;
        count_lower(sizes, m, (uint32_t)known, bins);
    }
}

/* Give the ties among n keys their numbers. `numbers` are how many of either tie there were before, and after. */
void EXPORT(number_items)(uint32_t *items, int64_t n, const int64_t *sizes, int64_t *numbers) {
    const uint32_t low = (uint32_t)sizes[0], high = (uint32_t)sizes[2];
    const uint32_t after_low = (uint32_t)sizes[1] - 1, after_high = (uint32_t)sizes[3] - 1;
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        uint32_t keys[ROW];
        memcpy(keys, items + at, (size_t)m * sizeof *keys);
        for (int64_t i = 0; i < m; i++)
            items[at + i] = keys[i] + (keys[i] > low ? after_low : 0) + (keys[i] > high ? after_high : 0);
        numbers[0] = number_ties(keys, m, low, numbers[0], items + at);
        if (high != UINT32_MAX) numbers[1] = number_ties(keys, m, high, numbers[1], items + at);
    }
}

/* What an item counts as in a comparison: ties are equal. */
static inline uint32_t level(uint32_t item, const Ties *ties) {
    return item - ties->low < ties->low_end - ties->low     ? ties->low
           : item - ties->high < ties->high_end - ties->high ? ties->high
                                                             : item;
}

static inline int before(uint32_t a, uint32_t b, const Ties *ties) { return level(a, ties) < level(b, ties); }

static inline void swap(uint32_t *a, uint32_t *b) {
    const uint32_t held = *a;
    *a = *b;
    *b = held;
}

static void median_to_first(uint32_t *result, uint32_t *a, uint32_t *b, uint32_t *c, const Ties *ties) {
    if (before(*a, *b, ties)) {
        if (before(*b, *c, ties)) swap(result, b);
        else if (before(*a, *c, ties)) swap(result, c);
        else swap(result, a);
    } else if (before(*a, *c, ties)) swap(result, a);
    else if (before(*b, *c, ties)) swap(result, c);
    else swap(result, b);
}

/* What equals a pivot: items from `low` up to `end`, which it does not include. */
typedef struct {
    uint32_t low, end;
} Pivot;

static Pivot pivot_of(uint32_t item, const Ties *ties) {
    const uint32_t low = level(item, ties);
    if (low == ties->low && ties->low_end > ties->low) return (Pivot){low, ties->low_end};
    if (low == ties->high && ties->high_end > ties->high) return (Pivot){low, ties->high_end};
    return (Pivot){low, low + 1};
}

enum { STRETCH = 128, GROUP = 8 };

/* The places, within a stretch, of items that are at least `least` (or less than it): where a scan stops.
 * Without a branch for every element; `found` has room for GROUP more than there are. */
static inline int64_t stops(const uint32_t *items, uint32_t least, int less, const uint64_t *places, uint8_t *found) {
    int64_t count = 0;
#if WIDTH == 32
    const __m256i bound = _mm256_set1_epi32((int)least);
    for (int group = 0; group < STRETCH / GROUP; group++) {
        const __m256i some = _mm256_loadu_si256((const __m256i *)(items + group * GROUP));
        const __m256i reached = _mm256_cmpeq_epi32(_mm256_max_epu32(some, bound), some);
        const uint32_t mask = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(reached)) ^ (less ? 0xFFu : 0);
        const uint64_t here = places[mask] + (uint64_t)group * (GROUP * 0x0101010101010101u);
        memcpy(found + count, &here, sizeof here);
        count += __builtin_popcount(mask);
    }
#else
    (void)places;
    for (int i = 0; i < STRETCH; i++) {
        found[count] = (uint8_t)i;
        count += (items[i] >= least) != less;
    }
#endif
    return count;
}

/* For every set of GROUP bits the places of those that are set, a byte each, the lowest first. */
static void list_places(uint64_t *places) {
    for (uint32_t mask = 0; mask < 1u << GROUP; mask++) {
        int count = 0;
        places[mask] = 0;
        for (uint64_t bit = 0; bit < GROUP; bit++)
            if (mask >> bit & 1u) places[mask] |= bit << 8 * count++;
    }
}

/* Parts as scans from both ends do that swap where both have stopped. While they are far apart, their stops are found
 * for stretches at a time (Edelkamp & Weiss 2016): the same swaps in the same order. */
static uint32_t *parted(uint32_t *first, uint32_t *last, const Ties *ties, const uint64_t *places) {
    median_to_first(first, first + 1, first + (last - first) / 2, last - 1, ties);
    const Pivot pivot = pivot_of(*first, ties);
    uint32_t *low = first + 1, *high = last;
    uint8_t left[STRETCH + GROUP], right[STRETCH + GROUP];
    int64_t l = 0, lefts = 0, rights = 0; /* stops from the right are taken from the end */
    while (high - low > 2 * STRETCH) {
        if (l == lefts) {
            lefts = stops(low, pivot.low, 0, places, left);
            l = 0;
        }
        if (rights == 0) rights = stops(high - STRETCH, pivot.end, 1, places, right);
        const int64_t both = lefts - l < rights ? lefts - l : rights;
        for (int64_t i = 0; i < both; i++) swap(low + left[l + i], high - STRETCH + right[rights - 1 - i]);
        l += both;
        rights -= both;
        if (l == lefts) low += STRETCH;
        if (rights == 0) high -= STRETCH;
    }
    if (l < lefts) low += left[l];
    if (rights > 0) high -= STRETCH - 1 - right[rights - 1];
    for (;;) {
        while (*low < pivot.low) low++;
        high--;
        while (*high >= pivot.end) high--;
        if (!(low < high)) return low;
        swap(low, high);
        low++;
    }
}

static void sifted(uint32_t *heap, int64_t hole, int64_t count, uint32_t value, const Ties *ties) {
    const int64_t top = hole;
    int64_t child = hole;
    while (child < (count - 1) / 2) {
        child = 2 * (child + 1);
        if (before(heap[child], heap[child - 1], ties)) child--;
        heap[hole] = heap[child];
        hole = child;
    }
    if ((count & 1) == 0 && child == (count - 2) / 2) {
        child = 2 * (child + 1);
        heap[hole] = heap[child - 1];
        hole = child - 1;
    }
    for (int64_t parent = (hole - 1) / 2; hole > top && before(heap[parent], value, ties); parent = (hole - 1) / 2) {
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = value;
}

static void sorted_as_heap(uint32_t *first, int64_t count, const Ties *ties) {
    for (int64_t parent = (count - 2) / 2; count > 1 && parent >= 0; parent--)
        sifted(first, parent, count, first[parent], ties);
    for (int64_t last = count - 1; last > 0; last--) {
        const uint32_t value = first[last];
        first[last] = first[0];
        sifted(first, 0, last, value, ties);
    }
}

static void inserted(uint32_t *first, uint32_t *last, const Ties *ties) {
    for (uint32_t *at = first + 1; at < last; at++) {
        const uint32_t value = *at;
        uint32_t *hole = at;
        for (; hole > first && before(value, hole[-1], ties); hole--) *hole = hole[-1];
        *hole = value;
    }
}

typedef struct {
    const uint32_t *borders[2];
    Ties ties;
    uint64_t places[1 << GROUP];
} Sort;

/* Whether a border lies within first to last, the ends not counted. */
static int wanted(const uint32_t *first, const uint32_t *last, const Sort *sort) {
    return (first < sort->borders[0] && sort->borders[0] < last) || (first < sort->borders[1] && sort->borders[1] < last);
}

static void sorted_around(uint32_t *first, uint32_t *last, int64_t depth, const Sort *sort) {
    while (last - first > 16) {
        if (!wanted(first, last, sort)) return;
        if (depth == 0) {
            sorted_as_heap(first, last - first, &sort->ties);
            return;
        }
        depth--;
        uint32_t *cut = parted(first, last, &sort->ties, sort->places);
        sorted_around(cut, last, depth, sort);
        last = cut;
    }
    if (wanted(first, last, sort)) inserted(first, last, &sort->ties);
}

/* Set the bits of the ties that the sort puts at `start` to `stop` of n items, which are moved: of the lower tie by
 * their numbers, and of the higher by theirs, after those of all lower ones. */
void EXPORT(choose)(uint32_t *items, int64_t n, int64_t start, int64_t stop, const int64_t *sizes, uint8_t *bits) {
    Sort sort = {{items + start, items + stop}, ties_of(sizes), {0}};
    list_places(sort.places);
    int64_t depth = 0;
    for (int64_t left = n; left > 1; left >>= 1) depth += 2;
    sorted_around(items, items + n, depth, &sort);
    const Ties ties = sort.ties;
    const uint32_t lows = ties.low_end - ties.low, highs = ties.high_end - ties.high;
    for (int64_t i = start; i < stop; i++) {
        const uint32_t of_low = items[i] - ties.low, of_high = items[i] - ties.high;
        if (of_low >= lows && of_high >= highs) continue;
        const uint32_t number = of_low < lows ? of_low : lows + of_high;
        bits[number >> 3] |= (uint8_t)(1u << (number & 7));
    }
}

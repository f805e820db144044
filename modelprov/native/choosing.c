/* Which of equally large changes a sort puts first that is not stable: the swaps of an introsort (Musser 1997, as in the
 * GNU C++ library), as far as they decide what lies before a border. Parts that hold no border are left unsorted.
 *
 * Large parts are parted by `parting.c`; here keys are sorted with their places. */
#include <stdlib.h>

#include "formats.h"
#include "keys.h"

enum { UNSORTED = 16 };

/* A key, and below it the place that it had in its part. */
typedef uint64_t Item;

static inline int before(Item a, Item b) { return a >> 32 < b >> 32; }

static inline void swap(Item *a, Item *b) {
    const Item held = *a;
    *a = *b;
    *b = held;
}

static Item *parted(Item *first, Item *last) {
    Item *const middle = first + (last - first) / 2;
    const uint32_t three[] = {(uint32_t)(first[1] >> 32), (uint32_t)(*middle >> 32), (uint32_t)(last[-1] >> 32)};
    swap(first, first + median_of(three, 1, middle - first, last - 1 - first));
    Item *low = first + 1, *high = last;
    for (;;) {
        while (before(*low, *first)) low++;
        high--;
        while (before(*first, *high)) high--;
        if (!(low < high)) return low;
        swap(low, high);
        low++;
    }
}

static void sifted(Item *heap, int64_t hole, int64_t count, Item value) {
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

static void sorted_as_heap(Item *first, int64_t count) {
    for (int64_t parent = (count - 2) / 2; count > 1 && parent >= 0; parent--) sifted(first, parent, count, first[parent]);
    for (int64_t last = count - 1; last > 0; last--) {
        const Item value = first[last];
        first[last] = first[0];
        sifted(first, 0, last, value);
    }
}

static void inserted(Item *first, Item *last) {
    for (Item *at = first + 1; at < last; at++) {
        const Item value = *at;
        Item *hole = at;
        for (; hole > first && before(value, hole[-1]); hole--) *hole = hole[-1];
        *hole = value;
    }
}

/* Whether a border lies within a part, the ends not counted. */
static int wanted(const Item *first, const Item *last, Item *const borders[2]) {
    return (first < borders[0] && borders[0] < last) || (first < borders[1] && borders[1] < last);
}

static void sorted_around(Item *first, Item *last, int64_t depth, Item *const borders[2]) {
    while (last - first > UNSORTED) {
        if (!wanted(first, last, borders)) return;
        if (depth == 0) {
            sorted_as_heap(first, last - first);
            return;
        }
        depth--;
        Item *cut = parted(first, last);
        sorted_around(cut, last, depth, borders);
        last = cut;
    }
    if (wanted(first, last, borders)) inserted(first, last);
}

/* Set the `bits` of the keys at `first` to `last` that the sort puts at `start` to `stop`, by their places before it, and
 * clear the others'. `depth` parts may be made before a heap sorts. 1 where there is no memory. */
int EXPORT(choose)(
    const void *keys, int64_t wide, int64_t first, int64_t last, int64_t depth, int64_t start, int64_t stop, uint64_t *bits
) {
    Item *items = malloc((size_t)(last - first) * sizeof *items);
    if (items == NULL) return 1;
    for (int64_t i = 0; i < last - first; i++) items[i] = (Item)key_at(keys, wide, first + i) << 32 | (Item)i;
    const int64_t ends[] = {start - first, stop - first}, count = last - first;
    Item *borders[2];
    for (int i = 0; i < 2; i++) borders[i] = items + (ends[i] < 0 ? 0 : ends[i] > count ? count : ends[i]);
    sorted_around(items, items + count, depth, borders);
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = first + (int64_t)(items[i] & 0xFFFFFFFFu);
        const uint64_t kept = items + i >= borders[0] && items + i < borders[1], bit = (uint64_t)1 << (place & (WORD - 1));
        bits[place / WORD] = kept ? bits[place / WORD] | bit : bits[place / WORD] & ~bit;
    }
    free(items);
    return 0;
}

/* The large parts of a sort that is not stable: parted as an introsort (Musser 1997) of the GNU C++ library parts them.
 *
 * Only keys move, and where they moved is remembered, a bit an element: of the bits that are set the first and the last
 * changed places, the second and the last but one, and so on. Backwards the same moves bring what is known of the places
 * after the sort to the elements that came there. Ranges of words, or of pairs, may be worked at side by side. */
#ifdef __BMI2__
#include <immintrin.h>
#endif

#include "changes.h"
#include "keys.h"

static inline int ones(uint64_t word) { return __builtin_popcountll(word); }

/* Where the word begins that holds a place. */
static inline int64_t base_of(int64_t place) { return place & -(int64_t)WORD; }

/* Of a key of a sort in which the largest size comes first, or last (`top` below 0). */
typedef struct {
    uint32_t turned, add;
    int shift;
} Key;

static inline uint32_t key_of(float change, Key key) {
    return ((size_bits(change) >> key.shift) ^ key.turned) + key.add;
}

/* `keys` of the sizes of changes, uint32 where they are `wide`, else uint16: the bits of a size that the format has, shifted
 * by `shift`, taken from `top` where the largest come first (else it is below 0). */
void EXPORT(fill_keys)(
    const float *tensor, const float *base, int64_t n, int64_t code, int64_t shift, int64_t top, int64_t wide, void *keys
) {
    const Key key = {top >= 0 ? 0xFFFFFFFFu : 0, top >= 0 ? (uint32_t)top + 1u : 0, (int)shift};
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        float change[ROW];
        changes(tensor + at, base + at, m, code, change);
        if (wide) {
            uint32_t *restrict row = (uint32_t *)keys + at;
            for (int64_t i = 0; i < m; i++) row[i] = key_of(change[i], key);
        } else {
            uint16_t *restrict row = (uint16_t *)keys + at;
            for (int64_t i = 0; i < m; i++) row[i] = (uint16_t)key_of(change[i], key);
        }
    }
}

static void swap_keys(void *keys, int64_t wide, int64_t a, int64_t b) {
    if (wide) {
        uint32_t *all = keys, held = all[a];
        all[a] = all[b];
        all[b] = held;
    } else {
        uint16_t *all = keys, held = all[a];
        all[a] = all[b];
        all[b] = held;
    }
}

/* Bring the pivot of `first` to `last` to its front; from where. */
int64_t EXPORT(bring_pivot)(void *keys, int64_t wide, int64_t first, int64_t last) {
    const int64_t a = first + 1, b = first + (last - first) / 2, c = last - 1;
    const uint32_t three[] = {key_at(keys, wide, a), key_at(keys, wide, b), key_at(keys, wide, c)};
    const int64_t place = median_of(three, a, b, c);
    swap_keys(keys, wide, first, place);
    return place;
}

/* A bit for each of 64 bytes that are 0 or 1. */
static inline uint64_t packed(const uint8_t *flags) {
    uint64_t word = 0;
    for (int group = 0; group < 8; group++) {
        uint64_t eight;
        memcpy(&eight, flags + 8 * group, sizeof eight);
        word |= (eight * 0x0102040810204080u >> 56) << (8 * group);
    }
    return word;
}

#define COMPARED(type)                                              \
    const type *some = (const type *)keys + at, middle = (type)pivot; \
    for (int i = 0; i < WORD; i++) least[i] = some[i] >= middle;      \
    for (int i = 0; i < WORD; i++) most[i] = some[i] <= middle;

/* In words `from` to `to` of a part whose pivot is at its front: where a scan from the front stops, and one from the back.
 * Words begin where places are multiples of 64; whole ones are read. */
void EXPORT(mark_stops)(
    const void *keys, int64_t wide, int64_t first, int64_t last, int64_t from, int64_t to, uint64_t *front,
    uint64_t *back
) {
    const uint32_t pivot = key_at(keys, wide, first);
    for (int64_t word = from; word < to; word++) {
        const int64_t at = base_of(first) + word * WORD, before = first + 1 - at, beyond = at + WORD - last;
        uint8_t least[WORD], most[WORD];
        if (wide) {
            COMPARED(uint32_t)
        } else {
            COMPARED(uint16_t)
        }
        uint64_t within = ~(uint64_t)0;
        if (before > 0) within = before < WORD ? within << before : 0;
        if (beyond > 0) within &= ~(uint64_t)0 >> beyond;
        front[word] = packed(least) & within;
        back[word] = packed(most) & within;
    }
}

static uint64_t without_lowest(uint64_t word, int64_t count) {
    for (; count > 0; count--) word &= word - 1;
    return word;
}

/* How many pairs the scans swap until they meet: as many as can stop on either side of one place. */
static int64_t pairs_of(const uint64_t *front, const uint64_t *back, int64_t words) {
    int64_t before = 0, after = 0, most = 0;
    for (int64_t word = 0; word < words; word++) after += ones(back[word]);
    for (int64_t word = 0; word < words; word++) {
        if (before + ones(front[word]) < after - ones(back[word])) {
            before += ones(front[word]);
            after -= ones(back[word]);
            continue;
        }
        for (int bit = 0; bit <= WORD; bit++) {
            const int64_t both = before < after ? before : after;
            if (both > most) most = both;
            if (bit == WORD) break;
            before += front[word] >> bit & 1;
            after -= back[word] >> bit & 1;
        }
        return most;
    }
    return most;
}

/* Make of the stops in `front` and `back` the moves, in `front`; how many pairs move. `cut` is where the upper part begins
 * then, from the place of the first bit. */
int64_t EXPORT(meet)(uint64_t *front, const uint64_t *back, int64_t words, int64_t *cut) {
    const int64_t pairs = pairs_of(front, back, words);
    int64_t word = 0, left = pairs;
    for (; left > ones(front[word]); word++) left -= ones(front[word]);
    uint64_t others = without_lowest(front[word], left);
    front[word] ^= others;
    int64_t next = word;
    while (others == 0 && next + 1 < words) others = front[++next];
    *cut = others ? next * WORD + __builtin_ctzll(others) : words * WORD;
    for (next = word + 1; next < words; next++) front[next] = 0;
    if (pairs == 0) return 0;
    word = words - 1;
    for (left = pairs; left > ones(back[word]); word--) {
        left -= ones(back[word]);
        front[word] |= back[word];
    }
    others = without_lowest(back[word], ones(back[word]) - left);
    front[word] |= others;
    const int64_t lowest = word * WORD + __builtin_ctzll(others);
    if (lowest < *cut) *cut = lowest;
    return pairs;
}

/* The bits of a word in the opposite order. */
static inline uint64_t reversed(uint64_t word) {
    const uint64_t pairs = 0x5555555555555555u, fours = 0x3333333333333333u, eights = 0x0F0F0F0F0F0F0F0Fu;
    word = (word >> 1 & pairs) | (word & pairs) << 1;
    word = (word >> 2 & fours) | (word & fours) << 2;
    word = (word >> 4 & eights) | (word & eights) << 4;
    return __builtin_bswap64(word);
}

/* Two ends of the moves, which go towards each other. */
typedef struct {
    const uint64_t *moves;
    int64_t low, high;
    uint64_t front, back; /* what is left of the words at either end; the upper one is reversed, so that both lose low bits */
} Ends;

/* After so many pairs. */
static Ends ends_after(const uint64_t *moves, int64_t words, int64_t pairs) {
    Ends ends = {moves, 0, words - 1, 0, 0};
    int64_t below = pairs, above = pairs;
    for (; below > ones(moves[ends.low]); ends.low++) below -= ones(moves[ends.low]);
    for (; above > ones(moves[ends.high]); ends.high--) above -= ones(moves[ends.high]);
    ends.front = without_lowest(moves[ends.low], below);
    ends.back = without_lowest(reversed(moves[ends.high]), above);
    return ends;
}

/* How many of the next `left` pairs are of these two words; words that are empty are passed. */
static inline int64_t pairs_here(Ends *ends, int64_t left) {
    while (ends->front == 0) ends->front = ends->moves[++ends->low];
    while (ends->back == 0) ends->back = reversed(ends->moves[--ends->high]);
    const int64_t here = ones(ends->front) < ones(ends->back) ? ones(ends->front) : ones(ends->back);
    return here < left ? here : left;
}

static inline int next_low(Ends *ends) {
    const int bit = __builtin_ctzll(ends->front);
    ends->front &= ends->front - 1;
    return bit;
}

static inline int next_high(Ends *ends) {
    const int bit = WORD - 1 - __builtin_ctzll(ends->back);
    ends->back &= ends->back - 1;
    return bit;
}

/* Bring the keys of pairs `from` to `to` to the `lower` part, the `upper` one or both: what lies in a part that is not
 * wanted is not looked at again. */
#define EXCHANGED(type)                                                                                  \
    type *low = (type *)keys + base_of(first) + ends.low * WORD, *high = (type *)keys + base_of(first) + ends.high * WORD; \
    for (int64_t pair = 0; pair < here; pair++) {                                                        \
        type *a = low + next_low(&ends), *b = high + next_high(&ends), held = *a;                        \
        if (lower) *a = *b;                                                                              \
        if (upper) *b = held;                                                                            \
    }

void EXPORT(exchange_keys)(
    void *keys, int64_t wide, int64_t first, const uint64_t *moves, int64_t words, int64_t from, int64_t to, int64_t lower,
    int64_t upper
) {
    if (from >= to) return;
    Ends ends = ends_after(moves, words, from);
    for (int64_t left = to - from; left > 0;) {
        const int64_t here = pairs_here(&ends, left);
        left -= here;
        if (wide) {
            EXCHANGED(uint32_t)
        } else {
            EXCHANGED(uint16_t)
        }
    }
}

static void swap_bits(uint64_t *bits, int64_t a, int64_t b) {
    const uint64_t differ = (bits[a / WORD] >> (a & (WORD - 1)) ^ bits[b / WORD] >> (b & (WORD - 1))) & 1;
    bits[a / WORD] ^= differ << (a & (WORD - 1));
    bits[b / WORD] ^= differ << (b & (WORD - 1));
}

/* The bits of a word at the places that a mask has, side by side; and such bits at those places. */
#ifdef __BMI2__
static inline uint64_t gathered(uint64_t word, uint64_t mask) { return _pext_u64(word, mask); }
static inline uint64_t scattered(uint64_t bits, uint64_t mask) { return _pdep_u64(bits, mask); }
#else
static inline uint64_t gathered(uint64_t word, uint64_t mask) {
    uint64_t found = 0;
    for (int at = 0; mask; mask &= mask - 1) found |= (word >> __builtin_ctzll(mask) & 1) << at++;
    return found;
}
static inline uint64_t scattered(uint64_t bits, uint64_t mask) {
    uint64_t word = 0;
    for (; mask; mask &= mask - 1, bits >>= 1) word |= (bits & 1) << __builtin_ctzll(mask);
    return word;
}
#endif

/* So many of the set bits of a word, from the lowest on. */
static inline uint64_t lowest(uint64_t word, int64_t count) {
    return count == ones(word) ? word : scattered(((uint64_t)1 << count) - 1, word);
}

/* Bring `bits` back by the moves of a part that begins at `first`, whose pivot came from `place`. */
void EXPORT(undo_moves)(
    uint64_t *bits, int64_t first, int64_t place, const uint64_t *moves, int64_t words, int64_t pairs
) {
    uint64_t *own = bits + first / WORD;
    Ends ends = pairs ? ends_after(moves, words, 0) : (Ends){0};
    for (int64_t left = pairs; left > 0;) {
        const int64_t here = pairs_here(&ends, left);
        left -= here;
        uint64_t *low = own + ends.low, *high = own + ends.high;
        const uint64_t front = lowest(ends.front, here), back = lowest(ends.back, here);
        const uint64_t differ = gathered(*low, front) ^ gathered(reversed(*high), back);
        *low ^= scattered(differ, front);
        *high ^= reversed(scattered(differ, back));
        ends.front ^= front;
        ends.back ^= back;
    }
    swap_bits(bits, first, place);
}

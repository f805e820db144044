/* Changes that are kept by chance, and their sizes added up; the bits of numpy's generator PCG64 and of its sums.
 *
 * `recipes/methods` in numpy is the oracle. A generator is uint64 [4]: the high and the low half of its state, and of its
 * increment. Numbers are those that `Generator.random` gives as float32, times 2**24: the upper 24 bits of 32. */
#include "changes.h"
#include "vectors.h"

typedef unsigned __int128 State;

enum {
    CHAINS = 4,  /* states that are stepped side by side, since a step waits for the one before */
    SUMMED = 8192, /* elements that numpy converts to float64 at a time */
    ALL = 1 << 24 /* above every number */
};

/* PCG XSL-RR 128/64 (O'Neill 2014): `state` of each chain after the step whose number comes next. */
typedef struct {
    State state[CHAINS], factor, add;
} Chains;

static const State FACTOR = ((State)2549297995355413924u << 64) + 4865540595714422341u;

/* From `place` on of the numbers that a generator gives; two come from a step. */
static Chains chains_from(const uint64_t *generator, uint64_t steps) {
    State state = ((State)generator[0] << 64) + generator[1];
    const State increment = ((State)generator[2] << 64) + generator[3];
    State factor = FACTOR, add = increment;
    for (; steps; steps >>= 1) { /* Brown 1994: a jump takes as many squarings as it has bits */
        if (steps & 1u) state = state * factor + add;
        add *= factor + 1;
        factor *= factor;
    }
    Chains chains = {.factor = 1, .add = 0};
    for (int chain = 0; chain < CHAINS; chain++) {
        state = state * FACTOR + increment;
        chains.state[chain] = state;
        chains.add = chains.add * FACTOR + increment;
        chains.factor *= FACTOR;
    }
    return chains;
}

static inline uint64_t output(State state) {
    const uint64_t mixed = (uint64_t)(state >> 64) ^ (uint64_t)state;
    const unsigned turn = (unsigned)(state >> 122);
    return mixed >> turn | mixed << (-turn & 63u);
}

/* The next ROW numbers. */
static void draw(Chains *chains, uint32_t *numbers) {
    for (int at = 0; at < ROW; at += 2 * CHAINS)
        for (int chain = 0; chain < CHAINS; chain++) {
            const uint64_t both = output(chains->state[chain]);
            chains->state[chain] = chains->state[chain] * chains->factor + chains->add;
            numbers[at + 2 * chain] = (uint32_t)both >> 8;
            numbers[at + 2 * chain + 1] = (uint32_t)(both >> 40);
        }
}

/* Numbers by the row, from any place on; from an odd one the second of a step is left from the row before. */
typedef struct {
    Chains chains;
    int odd;
    uint32_t numbers[1 + ROW];
} Drawn;

static void begin(Drawn *drawn, const uint64_t *generator, int64_t place) {
    drawn->odd = (int)(place & 1);
    drawn->chains = chains_from(generator, (uint64_t)(place / 2 + drawn->odd));
    if (drawn->odd) {
        const Chains before = chains_from(generator, (uint64_t)(place / 2));
        drawn->numbers[ROW] = (uint32_t)(output(before.state[0]) >> 40);
    }
}

static const uint32_t *next_row(Drawn *drawn) {
    if (drawn->odd) drawn->numbers[0] = drawn->numbers[ROW];
    draw(&drawn->chains, drawn->numbers + drawn->odd);
    return drawn->numbers;
}

static inline void keep(const float *change, const uint32_t *number, int64_t m, uint32_t least, float *restrict out) {
    for (int64_t i = 0; i < m; i++) out[i] = number[i] < least ? change[i] : 0.0f;
}

/* `out` [n] = the changes of `tensor` from `base` whose numbers are below `least`, times `factor`; 0 elsewhere. `place` is
 * that of the first one's number. All are kept, and no numbers drawn, where `least` is 2**24. */
void EXPORT(thin_by_chance)(
    const float *tensor, const float *base, int64_t n, int64_t code, const uint64_t *generator, int64_t place,
    int64_t least, float factor, float *out
) {
    Drawn drawn;
    if (least < ALL) begin(&drawn, generator, place);
    for (int64_t at = 0; at < n; at += ROW) {
        const int64_t m = n - at < ROW ? n - at : ROW;
        float change[ROW], *restrict row = out + at;
        changes(tensor + at, base + at, m, code, change);
        if (least < ALL) keep(change, next_row(&drawn), m, (uint32_t)least, row);
        else memcpy(row, change, (size_t)m * sizeof *row);
        if (factor == 1.0f) continue;
        for (int64_t i = 0; i < m; i++) row[i] = row[i] * factor;
        round_all(row, m, code);
    }
}

static inline Fours sizes_at(const float *at) {
    uint32_t bits __attribute__((vector_size(16)));
    memcpy(&bits, at, sizeof bits);
    return (Fours)(bits & 0x7FFFFFFFu);
}

/* Sizes in float64, in the order in which numpy adds a contiguous row: pairwise, eight lanes at the bottom. */
static double added_sizes(const float *values, int64_t n) {
    enum { LEAF = 128 };
    if (n > LEAF) {
        const int64_t half = n / 2 - n / 2 % LANES;
        return added_sizes(values, half) + added_sizes(values + half, n - half);
    }
    double total = 0;
    int64_t i = 0;
    if (n >= LANES) {
        Wides low = wide(sizes_at(values)), high = wide(sizes_at(values + 4));
        for (i = LANES; i + LANES <= n; i += LANES) {
            low += wide(sizes_at(values + i));
            high += wide(sizes_at(values + i + 4));
        }
        total = ((low[0] + low[1]) + (low[2] + low[3])) + ((high[0] + high[1]) + (high[2] + high[3]));
    }
    for (; i < n; i++) total += (double)fabsf(values[i]);
    return total;
}

/* The sizes of all changes, and of those that are kept: `sums` [groups, 2] of every SUMMED elements. */
void EXPORT(sizes_by_chance)(
    const float *tensor, const float *base, int64_t n, int64_t code, const uint64_t *generator, int64_t place,
    int64_t least, double *sums
) {
    Drawn drawn;
    float change[SUMMED], kept[SUMMED];
    begin(&drawn, generator, place);
    for (int64_t first = 0; first < n; first += SUMMED, sums += 2) {
        const int64_t count = n - first < SUMMED ? n - first : SUMMED;
        for (int64_t at = 0; at < count; at += ROW) {
            const int64_t m = count - at < ROW ? count - at : ROW;
            changes(tensor + first + at, base + first + at, m, code, change + at);
            keep(change + at, next_row(&drawn), m, (uint32_t)least, kept + at);
        }
        sums[0] = added_sizes(change, count);
        sums[1] = added_sizes(kept, count);
    }
}

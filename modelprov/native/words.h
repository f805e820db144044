/* A run of two or three bf16 checkpoints from their bytes, chunk by chunk; the loops are in `bf16.h`. */
#ifndef MODELPROV_WORDS_H
#define MODELPROV_WORDS_H

#include "work.h"

/* The recipes that are tried on the words of a segment, and their numbers. */
static int tried_of(const Work *work, int64_t s, const Scratch *scratch, Tried *tried, int64_t *number) {
    int count = 0;
    for (int64_t k = 0; k < work->recipes; k++) {
        if (!scratch->in_words[k]) continue;
        const Merge merge = merge_of(work, s, k, scratch->values);
        const int fused_last = merge.order[0] == 0 ? REFERENCE_FUSED : PARENT_FUSED;
        const int how = work->arithmetic[k] == FLOAT32_FUSED ? fused_last : EACH_ROUNDED;
        tried[count] = (Tried){(float)merge.weights[0], (float)merge.weights[1], how};
        number[count++] = k;
    }
    return count;
}

/* One chunk of a run of bf16 checkpoints, two or three of them: `m` elements from `at`, a multiple of 32.
 *
 * While it is worked on, the next one is brought, by loops in proportion to their work: memory that one of the loops
 * waits for is memory that the others leave idle. */
static void count_words(
    const uint8_t *const *at, int64_t n, int64_t m, const Tried *tried, int recipes, Lanes *lanes
) {
    if (n == 2) {
        counts_of_two(at[0], at[1], m, lanes->counted);
        return;
    }
    counts_of_three(at[0], at[1], at[2], m, lanes->counted, recipes ? tried : NULL, lanes->recipes);
    for (int k = 1; k < recipes; k++) recipe_of_three(at[0], at[1], at[2], m, tried + k, lanes->recipes + k);
}

static void add_words(const uint8_t *const *at, int64_t n, int64_t m, int recipes, double *lanes) {
    if (n == 3) sums_of_three(at[0], at[1], at[2], m, at[recipes ? 0 : 1], lanes);
    else sums_of_two(at[0], at[1], m, lanes);
}

/* A run of such checkpoints from their bytes. What the last chunk lacks of 32 elements is filled up: with zeros to be
 * added; to be counted, with a suspect that nothing equals, outside of parents that differ. */
static void words_run(const Work *work, int64_t s, int64_t first, int64_t m, Scratch *scratch) {
    const int64_t n = work->n;
    Lanes *lanes = scratch->lanes;
    Tried tried[MOST_RECIPES];
    int64_t number[MOST_RECIPES];
    const int recipes = tried_of(work, s, scratch, tried, number);
    memset(lanes, 0, offsetof(Lanes, recipes) + (size_t)recipes * sizeof(Shorts));
    for (int64_t done = 0; done < m; done += CHUNK) {
        const int64_t taken = m - done < CHUNK ? m - done : CHUNK, whole = taken / STEP * STEP, rest = taken - whole;
        const uint8_t *at[3];
        for (int64_t i = 0; i < n; i++)
            at[i] = work->address[i] + work->start[i * work->segments + s] + 2 * (first + done);
        add_words(at, n, whole, recipes, lanes->sums);
        count_words(at, n, whole, tried, recipes, lanes);
        if (rest == 0) continue;
        uint16_t last[3][STEP] = {{0}};
        for (int64_t i = 0; i < n; i++) {
            memcpy(last[i], at[i] + 2 * whole, (size_t)(2 * rest));
            at[i] = (const uint8_t *)last[i];
        }
        add_words(at, n, STEP, recipes, lanes->sums);
        for (int64_t t = rest; t < STEP; t++) {
            last[0][t] = 0xFFFF;
            last[1][t] = 1;
            last[2][t] = 2;
        }
        count_words(at, n, STEP, tried, recipes, lanes);
    }
    add_lanes(lanes, n, scratch->part, scratch->run);
    for (int k = 0; k < recipes; k++) scratch->run[FIRST_PAIR + pairs(n) + number[k]] += lanes_counted(lanes->recipes[k]);
    scratch->run[0] += m;
    if (n == 2) scratch->run[4] += m;
}

#endif

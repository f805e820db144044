/* A run of two to six bf16 checkpoints from their bytes, group by group; the loops are in `bf16.h` and `several.h`. */
#ifndef MODELPROV_WORDS_H
#define MODELPROV_WORDS_H

#include "several.h"
#include "work.h"

/* The recipes that are tried on the words of a segment, and their numbers. */
static int tried_of(const Work *work, int64_t s, const Scratch *scratch, Tried *tried, int64_t *number) {
    int count = 0;
    for (int64_t k = 0; k < work->recipes; k++) {
        if (!scratch->in_words[k]) continue;
        const Merge merge = merge_of(work, s, k, scratch->values);
        tried[count].fused = work->arithmetic[k] == FLOAT32_FUSED;
        for (int64_t step = 0; step < merge.k; step++) {
            tried[count].parents[step] = (int)merge.order[step];
            tried[count].weights[step] = (float)merge.weights[merge.order[step]];
        }
        number[count++] = k;
    }
    return count;
}

/* One group of a run of bf16 checkpoints.
 *
 * While it is worked on, the next one is brought, by loops in proportion to their work: memory that one of the loops
 * waits for is memory that the others leave idle. */
static void count_words(const uint8_t *const *at, int64_t n, const Tried *tried, int recipes, Lanes *lanes) {
    switch (n) {
    case 2: counts_of_two(at[0], at[1], lanes->counted); return;
    case 3: counts_of_three(at[0], at[1], at[2], lanes->counted, recipes ? tried : NULL, lanes->recipes); break;
    case 4: counts_of_four(at, lanes->counted); break;
    case 5: counts_of_five(at, lanes->counted); break;
    default: counts_of_six(at, lanes->counted);
    }
    for (int k = n == 3; k < recipes; k++) {
        Shorts *same = lanes->recipes + k;
        if (n == 3) recipe_of_three(at[0], at[1], at[2], tried + k, same);
        else if (n == 4) recipe_of_four(at, tried + k, same);
        else if (n == 5) recipe_of_five(at, tried + k, same);
        else recipe_of_six(at, tried + k, same);
    }
}

static void add_words(const uint8_t *const *at, int64_t n, int recipes, double *lanes) {
    switch (n) {
    case 2: sums_of_two(at[0], at[1], lanes); break;
    case 3: sums_of_three(at[0], at[1], at[2], at[recipes ? 0 : 1], lanes); break;
    case 4: sums_of_four(at, lanes); break;
    case 5: sums_of_five(at, lanes); break;
    default: sums_of_six(at, lanes);
    }
}

/* The rest of a run, less than a group. What it lacks is filled up: with zeros to be added, steps of 32 elements apart
 * from what is left of them; to be counted, with a suspect that nothing equals, outside of parents that differ. */
static void last_words(
    const uint8_t *const *at, int64_t n, int64_t rest, const Tried *tried, int recipes, Lanes *lanes
) {
    uint16_t last[MOST][GROUP];
    const uint8_t *filled[MOST];
    for (int64_t i = 0; i < n; i++) filled[i] = (const uint8_t *)last[i];
    const int64_t whole = rest / STEP * STEP, ends[] = {0, whole, rest};
    for (int piece = 0; piece < 2; piece++) {
        const int64_t from = ends[piece], count = ends[piece + 1] - from;
        if (count == 0) continue;
        memset(last, 0, (size_t)n * sizeof last[0]);
        for (int64_t i = 0; i < n; i++) memcpy(last[i], at[i] + 2 * from, (size_t)(2 * count));
        add_words(filled, n, recipes, lanes->sums);
        for (int64_t i = 0; i < n; i++)
            for (int64_t t = count; t < GROUP; t++) last[i][t] = i ? (uint16_t)i : 0xFFFF;
        count_words(filled, n, tried, recipes, lanes);
    }
}

/* A run of such checkpoints from their bytes. */
static void words_run(const Work *work, int64_t s, int64_t first, int64_t m, Scratch *scratch) {
    const int64_t n = work->n;
    Lanes *lanes = scratch->lanes;
    Tried tried[MOST_RECIPES];
    int64_t number[MOST_RECIPES];
    const int recipes = tried_of(work, s, scratch, tried, number);
    memset(lanes->sums, 0, (size_t)(gram_columns(n) * LANES) * sizeof(double));
    memset(lanes->counted, 0, (size_t)(pairs(n) + 3) * sizeof(Shorts));
    memset(lanes->recipes, 0, (size_t)recipes * sizeof(Shorts));
    for (int64_t done = 0; done < m; done += GROUP) {
        const uint8_t *at[MOST];
        for (int64_t i = 0; i < n; i++) at[i] = element(work, scratch, i, s, first + done);
        if (m - done < GROUP) {
            last_words(at, n, m - done, tried, recipes, lanes);
            break;
        }
        add_words(at, n, recipes, lanes->sums);
        count_words(at, n, tried, recipes, lanes);
    }
    add_lanes(lanes, n, scratch->part, scratch->run);
    for (int k = 0; k < recipes; k++) scratch->run[FIRST_PAIR + pairs(n) + number[k]] += lanes_counted(lanes->recipes[k]);
    scratch->run[0] += m;
    if (n == 2) scratch->run[4] += m;
}

#endif

/* What the kernel is given and what it writes to while it works; shapes of both. Computes nothing. */
#ifndef MODELPROV_WORK_H
#define MODELPROV_WORK_H

#include "arithmetics.h"
#include "bf16.h"

enum { RUN = 4096, FIRST_PAIR = 6 };

typedef struct {
    int64_t n, segments, tensors, recipes;
    const uint8_t *const *address;
    const int64_t *size, *tensor, *count, *start, *dtype, *rounded_to, *arithmetic, *order;
    const double *weights;
    int64_t *counts;
    double *sums;
} Work;

typedef struct {
    float *values, *stored, *deltas, *out; /* [n, RUN], [n, CHUNK], [n, CHUNK], [RUN] */
    double *part;
    int64_t *run;
    int *in_words; /* [recipes] */
    Lanes *lanes;
} Scratch;

static int64_t pairs(int64_t n) { return n * (n - 1) / 2; }

static int64_t gram_columns(int64_t n) { return (n + 1) * (n + 2) / 2 - 1; }

static Merge merge_of(const Work *work, int64_t s, int64_t k, const float *values) {
    const int64_t parents = work->n - 1;
    return (Merge){
        values + RUN, RUN, parents,
        work->weights + (k * work->tensors + work->tensor[s]) * parents, work->order + k * parents,
    };
}

#endif

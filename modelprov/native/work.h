/* What the kernel is given and what it writes to while it works; shapes of both. Computes nothing. */
#ifndef MODELPROV_WORK_H
#define MODELPROV_WORK_H

#include "arithmetics.h"
#include "bf16.h"

enum { RUN = 4096, FIRST_PAIR = 6 };
enum { WINDOW = 256 << 10 }; /* bytes of a file that are read at once: a few lie in the processor's own cache */

typedef struct {
    int64_t n, segments, tensors, recipes;
    const int64_t *descriptor; /* of the file that a checkpoint's bytes are in; -1: they are at its address */
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
    uint8_t *window; /* [n, WINDOW]: what was read of a segment, from element `begins` on */
    int64_t begins;
} Scratch;

/* Where element `first` of segment s of checkpoint i lies. */
static const uint8_t *element(const Work *work, const Scratch *scratch, int64_t i, int64_t s, int64_t first) {
    const int64_t at = i * work->segments + s, size = size_of(work->dtype[at]);
    if (work->descriptor[i] < 0) return work->address[i] + work->start[at] + size * first;
    return scratch->window + i * WINDOW + size * (first - scratch->begins);
}

static Merge merge_of(const Work *work, int64_t s, int64_t k, const float *values) {
    const int64_t parents = work->n - 1;
    const Merge given = {
        values + RUN, RUN, parents,
        work->weights + (k * work->tensors + work->tensor[s]) * parents, work->order + k * parents,
    };
    return taken_of(&given);
}

#endif

/* The loops of `bf16.h` for four to six checkpoints: as many sums and counts as fit the registers of a processor. */
#ifndef MODELPROV_SEVERAL_H
#define MODELPROV_SEVERAL_H

#include "bf16.h"

/* Gram of one group of n checkpoints added to `lanes`, in the order of the columns; of three it is `sums_of_three`. */
static inline __attribute__((always_inline)) void sums_of_several(
    const uint8_t *const *at, const int n, double *lanes
) {
    const int columns = (int)gram_columns(n);
    Floats sums[PARTS * MOST_COLUMNS];
    for (int column = 0; column < PARTS * columns; column++) sums[column] = NONE;
    for (int64_t line = 0; line < 2 * CHUNK; line += LINE) {
        for (int64_t chunk = 0; chunk < 2 * GROUP; chunk += 2 * CHUNK)
            for (int i = 0; i < n; i += 2) prefetch(at[i] + chunk + line);
        for (int64_t byte = line; byte < line + LINE; byte += 4 * LANES)
            for (int part = 0; part < PARTS; part++) {
                Words words[MOST];
                for (int i = 0; i < n; i++) words[i] = words_of(at[i] + byte + part * VECTOR);
                for (int half = 0; half < 2; half++) {
                    Floats row[MOST], *to = sums + part * columns;
                    for (int i = 0; i < n; i++) row[i] = half ? odd(words[i]) : even(words[i]);
                    for (int i = 0; i < n - 1; i++) row[i] -= row[n - 1];
                    for (int i = 0; i < n; i++) {
                        for (int j = i; j < n; j++, to++) *to = fused(row[i], row[j], *to);
                        *to++ += row[i];
                    }
                }
            }
    }
    keep(sums, columns, lanes);
}

/* Which pairs of n checkpoints are equal in a group; then all of them, all parents, and the suspect between its parents:
 * where the nearest number between the least and the greatest of these is its own. */
static inline __attribute__((always_inline)) void counts_of_several(
    const uint8_t *const *at, const int n, Shorts *counted
) {
    const int equals = (int)pairs(n);
    Shorts kept[MOST_COUNTED];
    for (int column = 0; column < equals + 3; column++) kept[column] = counted[column];
    for (int64_t line = 0; line < 2 * GROUP; line += LINE) {
        for (int i = 1; i < n; i += 2) prefetch(at[i] + line);
        for (int64_t byte = line; byte < line + LINE; byte += VECTOR) {
            Shorts held[MOST], key[MOST];
            for (int i = 0; i < n; i++) {
                held[i] = (Shorts)words_at(at[i] + byte);
                key[i] = held[i] ^ ((held[i] >> 15) & 0x7FFF);
            }
            Mask with_last = equal(held[0], held[n - 1]), agree = equal(held[1], held[n - 1]);
            Shorts *to = kept, least = key[n - 1], most = key[n - 1];
            for (int i = 0; i < n; i++)
                for (int j = i + 1; j < n; j++, to++) *to = counted_up(*to, equal(held[i], held[j]));
            for (int i = 1; i < n - 1; i++) {
                agree = both(agree, equal(held[i], held[n - 1]));
                least = lesser(least, key[i]);
                most = greater(most, key[i]);
            }
            to[0] = counted_up(to[0], both(agree, with_last));
            to[1] = counted_up(to[1], agree);
            to[2] = counted_up(to[2], equal(key[0], lesser(greater(key[0], least), most)));
        }
    }
    for (int column = 0; column < equals + 3; column++) counted[column] = kept[column];
}

/* Where the suspect of a group of n equals a recipe. */
static inline __attribute__((always_inline)) void equal_to_several(
    const uint8_t *const *at, const int n, const Tried *tried, const int fuse, Shorts *same
) {
    Shorts total = *same;
    const uint8_t *from[MOST - 1];
    Floats weight[MOST - 1];
    for (int step = 0; step < n - 1; step++) {
        from[step] = at[1 + tried->parents[step]];
        weight[step] = NONE + tried->weights[step];
    }
    for (int64_t byte = 0; byte < 2 * GROUP; byte += VECTOR) {
        Floats made[2];
        for (int step = 0; step < n - 1; step++) {
            const Words words = words_at(from[step] + byte);
            for (int half = 0; half < 2; half++) {
                const Floats values = half ? odd(words) : even(words);
                if (step == 0) made[half] = values * weight[0];
                else if (fuse) made[half] = fused(values, weight[step], made[half]);
                else made[half] = values * weight[step] + made[half];
            }
        }
        total = counted_up(total, equal((Shorts)rounded(made[0], made[1]), (Shorts)words_at(at[0] + byte)));
    }
    *same = total;
}

#define OF(n, name)                                                                                             \
    static APART void sums_of_##name(const uint8_t *const *at, double *lanes) { sums_of_several(at, n, lanes); }    \
    static APART void counts_of_##name(const uint8_t *const *at, Shorts *counted) { counts_of_several(at, n, counted); } \
    static APART void recipe_of_##name(const uint8_t *const *at, const Tried *tried, Shorts *same) {                \
        if (tried->fused) equal_to_several(at, n, tried, 1, same);                                                  \
        else equal_to_several(at, n, tried, 0, same);                                                               \
    }
OF(4, four)
OF(5, five)
OF(6, six)
#undef OF

#endif

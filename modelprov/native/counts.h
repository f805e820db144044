/* Sizes counted by 16 of their bits, in several tables: neighbours are often equal, and would wait for each other. */
#ifndef MODELPROV_COUNTS_H
#define MODELPROV_COUNTS_H

#include "changes.h"

enum { TABLES = 4, BINS = 1 << 16 };

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

#endif

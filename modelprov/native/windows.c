/* Bytes on their way to a GPU: read into windows of pinned memory, each sent before the next is filled. No arithmetic.
 *
 * A loop in Python does the same (`forensics/sums/kernels/gpu_windows.py`), one thread at a time. Whatever goes wrong
 * here is done again there, where it is said in words.
 */
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#include <stddef.h>
#include <string.h>

#include "stored.h"

typedef struct {
    int64_t at, size, parts; /* byte of the slab where it belongs, bytes, and how many parts fill it */
} Window;

typedef struct {
    int64_t descriptor, source, place, size; /* descriptor and offset of a file, or -1 and an address; byte in the window */
} Part;

typedef struct {
    int64_t turn, windows, slab; /* the window that is next, how many there are, address on the GPU */
    void *stream;
    int (*copy)(uint64_t to, const void *from, size_t size, void *stream); /* the driver's functions: 0, or an error */
    int (*record)(void *event, void *stream);
    int (*wait)(void *event);
    char *memory[2];
    void *copied[2]; /* events: what was in the window has arrived */
} Lane;

static int filled(char *out, const Part *part) {
    if (part->descriptor < 0) {
        memcpy(out, (const void *)(uintptr_t)part->source, (size_t)part->size);
        return 1;
    }
    return read_at(part->descriptor, out, part->size, part->source);
}

/* The turn after the last window; -1 where anything failed, and what was sent may still be under way. */
int64_t modelprov_send_windows(const Lane *lane, int64_t windows, const Window *window, const Part *part) {
    int64_t turn = lane->turn;
    for (int64_t w = 0; w < windows; w++) {
        if (lane->wait(lane->copied[turn])) return -1;
        for (int64_t p = 0; p < window[w].parts; p++, part++)
            if (!filled(lane->memory[turn] + part->place, part)) return -1;
        const uint64_t to = (uint64_t)(lane->slab + window[w].at);
        if (lane->copy(to, lane->memory[turn], (size_t)window[w].size, lane->stream)) return -1;
        if (lane->record(lane->copied[turn], lane->stream)) return -1;
        turn = (turn + 1) % lane->windows;
    }
    return turn;
}

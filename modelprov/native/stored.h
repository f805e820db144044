/* Bytes of an open file, by place. */
#ifndef MODELPROV_STORED_H
#define MODELPROV_STORED_H

#ifndef _XOPEN_SOURCE
#error "define _XOPEN_SOURCE and _FILE_OFFSET_BITS before anything is included"
#endif
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

/* Fill `out` with `size` bytes from `start` on; 0 where the file ends before, or cannot be read. */
static int read_at(int64_t descriptor, void *out, int64_t size, int64_t start) {
    for (int64_t done = 0; done < size;) {
        const ssize_t got = pread((int)descriptor, (char *)out + done, (size_t)(size - done), (off_t)(start + done));
        if (got > 0) done += got;
        else if (got == 0 || errno != EINTR) return 0;
    }
    return 1;
}

#endif

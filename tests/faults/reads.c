/* Loaded before the C library (LD_PRELOAD), so that reads of weights fail below Python and below our C alike.
 *
 * The environment says how, READ_FAULT, and at which read by C, READ_FAULT_AT (from 1). "..., once" is met by that read
 * alone, which Python then repeats; "..., from then on" by every read after it too, whoever makes it.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_long seen;

/* Reads of weights by C so far; Python asks at the end of a run. */
long reads_seen(void) { return seen; }

static int of_weights(int file, char *path, size_t room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t length = readlink(link, path, room - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strstr(path, ".safetensors") != NULL;
}

/* What the read is to bring instead: -1 with errno, or how many bytes at most. */
static ssize_t allowed(int file, size_t size, int by_c) {
    char path[4096];
    const char *fault = getenv("READ_FAULT");
    if (!fault || !of_weights(file, path, sizeof path)) return (ssize_t)size;
    const char *at = getenv("READ_FAULT_AT");
    const long wanted = at ? atol(at) : 0;
    const long now = by_c ? ++seen : seen;
    const int met = by_c && now == wanted, after = wanted > 0 && now >= wanted;
    if (met && !strcmp(fault, "killed")) raise(SIGKILL);
    if (met && !strcmp(fault, "late")) nanosleep(&(struct timespec){0, 50000000}, NULL);
    if (met && !strcmp(fault, "cut short")) {
        struct stat whole;
        if (fstat(file, &whole) || truncate(path, whole.st_size / 2)) abort();
    }
    if (met && !strcmp(fault, "interrupted")) return errno = EINTR, -1;
    if ((met && !strcmp(fault, "refused, once")) || (after && !strcmp(fault, "refused, from then on"))) return errno = EIO, -1;
    if ((met && !strcmp(fault, "ended, once")) || (after && !strcmp(fault, "ended, from then on"))) return 0;
    if (!strcmp(fault, "short") && size > 2) return (ssize_t)(size / 3);
    return (ssize_t)size;
}

ssize_t pread64(int file, void *out, size_t size, off_t start) {
    static ssize_t (*real)(int, void *, size_t, off_t);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pread64");
    const ssize_t most = allowed(file, size, 1);
    return most > 0 ? real(file, out, (size_t)most, start) : most;
}

/* Python's, with flags or without. */
ssize_t preadv64v2(int file, const struct iovec *into, int count, off_t start, int flags) {
    static ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    if (count != 1) return real(file, into, count, start, flags);
    const ssize_t most = allowed(file, into->iov_len, 0);
    const struct iovec less = {into->iov_base, (size_t)most};
    return most > 0 ? real(file, &less, 1, start, flags) : most;
}

ssize_t preadv64(int file, const struct iovec *into, int count, off_t start) { return preadv64v2(file, into, count, start, 0); }

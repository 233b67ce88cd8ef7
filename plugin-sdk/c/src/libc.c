/*
 * The C library without WASI, which a plugin may not import. The library
 * reaches the world through functions that the linker knows as
 * `__imported_wasi_snapshot_preview1_…`. The ones that a plugin can have are
 * defined here and lead to the host: the clock, chance, and what is printed.
 * What is not defined here stays an import (files, sockets, sleeping), and
 * relata.mk refuses a module that has one.
 */
#include "libc.h"
#include "host.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

/* Without the declarations of the library's own file, whose names these are. */
#define WASI(name) __imported_wasi_snapshot_preview1_##name

int32_t WASI(clock_time_get)(int32_t id, int64_t precision, int32_t time);
int32_t WASI(clock_res_get)(int32_t id, int32_t resolution);
int32_t WASI(random_get)(int32_t buffer, int32_t length);
int32_t WASI(environ_sizes_get)(int32_t count, int32_t size);
int32_t WASI(environ_get)(int32_t environ, int32_t buffer);
int32_t WASI(fd_write)(int32_t fd, int32_t pieces, int32_t count, int32_t written);
int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t status);
int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t position);
int32_t WASI(fd_close)(int32_t fd);
_Noreturn void WASI(proc_exit)(int32_t code);

/* ------------------------------------------------------ clock and chance -- */

/* The call's time stands still: so does the monotonic clock. */
static bool is_clock(int32_t id) {
    return id == (int32_t)__WASI_CLOCKID_REALTIME || id == (int32_t)__WASI_CLOCKID_MONOTONIC;
}

int32_t WASI(clock_time_get)(int32_t id, int64_t precision, int32_t time) {
    (void)precision;
    if (!is_clock(id)) {
        return __WASI_ERRNO_INVAL;
    }
    *(uint64_t *)time = relata_now_ms() * 1000000;
    return 0;
}

int32_t WASI(clock_res_get)(int32_t id, int32_t resolution) {
    if (!is_clock(id)) {
        return __WASI_ERRNO_INVAL;
    }
    *(uint64_t *)resolution = 1000000;
    return 0;
}

int32_t WASI(random_get)(int32_t buffer, int32_t length) {
    relata_random((void *)buffer, (size_t)length);
    return 0;
}

/*
 * rand() and random() of the library begin with the same number in every call.
 * These begin by chance, unless srand() or srandom() says where.
 */
static uint64_t sequence;
static bool seeded;

static int next_of_sequence(void) {
    if (!seeded) {
        relata_random(&sequence, sizeof sequence);
        seeded = true;
    }
    sequence = sequence * 6364136223846793005 + 1442695040888963407;
    return (int)(sequence >> 33);
}

void srand(unsigned seed) {
    sequence = seed;
    seeded = true;
}

int rand(void) {
    return next_of_sequence();
}

void srandom(unsigned seed) {
    srand(seed);
}

long random(void) {
    return next_of_sequence();
}

/* These would repeat themselves too. */
double drand48(void) {
    RELATA_PANIC("drand48() is not there in a plugin: use relata_random(), rand() or arc4random()");
}

long lrand48(void) {
    RELATA_PANIC("lrand48() is not there in a plugin: use relata_random(), rand() or arc4random()");
}

long mrand48(void) {
    RELATA_PANIC("mrand48() is not there in a plugin: use relata_random(), rand() or arc4random()");
}

/* ----------------------------------------------------------- environment -- */

/* There is none, which is not the same as not knowing it. */
int32_t WASI(environ_sizes_get)(int32_t count, int32_t size) {
    *(size_t *)count = 0;
    *(size_t *)size = 0;
    return 0;
}

int32_t WASI(environ_get)(int32_t environ, int32_t buffer) {
    (void)environ, (void)buffer;
    return 0;
}

/* ---------------------------------------------------------------- output -- */

/* A line of standard output or standard error, until its end comes. */
struct line {
    relata_level level;
    size_t length;
    char text[1024];
};

static struct line out = {.level = RELATA_LOG_INFO};
static struct line err = {.level = RELATA_LOG_WARN};

static struct line *line_of(int32_t fd) {
    return fd == 1 ? &out : fd == 2 ? &err : NULL;
}

static void end_line(struct line *line) {
    line->text[line->length] = '\0';
    line->length = 0;
    relata_log(line->level, NULL, "%s", line->text);
}

static void print(struct line *line, const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            end_line(line);
            continue;
        }
        if (line->length == sizeof line->text - 1) {
            end_line(line);
        }
        line->text[line->length++] = (char)bytes[i];
    }
}

int32_t WASI(fd_write)(int32_t fd, int32_t pieces, int32_t count, int32_t written) {
    struct line *line = line_of(fd);
    if (line == NULL) {
        return __WASI_ERRNO_BADF;
    }
    const __wasi_ciovec_t *piece = (const __wasi_ciovec_t *)pieces;
    size_t total = 0;
    for (int32_t i = 0; i < count; i++) {
        print(line, piece[i].buf, piece[i].buf_len);
        total += piece[i].buf_len;
    }
    *(size_t *)written = total;
    return 0;
}

/* A terminal, so that the library passes on each line as it ends. */
int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t status) {
    if (line_of(fd) == NULL) {
        return __WASI_ERRNO_BADF;
    }
    *(__wasi_fdstat_t *)status = (__wasi_fdstat_t){
        .fs_filetype = __WASI_FILETYPE_CHARACTER_DEVICE,
        .fs_rights_base = __WASI_RIGHTS_FD_WRITE,
    };
    return 0;
}

int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t position) {
    (void)fd, (void)offset, (void)whence, (void)position;
    return __WASI_ERRNO_SPIPE;
}

int32_t WASI(fd_close)(int32_t fd) {
    return line_of(fd) == NULL ? __WASI_ERRNO_BADF : 0;
}

/* Of the library; there only if something printed. */
__attribute__((__weak__)) void __stdio_exit(void);

void libc_flush(void) {
    if (__stdio_exit != NULL) {
        __stdio_exit();
    }
    if (out.length > 0) {
        end_line(&out);
    }
    if (err.length > 0) {
        end_line(&err);
    }
}

/* ------------------------------------------------------------------ ends -- */

_Noreturn void __assert_fail(const char *expression, const char *file, int line,
                             const char *function);

_Noreturn void __assert_fail(const char *expression, const char *file, int line,
                             const char *function) {
    relata_panic_at(file, line, "assertion failed in %s: %s", function, expression);
}

_Noreturn void abort(void) {
    RELATA_PANIC("abort() was called");
}

_Noreturn void WASI(proc_exit)(int32_t code) {
    RELATA_PANIC("exit(%d) was called: an action returns how it ends", code);
}

/*
 * The memory of one call: blocks that are only ever added to, and freed
 * together.
 */
#include "memory.h"

#include "../relata.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 16 * 1024 };

struct block {
    struct block *before;
    alignas(max_align_t) char bytes[];
};

static struct block *newest;
/* What is left of the block that small pieces are cut from. */
static char *next;
static size_t left;

static char *new_block(size_t size) {
    struct block *block = size <= SIZE_MAX - sizeof *block ? malloc(sizeof *block + size) : NULL;
    if (block == NULL) {
        RELATA_PANIC("no memory is left for %zu bytes; memory_mib under [limits] in plugin.toml "
                     "gives more",
                     size);
    }
    block->before = newest;
    newest = block;
    return block->bytes;
}

void *memory_take(size_t size) {
    const size_t alignment = alignof(max_align_t);
    if (size > BLOCK_SIZE / 4) {
        return new_block(size);
    }
    /* Also where the size is 0: each piece has an address of its own. */
    size = size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
    if (size > left) {
        next = new_block(BLOCK_SIZE);
        left = BLOCK_SIZE;
    }
    void *taken = next;
    next += size;
    left -= size;
    return taken;
}

void *memory_grow(void *array, size_t count, size_t size, size_t *capacity) {
    if (count < *capacity) {
        return array;
    }
    size_t more = *capacity == 0 ? 4 : *capacity * 2;
    void *grown = memory_take(more <= SIZE_MAX / size ? more * size : SIZE_MAX);
    if (count > 0) {
        memcpy(grown, array, count * size);
    }
    *capacity = more;
    return grown;
}

void memory_release(void) {
    while (newest != NULL) {
        struct block *before = newest->before;
        free(newest);
        newest = before;
    }
    next = NULL;
    left = 0;
}

void *relata_alloc(size_t size) {
    return memset(memory_take(size), 0, size);
}

char *relata_copy(const char *bytes, size_t length) {
    char *copy = memory_take(length < SIZE_MAX ? length + 1 : length);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    copy[length] = '\0';
    return copy;
}

const char *memory_format(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) {
        RELATA_PANIC("the format `%s` cannot be filled in", format);
    }
    char *text = memory_take((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

const char *relata_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *text = memory_format(format, arguments);
    va_end(arguments);
    return text;
}

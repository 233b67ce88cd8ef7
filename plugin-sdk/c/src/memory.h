/* Memory and texts, for the SDK's own files. */
#ifndef RELATA_MEMORY_H
#define RELATA_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

/* Memory as relata_alloc() gives it, but with anything in it. */
void *memory_take(size_t size);

/*
 * An array with room for more, its elements moved there. `count` elements of
 * `size` bytes are in use and `*capacity` is how many it has room for.
 */
void *memory_grow(void *array, size_t count, size_t size, size_t *capacity);

/* Frees all that was taken. */
void memory_release(void);

/* As relata_format() does. */
const char *memory_format(const char *format, va_list arguments);

/*
 * Puts `?` where bytes are not UTF-8, as where a text was cut. For words to
 * people, not for data.
 */
void utf8_mend(char *text);

/* The length of the UTF-8 sequence at `bytes`, 0 if none begins there. */
size_t utf8_sequence(const unsigned char *bytes, size_t length);

#endif

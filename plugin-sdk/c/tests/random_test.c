/*
 * The JSON reader and writer on input that nobody thought of. The sequence is
 * the same in every run, and the sanitizers see each byte that is read outside
 * of the input.
 */
#include "check.h"

#include "../src/memory.h"

#include <stdlib.h>
#include <string.h>

static uint32_t below(uint32_t limit) {
    return check_random() % limit;
}

/* Reads bytes from a piece of memory that ends where they do. */
static relata_json read_exactly(const char *bytes, size_t length) {
    char *exact = malloc(length == 0 ? 1 : length);
    if (exact == NULL) {
        return NULL;
    }
    memcpy(exact, bytes, length);
    relata_json value = NULL;
    relata_result result = relata_json_parse(exact, length, &value);
    free(exact);
    return result == NULL ? value : NULL;
}

/* Whether what was read is written as JSON that reads as the same. */
static bool survives(relata_json value) {
    const char *text = relata_json_write(value);
    relata_json again = read_exactly(text, strlen(text));
    return again != NULL && strcmp(relata_json_write(again), text) == 0;
}

static relata_json random_value(int depth) {
    switch (below(depth > 0 ? 7 : 5)) {
    case 0: return relata_json_null();
    case 1: return relata_json_boolean(below(2) == 0);
    case 2: return relata_json_integer((int64_t)check_random() << below(32));
    case 3: return relata_json_number((double)check_random() / (below(1000) + 1));
    case 4: {
        static const char *const pieces[] = {"a", "\"", "\\", "\n", "\x01", "\xC3\xBC",
                                             "\xE2\x82\xAC", "\xF0\x9F\x8D\xBA"};
        const char *text = "";
        for (uint32_t i = below(6); i > 0; i--) {
            text = relata_format("%s%s", text, pieces[below(8)]);
        }
        return relata_json_string(text);
    }
    case 5: {
        relata_json array = relata_json_array();
        for (uint32_t i = below(8); i > 0; i--) {
            relata_json_append(array, random_value(depth - 1));
        }
        return array;
    }
    default: {
        relata_json object = relata_json_object();
        for (uint32_t i = below(8); i > 0; i--) {
            relata_json_set(object, relata_format("key%u", below(20)), random_value(depth - 1));
        }
        return object;
    }
    }
}

static void what_is_written_is_read(void) {
    bool all = true;
    for (int i = 0; i < 3000; i++) {
        all = all && survives(random_value(5));
        memory_release();
    }
    CHECK(all);
}

/* Changes, cuts out or doubles a few bytes. */
static size_t damage(char *bytes, size_t length) {
    static const char likely[] = "{}[]\",:\\u0123dDeE+-.ntf \n\x80\xC3\xED\xFF";
    for (uint32_t i = below(3) + 1; i > 0 && length > 1; i--) {
        size_t at = below((uint32_t)length);
        switch (below(3)) {
        case 0: bytes[at] = likely[below(sizeof likely - 1)]; break;
        case 1: memmove(bytes + at, bytes + at + 1, length - at - 1), length--; break;
        default: memmove(bytes + at + 1, bytes + at, length - at), length++; break;
        }
    }
    return length;
}

static void damaged_json_is_refused_or_read(void) {
    int read = 0, refused = 0;
    bool all = true;
    for (int i = 0; i < 40000; i++) {
        const char *text = relata_json_write(random_value(3));
        size_t length = strlen(text);
        char *bytes = relata_alloc(length + 8);
        memcpy(bytes, text, length);
        length = damage(bytes, length);
        relata_json value = read_exactly(bytes, length);
        if (value != NULL) {
            read++;
            all = all && survives(value);
        } else {
            refused++;
        }
        memory_release();
    }
    CHECK(all);
    /* Otherwise the damage would be too great, or too small, to test anything. */
    CHECK(read > 2000 && refused > 2000);
}

static void random_bytes_do_no_harm(void) {
    bool all = true;
    for (int i = 0; i < 40000; i++) {
        char bytes[24];
        size_t length = below(sizeof bytes);
        for (size_t at = 0; at < length; at++) {
            bytes[at] = (char)check_random();
        }
        relata_json value = read_exactly(bytes, length);
        all = all && (value == NULL || survives(value));
        memory_release();
    }
    CHECK(all);
}

void random_tests(void) {
    what_is_written_is_read();
    damaged_json_is_refused_or_read();
    random_bytes_do_no_harm();
}

/* From values to JSON text. */
#include "json.h"
#include "memory.h"

#include <string.h>

struct text {
    char *bytes;
    size_t length, capacity;
};

static void put(struct text *text, const char *bytes, size_t length) {
    if (length == 0) {
        return;
    }
    if (length > text->capacity - text->length) {
        size_t needed = text->length + length;
        size_t capacity = needed > 2 * text->capacity ? needed : 2 * text->capacity;
        char *grown = memory_take(capacity);
        if (text->length > 0) {
            memcpy(grown, text->bytes, text->length);
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void put_escaped(struct text *text, unsigned char c) {
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char into[] = "\"\\bfnrt";
    const char *known = memchr(from, c, sizeof from - 1);
    if (known != NULL) {
        put(text, (const char[]){'\\', into[known - from]}, 2);
        return;
    }
    const char *digits = "0123456789abcdef";
    put(text, (const char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
}

static void put_string(struct text *text, const char *bytes, size_t length) {
    put(text, "\"", 1);
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        put(text, bytes + written, i - written);
        put_escaped(text, c);
        written = i + 1;
    }
    put(text, bytes + written, length - written);
    put(text, "\"", 1);
}

static void put_value(struct text *text, relata_json value, int depth) {
    if (depth > JSON_DEPTH) {
        RELATA_PANIC("a JSON value is nested more than %d deep, or stands in itself", JSON_DEPTH);
    }
    switch (relata_json_type_of(value)) {
    case RELATA_JSON_ABSENT:
    case RELATA_JSON_NULL: put(text, "null", 4); return;
    case RELATA_JSON_BOOLEAN:
        put(text, value->as.boolean ? "true" : "false", value->as.boolean ? 4 : 5);
        return;
    case RELATA_JSON_NUMBER: put(text, value->as.text.bytes, value->as.text.length); return;
    case RELATA_JSON_STRING: put_string(text, value->as.text.bytes, value->as.text.length); return;
    case RELATA_JSON_ARRAY:
        put(text, "[", 1);
        for (size_t i = 0; i < value->as.array.count; i++) {
            put(text, ",", i > 0);
            put_value(text, value->as.array.items[i], depth + 1);
        }
        put(text, "]", 1);
        return;
    case RELATA_JSON_OBJECT:
        put(text, "{", 1);
        for (size_t i = 0; i < value->as.object.count; i++) {
            const struct member *member = &value->as.object.members[i];
            put(text, ",", i > 0);
            put_string(text, member->name, member->name_length);
            put(text, ":", 1);
            put_value(text, member->value, depth + 1);
        }
        put(text, "}", 1);
        return;
    }
}

const char *relata_json_write(relata_json value) {
    struct text text = {.bytes = NULL};
    put_value(&text, value, 0);
    put(&text, "", 1);
    return text.bytes;
}

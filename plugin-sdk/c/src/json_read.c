/* From JSON text to values, by the letter of RFC 8259. */
#include "json.h"
#include "memory.h"

#include <string.h>

struct reader {
    const char *start, *at, *end;
    /* What is wrong at `at`; NULL as long as nothing is. */
    const char *problem;
    int depth;
};

static relata_json read_value(struct reader *reader);

static relata_json refuse(struct reader *reader, const char *problem) {
    reader->problem = problem;
    return NULL;
}

static bool next_is(const struct reader *reader, char c) {
    return reader->at < reader->end && *reader->at == c;
}

static bool take(struct reader *reader, char c) {
    if (!next_is(reader, c)) {
        return false;
    }
    reader->at++;
    return true;
}

static void skip_space(struct reader *reader) {
    while (next_is(reader, ' ') || next_is(reader, '\n') || next_is(reader, '\r') ||
           next_is(reader, '\t')) {
        reader->at++;
    }
}

static bool skip_digits(struct reader *reader) {
    const char *first = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        reader->at++;
    }
    return reader->at > first;
}

static relata_json read_number(struct reader *reader) {
    const char *first = reader->at;
    (void)take(reader, '-');
    if (take(reader, '0')) {
        if (skip_digits(reader)) {
            return refuse(reader, "a number does not begin with 0 and another digit");
        }
    } else if (!skip_digits(reader)) {
        return refuse(reader, "a digit is missing");
    }
    if (take(reader, '.') && !skip_digits(reader)) {
        return refuse(reader, "a digit is missing after the point");
    }
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+')) {
            (void)take(reader, '-');
        }
        if (!skip_digits(reader)) {
            return refuse(reader, "a digit is missing in the exponent");
        }
    }
    size_t length = (size_t)(reader->at - first);
    return json_text(RELATA_JSON_NUMBER, relata_copy(first, length), length);
}

/* The value of the four hexadecimal digits that stand next, or -1. */
static long read_hex4(struct reader *reader) {
    if (reader->end - reader->at < 4) {
        return -1;
    }
    long value = 0;
    for (int i = 0; i < 4; i++) {
        char c = reader->at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    reader->at += 4;
    return value;
}

static char *put_utf8(char *to, long c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* Reads what follows `\u`; NULL if that is no character. */
static char *read_unicode_escape(struct reader *reader, char *to) {
    long c = read_hex4(reader);
    if (c >= 0xD800 && c <= 0xDBFF && reader->end - reader->at >= 2 && reader->at[0] == '\\' &&
        reader->at[1] == 'u') {
        reader->at += 2;
        long low = read_hex4(reader);
        c = low >= 0xDC00 && low <= 0xDFFF ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : -1;
    }
    return c < 0 || (c >= 0xD800 && c <= 0xDFFF) ? NULL : put_utf8(to, c);
}

/* Reads what follows a backslash; NULL if that is no escape. */
static char *read_escape(struct reader *reader, char *to) {
    static const char from[] = "\"\\/bfnrt";
    static const char into[] = "\"\\/\b\f\n\r\t";
    if (take(reader, 'u')) {
        return read_unicode_escape(reader, to);
    }
    const char *known =
        reader->at < reader->end ? memchr(from, *reader->at, sizeof from - 1) : NULL;
    if (known == NULL) {
        return NULL;
    }
    reader->at++;
    *to++ = into[known - from];
    return to;
}

/* The place behind the string's last byte, which no escape makes longer. */
static const char *string_end(const struct reader *reader) {
    const char *at = reader->at;
    while (at < reader->end && *at != '"') {
        at += *at == '\\' && at + 1 < reader->end ? 2 : 1;
    }
    return at;
}

/* Reads a string with its quotes; NULL if there is none. */
static const char *read_bytes(struct reader *reader, size_t *length) {
    if (!take(reader, '"')) {
        refuse(reader, "a string is missing");
        return NULL;
    }
    char *bytes = memory_take((size_t)(string_end(reader) - reader->at) + 1);
    char *to = bytes;
    while (!next_is(reader, '"')) {
        if (reader->at == reader->end) {
            refuse(reader, "a string has no end");
            return NULL;
        }
        const char *first = reader->at;
        unsigned char c = (unsigned char)*first;
        if (c < 0x20) {
            refuse(reader, "a control character stands in a string");
            return NULL;
        }
        if (take(reader, '\\')) {
            to = read_escape(reader, to);
            if (to == NULL) {
                reader->at = first;
                refuse(reader, "an escape in a string is none that JSON has");
                return NULL;
            }
            continue;
        }
        size_t size = utf8_sequence((const unsigned char *)first, (size_t)(reader->end - first));
        if (size == 0) {
            refuse(reader, "a string is not UTF-8");
            return NULL;
        }
        memcpy(to, first, size);
        to += size;
        reader->at += size;
    }
    reader->at++;
    *to = '\0';
    *length = (size_t)(to - bytes);
    return bytes;
}

static relata_json read_string(struct reader *reader) {
    size_t length;
    const char *bytes = read_bytes(reader, &length);
    return bytes == NULL ? NULL : json_text(RELATA_JSON_STRING, bytes, length);
}

static relata_json read_array(struct reader *reader) {
    relata_json array = json_new(RELATA_JSON_ARRAY);
    reader->at++;
    skip_space(reader);
    if (take(reader, ']')) {
        return array;
    }
    do {
        relata_json item = read_value(reader);
        if (item == NULL) {
            return NULL;
        }
        json_add_item(array, item);
        skip_space(reader);
    } while (take(reader, ','));
    return take(reader, ']') ? array : refuse(reader, "`,` or `]` is missing in an array");
}

static relata_json read_object(struct reader *reader) {
    relata_json object = json_new(RELATA_JSON_OBJECT);
    reader->at++;
    skip_space(reader);
    if (take(reader, '}')) {
        return object;
    }
    do {
        skip_space(reader);
        size_t length;
        const char *name = read_bytes(reader, &length);
        if (name == NULL) {
            return NULL;
        }
        skip_space(reader);
        if (!take(reader, ':')) {
            return refuse(reader, "`:` is missing in an object");
        }
        relata_json value = read_value(reader);
        if (value == NULL) {
            return NULL;
        }
        json_add_member(object, name, length, value);
        skip_space(reader);
    } while (take(reader, ','));
    return take(reader, '}') ? object : refuse(reader, "`,` or `}` is missing in an object");
}

static bool take_word(struct reader *reader, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

static relata_json read_simple(struct reader *reader) {
    if (take_word(reader, "null")) {
        return relata_json_null();
    }
    if (take_word(reader, "true")) {
        return relata_json_boolean(true);
    }
    if (take_word(reader, "false")) {
        return relata_json_boolean(false);
    }
    return refuse(reader, "a value is missing");
}

static relata_json read_value(struct reader *reader) {
    skip_space(reader);
    char c = reader->at < reader->end ? *reader->at : '\0';
    if (c == '"') {
        return read_string(reader);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return read_number(reader);
    }
    if (c != '[' && c != '{') {
        return read_simple(reader);
    }
    if (reader->depth == JSON_DEPTH) {
        return refuse(reader, "it is nested too deep");
    }
    reader->depth++;
    relata_json value = c == '[' ? read_array(reader) : read_object(reader);
    reader->depth--;
    return value;
}

relata_result relata_json_parse(const char *text, size_t length, relata_json *value) {
    struct reader reader = {.start = text, .at = text, .end = text + length};
    relata_json read = read_value(&reader);
    if (read != NULL) {
        skip_space(&reader);
        if (reader.at < reader.end) {
            read = refuse(&reader, "something stands behind the value");
        }
    }
    if (read != NULL) {
        *value = read;
        return NULL;
    }
    size_t line = 1;
    const char *line_start = reader.start;
    for (const char *at = reader.start; at < reader.at; at++) {
        if (*at == '\n') {
            line++;
            line_start = at + 1;
        }
    }
    return relata_fail(RELATA_PERMANENT, "the text is not JSON: line %zu, byte %zu: %s", line,
                       (size_t)(reader.at - line_start) + 1, reader.problem);
}

/* What texts are: UTF-8, and how they stand in addresses. */
#include "../relata.h"
#include "memory.h"

#include <string.h>

size_t utf8_sequence(const unsigned char *bytes, size_t length) {
    unsigned char first = bytes[0];
    if (first < 0x80) {
        return 1;
    }
    /* The second byte's range keeps out overlong forms, surrogates and what
       is beyond U+10FFFF (Unicode, table 3-7). */
    unsigned char low = 0x80, high = 0xBF;
    size_t size;
    if (first >= 0xC2 && first <= 0xDF) {
        size = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        size = 3;
        low = first == 0xE0 ? 0xA0 : low;
        high = first == 0xED ? 0x9F : high;
    } else if (first >= 0xF0 && first <= 0xF4) {
        size = 4;
        low = first == 0xF0 ? 0x90 : low;
        high = first == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (length < size || bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (bytes[i] < 0x80 || bytes[i] > 0xBF) {
            return 0;
        }
    }
    return size;
}

bool relata_is_utf8(const char *bytes, size_t length) {
    const unsigned char *at = (const unsigned char *)bytes;
    while (length > 0) {
        size_t size = utf8_sequence(at, length);
        if (size == 0) {
            return false;
        }
        at += size;
        length -= size;
    }
    return true;
}

void utf8_mend(char *text) {
    size_t length = strlen(text);
    while (length > 0) {
        size_t size = utf8_sequence((const unsigned char *)text, length);
        if (size == 0) {
            *text = '?';
            size = 1;
        }
        text += size;
        length -= size;
    }
}

/* Not isalnum(): that depends on the locale. */
static bool is_unreserved(unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

const char *relata_url_encode(const char *text) {
    char *encoded = memory_take(strlen(text) * 3 + 1);
    char *to = encoded;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (is_unreserved(*at)) {
            *to++ = (char)*at;
        } else {
            *to++ = '%';
            *to++ = "0123456789ABCDEF"[*at >> 4];
            *to++ = "0123456789ABCDEF"[*at & 15];
        }
    }
    *to = '\0';
    return encoded;
}

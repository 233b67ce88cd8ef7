#include "check.h"

#include "../src/memory.h"

#include <string.h>

static bool is_utf8(const char *text) {
    return relata_is_utf8(text, strlen(text));
}

static void utf8_is_what_unicode_says(void) {
    CHECK(is_utf8(""));
    CHECK(is_utf8("Br\xC3\xBC"
                  "cke"));
    CHECK(is_utf8("\xE2\x82\xAC \xF0\x9F\x8D\xBA"));
    CHECK(is_utf8("\xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF"));
    CHECK(relata_is_utf8("a\0b", 3));

    CHECK(!is_utf8("\x80"));
    CHECK(!is_utf8("\xC3"));
    CHECK(!is_utf8("\xC3("));
    CHECK(!is_utf8("\xC0\xAF"));         /* an overlong `/` */
    CHECK(!is_utf8("\xE0\x80\xAF"));     /* the same in three */
    CHECK(!is_utf8("\xF0\x80\x80\xAF")); /* and in four */
    CHECK(!is_utf8("\xED\xA0\x80"));     /* a surrogate */
    CHECK(!is_utf8("\xF4\x90\x80\x80")); /* beyond U+10FFFF */
    CHECK(!is_utf8("\xFF"));
    CHECK(!is_utf8("\xE2\x82"));
}

static void broken_words_are_mended(void) {
    char cut[] = "Br\xC3\xBC\xC3";
    utf8_mend(cut);
    CHECK_TEXT(cut, "Br\xC3\xBC?");
    char latin1[] = "\xFC"
                    "ber";
    utf8_mend(latin1);
    CHECK_TEXT(latin1, "?ber");
}

static void addresses_take_any_text(void) {
    CHECK_TEXT(relata_url_encode("brewery.example"), "brewery.example");
    CHECK_TEXT(relata_url_encode("a b&c=d/e?f#g%"), "a%20b%26c%3Dd%2Fe%3Ff%23g%25");
    CHECK_TEXT(relata_url_encode("M\xC3\xBCnchen"), "M%C3%BCnchen");
    CHECK_TEXT(relata_url_encode(""), "");
}

void text_tests(void) {
    utf8_is_what_unicode_says();
    broken_words_are_mended();
    addresses_take_any_text();
}

#include "check.h"

#include "../src/memory.h"

#include <stdalign.h>
#include <string.h>

static void pieces_do_not_overlap(void) {
    enum { PIECES = 300 };
    unsigned char *pieces[PIECES];
    size_t sizes[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        /* Around the sizes at which a piece gets a block of its own. */
        sizes[i] = i % 7 == 0 ? 4000 + i : i;
        pieces[i] = relata_alloc(sizes[i]);
        CHECK((uintptr_t)pieces[i] % alignof(max_align_t) == 0);
        memset(pieces[i], (int)i, sizes[i]);
    }
    bool intact = true;
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            intact = intact && pieces[i][j] == (unsigned char)i;
        }
    }
    CHECK(intact);
}

static void memory_is_zeroed_also_when_used_again(void) {
    for (int round = 0; round < 3; round++) {
        unsigned char *bytes = relata_alloc(5000);
        bool zeroed = true;
        for (size_t i = 0; i < 5000; i++) {
            zeroed = zeroed && bytes[i] == 0;
        }
        CHECK(zeroed);
        memset(bytes, 0xAA, 5000);
        memory_release();
    }
}

static void an_empty_piece_has_an_address_of_its_own(void) {
    CHECK(relata_alloc(0) != relata_alloc(0));
}

static void what_cannot_be_had_is_a_panic(void) {
    CHECK_PANIC(relata_alloc(SIZE_MAX), "no memory is left");
    CHECK_PANIC(relata_alloc(SIZE_MAX - 8), "no memory is left");
}

static void texts_are_formatted_at_any_length(void) {
    CHECK_TEXT(relata_format("%d of %s", 3, "five"), "3 of five");
    const char *line = relata_format("%20000d", 7);
    CHECK(strlen(line) == 20000 && line[19999] == '7');
}

static void a_copy_ends_with_a_nul(void) {
    CHECK_TEXT(relata_copy("abcdef", 3), "abc");
    CHECK_TEXT(relata_copy("", 0), "");
}

void memory_tests(void) {
    pieces_do_not_overlap();
    memory_is_zeroed_also_when_used_again();
    an_empty_piece_has_an_address_of_its_own();
    what_cannot_be_had_is_a_panic();
    texts_are_formatted_at_any_length();
    a_copy_ends_with_a_nul();
}

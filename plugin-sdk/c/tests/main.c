#include "check.h"

#include "../src/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

bool check_panic_expected;
jmp_buf check_panic_jump;
static char panic_message[1024];

/* In the place of the one that tells the host. */
void relata_panic_at(const char *file, int line, const char *message, ...) {
    va_list arguments;
    va_start(arguments, message);
    vsnprintf(panic_message, sizeof panic_message, message, arguments);
    va_end(arguments);
    if (!check_panic_expected) {
        fprintf(stderr, "%s:%d: panic: %s\n", file, line, panic_message);
        exit(1);
    }
    longjmp(check_panic_jump, 1);
}

void check_holds(bool holds, const char *what, const char *file, int line) {
    if (holds) {
        passed++;
        return;
    }
    failed++;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
}

void check_text(const char *got, const char *expected, const char *file, int line) {
    if (got != NULL && strcmp(got, expected) == 0) {
        passed++;
        return;
    }
    failed++;
    fprintf(stderr, "%s:%d:\n  got      %s\n  expected %s\n", file, line,
            got == NULL ? "(none)" : got, expected);
}

void check_panicked(const char *words, const char *file, int line) {
    check_panic_expected = false;
    bool said = strstr(panic_message, words) != NULL;
    if (!said) {
        fprintf(stderr, "%s:%d: panic says `%s`\n", file, line, panic_message);
    }
    check_holds(said, words, file, line);
    panic_message[0] = '\0';
}

relata_json check_parse(const char *text) {
    relata_json value = NULL;
    relata_result result = relata_json_parse(text, strlen(text), &value);
    if (result != NULL) {
        fprintf(stderr, "%s: %s\n", text, relata_error_of(result)->message);
        failed++;
    }
    return value;
}

uint32_t check_random(void) {
    static uint64_t state = 0x9E3779B97F4A7C15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

int main(void) {
    void (*const tests[])(void) = {memory_tests, text_tests, json_tests,
                                   random_tests, result_tests, time_tests};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tests[i]();
        memory_release();
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}

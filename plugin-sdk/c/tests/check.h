/* A test is a function; what it expects are the macros here. */
#ifndef RELATA_CHECK_H
#define RELATA_CHECK_H

#include "../relata.h"

#include <setjmp.h>

/* Counts a failure with its place where a condition does not hold. */
#define CHECK(condition) check_holds((condition), #condition, __FILE__, __LINE__)

/* The same for two texts, which are printed where they differ. */
#define CHECK_TEXT(got, expected) check_text((got), (expected), __FILE__, __LINE__)

/* Runs a statement that must panic with these words in its message. */
#define CHECK_PANIC(statement, words)                   \
    do {                                                \
        check_panic_expected = true;                    \
        if (setjmp(check_panic_jump) == 0) {            \
            statement;                                  \
        }                                               \
        check_panicked((words), __FILE__, __LINE__);    \
    } while (0)

void check_holds(bool holds, const char *what, const char *file, int line);
void check_text(const char *got, const char *expected, const char *file, int line);
void check_panicked(const char *words, const char *file, int line);

extern bool check_panic_expected;
extern jmp_buf check_panic_jump;

/* A value of a text that must be JSON. */
relata_json check_parse(const char *text);

/* The next number of a sequence that is the same in every run. */
uint32_t check_random(void);

void memory_tests(void);
void text_tests(void);
void json_tests(void);
void random_tests(void);
void result_tests(void);
void time_tests(void);

#endif

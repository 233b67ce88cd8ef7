#include "check.h"

#include <time.h>

static void times_and_dates_are_written(void) {
    CHECK_TEXT(relata_format_time(0), "1970-01-01T00:00:00.000Z");
    CHECK_TEXT(relata_format_time(1795339800007), "2026-11-22T09:30:00.007Z");
    CHECK_TEXT(relata_format_date(1795339800007), "2026-11-22");
    CHECK_TEXT(relata_format_date(951782400000), "2000-02-29");
    CHECK_TEXT(relata_format_date(4107542400000), "2100-03-01");
    CHECK_TEXT(relata_format_time(253402300799999), "9999-12-31T23:59:59.999Z");
}

/* Every day of four centuries, as the C library has it. */
static void dates_are_those_of_the_calendar(void) {
    bool all = true;
    for (time_t day = 0; day < 146097; day++) {
        time_t seconds = day * 24 * 60 * 60;
        char expected[16];
        strftime(expected, sizeof expected, "%Y-%m-%d", gmtime(&seconds));
        const char *got = relata_format_date((uint64_t)seconds * 1000);
        for (int i = 0; i < 11; i++) {
            all = all && got[i] == expected[i];
        }
    }
    CHECK(all);
}

void time_tests(void) {
    times_and_dates_are_written();
    dates_are_those_of_the_calendar();
}

/* Times and dates as texts. */
#include "../relata.h"

enum { MS_A_DAY = 24 * 60 * 60 * 1000 };

struct date {
    unsigned long long year;
    unsigned month, day;
};

/*
 * The date that is so many days after 1970-01-01, in the proleptic Gregorian
 * calendar. Counted in years that begin in March, so that a leap day is the
 * last of its year, and in eras of 400 such years, which are all alike.
 */
static struct date date_of(uint64_t days) {
    uint64_t shifted = days + 719468; /* since 0000-03-01 */
    uint64_t era = shifted / 146097;
    unsigned day_of_era = (unsigned)(shifted % 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* 0 is March */
    return (struct date){
        .year = era * 400 + year_of_era + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
}

const char *relata_format_time(uint64_t ms) {
    struct date date = date_of(ms / MS_A_DAY);
    unsigned rest = (unsigned)(ms % MS_A_DAY);
    return relata_format("%04llu-%02u-%02uT%02u:%02u:%02u.%03uZ", date.year, date.month, date.day,
                         rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
}

const char *relata_format_date(uint64_t ms) {
    struct date date = date_of(ms / MS_A_DAY);
    return relata_format("%04llu-%02u-%02u", date.year, date.month, date.day);
}

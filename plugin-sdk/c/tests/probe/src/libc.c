/* What the C library does in a plugin: each works, or ends the call and says why. */
#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void print(void) {
    printf("one line of %d\n", 3);
    puts("another");
    fprintf(stderr, "a warning\n");
    fputs("without an end", stdout);
}

static void print_long(void) {
    for (int i = 0; i < 1500; i++) {
        putchar('x');
    }
}

static void clocks(relata_json output) {
    struct timespec precise;
    clock_gettime(CLOCK_MONOTONIC, &precise);
    time_t now = time(NULL);
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime(&now));
    relata_json_set(output, "local", relata_json_string(text));
    relata_json_set(output, "same", relata_json_boolean(precise.tv_sec == now));
    relata_json_set(output, "written", relata_json_string(relata_format_time(relata_now_ms())));
}

static void chance(relata_json output) {
    relata_json numbers = relata_json_array();
    relata_json_append(numbers, relata_json_integer(rand()));
    relata_json_append(numbers, relata_json_integer(random()));
    relata_json_append(numbers, relata_json_integer(arc4random()));
    unsigned char bytes[3000] = {0};
    relata_random(bytes, sizeof bytes);
    unsigned zeros = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        zeros += bytes[i] == 0;
    }
    relata_json_set(output, "numbers", numbers);
    /* Some 12 of 3,000 are; all of the last 952 would be had they been forgotten. */
    relata_json_set(output, "filled", relata_json_boolean(zeros < 60));
    srand(7);
    int first = rand();
    srand(7);
    relata_json_set(output, "repeats_if_asked", relata_json_boolean(rand() == first));
}

static void outside(relata_json output) {
    relata_json_set(output, "home", relata_json_string(getenv("HOME")));
    relata_json_set(output, "write", relata_json_integer(write(7, "x", 1)));
    relata_json_set(output, "errno", relata_json_string(strerror(errno)));
}

static int recurse(int depth) {
    volatile char frame[1024];
    frame[depth % 1024] = (char)depth;
    return depth == 0 ? frame[0] : recurse(depth - 1) + frame[depth % 1024];
}

relata_result probe_libc(const relata_context *context, relata_json input) {
    (void)context;
    const char *what = relata_json_as_string(relata_json_get(input, "do"));
    relata_json output = relata_json_object();
    const char *volatile nothing = NULL;
    volatile int large = 2147483647;
    if (strcmp(what, "print") == 0) {
        print();
    } else if (strcmp(what, "print long") == 0) {
        print_long();
    } else if (strcmp(what, "clocks") == 0) {
        clocks(output);
    } else if (strcmp(what, "chance") == 0) {
        chance(output);
    } else if (strcmp(what, "outside") == 0) {
        outside(output);
    } else if (strcmp(what, "assert") == 0) {
        assert(strlen(what) == 0);
    } else if (strcmp(what, "panic") == 0) {
        RELATA_PANIC("no way on from %s", what);
    } else if (strcmp(what, "abort") == 0) {
        abort();
    } else if (strcmp(what, "exit") == 0) {
        exit(3);
    } else if (strcmp(what, "drand48") == 0) {
        relata_json_set(output, "number", relata_json_number(drand48()));
    } else if (strcmp(what, "null") == 0) {
        relata_json_set(output, "byte", relata_json_integer(*nothing));
    } else if (strcmp(what, "overflow") == 0) {
        relata_json_set(output, "sum", relata_json_integer(large + 1));
    } else if (strcmp(what, "recurse") == 0) {
        relata_json_set(output, "sum", relata_json_integer(recurse(1000000)));
    } else if (strcmp(what, "hoard") == 0) {
        for (;;) {
            memset(relata_alloc(1 << 20), 1, 1 << 20);
        }
    } else if (strcmp(what, "return nothing") == 0) {
        return NULL;
    }
    return relata_done(output);
}

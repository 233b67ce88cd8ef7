#include "check.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void reads_what_json_is(void) {
    static const char *const same[] = {
        "null", "true", "false", "0", "-0", "12", "-12.5", "1e5", "1E-5", "0.25e+3", "\"\"",
        "\"a b\"", "[]", "[1,[],{}]", "{}", "{\"a\":1,\"b\":[true,null]}", "{\"\":\"\"}",
        /* Digits are kept, however many there are. */
        "123456789012345678901234567890.5",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        CHECK_TEXT(relata_json_write(check_parse(same[i])), same[i]);
    }
    CHECK_TEXT(relata_json_write(check_parse(" \r\n\t[ 1 , { \"a\" : 2 } ] ")), "[1,{\"a\":2}]");
    CHECK_TEXT(relata_json_write(check_parse("\"\\u0041\\/\\\"\\\\\\b\\f\\n\\r\\t\\u001f\"")),
               "\"A/\\\"\\\\\\b\\f\\n\\r\\t\\u001f\"");
    CHECK_TEXT(relata_json_as_string(check_parse("\"\\u00fc\\u20AC\\uD83C\\uDF7A\"")),
               "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x8D\xBA");
}

static void refuses_what_it_is_not(void) {
    static const char *const wrong[][2] = {
        {"", "line 1, byte 1: a value is missing"},
        {"  ", "line 1, byte 3: a value is missing"},
        {"nul", "line 1, byte 1: a value is missing"},
        {"True", "line 1, byte 1: a value is missing"},
        {"NaN", "line 1, byte 1: a value is missing"},
        {"'a'", "line 1, byte 1: a value is missing"},
        {"1 2", "line 1, byte 3: something stands behind the value"},
        {"nullx", "line 1, byte 5: something stands behind the value"},
        {"[1]]", "line 1, byte 4: something stands behind the value"},
        {"01", "line 1, byte 3: a number does not begin with 0 and another digit"},
        {"-", "line 1, byte 2: a digit is missing"},
        {"+1", "line 1, byte 1: a value is missing"},
        {".5", "line 1, byte 1: a value is missing"},
        {"1.", "line 1, byte 3: a digit is missing after the point"},
        {"1.e3", "line 1, byte 3: a digit is missing after the point"},
        {"1e", "line 1, byte 3: a digit is missing in the exponent"},
        {"1e+", "line 1, byte 4: a digit is missing in the exponent"},
        {"1e+-2", "line 1, byte 4: a digit is missing in the exponent"},
        {"0x10", "line 1, byte 2: something stands behind the value"},
        {"[1 2]", "line 1, byte 4: `,` or `]` is missing in an array"},
        {"[1,]", "line 1, byte 4: a value is missing"},
        {"[,1]", "line 1, byte 2: a value is missing"},
        {"[1", "line 1, byte 3: `,` or `]` is missing in an array"},
        {"[", "line 1, byte 2: a value is missing"},
        {"{", "line 1, byte 2: a string is missing"},
        {"{1:2}", "line 1, byte 2: a string is missing"},
        {"{\"a\"}", "line 1, byte 5: `:` is missing in an object"},
        {"{\"a\" \"b\"}", "line 1, byte 6: `:` is missing in an object"},
        {"{\"a\":}", "line 1, byte 6: a value is missing"},
        {"{\"a\":1,}", "line 1, byte 8: a string is missing"},
        {"{\"a\":1 \"b\":2}", "line 1, byte 8: `,` or `}` is missing in an object"},
        {"\"a", "line 1, byte 3: a string has no end"},
        {"\"a\\", "line 1, byte 3: an escape in a string is none that JSON has"},
        {"\"\\x41\"", "line 1, byte 2: an escape in a string is none that JSON has"},
        {"\"\\u12\"", "line 1, byte 2: an escape in a string is none that JSON has"},
        {"\"\\u12G4\"", "line 1, byte 2: an escape in a string is none that JSON has"},
        {"\"\\ud800\"", "line 1, byte 2: an escape in a string is none that JSON has"},
        {"\"\\ud800\\u0041\"", "line 1, byte 2: an escape in a string is none that JSON has"},
        {"\"\\udc00\"", "line 1, byte 2: an escape in a string is none that JSON has"},
        {"\"a\tb\"", "line 1, byte 3: a control character stands in a string"},
        {"\"\xFF\"", "line 1, byte 2: a string is not UTF-8"},
        {"\"\xC0\xAF\"", "line 1, byte 2: a string is not UTF-8"},
        {"\"\xED\xA0\x80\"", "line 1, byte 2: a string is not UTF-8"},
        {"\xEF\xBB\xBF{}", "line 1, byte 1: a value is missing"},
        {"{\n  \"a\": 1,\n  b: 2\n}", "line 3, byte 3: a string is missing"},
        {"// no\n1", "line 1, byte 1: a value is missing"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        relata_json value = NULL;
        relata_result result = relata_json_parse(wrong[i][0], strlen(wrong[i][0]), &value);
        CHECK(value == NULL);
        CHECK_TEXT(result == NULL ? wrong[i][0] : relata_error_of(result)->message,
                   relata_format("the text is not JSON: %s", wrong[i][1]));
    }
}

static void a_nul_is_no_end(void) {
    relata_json value;
    CHECK(relata_json_parse("1\0", 2, &value) != NULL);
    CHECK(relata_json_parse("\"a\0b\"", 5, &value) != NULL);

    relata_json escaped = check_parse("\"a\\u0000b\"");
    CHECK(relata_json_as_string(escaped) == NULL);
    size_t length = 0;
    CHECK(memcmp(relata_json_as_bytes(escaped, &length), "a\0b", 4) == 0 && length == 3);
    CHECK_TEXT(relata_json_write(escaped), "\"a\\u0000b\"");
    CHECK_TEXT(relata_json_write(relata_json_string_of("a\0b", 3)), "\"a\\u0000b\"");
}

static const char *nested(int depth) {
    char *text = relata_alloc((size_t)depth * 2 + 1);
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    return text;
}

static void depth_has_a_limit_in_both_directions(void) {
    CHECK_TEXT(relata_json_write(check_parse(nested(128))), nested(128));
    relata_json value;
    relata_result result = relata_json_parse(nested(129), 258, &value);
    CHECK_TEXT(relata_error_of(result)->message,
               "the text is not JSON: line 1, byte 129: it is nested too deep");
    /* One that never ends is refused as soon. */
    char *open = relata_alloc(1000000);
    memset(open, '[', 1000000);
    CHECK(relata_json_parse(open, 1000000, &value) != NULL);

    relata_json array = relata_json_array();
    relata_json_append(array, array);
    CHECK_PANIC(relata_json_write(array), "stands in itself");
}

static void looking_into_nothing_finds_nothing(void) {
    int64_t integer = 7;
    double number = 7;
    bool boolean = true;
    size_t length;
    CHECK(relata_json_type_of(NULL) == RELATA_JSON_ABSENT);
    CHECK(relata_json_is_null(NULL));
    CHECK(relata_json_get(relata_json_get(NULL, "a"), "b") == NULL);
    CHECK(relata_json_at(NULL, 0) == NULL);
    CHECK(relata_json_count(NULL) == 0);
    CHECK(relata_json_name_at(NULL, 0) == NULL);
    CHECK(relata_json_as_string(NULL) == NULL);
    CHECK(relata_json_as_bytes(NULL, &length) == NULL);
    CHECK(!relata_json_as_integer(NULL, &integer) && integer == 7);
    CHECK(!relata_json_as_number(NULL, &number) && number == 7);
    CHECK(!relata_json_as_boolean(NULL, &boolean) && boolean);
    CHECK_TEXT(relata_json_write(NULL), "null");
}

static void members_and_elements_are_found(void) {
    relata_json object = check_parse("{\"a\":1,\"b\":[true,\"x\"],\"a\":2,\"c\":null}");
    CHECK(relata_json_count(object) == 4);
    CHECK_TEXT(relata_json_write(relata_json_get(object, "a")), "2");
    CHECK(relata_json_get(object, "A") == NULL);
    CHECK(relata_json_get(object, "") == NULL);
    CHECK_TEXT(relata_json_name_at(object, 1), "b");
    CHECK_TEXT(relata_json_write(relata_json_at(object, 1)), "[true,\"x\"]");
    CHECK(relata_json_at(object, 4) == NULL);
    CHECK(relata_json_type_of(relata_json_get(object, "c")) == RELATA_JSON_NULL);
    CHECK(relata_json_is_null(relata_json_get(object, "c")));

    relata_json array = relata_json_get(object, "b");
    bool boolean = false;
    CHECK(relata_json_as_boolean(relata_json_at(array, 0), &boolean) && boolean);
    CHECK_TEXT(relata_json_as_string(relata_json_at(array, 1)), "x");
    CHECK(relata_json_at(array, 2) == NULL);
    CHECK(relata_json_get(array, "a") == NULL);
    CHECK(relata_json_as_string(array) == NULL);
}

static bool reads_integer(const char *text, int64_t expected) {
    int64_t read = ~expected;
    return relata_json_as_integer(check_parse(text), &read) && read == expected;
}

static bool reads_no_integer(const char *text) {
    int64_t read;
    return !relata_json_as_integer(check_parse(text), &read);
}

static void whole_numbers_fit_or_are_none(void) {
    CHECK(reads_integer("0", 0));
    CHECK(reads_integer("-0", 0));
    CHECK(reads_integer("120", 120));
    CHECK(reads_integer("9223372036854775807", INT64_MAX));
    CHECK(reads_integer("-9223372036854775808", INT64_MIN));
    CHECK(reads_no_integer("9223372036854775808"));
    CHECK(reads_no_integer("-9223372036854775809"));
    CHECK(reads_no_integer("1.0"));
    CHECK(reads_no_integer("1e2"));
    CHECK(reads_no_integer("\"1\""));
    CHECK_TEXT(relata_json_write(relata_json_integer(INT64_MIN)), "-9223372036854775808");
}

static void numbers_read_back_as_they_were(void) {
    static const double numbers[] = {0, -0.0, 1, 0.1, 1.0 / 3, 1e21, 1e-7, DBL_MAX, DBL_MIN, 5e-324,
                                     123456.789};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double read = 7;
        const char *text = relata_json_write(relata_json_number(numbers[i]));
        CHECK(relata_json_as_number(check_parse(text), &read) && read == numbers[i]);
    }
    CHECK_TEXT(relata_json_write(relata_json_number(0.1)), "0.1");
    double read = 7;
    CHECK(!relata_json_as_number(check_parse("1e999"), &read) && read == 7);
    CHECK_PANIC(relata_json_number((double)NAN), "JSON has no number for");
    CHECK_PANIC(relata_json_number(-(double)INFINITY), "JSON has no number for -inf");
}

static void values_are_made(void) {
    relata_json object = relata_json_object();
    relata_json_set(object, "name", relata_json_string("Br\xC3\xBC"
                                                       "cke \"1\""));
    relata_json_set(object, "size", relata_json_integer(3));
    relata_json_set(object, "open", relata_json_boolean(false));
    relata_json_set(object, "nobody", relata_json_string(NULL));
    relata_json_set(object, "nothing", NULL);
    relata_json_set(object, "size", relata_json_integer(4));
    relata_json array = relata_json_array();
    for (int i = 0; i < 20; i++) {
        relata_json_append(array, i == 0 ? NULL : relata_json_integer(i));
    }
    relata_json_set(object, "list", array);
    CHECK_TEXT(relata_json_write(object),
               "{\"name\":\"Br\xC3\xBC"
               "cke \\\"1\\\"\",\"size\":4,\"open\":false,\"nobody\":null,\"nothing\":null,"
               "\"list\":[null,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]}");
}

static void a_value_may_stand_in_several(void) {
    relata_json from = check_parse("{\"list\":[1,2],\"other\":3}");
    relata_json into = relata_json_object();
    relata_json_set(into, "copy", relata_json_get(from, "list"));
    relata_json_set(into, "again", relata_json_get(from, "list"));
    CHECK_TEXT(relata_json_write(into), "{\"copy\":[1,2],\"again\":[1,2]}");
    CHECK_TEXT(relata_json_write(from), "{\"list\":[1,2],\"other\":3}");
}

static void misuse_is_a_panic(void) {
    CHECK_PANIC(relata_json_set(relata_json_array(), "a", NULL), "only be set in an object");
    CHECK_PANIC(relata_json_set(NULL, "a", NULL), "only be set in an object");
    CHECK_PANIC(relata_json_set(relata_json_object(), "\xFF", NULL), "must be UTF-8");
    CHECK_PANIC(relata_json_append(relata_json_object(), NULL), "only an array");
    CHECK_PANIC(relata_json_string("\xFF"), "must be UTF-8");
}

static void schemas_are_written_as_they_are(void) {
    static const char schema[] = RELATA_JSON({
        "type": "object",
        "properties": { "it's": { "type": ["integer", "null"], "pattern": "^\\d+$" } },
        "additionalProperties": false
    });
    CHECK_TEXT(relata_json_write(check_parse(schema)),
               "{\"type\":\"object\",\"properties\":{\"it's\":{\"type\":[\"integer\",\"null\"],"
               "\"pattern\":\"^\\\\d+$\"}},\"additionalProperties\":false}");
}

void json_tests(void) {
    reads_what_json_is();
    refuses_what_it_is_not();
    a_nul_is_no_end();
    depth_has_a_limit_in_both_directions();
    looking_into_nothing_finds_nothing();
    members_and_elements_are_found();
    whole_numbers_fit_or_are_none();
    numbers_read_back_as_they_were();
    values_are_made();
    a_value_may_stand_in_several();
    misuse_is_a_panic();
    schemas_are_written_as_they_are();
}

#include "check.h"

#include "../src/result.h"

static relata_result fails(void) {
    return relata_fail(RELATA_CONFLICT, "version %d is old", 3);
}

static relata_result tries(bool *went_on) {
    RELATA_TRY(NULL);
    RELATA_TRY(fails());
    *went_on = true;
    return NULL;
}

static void a_failure_is_handed_upwards(void) {
    bool went_on = false;
    const relata_error *error = relata_error_of(tries(&went_on));
    CHECK(!went_on);
    CHECK(error != NULL && error->code == RELATA_CONFLICT && error->retry_after_ms == 0);
    CHECK_TEXT(error->message, "version 3 is old");
}

static void only_a_failure_is_an_error(void) {
    CHECK(relata_error_of(NULL) == NULL);
    CHECK(relata_error_of(relata_done(relata_json_object())) == NULL);
    relata_result skipped = relata_skip("%s is done", "lead/anna");
    CHECK(relata_error_of(skipped) == NULL);
    CHECK(skipped->how == ENDED_SKIPPED);
    CHECK_TEXT(skipped->reason, "lead/anna is done");
    relata_result retry = relata_retry(5000, "%s is not ready", "it");
    CHECK(retry->how == ENDED_RETRYING && retry->after_ms == 5000);
    CHECK_TEXT(retry->reason, "it is not ready");
}

static uint32_t retry_after(const char *value) {
    relata_http_response response = {
        .status = 429,
        .headers = RELATA_HEADERS({"content-type", "text/plain"}, {"retry-after", value}),
    };
    return relata_http_retry_after_ms(&response);
}

static void a_service_says_when_to_come_back(void) {
    CHECK(retry_after("30") == 30000);
    CHECK(retry_after("0") == 0);
    CHECK(retry_after("4294967") == 4294967000);
    CHECK(retry_after("4294968") == UINT32_MAX);
    CHECK(retry_after("99999999999999999999999999") == UINT32_MAX);
    CHECK(retry_after("") == 0);
    CHECK(retry_after("-1") == 0);
    CHECK(retry_after("1.5") == 0);
    CHECK(retry_after("Mon, 14 Dec 2026 10:00:00 GMT") == 0);
    relata_http_response bare = {.headers = RELATA_HEADERS({"date", "now"})};
    CHECK(relata_http_retry_after_ms(&bare) == 0);
    CHECK_TEXT(relata_http_header(&bare, "date"), "now");
    CHECK(relata_http_header(&bare, "age") == NULL);
}

void result_tests(void) {
    a_failure_is_handed_upwards();
    only_a_failure_is_an_error();
    a_service_says_when_to_come_back();
}

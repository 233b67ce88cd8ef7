/*
 * Asks a web service which company stands behind a lead's mail address, and
 * writes the company's name and size into the lead.
 */
#include <relata.h>
#include <string.h>

/* What stands after the `@` of a lead's mail address. */
static relata_result find_domain(const char *lead, relata_json fields, const char **domain) {
    const char *email = relata_json_as_string(relata_json_get(fields, "email"));
    const char *at = email == NULL ? NULL : strrchr(email, '@');
    if (at == NULL || at[1] == '\0') {
        return relata_skip("%s has no mail address", lead);
    }
    *domain = at + 1;
    return NULL;
}

/* Asks the service about a domain. Whatever is no answer ends the action. */
static relata_result look_up(const char *domain, relata_json *company) {
    const char *token;
    RELATA_TRY(relata_secret("companies-token", &token));
    relata_http_request request = {
        .method = RELATA_HTTP_GET,
        .url = relata_format("https://companies.example/v1/companies?domain=%s",
                             relata_url_encode(domain)),
        .headers = RELATA_HEADERS({"authorization", relata_format("Bearer %s", token)}),
    };
    relata_http_response response;
    RELATA_TRY(relata_http_send(&request, &response));

    if (response.status == 404) {
        return relata_skip("no company is known at %s", domain);
    }
    if (response.status == 429 || response.status >= 500) {
        return relata_fail_with((relata_error){
            .code = RELATA_TRANSIENT,
            .message = relata_format("companies.example answered %d", response.status),
            .retry_after_ms = relata_http_retry_after_ms(&response),
        });
    }
    if (response.status != 200) {
        return relata_fail(RELATA_PERMANENT, "companies.example answered %d", response.status);
    }
    if (relata_json_parse(response.body, response.body_length, company) != NULL ||
        relata_json_as_string(relata_json_get(*company, "name")) == NULL) {
        return relata_fail(RELATA_PERMANENT, "companies.example answered something unreadable");
    }
    return NULL;
}

/*
 * Counts one more. With the revision that was read, a count that somebody else
 * wrote meanwhile is a conflict and not lost.
 */
static relata_result count_one_more(int64_t *looked_up) {
    relata_json before;
    uint64_t revision;
    RELATA_TRY(relata_state_get("looked_up", &before, &revision));
    int64_t count = 0;
    if (before != NULL && !relata_json_as_integer(before, &count)) {
        return relata_fail(RELATA_PERMANENT, "the stored `looked_up` is not a whole number: %s",
                           relata_json_write(before));
    }
    *looked_up = count + 1;
    return relata_state_put_if("looked_up", relata_json_integer(*looked_up), revision);
}

static relata_result fill_in_company(const relata_context *context, relata_json input) {
    (void)context;
    const char *lead = relata_json_as_string(relata_json_get(input, "lead"));
    relata_record record;
    RELATA_TRY(relata_records_get(lead, &record));
    if (!relata_json_is_null(relata_json_get(record.fields, "company"))) {
        return relata_skip("%s already has a company", lead);
    }
    const char *domain;
    RELATA_TRY(find_domain(lead, record.fields, &domain));
    relata_json company;
    RELATA_TRY(look_up(domain, &company));

    relata_json fields = relata_json_object();
    relata_json_set(fields, "company", relata_json_get(company, "name"));
    int64_t employees;
    if (relata_json_as_integer(relata_json_get(company, "employees"), &employees)) {
        relata_json_set(fields, "company_size", relata_json_integer(employees));
    }
    RELATA_TRY(relata_records_update(lead, fields, NULL));
    int64_t looked_up;
    RELATA_TRY(count_one_more(&looked_up));
    relata_log_info("found the company of a lead");

    relata_json output = relata_json_object();
    relata_json_set(output, "company", relata_json_get(fields, "company"));
    relata_json_set(output, "company_size", relata_json_get(fields, "company_size"));
    relata_json_set(output, "looked_up", relata_json_integer(looked_up));
    return relata_done(output);
}

const relata_action relata_actions[] = {
    {
        .id = "company",
        .title = "Fill in a lead's company",
        .summary = "Asks companies.example which company has the domain of the lead's mail "
                   "address. A lead that has a company already is left alone.",
        .input_schema = RELATA_JSON({
            "type": "object",
            "properties": {
                "lead": { "type": "string", "format": "record/lead" }
            },
            "required": ["lead"],
            "additionalProperties": false
        }),
        .output_schema = RELATA_JSON({
            "type": "object",
            "properties": {
                "company": { "type": "string" },
                "company_size": { "type": ["integer", "null"] },
                "looked_up": { "type": "integer" }
            },
            "required": ["company", "company_size", "looked_up"]
        }),
        .reads = RELATA_LIST("lead.email", "lead.company"),
        .writes = RELATA_LIST("lead.company", "lead.company_size"),
        .exclusive = "enrich/counter",
        .idempotent = true,
        .run = fill_in_company,
    },
    RELATA_END,
};

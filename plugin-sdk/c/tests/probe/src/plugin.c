/* Calls everything that the host has for a plugin, through the SDK. */
#include "probe.h"

#include <string.h>

static relata_result find(relata_json output) {
    relata_query query = {
        .object = "lead",
        .where = RELATA_WHERE({"country", RELATA_EQUAL, relata_json_string("AT")}),
        .fields = RELATA_LIST("name", "country"),
        .limit = 1,
    };
    relata_json names = relata_json_array();
    relata_page page;
    do {
        RELATA_TRY(relata_records_query(&query, &page));
        for (size_t i = 0; i < page.count; i++) {
            relata_json_append(names, relata_json_get(page.records[i].fields, "name"));
        }
        query.cursor = page.cursor;
    } while (page.cursor != NULL);
    uint64_t count;
    RELATA_TRY(relata_records_count("lead", NULL, &count));
    relata_tallies by_country;
    RELATA_TRY(relata_records_count_by("lead", NULL, "country", &by_country));
    relata_json countries = relata_json_array();
    for (size_t i = 0; i < by_country.count; i++) {
        relata_json tally = relata_json_array();
        relata_json_append(tally, by_country.tallies[i].value);
        relata_json_append(tally, relata_json_integer((int64_t)by_country.tallies[i].count));
        relata_json_append(countries, tally);
    }
    relata_json_set(output, "countries", countries);
    relata_json_set(output, "names", names);
    relata_json_set(output, "count", relata_json_integer((int64_t)count));
    return NULL;
}

static relata_result change(const char *lead, relata_json output) {
    relata_record before, after, created;
    RELATA_TRY(relata_records_get(lead, &before));
    relata_json fields = relata_json_object();
    relata_json_set(fields, "company", relata_json_string("Br\u00FCcke \"1\""));
    RELATA_TRY(relata_records_update_if(lead, fields, before.revision, &after));
    relata_result late = relata_records_update_if(lead, fields, before.revision, NULL);
    relata_json_set(output, "late_is_conflict",
                    relata_json_boolean(relata_error_of(late) != NULL &&
                                        relata_error_of(late)->code == RELATA_CONFLICT));
    relata_json_set(output, "company", relata_json_get(after.fields, "company"));
    relata_json_set(output, "went_up", relata_json_boolean(after.revision > before.revision));

    relata_json_set(fields, "name", relata_json_string("New"));
    relata_json_set(fields, "email", relata_json_string("new@brewery.example"));
    RELATA_TRY(relata_records_create("lead", fields, &created));
    const char *name = relata_format("%s/%s", created.object, created.id);
    RELATA_TRY(relata_records_delete(name));
    relata_result gone = relata_records_get(name, &created);
    relata_json_set(output, "gone", relata_json_boolean(relata_error_of(gone) != NULL &&
                                                        relata_error_of(gone)->code ==
                                                            RELATA_NOT_FOUND));
    return NULL;
}

static relata_result records(const relata_context *context, relata_json input) {
    (void)context;
    relata_json output = relata_json_object();
    RELATA_TRY(find(output));
    RELATA_TRY(change(relata_json_as_string(relata_json_get(input, "lead")), output));
    return relata_done(output);
}

static relata_result state(const relata_context *context, relata_json input) {
    (void)context;
    (void)input;
    relata_json value;
    uint64_t revision;
    RELATA_TRY(relata_state_get("seen", &value, &revision));
    relata_json output = relata_json_object();
    relata_json_set(output, "before", value);
    RELATA_TRY(relata_state_put_if("seen", relata_json_string("now"), revision));
    RELATA_TRY(relata_state_put("other", relata_json_integer(7)));
    RELATA_TRY(relata_state_put_for("short", relata_json_boolean(true), 1000));
    RELATA_TRY(relata_state_get("seen", &value, NULL));
    relata_json_set(output, "after", value);
    return relata_done(output);
}

static relata_result tell(const relata_context *context, relata_json input) {
    (void)context;
    const char *lead = relata_json_as_string(relata_json_get(input, "lead"));
    const char *user = relata_json_as_string(relata_json_get(input, "user"));
    relata_receipt notice;
    RELATA_TRY(relata_notify(user, "look at this", lead, &notice));
    relata_json data = relata_json_object();
    relata_json_set(data, "lead", relata_json_string(lead));
    RELATA_TRY(relata_emit("probe.done", RELATA_LIST(lead, user), data));
    relata_json fields = relata_json_object();
    relata_json_set(fields, "queued", relata_json_boolean(notice.queued));
    relata_log(RELATA_LOG_WARN, fields, "told %d user", 1);

    relata_json output = relata_json_object();
    relata_json_set(output, "queued", relata_json_boolean(notice.queued));
    relata_json_set(output, "reason", relata_json_string(notice.reason));
    return relata_done(output);
}

static relata_result mail(const relata_context *context, relata_json input) {
    (void)context;
    relata_receipt receipt;
    RELATA_TRY(relata_send_mail(relata_json_as_string(relata_json_get(input, "to")),
                                relata_json_as_string(relata_json_get(input, "template")), NULL,
                                &receipt));
    return receipt.queued ? relata_done(relata_json_object())
                          : relata_skip("not sent: %s", receipt.reason);
}

static relata_result post(const relata_context *context, relata_json input) {
    (void)context;
    const char *token;
    RELATA_TRY(relata_secret("probe-token", &token));
    const char *body = relata_json_write(input);
    relata_http_request request = {
        .method = RELATA_HTTP_POST,
        .url = "https://service.example/orders",
        .headers = RELATA_HEADERS({"authorization", relata_format("Bearer %s", token)},
                                  {"content-type", "application/json"}),
        .body = body,
        .body_length = strlen(body),
        .timeout_ms = 500,
    };
    relata_http_response response;
    RELATA_TRY(relata_http_send(&request, &response));
    const char *id;
    RELATA_TRY(relata_http_deliver(&request, &id));

    relata_json output = relata_json_object();
    relata_json_set(output, "status", relata_json_integer(response.status));
    relata_json_set(output, "kind", relata_json_string(relata_http_header(&response, "x-kind")));
    relata_json_set(output, "body", relata_json_string_of(response.body, response.body_length));
    relata_json_set(output, "has_id", relata_json_boolean(*id != '\0'));
    return relata_done(output);
}

/* Ends as the input says, with words that are not UTF-8. */
static relata_result end(const relata_context *context, relata_json input) {
    const char *how = relata_json_as_string(relata_json_get(input, "how"));
    if (strcmp(how, "skip") == 0) {
        return relata_skip("cut \xC3");
    }
    if (strcmp(how, "retry") == 0) {
        return relata_retry(90000, "not yet");
    }
    if (strcmp(how, "cancelled") == 0) {
        return relata_fail(RELATA_CANCELLED, "cancelled: %d", relata_cancelled());
    }
    if (strcmp(how, "fail") == 0) {
        return relata_fail_with((relata_error){
            .code = RELATA_TRANSIENT,
            .message = "busy \xC3",
            .retry_after_ms = 5000,
            .details = input,
        });
    }
    relata_json output = relata_json_object();
    relata_json_set(output, "has_attempt", relata_json_boolean(context->attempt > 0));
    relata_json_set(output, "has_key", relata_json_boolean(*context->idempotency_key != '\0'));
    relata_json_set(output, "in_time", relata_json_boolean(relata_now_ms() < relata_deadline_ms()));
    return relata_done(output);
}

#define TEXT_INPUT(name)                                                       \
    RELATA_JSON({                                                              \
        "type": "object",                                                      \
        "properties": { name: { "type": "string" } },                          \
        "required": [name],                                                    \
        "additionalProperties": false                                          \
    })
#define ANYTHING RELATA_JSON({ "type": "object" })

const relata_action relata_actions[] = {
    {
        .id = "libc",
        .title = "Use the C library",
        .input_schema = TEXT_INPUT("do"),
        .output_schema = ANYTHING,
        .run = probe_libc,
    },
    {
        .id = "records",
        .title = "Read and write records",
        .input_schema = TEXT_INPUT("lead"),
        .output_schema = ANYTHING,
        .reads = RELATA_LIST("lead"),
        .writes = RELATA_LIST("lead"),
        .run = records,
    },
    {
        .id = "state",
        .title = "Keep values",
        .input_schema = RELATA_JSON({ "type": "object", "additionalProperties": false }),
        .output_schema = ANYTHING,
        .run = state,
    },
    {
        .id = "tell",
        .title = "Notify and emit",
        .input_schema = RELATA_JSON({
            "type": "object",
            "properties": {
                "lead": { "type": "string", "format": "record/lead" },
                "user": { "type": "string", "format": "record/user" }
            },
            "required": ["lead", "user"],
            "additionalProperties": false
        }),
        .output_schema = ANYTHING,
        .correlation = (const relata_correlation[]){{"probe.done", "reason"}, {NULL, NULL}},
        .run = tell,
    },
    {
        .id = "mail",
        .title = "Send a mail",
        .input_schema = RELATA_JSON({
            "type": "object",
            "properties": {
                "to": { "type": "string", "format": "record" },
                "template": { "type": "string", "format": "template" }
            },
            "required": ["to", "template"],
            "additionalProperties": false
        }),
        .output_schema = ANYTHING,
        .run = mail,
    },
    {
        .id = "post",
        .title = "Call a service",
        .input_schema = TEXT_INPUT("order"),
        .output_schema = ANYTHING,
        .run = post,
    },
    {
        .id = "end",
        .title = "End somehow",
        .input_schema = TEXT_INPUT("how"),
        .output_schema = ANYTHING,
        .exclusive = "probe/{how}",
        .idempotent = true,
        .run = end,
    },
    RELATA_END,
};

/* A plugin with one action: it takes needless spaces out of a lead's name. */
#include <relata.h>
#include <string.h>

/*
 * A copy of a text with one space between words, and none around them. What
 * relata_alloc() gives is freed with the call.
 */
static const char *tidy(const char *text) {
    char *tidied = relata_alloc(strlen(text) + 1);
    char *to = tidied;
    for (const char *at = text + strspn(text, " "); *at != '\0'; at++) {
        bool needless = *at == ' ' && (at[1] == ' ' || at[1] == '\0');
        if (!needless) {
            *to++ = *at;
        }
    }
    return tidied;
}

/*
 * The input fits the schema below: the host has checked it. RELATA_TRY returns
 * at once with the failure if there is one; all that the action wrote is then
 * undone.
 */
static relata_result tidy_name(const relata_context *context, relata_json input) {
    (void)context;
    const char *lead = relata_json_as_string(relata_json_get(input, "lead"));
    relata_record record;
    RELATA_TRY(relata_records_get(lead, &record));

    const char *name = relata_json_as_string(relata_json_get(record.fields, "name"));
    if (name == NULL || strcmp(tidy(name), name) == 0) {
        return relata_skip("the name of %s is tidy", lead);
    }
    relata_json fields = relata_json_object();
    relata_json_set(fields, "name", relata_json_string(tidy(name)));
    RELATA_TRY(relata_records_update(lead, fields, NULL));
    /* The log is no place for what customers are called. */
    relata_log_info("tidied the name of a lead");
    return relata_done(fields);
}

/* A workflow names it: `do: __NAME__.tidy_name`. */
const relata_action relata_actions[] = {
    {
        .id = "tidy_name",
        .title = "Tidy up a lead's name",
        .summary = "Takes needless spaces out of a lead's name.",
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
            "properties": { "name": { "type": "string" } },
            "required": ["name"]
        }),
        .reads = RELATA_LIST("lead.name"),
        .writes = RELATA_LIST("lead.name"),
        .idempotent = true,
        .run = tidy_name,
    },
    RELATA_END,
};

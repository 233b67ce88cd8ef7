/*
 * The C SDK of Relata: what a plugin written in C11 includes.
 *
 * A plugin gives actions: steps that workflows name with `do: plugin.action`.
 * They stand in one table, `relata_actions`. The whole of a plugin that greets
 * somebody by mail:
 *
 *     #include <relata.h>
 *
 *     static relata_result greet(const relata_context *context, relata_json input) {
 *         (void)context;
 *         const char *to = relata_json_as_string(relata_json_get(input, "to"));
 *
 *         relata_receipt receipt;
 *         RELATA_TRY(relata_send_mail(to, "greeting", NULL, &receipt));
 *
 *         relata_json output = relata_json_object();
 *         relata_json_set(output, "sent", relata_json_boolean(receipt.queued));
 *         return relata_done(output);
 *     }
 *
 *     const relata_action relata_actions[] = {
 *         {
 *             .id = "greet",
 *             .title = "Greet somebody",
 *             .summary = "Greets somebody by mail.",
 *             .input_schema = RELATA_JSON({
 *                 "type": "object",
 *                 "properties": { "to": { "type": "string", "format": "record" } },
 *                 "required": ["to"],
 *                 "additionalProperties": false
 *             }),
 *             .output_schema = RELATA_JSON({
 *                 "type": "object",
 *                 "properties": { "sent": { "type": "boolean" } },
 *                 "required": ["sent"]
 *             }),
 *             .idempotent = true,
 *             .run = greet,
 *         },
 *         RELATA_END,
 *     };
 *
 * What happens to what an action does
 *
 * Every call runs in a fresh sandbox: nothing in a `static` outlives it. What
 * the action writes is collected and committed together with the step, or not
 * at all, so an action needs no undo and no check whether it ran before. Only
 * relata_http_send() leaves at once.
 *
 * Memory
 *
 * Whatever the SDK returns, and whatever relata_alloc() gives, is there until
 * the call ends and is freed with it: never free it. Where there is no memory
 * left, the call ends as a panic; no function of the SDK returns NULL for that.
 *
 * Texts
 *
 * A text is UTF-8 and ends with a NUL. Its length stands beside it only where
 * it may hold a NUL inside.
 */
#ifndef RELATA_H
#define RELATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
/* The compiler checks the arguments against the format, as with printf. */
#define RELATA_FORMAT(format, first) __attribute__((__format__(__printf__, format, first)))
/* The compiler warns where the result is not looked at. */
#define RELATA_CHECKED __attribute__((__warn_unused_result__))
#else
#define RELATA_FORMAT(format, first)
#define RELATA_CHECKED
#endif

/*
 * What may end an action: NULL means that all went well and the action goes
 * on; anything else is how it ends, and an action returns it.
 *
 * Functions that may fail return it, your own helpers too, and RELATA_TRY
 * hands it upwards.
 */
typedef const struct relata_ending *relata_result;

/* ------------------------------------------------------------------ JSON -- */

/*
 * A JSON value; NULL means that there is none. Functions that read take NULL
 * too and find nothing in it, so look-ups can be nested without checks between
 * them. A value may stand in several others.
 */
typedef struct relata_json_value *relata_json;

/* The kind of a value. */
typedef enum relata_json_type {
    RELATA_JSON_ABSENT, /* NULL: no value at all */
    RELATA_JSON_NULL,
    RELATA_JSON_BOOLEAN,
    RELATA_JSON_NUMBER,
    RELATA_JSON_STRING,
    RELATA_JSON_ARRAY,
    RELATA_JSON_OBJECT,
} relata_json_type;

/*
 * A JSON text written as it is, without quotes around it and backslashes in
 * it: RELATA_JSON({ "type": "object" }).
 */
#define RELATA_JSON(...) #__VA_ARGS__

/*
 * Reads a JSON text, strictly as RFC 8259 has it, nested at most 128 deep.
 * What is none fails as RELATA_PERMANENT and says where.
 */
RELATA_CHECKED relata_result relata_json_parse(const char *text, size_t length,
                                               relata_json *value);

/* The kind of a value. */
relata_json_type relata_json_type_of(relata_json value);

/* Whether there is no value, or the value `null`. */
bool relata_json_is_null(relata_json value);

/*
 * The member of an object with this name, or NULL. Of several with one name
 * the last counts.
 */
relata_json relata_json_get(relata_json object, const char *name);

/* How many elements an array has, or members an object. */
size_t relata_json_count(relata_json value);

/* The element of an array, or the value of a member, by its place from 0; or NULL. */
relata_json relata_json_at(relata_json value, size_t index);

/* The name of a member of an object, by its place from 0; or NULL. */
const char *relata_json_name_at(relata_json object, size_t index);

/* A string's text; NULL if it is no string, or has a NUL (\u0000) inside. */
const char *relata_json_as_string(relata_json value);

/* A string's bytes, a NUL after them, and how many; NULL if it is no string. */
const char *relata_json_as_bytes(relata_json value, size_t *length);

/*
 * Reads a whole number; false if it is none, has a fraction or an exponent, or
 * does not fit.
 */
RELATA_CHECKED bool relata_json_as_integer(relata_json value, int64_t *integer);

/* Reads any number; false if it is none, or too great for a double. */
RELATA_CHECKED bool relata_json_as_number(relata_json value, double *number);

/* Reads `true` or `false`; false if it is neither. */
RELATA_CHECKED bool relata_json_as_boolean(relata_json value, bool *boolean);

/* `null`. */
relata_json relata_json_null(void);

/* `true` or `false`. */
relata_json relata_json_boolean(bool boolean);

/* A whole number. */
relata_json relata_json_integer(int64_t integer);

/* A number. One that JSON does not have (infinite, or not a number) is a panic. */
relata_json relata_json_number(double number);

/* A string; NULL becomes `null`. Bytes that are not UTF-8 are a panic, see relata_is_utf8(). */
relata_json relata_json_string(const char *text);

/* A string of so many bytes, NULs among them. */
relata_json relata_json_string_of(const char *bytes, size_t length);

/* An object without members. */
relata_json relata_json_object(void);

/* An array without elements. */
relata_json relata_json_array(void);

/* Sets a member of an object; NULL as the value becomes `null`. */
void relata_json_set(relata_json object, const char *name, relata_json value);

/* Adds an element to an array; NULL becomes `null`. */
void relata_json_append(relata_json array, relata_json value);

/* A value as JSON text, without needless spaces; NULL becomes `null`. */
const char *relata_json_write(relata_json value);

/* --------------------------------------------------------------- results -- */

/* Calls something that may fail, and returns at once if it did. */
#define RELATA_TRY(call)                      \
    do {                                      \
        relata_result relata_ended_ = (call); \
        if (relata_ended_ != NULL) {          \
            return relata_ended_;             \
        }                                     \
    } while (0)

/* Why something did not work. The host decides by it whether to try again. */
typedef enum relata_code {
    RELATA_DENIED,    /* The plugin lacks a permission. Not tried again. */
    RELATA_INVALID,   /* The input, or a value written to a record, is wrong. Not tried again. */
    RELATA_NOT_FOUND, /* No such record, template, team, queue or key. Not tried again. */
    RELATA_CONFLICT,  /* Somebody else changed it meanwhile. Tried again. */
    RELATA_LIMIT,     /* A limit was reached. Tried again. */
    RELATA_TRANSIENT, /* It may work later. Tried again. */
    RELATA_PERMANENT, /* It will never work. Not tried again. */
    RELATA_CANCELLED, /* The run was cancelled. Not tried again. */
} relata_code;

/* An error, in words for the operations staff. */
typedef struct relata_error {
    relata_code code;
    const char *message;     /* What was tried, on what, and how to mend it. */
    uint32_t retry_after_ms; /* Not before so long; 0 if nobody said. */
    relata_json details;     /* More for machines to read, or NULL. */
} relata_error;

/* The action is done, with an object that fits its output schema; NULL for an empty one. */
relata_result relata_done(relata_json output);

/* There was nothing to do, for this reason; the run goes on without an output. */
relata_result relata_skip(const char *reason, ...) RELATA_FORMAT(1, 2);

/* Not yet: again after so long, for this reason. Not counted as a failure. */
relata_result relata_retry(uint32_t after_ms, const char *reason, ...) RELATA_FORMAT(2, 3);

/* It did not work. */
relata_result relata_fail(relata_code code, const char *message, ...) RELATA_FORMAT(2, 3);

/* It did not work, with all that an error can say. */
relata_result relata_fail_with(relata_error error);

/*
 * The error in a result, to do something else about it than to hand it
 * upwards; NULL if it is none.
 */
const relata_error *relata_error_of(relata_result result);

/* --------------------------------------------------------------- actions -- */

/* What a call knows about the step that it runs for. */
typedef struct relata_context {
    const char *run_id;
    const char *step_id;
    uint32_t attempt;            /* 1 for the first. */
    const char *idempotency_key; /* The same for every attempt of one step. */
    const char *subject;         /* The record that the run is about, or NULL. */
    bool dry_run;                /* A rehearsal: the host discards what this call writes. */
} relata_context;

/* An event that answers an action. */
typedef struct relata_correlation {
    const char *event;        /* Its name, such as `survey.answered`. */
    const char *output_field; /* The field of the output with the event's key. */
} relata_correlation;

/* One action. What is left out of the table is empty. */
typedef struct relata_action {
    const char *id;            /* The name without the plugin's: `round_robin`. */
    const char *title;         /* One line: `Pick the next salesperson in turn`. */
    const char *summary;       /* A paragraph for the reference page. */
    const char *input_schema;  /* JSON Schemas (2020-12), see RELATA_JSON. */
    const char *output_schema;
    const char *const *reads;  /* `lead`, `lead.owner`, or `*`: see RELATA_LIST. */
    const char *const *writes; /* In the same form. */
    const relata_correlation *correlation; /* Ended by one without an event. */
    const char *exclusive;     /* Steps with one key run one after another; `{team}` is an input. */
    bool idempotent;           /* Whether a repeated call does no harm outside Relata. */
    relata_result (*run)(const relata_context *context, relata_json input);
} relata_action;

/* A list of texts, as `.reads` takes it: RELATA_LIST("lead.owner", "team"). */
#define RELATA_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What stands after the last action. */
#define RELATA_END {.id = NULL}

/* The plugin's actions, defined by the plugin. */
extern const relata_action relata_actions[];

/* --------------------------------------------------------------- records -- */

/* A customer record, with what this call has written to it itself. */
typedef struct relata_record {
    const char *object; /* Such as `contact`. */
    const char *id;
    uint64_t revision;  /* Goes up by one with each change. */
    relata_json fields; /* Those that the plugin may read, or asked for. */
} relata_record;

/* How a field is compared. */
typedef enum relata_operator {
    RELATA_EQUAL,
    RELATA_NOT_EQUAL,
    RELATA_LESS,
    RELATA_LESS_OR_EQUAL,
    RELATA_GREATER,
    RELATA_GREATER_OR_EQUAL,
    RELATA_ONE_OF, /* with an array */
    RELATA_CONTAINS,
    RELATA_IS_EMPTY, /* without a value */
    RELATA_IS_NOT_EMPTY,
} relata_operator;

/* One condition on one field. */
typedef struct relata_condition {
    const char *field;
    relata_operator compare;
    relata_json value;
} relata_condition;

/*
 * Conditions that must all hold, ended by one without a field:
 * RELATA_WHERE({"email", RELATA_EQUAL, value}).
 */
#define RELATA_WHERE(...) ((const relata_condition[]){__VA_ARGS__, {.field = NULL}})

/* Which records are asked for. */
typedef struct relata_query {
    const char *object;
    const relata_condition *where; /* NULL: all. */
    const char *const *fields;     /* See RELATA_LIST; NULL: all. */
    uint32_t limit;                /* At most so many a page; 0: 1,000, the most there can be. */
    const char *cursor;            /* From the page before; NULL: the first page. */
} relata_query;

/* Some records, the oldest first. */
typedef struct relata_page {
    const relata_record *records;
    size_t count;
    const char *cursor; /* For the next page; NULL on the last. */
} relata_page;

/* Reads a record, such as `lead/anna`; RELATA_NOT_FOUND if there is none. */
RELATA_CHECKED relata_result relata_records_get(const char *reference, relata_record *record);

/* Reads the records that meet all conditions. */
RELATA_CHECKED relata_result relata_records_query(const relata_query *query, relata_page *page);

/* Counts the records of an object that meet all conditions. */
RELATA_CHECKED relata_result relata_records_count(const char *object,
                                                  const relata_condition *where, uint64_t *count);

/* How many records have one and the same value; JSON's null where it is empty. */
typedef struct relata_tally {
    relata_json value;
    uint64_t count;
} relata_tally;

typedef struct relata_tallies {
    const relata_tally *tallies;
    size_t count;
} relata_tallies;

/*
 * Counts the records of an object that meet all conditions, for each value that
 * a field has among them. Not for a field with several values at once.
 */
RELATA_CHECKED relata_result relata_records_count_by(const char *object,
                                                     const relata_condition *where,
                                                     const char *field, relata_tallies *tallies);

/*
 * Whether a calendar is open at a time, in milliseconds since 1970 UTC: its
 * holidays and extra days count, in its own time zone. RELATA_NOT_FOUND if there
 * is no such calendar. Needs the permission to read calendars.
 */
RELATA_CHECKED relata_result relata_calendar_is_open(const char *calendar, uint64_t at_ms,
                                                     bool *is_open);

/*
 * Creates a record from an object of fields. `created` may be NULL. The id is
 * known at once; the record exists for others when the step commits.
 */
RELATA_CHECKED relata_result relata_records_create(const char *object, relata_json fields,
                                                   relata_record *created);

/* Sets the named fields and leaves the others. `updated` may be NULL. */
RELATA_CHECKED relata_result relata_records_update(const char *reference, relata_json fields,
                                                   relata_record *updated);

/* The same, if the record still has this revision; else RELATA_CONFLICT. */
RELATA_CHECKED relata_result relata_records_update_if(const char *reference, relata_json fields,
                                                      uint64_t revision, relata_record *updated);

/* Deletes a record. */
RELATA_CHECKED relata_result relata_records_delete(const char *reference);

/* The same, if the record still has this revision; else RELATA_CONFLICT. */
RELATA_CHECKED relata_result relata_records_delete_if(const char *reference, uint64_t revision);

/* -------------------------------------------------- messages and events -- */

/* What became of a message. */
typedef struct relata_receipt {
    bool queued;        /* Whether it will be sent. */
    const char *id;     /* Under this id; NULL if it will not. */
    const char *reason; /* Why it will not: no consent, no address, a duplicate; else NULL. */
} relata_receipt;

/*
 * Mails a template to a record with an address: a contact, lead, user or
 * account. `data` is an object with what the template may name beside the
 * recipient, NULL for nothing. `receipt` may be NULL.
 */
RELATA_CHECKED relata_result relata_send_mail(const char *to, const char *template_name,
                                              relata_json data, relata_receipt *receipt);

/* Tells a user something. `about`, a record, and `receipt` may be NULL. */
RELATA_CHECKED relata_result relata_notify(const char *to, const char *text, const char *about,
                                           relata_receipt *receipt);

/*
 * Emits an event about some records (see RELATA_LIST; the first is the main
 * one) when the step commits. `data` is an object, NULL for nothing.
 */
RELATA_CHECKED relata_result relata_emit(const char *event, const char *const *about,
                                         relata_json data);

/* ----------------------------------------------------------------- state -- */

/*
 * Reads one of the plugin's own values. A key that is not there gives NULL and
 * the revision 0, which is what relata_state_put_if() takes for a new key.
 * `revision` may be NULL.
 */
RELATA_CHECKED relata_result relata_state_get(const char *key, relata_json *value,
                                              uint64_t *revision);

/* Stores a value, whatever was there. */
RELATA_CHECKED relata_result relata_state_put(const char *key, relata_json value);

/* Stores a value if it still has this revision, 0 for a new key; else RELATA_CONFLICT. */
RELATA_CHECKED relata_result relata_state_put_if(const char *key, relata_json value,
                                                 uint64_t revision);

/* Stores a value that the host forgets after so long. */
RELATA_CHECKED relata_result relata_state_put_for(const char *key, relata_json value,
                                                  uint64_t keep_ms);

/* ------------------------------------------------------------------ HTTP -- */

/* A method of HTTP. */
typedef enum relata_http_method {
    RELATA_HTTP_GET,
    RELATA_HTTP_HEAD,
    RELATA_HTTP_POST,
    RELATA_HTTP_PUT,
    RELATA_HTTP_PATCH,
    RELATA_HTTP_DELETE,
} relata_http_method;

/* One header line. */
typedef struct relata_header {
    const char *name;
    const char *value;
} relata_header;

/* Header lines, ended by one without a name: RELATA_HEADERS({"accept", "text/plain"}). */
#define RELATA_HEADERS(...) ((const relata_header[]){__VA_ARGS__, {.name = NULL}})

/* A request. What is left out is empty. */
typedef struct relata_http_request {
    relata_http_method method;
    const char *url;              /* In full: `https://api.example.com/v1/companies`. */
    const relata_header *headers; /* See RELATA_HEADERS. */
    const void *body;
    size_t body_length;
    uint32_t timeout_ms;          /* 0: as long as the plugin's limit allows. */
} relata_http_request;

/* An answer. */
typedef struct relata_http_response {
    uint16_t status;
    const relata_header *headers; /* With names in lower case, ended by one without a name. */
    const char *body;             /* A NUL stands after it. */
    size_t body_length;
} relata_http_response;

/*
 * Sends a request now and waits for its answer. A status of 400 or more is an
 * answer like another; a failure is what kept one from coming.
 */
RELATA_CHECKED relata_result relata_http_send(const relata_http_request *request,
                                              relata_http_response *response);

/*
 * Sends a request after the step has committed, and again until an answer
 * below 400 comes. `id`, under which the outbox shows it, may be NULL.
 */
RELATA_CHECKED relata_result relata_http_deliver(const relata_http_request *request,
                                                 const char **id);

/* The value of an answer's header, by its name in lower case; or NULL. */
const char *relata_http_header(const relata_http_response *response, const char *name);

/*
 * How long the header `retry-after` asks to wait, where it counts in seconds;
 * 0 if it says nothing. For relata_error.retry_after_ms.
 */
uint32_t relata_http_retry_after_ms(const relata_http_response *response);

/*
 * A text as it may stand in the address of a request, as a value of its query
 * or a part of its path: all but letters, digits, `-`, `.`, `_` and `~` as %XX.
 */
const char *relata_url_encode(const char *text);

/*
 * A text that stands for a secret, for this call alone. Put it into the
 * address, a header or the body of a request: the host puts the secret in as
 * the request leaves.
 */
RELATA_CHECKED relata_result relata_secret(const char *name, const char **placeholder);

/* ------------------------------------------------------ clock and chance -- */

/* Milliseconds since 1970 UTC; the same through the whole call. */
uint64_t relata_now_ms(void);

/* When the host will end this call, milliseconds since 1970 UTC. */
uint64_t relata_deadline_ms(void);

/* Whether the run was cancelled meanwhile. A long action asks now and then, and stops. */
bool relata_cancelled(void);

/* Fills a buffer with random bytes. */
void relata_random(void *buffer, size_t length);

/* A time as fields of that type take it: `2026-11-22T09:30:00.000Z`. */
const char *relata_format_time(uint64_t ms);

/* A date as fields of that type take it: `2026-11-22`. */
const char *relata_format_date(uint64_t ms);

/* ------------------------------------------------------- log and panics -- */

/*
 * The plugin's log is kept with the run. No customer's text and no secret,
 * please: logs are kept where records are not.
 */
typedef enum relata_level {
    RELATA_LOG_DEBUG, /* For whoever writes the plugin. */
    RELATA_LOG_INFO,  /* What happened. */
    RELATA_LOG_WARN,  /* What somebody should look at. */
    RELATA_LOG_ERROR, /* What went wrong. */
} relata_level;

/* Writes one line, with an object of fields, or NULL. */
void relata_log(relata_level level, relata_json fields, const char *message, ...)
    RELATA_FORMAT(3, 4);

/* Writes one line: relata_log_info("%d leads are open", open). */
#define relata_log_debug(...) relata_log(RELATA_LOG_DEBUG, NULL, __VA_ARGS__)
#define relata_log_info(...) relata_log(RELATA_LOG_INFO, NULL, __VA_ARGS__)
#define relata_log_warn(...) relata_log(RELATA_LOG_WARN, NULL, __VA_ARGS__)
#define relata_log_error(...) relata_log(RELATA_LOG_ERROR, NULL, __VA_ARGS__)

/*
 * Ends the call for a fault of the plugin itself, with the place in its source.
 * Nothing that the call wrote remains. assert() does the same.
 */
#define RELATA_PANIC(...) relata_panic_at(__FILE__, __LINE__, __VA_ARGS__)

/* What RELATA_PANIC expands to. */
_Noreturn void relata_panic_at(const char *file, int line, const char *message, ...)
    RELATA_FORMAT(3, 4);

/* -------------------------------------------------------- memory, texts -- */

/* Zeroed memory until the call ends, fit for any type. */
void *relata_alloc(size_t size);

/* A text made as printf does. */
const char *relata_format(const char *format, ...) RELATA_FORMAT(1, 2);

/* A copy of so many bytes, with a NUL after them. */
char *relata_copy(const char *bytes, size_t length);

/* Whether so many bytes are UTF-8. */
bool relata_is_utf8(const char *bytes, size_t length);

#endif

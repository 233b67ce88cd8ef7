/* What the host calls: which actions there are, and running one. */
#include "host.h"
#include "libc.h"
#include "memory.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

/*
 * What an export answers is freed by the generated code, with free(): so it is
 * made of copies of their own, outside of the call's memory.
 */
static void *give(const void *bytes, size_t size) {
    void *given = malloc(size);
    if (given == NULL && size > 0) {
        RELATA_PANIC("no memory is left for an answer of %zu bytes", size);
    }
    return size > 0 ? memcpy(given, bytes, size) : given;
}

static plugin_string_t give_text(plugin_string_t text) {
    return (plugin_string_t){.ptr = give(text.ptr, text.len), .len = text.len};
}

static plugin_string_t give_literal(const relata_action *action, const char *what,
                                    const char *text) {
    return give_text(
        host_text(text, relata_format("`.%s` of the action `%s`", what, action->id)));
}

static plugin_list_string_t give_list(const relata_action *action, const char *what,
                                      const char *const *texts) {
    plugin_list_string_t list = {.len = host_count(texts)};
    plugin_string_t *given = relata_alloc(list.len * sizeof *given);
    for (size_t i = 0; i < list.len; i++) {
        given[i] = give_literal(action, what, texts[i]);
    }
    list.ptr = give(given, list.len * sizeof *given);
    return list;
}

static exports_relata_plugin_actions_list_correlation_t
give_correlation(const relata_action *action) {
    exports_relata_plugin_actions_list_correlation_t list = {.len = 0};
    while (action->correlation != NULL && action->correlation[list.len].event != NULL) {
        list.len++;
    }
    exports_relata_plugin_actions_correlation_t *given = relata_alloc(list.len * sizeof *given);
    for (size_t i = 0; i < list.len; i++) {
        const relata_correlation *correlation = &action->correlation[i];
        given[i].event = give_literal(action, "correlation", correlation->event);
        given[i].output_field = give_literal(action, "correlation", correlation->output_field);
    }
    list.ptr = give(given, list.len * sizeof *given);
    return list;
}

static exports_relata_plugin_actions_descriptor_t describe(const relata_action *action) {
    exports_relata_plugin_actions_descriptor_t descriptor = {
        .id = give_literal(action, "id", action->id),
        .title = give_literal(action, "title", action->title),
        .summary = give_literal(action, "summary", action->summary == NULL ? "" : action->summary),
        .input_schema = give_literal(action, "input_schema", action->input_schema),
        .output_schema = give_literal(action, "output_schema", action->output_schema),
        .reads = give_list(action, "reads", action->reads),
        .writes = give_list(action, "writes", action->writes),
        .correlation = give_correlation(action),
        .exclusive = {.is_some = action->exclusive != NULL},
        .idempotent = action->idempotent,
    };
    if (action->exclusive != NULL) {
        descriptor.exclusive.val = give_literal(action, "exclusive", action->exclusive);
    }
    return descriptor;
}

void exports_relata_plugin_actions_describe(exports_relata_plugin_actions_list_descriptor_t *ret) {
    size_t count = 0;
    while (relata_actions[count].id != NULL) {
        count++;
    }
    exports_relata_plugin_actions_descriptor_t *descriptors =
        relata_alloc(count * sizeof *descriptors);
    for (size_t i = 0; i < count; i++) {
        descriptors[i] = describe(&relata_actions[i]);
    }
    ret->len = count;
    ret->ptr = give(descriptors, count * sizeof *descriptors);
    memory_release();
}

static relata_result unknown_action(const char *id) {
    const char *known = relata_actions[0].id == NULL ? "none" : relata_actions[0].id;
    for (size_t i = 1; relata_actions[0].id != NULL && relata_actions[i].id != NULL; i++) {
        known = relata_format("%s, %s", known, relata_actions[i].id);
    }
    return relata_fail(RELATA_NOT_FOUND, "this plugin has no action `%s`; it has %s", id, known);
}

static relata_result run(const relata_context *context, const char *id, plugin_string_t input) {
    const relata_action *action = relata_actions;
    while (action->id != NULL && strcmp(action->id, id) != 0) {
        action++;
    }
    if (action->id == NULL) {
        return unknown_action(id);
    }
    relata_result result = action->run(context, host_take_json(input));
    if (result == NULL) {
        RELATA_PANIC("the action `%s` returned NULL: it ends with relata_done(), relata_skip(), "
                     "relata_retry() or relata_fail()",
                     id);
    }
    return result;
}

static bool give_result(relata_result result, exports_relata_plugin_actions_outcome_t *outcome,
                        exports_relata_plugin_actions_error_t *error) {
    switch (result->how) {
    case ENDED_DONE:
        outcome->tag = EXPORTS_RELATA_PLUGIN_ACTIONS_OUTCOME_DONE;
        outcome->val.done = give_text(host_object(result->output, "the output of an action"));
        return true;
    case ENDED_SKIPPED:
        outcome->tag = EXPORTS_RELATA_PLUGIN_ACTIONS_OUTCOME_SKIP;
        outcome->val.skip = give_text(host_words(result->reason));
        return true;
    case ENDED_RETRYING:
        outcome->tag = EXPORTS_RELATA_PLUGIN_ACTIONS_OUTCOME_RETRY;
        outcome->val.retry.f0 = result->after_ms;
        outcome->val.retry.f1 = give_text(host_words(result->reason));
        return true;
    case ENDED_FAILED: break;
    }
    const relata_error *failure = &result->error;
    *error = (exports_relata_plugin_actions_error_t){
        .code = (uint8_t)failure->code,
        .message = give_text(host_words(failure->message)),
        .retry_after_ms = {.is_some = failure->retry_after_ms != 0, .val = failure->retry_after_ms},
        .details = {.is_some = failure->details != NULL},
    };
    if (failure->details != NULL) {
        error->details.val = give_text(host_json(failure->details));
    }
    return false;
}

bool exports_relata_plugin_actions_run(exports_relata_plugin_actions_context_t *ctx,
                                       plugin_string_t *action,
                                       exports_relata_plugin_actions_json_t *input,
                                       exports_relata_plugin_actions_outcome_t *ret,
                                       exports_relata_plugin_actions_error_t *err) {
    relata_context context = {
        .run_id = host_take(ctx->run_id),
        .step_id = host_take(ctx->step_id),
        .attempt = ctx->attempt,
        .idempotency_key = host_take(ctx->idempotency_key),
        .subject = ctx->subject.is_some ? host_take(ctx->subject.val) : NULL,
        .dry_run = ctx->dry_run,
    };
    relata_result result = run(&context, host_take(*action), *input);
    bool ok = give_result(result, ret, err);
    libc_flush();
    memory_release();
    return ok;
}

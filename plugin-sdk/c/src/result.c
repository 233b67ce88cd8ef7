/* How an action ends. */
#include "result.h"
#include "memory.h"

#include <stdarg.h>

static relata_result keep(struct relata_ending ending) {
    struct relata_ending *kept = memory_take(sizeof *kept);
    *kept = ending;
    return kept;
}

relata_result relata_done(relata_json output) {
    return keep((struct relata_ending){.how = ENDED_DONE, .output = output});
}

relata_result relata_skip(const char *reason, ...) {
    va_list arguments;
    va_start(arguments, reason);
    const char *text = memory_format(reason, arguments);
    va_end(arguments);
    return keep((struct relata_ending){.how = ENDED_SKIPPED, .reason = text});
}

relata_result relata_retry(uint32_t after_ms, const char *reason, ...) {
    va_list arguments;
    va_start(arguments, reason);
    const char *text = memory_format(reason, arguments);
    va_end(arguments);
    return keep(
        (struct relata_ending){.how = ENDED_RETRYING, .after_ms = after_ms, .reason = text});
}

relata_result relata_fail(relata_code code, const char *message, ...) {
    va_list arguments;
    va_start(arguments, message);
    const char *text = memory_format(message, arguments);
    va_end(arguments);
    return relata_fail_with((relata_error){.code = code, .message = text});
}

relata_result relata_fail_with(relata_error error) {
    return keep((struct relata_ending){.how = ENDED_FAILED, .error = error});
}

const relata_error *relata_error_of(relata_result result) {
    return result != NULL && result->how == ENDED_FAILED ? &result->error : NULL;
}

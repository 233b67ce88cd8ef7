/* Between the texts of C and those of the contract. */
#include "host.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

plugin_string_t host_text(const char *text, const char *what) {
    if (text == NULL) {
        RELATA_PANIC("%s is missing: it is NULL", what);
    }
    size_t length = strlen(text);
    if (!relata_is_utf8(text, length)) {
        RELATA_PANIC("%s is not UTF-8", what);
    }
    return (plugin_string_t){.ptr = (uint8_t *)text, .len = length};
}

plugin_string_t host_words(const char *text) {
    char *words = relata_copy(text, strlen(text));
    utf8_mend(words);
    return (plugin_string_t){.ptr = (uint8_t *)words, .len = strlen(words)};
}

plugin_string_t host_json(relata_json value) {
    const char *text = relata_json_write(value);
    return (plugin_string_t){.ptr = (uint8_t *)text, .len = strlen(text)};
}

plugin_string_t host_object(relata_json value, const char *what) {
    relata_json_type type = relata_json_type_of(value);
    if (type == RELATA_JSON_ABSENT) {
        return host_text("{}", what);
    }
    if (type != RELATA_JSON_OBJECT) {
        RELATA_PANIC("%s must be a JSON object, not `%s`", what, relata_json_write(value));
    }
    return host_json(value);
}

size_t host_count(const char *const *texts) {
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    return count;
}

plugin_list_string_t host_list(const char *const *texts, const char *what) {
    plugin_list_string_t list = {.len = host_count(texts)};
    list.ptr = relata_alloc(list.len * sizeof *list.ptr);
    for (size_t i = 0; i < list.len; i++) {
        list.ptr[i] = host_text(texts[i], what);
    }
    return list;
}

const char *host_take(plugin_string_t text) {
    const char *taken = relata_copy((const char *)text.ptr, text.len);
    plugin_string_free(&text);
    return taken;
}

relata_json host_take_json(plugin_string_t json) {
    relata_json value;
    relata_result result = relata_json_parse((const char *)json.ptr, json.len, &value);
    if (result != NULL) {
        RELATA_PANIC("the host answered what is not JSON: %s", relata_error_of(result)->message);
    }
    plugin_string_free(&json);
    return value;
}

relata_result host_failure(const relata_plugin_types_error_t *error) {
    return relata_fail_with((relata_error){
        .code = (relata_code)error->code,
        .message = host_take(error->message),
        .retry_after_ms = error->retry_after_ms.is_some ? error->retry_after_ms.val : 0,
        .details = error->details.is_some ? host_take_json(error->details.val) : NULL,
    });
}

/* The plugin's own small memory. */
#include "host.h"

relata_result relata_state_get(const char *key, relata_json *value, uint64_t *revision) {
    plugin_string_t name = host_text(key, "the key of a value");
    relata_plugin_state_option_item_t item;
    relata_plugin_types_error_t error;
    if (!relata_plugin_state_get(&name, &item, &error)) {
        return host_failure(&error);
    }
    *value = item.is_some ? host_take_json(item.val.value) : NULL;
    if (revision != NULL) {
        *revision = item.is_some ? item.val.revision : 0;
    }
    return NULL;
}

static relata_result put(const char *key, relata_json value, uint64_t *revision,
                         uint64_t *keep_ms) {
    plugin_string_t name = host_text(key, "the key of a value");
    plugin_string_t json = host_json(value);
    uint64_t stored;
    relata_plugin_types_error_t error;
    return relata_plugin_state_put(&name, &json, revision, keep_ms, &stored, &error)
               ? NULL
               : host_failure(&error);
}

relata_result relata_state_put(const char *key, relata_json value) {
    return put(key, value, NULL, NULL);
}

relata_result relata_state_put_if(const char *key, relata_json value, uint64_t revision) {
    return put(key, value, &revision, NULL);
}

relata_result relata_state_put_for(const char *key, relata_json value, uint64_t keep_ms) {
    return put(key, value, NULL, &keep_ms);
}

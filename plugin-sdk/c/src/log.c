/* The plugin's log, and how a fault of its own gets there. */
#include "host.h"
#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void relata_log(relata_level level, relata_json fields, const char *message, ...) {
    va_list arguments;
    va_start(arguments, message);
    plugin_string_t words = host_words(memory_format(message, arguments));
    va_end(arguments);
    plugin_string_t json = host_object(fields, "the fields of a log line");
    relata_plugin_log_emit((uint8_t)level, &words, &json);
}

/* Takes no memory: that there is none may be the reason. */
void relata_panic_at(const char *file, int line, const char *message, ...) {
    static char words[1024];
    static char place[256];
    va_list arguments;
    va_start(arguments, message);
    vsnprintf(words, sizeof words, message, arguments);
    va_end(arguments);
    snprintf(place, sizeof place, "%s:%d", file, line);
    utf8_mend(words);
    utf8_mend(place);
    plugin_string_t what = {.ptr = (uint8_t *)words, .len = strlen(words)};
    plugin_string_t where = {.ptr = (uint8_t *)place, .len = strlen(place)};
    relata_plugin_log_panic(&what, &where);
    __builtin_trap();
}

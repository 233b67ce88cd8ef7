/*
 * Between the texts of C and those of the contract, for the files that call
 * the host.
 */
#ifndef RELATA_HOST_H
#define RELATA_HOST_H

#include "../generated/plugin.h"
#include "../relata.h"

/*
 * A text as the host takes it, without a copy. NULL, or bytes that are not
 * UTF-8, are a panic that names `what` it is.
 */
plugin_string_t host_text(const char *text, const char *what);

/* The same for words to people, where a broken character does no harm. */
plugin_string_t host_words(const char *text);

/* A value as JSON. */
plugin_string_t host_json(relata_json value);

/* A value as a JSON object, `{}` for NULL; anything else is a panic that names `what`. */
plugin_string_t host_object(relata_json value, const char *what);

/* How many texts stand before the NULL of a list, which may be NULL itself. */
size_t host_count(const char *const *texts);

/* Such a list as the host takes it. */
plugin_list_string_t host_list(const char *const *texts, const char *what);

/* A text from the host, moved to the call's memory. */
const char *host_take(plugin_string_t text);

/* JSON from the host, read. */
relata_json host_take_json(plugin_string_t json);

/* An error from the host, as a result. */
relata_result host_failure(const relata_plugin_types_error_t *error);

#endif

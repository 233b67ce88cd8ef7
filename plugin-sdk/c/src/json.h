/* How a JSON value lies in memory, for the SDK's own files. */
#ifndef RELATA_JSON_H
#define RELATA_JSON_H

#include "../relata.h"

/* How deep values may be nested: as deep as the host reads them. */
enum { JSON_DEPTH = 128 };

struct member {
    const char *name;
    size_t name_length;
    relata_json value;
};

struct relata_json_value {
    relata_json_type type;
    union {
        bool boolean;
        /* A string's bytes, or a number as it is written, which keeps every
           digit. A NUL stands behind both. */
        struct {
            const char *bytes;
            size_t length;
        } text;
        struct {
            relata_json *items;
            size_t count, capacity;
        } array;
        struct {
            struct member *members;
            size_t count, capacity;
        } object;
    } as;
};

relata_json json_new(relata_json_type type);
relata_json json_text(relata_json_type type, const char *bytes, size_t length);
void json_add_item(relata_json array, relata_json item);
/* Does not look whether there is one of that name. */
void json_add_member(relata_json object, const char *name, size_t name_length, relata_json value);

#endif

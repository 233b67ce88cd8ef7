/* JSON values: looking into them, and making them. */
#include "json.h"
#include "memory.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

relata_json json_new(relata_json_type type) {
    relata_json value = relata_alloc(sizeof *value);
    value->type = type;
    return value;
}

relata_json json_text(relata_json_type type, const char *bytes, size_t length) {
    relata_json value = json_new(type);
    value->as.text.bytes = bytes;
    value->as.text.length = length;
    return value;
}

void json_add_item(relata_json array, relata_json item) {
    array->as.array.items = memory_grow(array->as.array.items, array->as.array.count, sizeof item,
                                        &array->as.array.capacity);
    array->as.array.items[array->as.array.count++] = item;
}

void json_add_member(relata_json object, const char *name, size_t name_length, relata_json value) {
    object->as.object.members =
        memory_grow(object->as.object.members, object->as.object.count,
                    sizeof *object->as.object.members, &object->as.object.capacity);
    object->as.object.members[object->as.object.count++] =
        (struct member){.name = name, .name_length = name_length, .value = value};
}

static struct member *find_member(relata_json object, const char *name) {
    size_t length = strlen(name);
    for (size_t i = object->as.object.count; i > 0; i--) {
        struct member *member = &object->as.object.members[i - 1];
        if (member->name_length == length && memcmp(member->name, name, length) == 0) {
            return member;
        }
    }
    return NULL;
}

relata_json_type relata_json_type_of(relata_json value) {
    return value == NULL ? RELATA_JSON_ABSENT : value->type;
}

bool relata_json_is_null(relata_json value) {
    return value == NULL || value->type == RELATA_JSON_NULL;
}

relata_json relata_json_get(relata_json object, const char *name) {
    if (relata_json_type_of(object) != RELATA_JSON_OBJECT) {
        return NULL;
    }
    struct member *member = find_member(object, name);
    return member == NULL ? NULL : member->value;
}

size_t relata_json_count(relata_json value) {
    switch (relata_json_type_of(value)) {
    case RELATA_JSON_ARRAY: return value->as.array.count;
    case RELATA_JSON_OBJECT: return value->as.object.count;
    default: return 0;
    }
}

relata_json relata_json_at(relata_json value, size_t index) {
    if (index >= relata_json_count(value)) {
        return NULL;
    }
    return value->type == RELATA_JSON_ARRAY ? value->as.array.items[index]
                                            : value->as.object.members[index].value;
}

const char *relata_json_name_at(relata_json object, size_t index) {
    if (relata_json_type_of(object) != RELATA_JSON_OBJECT || index >= object->as.object.count) {
        return NULL;
    }
    return object->as.object.members[index].name;
}

const char *relata_json_as_string(relata_json value) {
    size_t length;
    const char *bytes = relata_json_as_bytes(value, &length);
    return bytes != NULL && memchr(bytes, '\0', length) == NULL ? bytes : NULL;
}

const char *relata_json_as_bytes(relata_json value, size_t *length) {
    if (relata_json_type_of(value) != RELATA_JSON_STRING) {
        return NULL;
    }
    *length = value->as.text.length;
    return value->as.text.bytes;
}

bool relata_json_as_integer(relata_json value, int64_t *integer) {
    if (relata_json_type_of(value) != RELATA_JSON_NUMBER ||
        strpbrk(value->as.text.bytes, ".eE") != NULL) {
        return false;
    }
    errno = 0;
    long long read = strtoll(value->as.text.bytes, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *integer = read;
    return true;
}

bool relata_json_as_number(relata_json value, double *number) {
    if (relata_json_type_of(value) != RELATA_JSON_NUMBER) {
        return false;
    }
    double read = strtod(value->as.text.bytes, NULL);
    if (!isfinite(read)) {
        return false;
    }
    *number = read;
    return true;
}

bool relata_json_as_boolean(relata_json value, bool *boolean) {
    if (relata_json_type_of(value) != RELATA_JSON_BOOLEAN) {
        return false;
    }
    *boolean = value->as.boolean;
    return true;
}

relata_json relata_json_null(void) {
    return json_new(RELATA_JSON_NULL);
}

relata_json relata_json_boolean(bool boolean) {
    relata_json value = json_new(RELATA_JSON_BOOLEAN);
    value->as.boolean = boolean;
    return value;
}

relata_json relata_json_integer(int64_t integer) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, integer);
    return json_text(RELATA_JSON_NUMBER, relata_copy(digits, (size_t)length), (size_t)length);
}

relata_json relata_json_number(double number) {
    if (!isfinite(number)) {
        RELATA_PANIC("JSON has no number for %f", number);
    }
    char digits[40];
    int length = 0;
    /* The shortest that reads back as the same number; 17 digits always do. */
    for (int precision = 15; precision <= 17; precision++) {
        length = snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number) {
            break;
        }
    }
    return json_text(RELATA_JSON_NUMBER, relata_copy(digits, (size_t)length), (size_t)length);
}

relata_json relata_json_string(const char *text) {
    return text == NULL ? relata_json_null() : relata_json_string_of(text, strlen(text));
}

relata_json relata_json_string_of(const char *bytes, size_t length) {
    if (!relata_is_utf8(bytes, length)) {
        RELATA_PANIC("a JSON string must be UTF-8: ask relata_is_utf8() about bytes from outside");
    }
    return json_text(RELATA_JSON_STRING, relata_copy(bytes, length), length);
}

relata_json relata_json_object(void) {
    return json_new(RELATA_JSON_OBJECT);
}

relata_json relata_json_array(void) {
    return json_new(RELATA_JSON_ARRAY);
}

void relata_json_set(relata_json object, const char *name, relata_json value) {
    if (relata_json_type_of(object) != RELATA_JSON_OBJECT) {
        RELATA_PANIC("`%s` can only be set in an object", name);
    }
    if (!relata_is_utf8(name, strlen(name))) {
        RELATA_PANIC("the name of a member must be UTF-8");
    }
    value = value == NULL ? relata_json_null() : value;
    struct member *member = find_member(object, name);
    if (member != NULL) {
        member->value = value;
        return;
    }
    size_t length = strlen(name);
    json_add_member(object, relata_copy(name, length), length, value);
}

void relata_json_append(relata_json array, relata_json value) {
    if (relata_json_type_of(array) != RELATA_JSON_ARRAY) {
        RELATA_PANIC("only an array can be appended to");
    }
    json_add_item(array, value == NULL ? relata_json_null() : value);
}

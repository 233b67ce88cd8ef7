/* The company's records. */
#include "host.h"

static relata_record take_record(const relata_plugin_types_entity_t *entity) {
    return (relata_record){
        .object = host_take(entity->object),
        .id = host_take(entity->id),
        .revision = entity->revision,
        .fields = host_take_json(entity->fields),
    };
}

/* The answer of a call that gives a record, which the caller may not want. */
static relata_result record_or_failure(bool ok, relata_record *record,
                                       const relata_plugin_types_entity_t *entity,
                                       const relata_plugin_types_error_t *error) {
    if (!ok) {
        return host_failure(error);
    }
    if (record != NULL) {
        *record = take_record(entity);
    }
    return NULL;
}

static relata_plugin_records_list_condition_t conditions(const relata_condition *where) {
    relata_plugin_records_list_condition_t list = {.len = 0};
    while (where != NULL && where[list.len].field != NULL) {
        list.len++;
    }
    list.ptr = relata_alloc(list.len * sizeof *list.ptr);
    for (size_t i = 0; i < list.len; i++) {
        list.ptr[i] = (relata_plugin_records_condition_t){
            .field = host_text(where[i].field, "the field of a condition"),
            .operator_ = (uint8_t)where[i].compare,
            .value = host_json(where[i].value),
        };
    }
    return list;
}

relata_result relata_records_get(const char *reference, relata_record *record) {
    plugin_string_t name = host_text(reference, "the record to read");
    relata_plugin_types_entity_t entity;
    relata_plugin_types_error_t error;
    bool ok = relata_plugin_records_get(&name, &entity, &error);
    return record_or_failure(ok, record, &entity, &error);
}

relata_result relata_records_query(const relata_query *query, relata_page *page) {
    plugin_string_t object = host_text(query->object, "the object to query");
    relata_plugin_records_list_condition_t where = conditions(query->where);
    plugin_list_string_t fields = host_list(query->fields, "a field to query");
    plugin_string_t cursor;
    if (query->cursor != NULL) {
        cursor = host_text(query->cursor, "the cursor");
    }
    relata_plugin_records_page_t found;
    relata_plugin_types_error_t error;
    if (!relata_plugin_records_query(&object, &where, &fields,
                                     query->limit == 0 ? 1000 : query->limit,
                                     query->cursor == NULL ? NULL : &cursor, &found, &error)) {
        return host_failure(&error);
    }
    relata_record *records = relata_alloc(found.entities.len * sizeof *records);
    for (size_t i = 0; i < found.entities.len; i++) {
        records[i] = take_record(&found.entities.ptr[i]);
    }
    *page = (relata_page){
        .records = records,
        .count = found.entities.len,
        .cursor = found.cursor.is_some ? host_take(found.cursor.val) : NULL,
    };
    return NULL;
}

relata_result relata_records_count(const char *object, const relata_condition *where,
                                   uint64_t *count) {
    plugin_string_t name = host_text(object, "the object to count");
    relata_plugin_records_list_condition_t filter = conditions(where);
    relata_plugin_types_error_t error;
    return relata_plugin_records_count(&name, &filter, count, &error) ? NULL
                                                                      : host_failure(&error);
}

relata_result relata_records_count_by(const char *object, const relata_condition *where,
                                      const char *field, relata_tallies *tallies) {
    plugin_string_t name = host_text(object, "the object to count");
    plugin_string_t by = host_text(field, "the field to count by");
    relata_plugin_records_list_condition_t filter = conditions(where);
    relata_plugin_records_list_tally_t found;
    relata_plugin_types_error_t error;
    if (!relata_plugin_records_count_by(&name, &filter, &by, &found, &error)) {
        return host_failure(&error);
    }
    relata_tally *taken = relata_alloc(found.len * sizeof *taken);
    for (size_t i = 0; i < found.len; i++) {
        taken[i] = (relata_tally){
            .value = host_take_json(found.ptr[i].value),
            .count = found.ptr[i].count,
        };
    }
    *tallies = (relata_tallies){.tallies = taken, .count = found.len};
    return NULL;
}

relata_result relata_calendar_is_open(const char *calendar, uint64_t at_ms, bool *is_open) {
    plugin_string_t reference = host_text(calendar, "the calendar");
    relata_plugin_types_error_t error;
    return relata_plugin_records_is_open(&reference, at_ms, is_open, &error)
               ? NULL
               : host_failure(&error);
}

relata_result relata_records_create(const char *object, relata_json fields,
                                    relata_record *created) {
    plugin_string_t name = host_text(object, "the object to create");
    plugin_string_t json = host_object(fields, "what a record is created from");
    relata_plugin_types_entity_t entity;
    relata_plugin_types_error_t error;
    bool ok = relata_plugin_records_create(&name, &json, &entity, &error);
    return record_or_failure(ok, created, &entity, &error);
}

static relata_result update(const char *reference, relata_json fields, uint64_t *revision,
                            relata_record *updated) {
    plugin_string_t name = host_text(reference, "the record to update");
    plugin_string_t json = host_object(fields, "what a record is updated with");
    relata_plugin_types_entity_t entity;
    relata_plugin_types_error_t error;
    bool ok = relata_plugin_records_update(&name, &json, revision, &entity, &error);
    return record_or_failure(ok, updated, &entity, &error);
}

relata_result relata_records_update(const char *reference, relata_json fields,
                                    relata_record *updated) {
    return update(reference, fields, NULL, updated);
}

relata_result relata_records_update_if(const char *reference, relata_json fields,
                                       uint64_t revision, relata_record *updated) {
    return update(reference, fields, &revision, updated);
}

static relata_result delete(const char *reference, uint64_t *revision) {
    plugin_string_t name = host_text(reference, "the record to delete");
    relata_plugin_types_error_t error;
    return relata_plugin_records_delete(&name, revision, &error) ? NULL : host_failure(&error);
}

relata_result relata_records_delete(const char *reference) {
    return delete(reference, NULL);
}

relata_result relata_records_delete_if(const char *reference, uint64_t revision) {
    return delete(reference, &revision);
}

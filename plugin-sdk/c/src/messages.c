/* Words to people, and events. */
#include "host.h"

static relata_result receipt_or_failure(bool ok, relata_receipt *receipt,
                                        const relata_plugin_messages_receipt_t *answer,
                                        const relata_plugin_types_error_t *error) {
    if (!ok) {
        return host_failure(error);
    }
    if (receipt == NULL) {
        return NULL;
    }
    *receipt = answer->tag == RELATA_PLUGIN_MESSAGES_RECEIPT_QUEUED
                   ? (relata_receipt){.queued = true, .id = host_take(answer->val.queued)}
                   : (relata_receipt){.reason = host_take(answer->val.suppressed)};
    return NULL;
}

relata_result relata_send_mail(const char *to, const char *template_name, relata_json data,
                               relata_receipt *receipt) {
    relata_plugin_messages_mail_t mail = {
        .to = host_text(to, "the recipient of a mail"),
        .template_ = host_text(template_name, "the template of a mail"),
        .data = host_object(data, "the data of a mail"),
    };
    relata_plugin_messages_receipt_t answer;
    relata_plugin_types_error_t error;
    bool ok = relata_plugin_messages_send_mail(&mail, &answer, &error);
    return receipt_or_failure(ok, receipt, &answer, &error);
}

relata_result relata_notify(const char *to, const char *text, const char *about,
                            relata_receipt *receipt) {
    relata_plugin_messages_notice_t notice = {
        .to = host_text(to, "the user to notify"),
        .text = host_text(text, "the text of a notice"),
        .about = {.is_some = about != NULL},
    };
    if (about != NULL) {
        notice.about.val = host_text(about, "what a notice is about");
    }
    relata_plugin_messages_receipt_t answer;
    relata_plugin_types_error_t error;
    bool ok = relata_plugin_messages_notify(&notice, &answer, &error);
    return receipt_or_failure(ok, receipt, &answer, &error);
}

relata_result relata_emit(const char *event, const char *const *about, relata_json data) {
    plugin_string_t name = host_text(event, "the name of an event");
    plugin_list_string_t texts = host_list(about, "what an event is about");
    relata_plugin_events_list_reference_t records = {.ptr = texts.ptr, .len = texts.len};
    plugin_string_t json = host_object(data, "the data of an event");
    relata_plugin_types_error_t error;
    return relata_plugin_events_emit(&name, &records, &json, &error) ? NULL
                                                                     : host_failure(&error);
}

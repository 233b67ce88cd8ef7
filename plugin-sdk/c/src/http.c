/* Calls of web services, and their secrets. */
#include "host.h"

static relata_plugin_http_list_header_t lower_headers(const relata_header *headers) {
    relata_plugin_http_list_header_t list = {.len = 0};
    while (headers != NULL && headers[list.len].name != NULL) {
        list.len++;
    }
    list.ptr = relata_alloc(list.len * sizeof *list.ptr);
    for (size_t i = 0; i < list.len; i++) {
        list.ptr[i] = (relata_plugin_http_header_t){
            .name = host_text(headers[i].name, "the name of a header"),
            .value = host_text(headers[i].value, "the value of a header"),
        };
    }
    return list;
}

static relata_plugin_http_request_t lower_request(const relata_http_request *request) {
    return (relata_plugin_http_request_t){
        .method = (uint8_t)request->method,
        .url = host_text(request->url, "the address of a request"),
        .headers = lower_headers(request->headers),
        .body = {.ptr = (uint8_t *)request->body, .len = request->body_length},
        .timeout_ms = {.is_some = request->timeout_ms != 0, .val = request->timeout_ms},
    };
}

static const relata_header *take_headers(relata_plugin_http_list_header_t list) {
    relata_header *headers = relata_alloc((list.len + 1) * sizeof *headers);
    for (size_t i = 0; i < list.len; i++) {
        headers[i].name = host_take(list.ptr[i].name);
        headers[i].value = host_take(list.ptr[i].value);
    }
    return headers;
}

relata_result relata_http_send(const relata_http_request *request,
                               relata_http_response *response) {
    relata_plugin_http_request_t sent = lower_request(request);
    relata_plugin_http_response_t answer;
    relata_plugin_types_error_t error;
    if (!relata_plugin_http_send(&sent, &answer, &error)) {
        return host_failure(&error);
    }
    *response = (relata_http_response){
        .status = answer.status,
        .headers = take_headers(answer.headers),
        .body = relata_copy((const char *)answer.body.ptr, answer.body.len),
        .body_length = answer.body.len,
    };
    plugin_list_u8_free(&answer.body);
    return NULL;
}

relata_result relata_http_deliver(const relata_http_request *request, const char **id) {
    relata_plugin_http_request_t sent = lower_request(request);
    plugin_string_t answer;
    relata_plugin_types_error_t error;
    if (!relata_plugin_http_deliver(&sent, &answer, &error)) {
        return host_failure(&error);
    }
    if (id != NULL) {
        *id = host_take(answer);
    }
    return NULL;
}

relata_result relata_secret(const char *name, const char **placeholder) {
    plugin_string_t asked = host_text(name, "the name of a secret");
    plugin_string_t answer;
    relata_plugin_types_error_t error;
    if (!relata_plugin_secrets_placeholder(&asked, &answer, &error)) {
        return host_failure(&error);
    }
    *placeholder = host_take(answer);
    return NULL;
}

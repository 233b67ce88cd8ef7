/* What the headers of an answer say. */
#include "../relata.h"

#include <string.h>

const char *relata_http_header(const relata_http_response *response, const char *name) {
    for (const relata_header *header = response->headers; header->name != NULL; header++) {
        if (strcmp(header->name, name) == 0) {
            return header->value;
        }
    }
    return NULL;
}

uint32_t relata_http_retry_after_ms(const relata_http_response *response) {
    const char *seconds = relata_http_header(response, "retry-after");
    if (seconds == NULL || *seconds == '\0' || strspn(seconds, "0123456789") != strlen(seconds)) {
        return 0;
    }
    uint64_t ms = 0;
    for (; *seconds != '\0'; seconds++) {
        ms = ms * 10 + (uint64_t)(*seconds - '0') * 1000;
        if (ms > UINT32_MAX) {
            return UINT32_MAX;
        }
    }
    return (uint32_t)ms;
}

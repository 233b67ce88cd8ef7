/* Clock and chance, both the host's. */
#include "host.h"

#include <string.h>

uint64_t relata_now_ms(void) {
    return relata_plugin_env_now_ms();
}

uint64_t relata_deadline_ms(void) {
    return relata_plugin_env_deadline_ms();
}

bool relata_cancelled(void) {
    return relata_plugin_env_cancelled();
}

void relata_random(void *buffer, size_t length) {
    enum { AT_ONCE = 1024 };
    char *to = buffer;
    while (length > 0) {
        size_t size = length < AT_ONCE ? length : AT_ONCE;
        plugin_list_u8_t bytes;
        relata_plugin_env_random((uint32_t)size, &bytes);
        memcpy(to, bytes.ptr, size);
        plugin_list_u8_free(&bytes);
        to += size;
        length -= size;
    }
}

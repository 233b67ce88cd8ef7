/* How an action ends, for the SDK's own files. */
#ifndef RELATA_RESULT_H
#define RELATA_RESULT_H

#include "../relata.h"

struct relata_ending {
    enum { ENDED_DONE, ENDED_SKIPPED, ENDED_RETRYING, ENDED_FAILED } how;
    relata_json output;  /* of ENDED_DONE */
    const char *reason;  /* of ENDED_SKIPPED and ENDED_RETRYING */
    uint32_t after_ms;   /* of ENDED_RETRYING */
    relata_error error;  /* of ENDED_FAILED */
};

#endif

#ifndef PROBE_H
#define PROBE_H

#include <relata.h>

/* Does what its name in the input says; see libc.c. */
relata_result probe_libc(const relata_context *context, relata_json input);

#endif

/* What the C library and the SDK owe each other. */
#ifndef RELATA_LIBC_H
#define RELATA_LIBC_H

/* Sends what was printed and has not ended its line yet to the log. */
void libc_flush(void);

#endif

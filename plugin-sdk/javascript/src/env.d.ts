/**
 * What a call may know of the world. The time and chance are also there as
 * `Date`, `Math.random` and `crypto`.
 */

/** Milliseconds since 1970; the same through the whole call. */
export function nowMs(): number;

/** That many random bytes, at most 1,024. */
export function random(length: number): Uint8Array;

/** When the host will end this call, milliseconds since 1970. */
export function deadlineMs(): number;

/** Whether the run was cancelled meanwhile. A long action asks now and then, and stops. */
export function cancelled(): boolean;

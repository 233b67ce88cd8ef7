import type { Json } from "./json.js";

/**
 * What kind of failure it is. The host tries again after `conflict`, `limit`
 * and `transient`, as the workflow's `retry:` says, and not after the others.
 */
export type Code =
    /** The plugin lacks a permission. */
    | "denied"
    /** The input, or a value written to a record, is wrong. */
    | "invalid"
    /** No such record, template, team, queue or key. */
    | "not-found"
    /** Somebody else changed it meanwhile. */
    | "conflict"
    /** A limit was reached. */
    | "limit"
    /** It may work later. */
    | "transient"
    /** It will never work. */
    | "permanent"
    /** The run was cancelled. */
    | "cancelled";

/**
 * Why something did not work, in words for the operations staff: what was
 * tried, on what, and how to mend it. Calls to the host throw it, and so do
 * actions. Any other error that leaves an action is a fault of the plugin: it
 * is reported with its place, and not tried again.
 */
export class RelataError extends Error {
    constructor(
        code: Code,
        message: string,
        options?: {
            /** Not to be tried again before this many milliseconds. */
            retryAfterMs?: number;
            /** More for machines to read. */
            details?: Json;
            /** What led to it. Kept with the error, not sent to the host. */
            cause?: unknown;
        },
    );
    readonly name: "RelataError";
    readonly code: Code;
    readonly retryAfterMs: number | undefined;
    readonly details: Json | undefined;
}

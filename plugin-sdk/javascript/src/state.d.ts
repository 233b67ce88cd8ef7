/**
 * The plugin's own small memory: values under keys that no other plugin can
 * read, written together with the step. For a counter that must lose nothing,
 * either give the action `exclusive` or write with `ifRevision`.
 */

/** The value under a key, and how often it was written. */
export function get<T = any>(key: string): { value: T; revision: number } | undefined;

/** Stores a value that JSON can say. Gives its new revision. */
export function put(
    key: string,
    value: unknown,
    options?: {
        /** Only if it still has this revision, 0 if it must be new; otherwise a `conflict` error. */
        ifRevision?: number;
        /** Forgets it after so many milliseconds. */
        ttlMs?: number;
    },
): number;

import type { Entity, Reference } from "./records.js";

/**
 * Emits an event about some records, the first of which is the main one, when
 * the step commits.
 */
export function emit(
    name: string,
    about: readonly (Reference | Entity<unknown>)[],
    data?: object,
): void;

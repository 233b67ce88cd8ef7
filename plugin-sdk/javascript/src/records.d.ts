/** The company's records. What a call writes it also reads back; others see it when the step commits. */

/** A record's name: `lead/01980c5e-…`, or `team/dach` where it has an external id. */
export type Reference = string;

/** A record as it is now, or those of its fields that were asked for. */
export interface Entity<Fields = { [name: string]: unknown }> {
    /** `lead/17` */
    readonly reference: Reference;
    /** `lead` */
    readonly object: string;
    /** `17` */
    readonly id: string;
    /** Goes up by one with each change; see `ifRevision`. */
    readonly revision: number;
    /**
     * References are texts, times RFC 3339 in UTC, dates `2026-12-24`. An empty
     * field is `null` or absent.
     */
    readonly fields: Fields;
}

/**
 * Conditions by field, all of which must hold: a value that it equals, `null`
 * for empty, or operators.
 *
 *     { status: "new", owner: null, score: { atLeast: 10, less: 50 } }
 */
export interface Where {
    readonly [field: string]: string | number | boolean | null | Condition;
}

export interface Condition {
    readonly equal?: unknown;
    readonly notEqual?: unknown;
    readonly less?: unknown;
    readonly atMost?: unknown;
    readonly greater?: unknown;
    readonly atLeast?: unknown;
    readonly oneOf?: readonly unknown[];
    /** For a list or a text. */
    readonly contains?: unknown;
    readonly empty?: boolean;
}

/** One record, or a `not-found` error. */
export function get<Fields = { [name: string]: unknown }>(
    reference: Reference | Entity<unknown>,
): Entity<Fields>;

/** The records of an object that meet all conditions, the oldest first. */
export function query<Fields = { [name: string]: unknown }>(
    object: string,
    options?: {
        where?: Where;
        /** Only these fields: less to copy, and less that must be permitted. */
        fields?: readonly string[];
        /** At most so many; absent, all. */
        limit?: number;
    },
): Entity<Fields>[];

/** The oldest record that meets all conditions, if there is one. */
export function first<Fields = { [name: string]: unknown }>(
    object: string,
    options?: { where?: Where; fields?: readonly string[] },
): Entity<Fields> | undefined;

/** How many records meet all conditions. */
export function count(object: string, where?: Where): number;

/**
 * How many records meet all conditions for each value that a field has among
 * them: `null` for those where it is empty. Not for fields with several values.
 */
export function countBy<Value = unknown>(
    object: string,
    field: string,
    where?: Where,
): { value: Value | null; count: number }[];

/**
 * Whether a calendar is open at a time, such as `new Date()`: its holidays and extra
 * days count, in its own time zone. Needs the permission to read calendars.
 */
export function isOpen(calendar: Reference | Entity<unknown>, at: Date): boolean;

/** Creates a record. Its id is known at once. */
export function create<Fields = { [name: string]: unknown }>(
    object: string,
    fields: object,
): Entity<Fields>;

/**
 * Sets the named fields and leaves the others. A write that changes nothing
 * leaves the revision as it is, and no workflow notices it. With `ifRevision`,
 * only if the record still has it; otherwise a `conflict` error.
 */
export function update<Fields = { [name: string]: unknown }>(
    reference: Reference | Entity<unknown>,
    fields: object,
    options?: { ifRevision?: number },
): Entity<Fields>;

declare function remove(
    reference: Reference | Entity<unknown>,
    options?: { ifRevision?: number },
): void;

/** Deletes a record. */
export { remove as delete };

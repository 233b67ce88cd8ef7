import type { Reference } from "./records.js";
import type { FromSchema, ObjectSchema } from "./schema.js";

/** What a call knows about the step that it runs for. */
export interface Context {
    readonly runId: string;
    readonly stepId: string;
    /** 1 for the first attempt. */
    readonly attempt: number;
    /** The same for every attempt of one step. */
    readonly idempotencyKey: string;
    /** The record that the run is about, if any. */
    readonly subject: Reference | null;
    /** A rehearsal: the host discards what this call writes. */
    readonly dryRun: boolean;
}

/** An event that answers an action. */
export interface Correlation {
    /** The event's name, such as `survey.answered`. */
    readonly event: string;
    /** The field of the action's output whose value is the event's key. */
    readonly outputField: string;
}

/** How an action ended other than with an output. Made by {@link skip} and {@link retry}. */
export interface Outcome {
    readonly tag: "skip" | "retry";
}

/** What {@link action} takes. */
export interface Definition<Input extends ObjectSchema, Output extends ObjectSchema> {
    /** One line: `Pick the next salesperson in turn`. */
    title: string;
    /** A paragraph for the reference page. */
    summary?: string;
    /**
     * The schema of the input. The host checks it before the call. Names that
     * it does not have are refused, unless it says otherwise. Absent: no input.
     */
    input?: Input;
    /** The schema of the output. The host checks it after the call. */
    output?: Output;
    /** What the action reads: `lead`, `lead.owner`, or `*` when the input decides. */
    reads?: readonly string[];
    /**
     * What it writes, in the same form. From this the host finds workflows that
     * would trigger one another for ever.
     */
    writes?: readonly string[];
    /** Events that answer the action, and the output field with their key. */
    correlation?: readonly Correlation[];
    /**
     * Steps with the same key run one after another, across all machines, until
     * their commit. `{team}` stands for the input `team`.
     */
    exclusive?: string;
    /**
     * Whether a second call with the same idempotency key does no harm outside
     * Relata; true if absent. True for all that is written through the SDK.
     */
    idempotent?: boolean;
    /**
     * Does it, and gives the output, {@link skip} or {@link retry}. Nothing that
     * it writes exists for others before the step commits, and nothing of it
     * remains if this throws.
     */
    run(input: FromSchema<Input>, context: Context): FromSchema<Output> | Outcome;
}

/** An action that has been checked. */
export interface Action {
    readonly title: string;
}

/** The actions of a plugin. */
export interface Plugin {
    readonly actions: { readonly [id: string]: Action };
}

/** An action. The types of its input and output come from their schemas. */
export function action<
    const Input extends ObjectSchema = { type: "object"; properties: {} },
    const Output extends ObjectSchema = { type: "object" },
>(definition: Definition<Input, Output>): Action;

/**
 * A plugin: its actions by name, in snake case. What the plugin's module
 * exports by default.
 */
export function plugin(actions: { readonly [id: string]: Action }): Plugin;

/** There was nothing to do; the run goes on without an output. */
export function skip(reason: string): Outcome;

/**
 * Not yet: call the action again after so many milliseconds (at most 49 days).
 * Not a failure, and not counted as one.
 */
export function retry(afterMs: number, reason: string): Outcome;

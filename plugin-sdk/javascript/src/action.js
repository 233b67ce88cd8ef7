import { milliseconds } from "./error.js";
import { checkKeys } from "./host.js";

const KEYS = [
    "title",
    "summary",
    "input",
    "output",
    "reads",
    "writes",
    "correlation",
    "exclusive",
    "idempotent",
    "run",
];

/** How an action ended other than with an output. */
export class Outcome {
    constructor(tag, value) {
        this.tag = tag;
        this.val = value;
    }
}

export function skip(reason) {
    return new Outcome("skip", reason);
}

export function retry(afterMs, reason) {
    return new Outcome("retry", [milliseconds(afterMs, "the time before a retry"), reason]);
}

/** What the host takes as a name. */
const NAME = /^[a-z][a-z0-9_]{0,39}$/;

class Action {
    constructor(definition) {
        Object.assign(this, definition);
    }
}

export class Plugin {
    constructor(actions) {
        this.actions = actions;
    }
}

const AsyncFunction = (async () => {}).constructor;

export function action(definition) {
    checkKeys(definition, KEYS, "an action");
    if (typeof definition.title !== "string") {
        throw new TypeError('an action has a title: title: "Pick the next salesperson in turn"');
    }
    if (typeof definition.run !== "function") {
        throw new TypeError(`the action "${definition.title}" has no function \`run\``);
    }
    if (definition.run instanceof AsyncFunction) {
        throw new TypeError(
            `\`run\` of "${definition.title}" is async, but a call of a plugin is not: ` +
                "take `async` and `await` away; what the SDK gives is there at once",
        );
    }
    for (const side of ["input", "output"]) {
        if (definition[side] !== undefined && definition[side].type !== "object") {
            throw new TypeError(
                `the ${side} of "${definition.title}" is a JSON Schema with type: "object"`,
            );
        }
    }
    return new Action(definition);
}

export function plugin(actions) {
    for (const [id, made] of Object.entries(actions)) {
        if (!NAME.test(id)) {
            throw new TypeError(
                `an action cannot be called \`${id}\`: a letter a-z first, then letters a-z, ` +
                    "digits and _, at most 40",
            );
        }
        if (!(made instanceof Action)) {
            throw new TypeError(`\`${id}\` is not made by action({ … })`);
        }
    }
    return new Plugin(actions);
}

/** An action as the contract describes it. */
export function descriptor(id, definition) {
    return {
        id,
        title: definition.title,
        summary: definition.summary ?? "",
        inputSchema: JSON.stringify(closed(definition.input ?? { type: "object", properties: {} })),
        outputSchema: JSON.stringify(definition.output ?? { type: "object" }),
        reads: definition.reads ?? [],
        writes: definition.writes ?? [],
        correlation: definition.correlation ?? [],
        exclusive: definition.exclusive ?? null,
        idempotent: definition.idempotent ?? true,
    };
}

/** An input that takes no names but its own: a misspelt argument is an error. */
function closed(schema) {
    const open = schema.properties === undefined || schema.patternProperties !== undefined;
    return open ? schema : { additionalProperties: false, ...schema };
}

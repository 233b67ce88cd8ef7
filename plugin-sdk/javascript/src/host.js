// The way to the host, and the one place where its errors become the SDK's.

import { fromHost } from "./error.js";

let running = false;

/** From now on the host answers: it has called the plugin. */
export function begin() {
    running = true;
}

/** Calls the host. `name` is what the author called, for the messages. */
export function ask(name, call) {
    if (!running) {
        throw new Error(
            `${name} was called while the plugin was built: what stands outside of \`run\` ` +
                "runs once, at build time, and its result is the same in every call. " +
                "Move it into `run`",
        );
    }
    try {
        return call();
    } catch (error) {
        throw error.payload ? fromHost(error.payload) : error;
    }
}

/** A value as the text of a JSON object, as the host takes it. */
export function objectText(value, what) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
        throw new TypeError(`${what} is an object, not ${JSON.stringify(value)}`);
    }
    return JSON.stringify(value);
}

/** Refuses options that nobody reads: as a rule they are misspelt. */
export function checkKeys(value, known, what) {
    for (const key of Object.keys(value)) {
        if (!known.includes(key)) {
            throw new TypeError(`${what} has no \`${key}\`; it may have ${known.join(", ")}`);
        }
    }
}

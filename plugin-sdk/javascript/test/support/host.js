// Stands in for the host, where the SDK's modules run in Node: what they import
// from the contract is looked up in `host`, which each test fills.

import { register } from "node:module";

const FUNCTIONS = {
    env: ["nowMs", "random", "deadlineMs", "cancelled"],
    events: ["emit"],
    http: ["send", "deliver"],
    log: ["emit", "panic"],
    messages: ["sendMail", "notify"],
    records: ["get", "query", "count", "countBy", "isOpen", "create", "update", "delete"],
    secrets: ["placeholder"],
    state: ["get", "put"],
};

globalThis.host = {};

/** A failure as the engine throws it. */
globalThis.failure = (code, message, more = {}) =>
    Object.assign(new Error("[object Object]"), {
        payload: { code, message, retryAfterMs: null, details: null, ...more },
    });

// The engine has these, and Node will.
Uint8Array.fromBase64 ??= (text) => new Uint8Array(Buffer.from(text, "base64"));
Uint8Array.prototype.toBase64 ??= function toBase64() {
    return Buffer.from(this).toString("base64");
};

const hooks = `
    const functions = ${JSON.stringify(FUNCTIONS)};

    export function resolve(specifier, context, next) {
        if (!specifier.startsWith("relata:")) return next(specifier, context);
        return { url: specifier, shortCircuit: true };
    }

    export function load(url, context, next) {
        const name = /^relata:plugin\\/([a-z]+)@0.1.0$/.exec(url)?.[1];
        if (!name) return next(url, context);
        const lines = functions[name].map(
            (one) =>
                "const " + one + "_ = (...given) => globalThis.host." + name + "." + one +
                "(...given); export { " + one + "_ as " + one + " };",
        );
        return { format: "module", source: lines.join("\\n"), shortCircuit: true };
    }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

// `console` writes to the plugin's log.

import * as log from "../log.js";

function line(values) {
    return values.map(text).join(" ");
}

function text(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (typeof value !== "object" || value === null) return String(value);
    try {
        return JSON.stringify(value);
    } catch {
        // It leads back to itself, or holds what JSON has not.
        return String(value);
    }
}

globalThis.console = {
    debug: (...values) => log.debug(line(values)),
    log: (...values) => log.info(line(values)),
    info: (...values) => log.info(line(values)),
    warn: (...values) => log.warn(line(values)),
    error: (...values) => log.error(line(values)),
};

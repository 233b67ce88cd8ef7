import * as host from "relata:plugin/state@0.1.0";

import { ask, checkKeys } from "./host.js";

export function get(key) {
    const item = ask("state.get", () => host.get(key));
    return item === null ? undefined : { value: JSON.parse(item.value), revision: item.revision };
}

export function put(key, value, options = {}) {
    checkKeys(options, ["ifRevision", "ttlMs"], "what state.put takes");
    const { ifRevision = null, ttlMs = null } = options;
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`the value for the key ${key} has no JSON`);
    return ask("state.put", () => host.put(key, text, ifRevision, ttlMs));
}

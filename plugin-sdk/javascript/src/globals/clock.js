// `Date` and `performance` read the host's clock, which stands still through a
// call. The engine's own would read WASI's, which a plugin has not.

import * as host from "relata:plugin/env@0.1.0";

import { ask } from "../host.js";

const Native = globalThis.Date;

function now() {
    return ask("the clock", () => host.nowMs());
}

Native.now = now;

globalThis.Date = new Proxy(Native, {
    construct(target, parts, newTarget) {
        return Reflect.construct(target, parts.length === 0 ? [now()] : parts, newTarget);
    },
    apply() {
        return new Native(now()).toString();
    },
});
Native.prototype.constructor = globalThis.Date;

globalThis.performance = {
    get timeOrigin() {
        return now();
    },
    now: () => 0,
};

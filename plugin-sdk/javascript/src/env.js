import * as host from "relata:plugin/env@0.1.0";

import { ask } from "./host.js";

export function nowMs() {
    return ask("env.nowMs", () => host.nowMs());
}

export function random(length) {
    return ask("env.random", () => host.random(length));
}

export function deadlineMs() {
    return ask("env.deadlineMs", () => host.deadlineMs());
}

export function cancelled() {
    return ask("env.cancelled", () => host.cancelled());
}

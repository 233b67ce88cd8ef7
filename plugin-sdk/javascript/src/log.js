import * as host from "relata:plugin/log@0.1.0";

import { ask, objectText } from "./host.js";

export function emit(level, message, fields = {}) {
    ask(`log.${level}`, () => host.emit(level, message, objectText(fields, "what a line has")));
}

export function debug(message, fields) {
    emit("debug", message, fields);
}

export function info(message, fields) {
    emit("info", message, fields);
}

export function warn(message, fields) {
    emit("warn", message, fields);
}

export function error(message, fields) {
    emit("error", message, fields);
}

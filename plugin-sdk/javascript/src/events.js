import * as host from "relata:plugin/events@0.1.0";

import { ask, objectText } from "./host.js";
import { referenceOf } from "./reference.js";

export function emit(name, about, data = {}) {
    const text = objectText(data, "the data of an event");
    ask("events.emit", () => host.emit(name, about.map(referenceOf), text));
}

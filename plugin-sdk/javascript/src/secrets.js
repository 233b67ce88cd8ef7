import * as host from "relata:plugin/secrets@0.1.0";

import { ask } from "./host.js";

export function placeholder(name) {
    return ask("secrets.placeholder", () => host.placeholder(name));
}

// What a built plugin exports: between the author's actions and the contract.

import * as host from "relata:plugin/log@0.1.0";

import { Outcome, Plugin, descriptor } from "./action.js";
import { RelataError, toHost } from "./error.js";
import { begin } from "./host.js";
import { innermost } from "./places.js";

/**
 * The contract's `actions`. `places` tells where the bundle's lines came from,
 * as the build leaves it.
 */
export function serve(plugin, places) {
    if (!(plugin instanceof Plugin)) {
        throw new TypeError("the default export is no plugin: `export default plugin({ … })`");
    }
    const { actions } = plugin;
    return {
        describe() {
            begin();
            return Object.entries(actions).map(([id, action]) => descriptor(id, action));
        },

        run(context, id, input) {
            begin();
            try {
                if (!Object.hasOwn(actions, id)) {
                    const known = Object.keys(actions).join(", ");
                    throw new RelataError(
                        "not-found",
                        `this plugin has no action \`${id}\`; it has ${known}`,
                    );
                }
                return outcome(actions[id].run(JSON.parse(input), context), id);
            } catch (error) {
                throw toHost(error instanceof RelataError ? error : panic(error, places));
            }
        },
    };
}

function outcome(returned, id) {
    if (returned instanceof Outcome) return { tag: returned.tag, val: returned.val };
    const output = returned ?? {};
    if (output instanceof Promise) {
        throw new TypeError(
            `action \`${id}\` returned a promise: its result must be there at once`,
        );
    }
    if (typeof output !== "object" || Array.isArray(output)) {
        throw new TypeError(`action \`${id}\` returned no object, skip(…) or retry(…)`);
    }
    return { tag: "done", val: JSON.stringify(output) };
}

/** Tells the host where the plugin failed, and gives the error to end with. */
function panic(error, places) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const place = innermost(error?.stack, places);
    host.panic(message, place ?? "");
    return new RelataError("permanent", place ? `${message} (${place})` : message);
}

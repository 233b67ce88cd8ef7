// From a plugin's folder to its component.

import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { componentize } from "componentize-qjs";

import { innermost } from "../src/places.js";
import { BuildError } from "./build-error.js";
import { bundle } from "./bundle.js";
import { WORLD, withContract } from "./contract.js";
import { sever } from "./sever.js";

const ENTRIES = ["src/plugin.ts", "src/plugin.js"];

/** Builds a plugin. Gives the component's bytes, and the interfaces that it imports. */
export async function build(folder, entry = defaultEntry(folder)) {
    const { code, interfaces, places } = await bundle(folder, resolve(folder, entry));
    const component = await withContract(interfaces, (witPath) =>
        componentize({ witPath, world: WORLD, jsSource: code, sync: true }).catch((error) => {
            throw new BuildError(explain(error.message, places));
        }),
    );
    return { component: sever(component.component), interfaces };
}

/** Builds a plugin into a file. */
export async function buildFile(folder, entry, out) {
    const built = await build(folder, entry);
    const path = resolve(folder, out);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, built.component);
    return built;
}

function defaultEntry(folder) {
    const entry = ENTRIES.find((path) => existsSync(join(folder, path)));
    if (!entry) throw new BuildError(`there is neither ${ENTRIES.join(" nor ")} in ${folder}`);
    return entry;
}

/**
 * The modules run once while the plugin is built. What they throw has the
 * engine's words before it and the stack behind it.
 */
function explain(message, places) {
    const thrown = message.replace(/^.*JavaScript module evaluation: (Error: )?/, "");
    const [said] = thrown.split("\n    at ");
    const place = innermost(thrown, places);
    return place ? `${place}: ${said}` : said;
}

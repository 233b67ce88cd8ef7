// The contract in WIT, cut to what a plugin imports.

import { copyFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));

/** The SDK lies in a project beside the contract, and in Relata's repository. */
const PLACES = [join(SDK, "../wit"), join(SDK, "../../wit/0.1.0")];

export const WORLD = "built";

/**
 * Gives `use` a folder with the contract and a world with these imports alone:
 * the host compares what a component imports with its plugin.toml.
 */
export async function withContract(interfaces, use) {
    const contract = PLACES.find((place) => existsSync(join(place, "types.wit")));
    if (!contract) {
        throw new Error(
            `the contract is not beside the SDK: neither in ${PLACES.join(" nor in ")}. ` +
                "Take it from `wit/0.1.0` of Relata",
        );
    }
    const folder = await mkdtemp(join(tmpdir(), "relata-"));
    try {
        for (const name of await readdir(contract)) {
            if (name.endsWith(".wit")) await copyFile(join(contract, name), join(folder, name));
        }
        await writeFile(join(folder, "built.wit"), world(interfaces));
        return await use(folder);
    } finally {
        await rm(folder, { recursive: true });
    }
}

function world(interfaces) {
    const imports = interfaces.map((name) => `    import ${name};`);
    return [`world ${WORLD} {`, ...imports, "    export actions;", "}", ""].join("\n");
}

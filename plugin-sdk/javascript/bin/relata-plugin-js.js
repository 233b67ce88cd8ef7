#!/usr/bin/env node
// Builds a plugin: `relata-plugin-js build`.

import { parseArgs } from "node:util";

import { BuildError } from "../tools/build-error.js";
import { buildFile } from "../tools/build.js";

const USAGE = `Builds a plugin of Relata that is written in JavaScript or TypeScript.

Usage: relata-plugin-js build [ENTRY] [--out FILE]

  ENTRY       the module with the plugin; src/plugin.ts or src/plugin.js if absent
  --out FILE  the component; build/plugin.wasm if absent
`;

const OPTIONS = {
    out: { type: "string", default: "build/plugin.wasm" },
    help: { type: "boolean", short: "h", default: false },
};

async function main() {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    const [command, entry, ...more] = positionals;
    if (values.help) {
        process.stdout.write(USAGE);
        return;
    }
    if (command !== "build" || more.length > 0) {
        process.stderr.write(USAGE);
        process.exitCode = 2;
        return;
    }
    const { component, interfaces } = await buildFile(process.cwd(), entry, values.out);
    const size = `${(component.length / 1e6).toFixed(1)} MB`;
    console.log(`${values.out}: ${size}, imports ${interfaces.join(", ")}`);
}

try {
    await main();
} catch (error) {
    const expected = error instanceof BuildError || error.code?.startsWith("ERR_PARSE_ARGS");
    console.error(`error: ${expected ? error.message : error.stack}`);
    process.exitCode = 1;
}

// From the author's modules to one, with the SDK in it.

import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

import { BuildError } from "./build-error.js";
import { segments } from "./source-map.js";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = join(SDK, "src");

/**
 * What the engine lacks or has wrongly, and the words that ask for it. It goes
 * into the bundle only where it is needed: a plugin that never asks for the
 * time does not import the clock.
 */
const GLOBALS = {
    "console.js": /\bconsole\b/,
    "clock.js": /\b(Date|performance)\b/,
    "chance.js": /\b(random|crypto)\b/,
    "text.js": /\bText(En|De)coder\b/,
};

/** What the module that holds it all is called. */
const ENTRY = "the plugin";

/** Stands in the entry where the places come when they are known. */
const PLACES = '"@places@"';

/**
 * Bundles a plugin: the code of one module, the contract's interfaces that it
 * imports, and the places of the author's source in it.
 */
export async function bundle(folder, entry) {
    const plain = await run(folder, entry, []);
    const globals = Object.keys(GLOBALS).filter((name) => GLOBALS[name].test(plain.code));
    const whole = globals.length > 0 ? await run(folder, entry, globals) : plain;
    const { code, map, imports, warnings } = whole;
    for (const warning of warnings) console.error(`warning: ${told(warning)}`);
    const places = JSON.stringify(placesOf(folder, map));
    return {
        code: code.replace(PLACES, () => JSON.stringify(places)),
        interfaces: imports.map((path) => /^relata:plugin\/([a-z]+)@/.exec(path)[1]),
        places,
    };
}

async function run(folder, entry, globals) {
    const lines = [
        ...globals.map((name) => `import ${JSON.stringify(join(SOURCES, "globals", name))};`),
        `import plugin from ${JSON.stringify(entry)};`,
        `import { serve } from ${JSON.stringify(join(SOURCES, "serve.js"))};`,
        `export const actions = serve(plugin, ${PLACES});`,
    ];
    const result = await esbuild
        .build({
            stdin: { contents: lines.join("\n"), resolveDir: folder, sourcefile: ENTRY },
            absWorkingDir: folder,
            bundle: true,
            external: ["relata:plugin/*@0.1.0"],
            format: "esm",
            platform: "neutral",
            // What QuickJS understands.
            target: "es2023",
            mainFields: ["module", "main"],
            charset: "utf8",
            sourcemap: "external",
            outfile: join(folder, "bundle.js"),
            write: false,
            metafile: true,
            logLevel: "silent",
        })
        .catch((error) => {
            throw new BuildError(error.errors.map(told).join("\n"));
        });
    const text = (end) => result.outputFiles.find(({ path }) => path.endsWith(end)).text;
    const output = result.metafile.outputs["bundle.js"];
    return {
        code: text(".js"),
        map: JSON.parse(text(".map")),
        imports: [...new Set(output.imports.map(({ path }) => path))].sort(),
        warnings: result.warnings,
    };
}

/** A message of the bundler. */
function told({ text, location }) {
    const missing = /^No matching export in "(.*)" for import "default"$/.exec(text);
    if (missing && location.file === ENTRY) {
        return `${missing[1]} has no default export: end it with \`export default plugin({ … })\``;
    }
    return location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text;
}

/** The places of the author's own source, as `src/places.js` reads them. */
function placesOf(folder, map) {
    const sdk = relative(folder, SDK).split(sep).join("/");
    const isOwn = (path) =>
        path !== ENTRY && !path.startsWith(`${sdk}/`) && !path.includes("node_modules/");
    const files = map.sources.filter(isOwn);
    const numbers = segments(map).flatMap(({ line, column, source, sourceLine, sourceColumn }) => {
        const file = files.indexOf(map.sources[source]);
        return file < 0 ? [] : [line, column, file, sourceLine, sourceColumn];
    });
    return { files, segments: numbers };
}

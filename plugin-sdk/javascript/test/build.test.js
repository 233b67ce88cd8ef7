import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile, mkdir, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { build } from "../tools/build.js";
import { bundle } from "../tools/bundle.js";
import { sever } from "../tools/sever.js";
import { Reader } from "../tools/wasm.js";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));

let root;

before(async () => {
    root = await mkdtemp(join(tmpdir(), "relata-build-"));
    await mkdir(join(root, "node_modules/@relata"), { recursive: true });
    await symlink(SDK, join(root, "node_modules/@relata/plugin-sdk"));
});

after(() => rm(root, { recursive: true }));

let projects = 0;

/** A folder of its own with these files. */
async function project(files) {
    const folder = join(root, `p${projects++}`);
    for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), text);
    }
    return folder;
}

function greeting(body, imports = "") {
    return `import { action, plugin, records, env, log, http } from "@relata/plugin-sdk";
${imports}
export default plugin({
    greet: action({
        title: "Greet",
        input: { type: "object", properties: { to: { type: "string" } }, required: ["to"] },
        run({ to }) {
            ${body}
        },
    }),
});
`;
}

const IMPORT = 10;
const EXPORT = 11;

/** The interfaces that a component imports, or exports. */
function interfaces(component, section = IMPORT) {
    const found = [];
    for (const [id, content] of new Reader(component).sections()) {
        if (id !== section) continue;
        // A section has one; what follows the name is not looked at.
        const items = new Reader(content);
        assert.equal(items.number(), 1);
        items.byte();
        found.push(items.name());
    }
    return found.map((name) => name.replace(/^relata:plugin\/(.*)@0.1.0$/, "$1")).sort();
}

test("a component imports what its code calls, and nothing of WASI", async () => {
    const folder = await project({
        "src/plugin.js": greeting("return { name: records.get(to).fields.name };"),
    });
    const built = await build(folder);
    assert.deepEqual(built.interfaces, ["log", "records"]);
    assert.deepEqual(interfaces(built.component), ["log", "records", "types"]);
    assert.deepEqual(interfaces(built.component, EXPORT), ["actions"]);
});

test("a plugin that only computes imports nothing but the log", async () => {
    const folder = await project({ "src/plugin.js": greeting("return { to: to.trim() };") });
    const { component } = await build(folder);
    assert.deepEqual(interfaces(component), ["log", "types"]);
});

test("the clock and chance are imported where a module asks for them", async () => {
    const clock = await project({
        "src/plugin.js": greeting(
            "return { at: stamp(to) };",
            'import { stamp } from "./stamp.js";',
        ),
        "src/stamp.js": "export const stamp = (text) => `${text} ${new Date().toISOString()}`;",
    });
    assert.deepEqual((await bundle(clock, join(clock, "src/plugin.js"))).interfaces, [
        "env",
        "log",
    ]);
    const chance = await project({ "src/plugin.js": greeting("return { n: Math.random() };") });
    assert.deepEqual((await bundle(chance, join(chance, "src/plugin.js"))).interfaces, [
        "env",
        "log",
    ]);
});

test("TypeScript is built as it is, in preference to JavaScript", async () => {
    const folder = await project({
        "src/plugin.ts": greeting(
            "return { kind: Kind.Two, to: to as string satisfies string };",
            'enum Kind { One = "one", Two = "two" }\ninterface Unused { readonly x: number }',
        ),
        "src/plugin.js": "this is not JavaScript",
    });
    assert.deepEqual(interfaces((await build(folder)).component), ["log", "types"]);
});

test("what fails while the plugin is built is told with its place", async () => {
    const cases = [
        ["null.x;", "src/plugin.js:2:1: cannot read property 'x' of null"],
        ["const at = Date.now();", "src/plugin.js:2:17: the clock was called while"],
        ["const lead = records.get('lead/1');", "src/plugin.js:2:22: records.get was called while"],
        ["action({ title: 'A', exlusive: 1 });", "src/plugin.js:2:1: an action has no `exlusive`"],
    ];
    for (const [line, expected] of cases) {
        const folder = await project({ "src/plugin.js": greeting("return {};", line) });
        await assert.rejects(build(folder), (error) => {
            assert.equal(error.message.slice(0, expected.length), expected);
            return true;
        });
    }
});

test("a folder without a plugin", async () => {
    await assert.rejects(
        build(await project({ "src/index.js": "" })),
        /there is neither src\/plugin.ts nor src\/plugin.js in /,
    );
});

test("the command writes the component and says what it is", async () => {
    const folder = await project({ "src/plugin.js": greeting("return {};") });
    const command = join(SDK, "bin/relata-plugin-js.js");
    const run = promisify(execFile);
    const { stdout } = await run(command, ["build"], { cwd: folder });
    assert.match(stdout, /^build\/plugin.wasm: 1\.\d MB, imports log\n$/);
    assert.deepEqual(interfaces(await readFile(join(folder, "build/plugin.wasm"))), [
        "log",
        "types",
    ]);

    await assert.rejects(run(command, ["biuld"], { cwd: folder }), { code: 2 });
    await writeFile(join(folder, "src/plugin.js"), "export const x = 1;");
    await assert.rejects(run(command, ["build"], { cwd: folder }), (error) => {
        assert.equal(error.code, 1);
        assert.match(error.stderr, /src\/plugin.js has no default export: end it with/);
        return true;
    });
    await writeFile(join(folder, "src/plugin.js"), "export default plugin({ greet: );");
    await assert.rejects(run(command, ["build"], { cwd: folder }), (error) => {
        assert.equal(error.stderr, 'error: src/plugin.js:1:32: Unexpected ")"\n');
        return true;
    });
});

test("a component of another form is refused, not mangled", () => {
    const preamble = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
    assert.throws(() => sever(Uint8Array.from(preamble)), /not of the form that is expected here/);
    // A component with a component inside that has a start section.
    const inner = [...preamble, 9, 3, 0, 0, 0];
    const outer = [...preamble, 4, inner.length, ...inner];
    assert.throws(() => sever(Uint8Array.from(outer)), /the component has a section 9/);
});

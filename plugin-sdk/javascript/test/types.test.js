import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const TESTS = dirname(fileURLToPath(import.meta.url));

test("types follow from schemas", () => {
    const compiler = join(TESTS, "../node_modules/.bin/tsc");
    const { stdout, status } = spawnSync(compiler, ["--project", join(TESTS, "types")], {
        encoding: "utf8",
    });
    assert.equal(stdout, "");
    assert.equal(status, 0);
});

// Takes from a component every import but those of the contract.
//
// The QuickJS runtime is built for WASI and imports its clocks, streams and
// files, although a plugin can use none of them. The tool that makes the
// component can plug those imports with a second component that traps, but
// then the two have a memory each, and the host allows a plugin one. So the
// runtime's own component is rewritten here: where it made a core function
// out of an imported one, it gets a function that traps.
//
// Every definition in a component has its place in an index. To leave all
// other definitions as they are, each one that is taken out has a placeholder
// in its place. Only the module of traps comes before all others, and moves
// the core modules and core instances by one.

import { Reader, list, name, number, section } from "./wasm.js";

// Sections of a component.
const CUSTOM = 0;
const CORE_MODULE = 1;
const CORE_INSTANCE = 2;
const COMPONENT = 4;
const INSTANCE = 5;
const ALIAS = 6;
const TYPE = 7;
const CANON = 8;
const IMPORT = 10;
const EXPORT = 11;

// Sorts of definitions, each with indices of its own. Those of core WebAssembly
// are written after a zero.
const FUNC = 0x01;
const TYPES = 0x03;
const INSTANCES = 0x05;
const CORE_FUNC = "core 0";

// What a canonical definition makes of a function or type.
const LIFT = 0x00;
const LOWER = 0x01;
const RESOURCE_DROP = 0x03;

// The simplest definitions: what stands in the place of one that is taken out.
const EMPTY_INSTANCE = [0x01, 0];
const EMPTY_INSTANCE_TYPE = [0x42, 0];
const BOOL = [0x7f];

/** A core instance, among the arguments of another. */
const AS_INSTANCE = 0x12;

const PREAMBLE = Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);
const MODULE_PREAMBLE = Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

const CONTRACT = /^relata:plugin\//;
/** What the host calls; the other exports are for the build. */
const EXPORTED = /^relata:plugin\/actions@/;
/** Always imported, and so what a placeholder of a function can refer to. */
const LOG = /^relata:plugin\/log@/;

/** The component, importing the contract alone. */
export function sever(component) {
    return new Severance(runtimeOf(component)).write();
}

/** The first component inside: the runtime with the plugin, without its plugs. */
function runtimeOf(component) {
    for (const [id, content] of new Reader(component).sections()) {
        if (id === COMPONENT) return content;
    }
    throw new Error("the component is not of the form that is expected here");
}

class Severance {
    #sections;
    /** How many definitions of each sort there are so far. */
    #count = new Map();
    /** Definitions that come from foreign imports, as `sort index`. */
    #foreign = new Set();
    #modules = [];
    /** A module with the instances given to it, or foreign core functions by name. */
    #coreInstances = [];
    /** The index of the instance `log`. */
    #log;
    /** The sections of the new component. */
    #out = [];

    constructor(component) {
        this.#sections = [...new Reader(component).sections()];
    }

    write() {
        for (const [at, [id, content]] of this.#sections.entries()) this.#section(id, content, at);
        return Buffer.concat([
            PREAMBLE,
            section(CORE_MODULE, this.#traps()),
            // An instance of it, with no arguments.
            section(CORE_INSTANCE, [1, 0x00, 0, 0]),
            ...this.#out,
        ]);
    }

    #section(id, content, at) {
        const items = new Reader(content);
        switch (id) {
            case CUSTOM:
                // Names of indices, which no longer fit.
                if (items.name() === "component-name") return;
                break;
            case CORE_MODULE:
                this.#modules.push(content);
                break;
            case CORE_INSTANCE:
                return this.#each(items, (item) => this.#coreInstance(item));
            case COMPONENT:
                this.#define("component");
                break;
            case INSTANCE:
                for (let left = items.number(); left > 0; left--) this.#define(INSTANCES);
                break;
            case TYPE:
                return this.#types(content, this.#sections[at + 1]);
            case ALIAS:
                return this.#each(items, (item) => this.#alias(item));
            case CANON:
                return this.#each(items, (item) => this.#canon(item));
            case IMPORT:
                return this.#each(items, (item) => this.#import(item));
            case EXPORT:
                return this.#each(items, (item) => this.#export(item));
            default:
                throw unexpected(`a section ${id}`);
        }
        this.#out.push(section(id, content));
    }

    /** Every item becomes a section of its own: a placeholder may be of another kind. */
    #each(items, rewrite) {
        for (let left = items.number(); left > 0; left--) {
            const [id, item] = rewrite(items);
            this.#out.push(section(id, [1, ...item]));
        }
    }

    #define(sort, foreign = false) {
        const index = this.#count.get(sort) ?? 0;
        this.#count.set(sort, index + 1);
        if (foreign) this.#foreign.add(`${sort} ${index}`);
        return index;
    }

    #isForeign(sort, index) {
        return this.#foreign.has(`${sort} ${index}`);
    }

    #types(content, next) {
        const count = new Reader(content).number();
        for (let left = count; left > 0; left--) this.#define(TYPES);
        if (next?.[0] === IMPORT && !CONTRACT.test(importName(new Reader(next[1], 1)))) {
            // The type of a foreign instance, which speaks of other foreign types.
            if (count !== 1) throw unexpected("several types before an import");
            content = [1, ...EMPTY_INSTANCE_TYPE];
        }
        this.#out.push(section(TYPE, content));
    }

    #import(item) {
        let imported;
        const bytes = item.span(() => {
            imported = importName(item);
            if (item.byte() !== INSTANCES) throw unexpected(`the import ${imported}`);
            item.number();
        });
        const foreign = !CONTRACT.test(imported);
        const index = this.#define(INSTANCES, foreign);
        if (LOG.test(imported)) this.#log = index;
        return foreign ? [INSTANCE, EMPTY_INSTANCE] : [IMPORT, bytes];
    }

    #alias(item) {
        let sort = item.byte();
        if (sort === 0) sort = `core ${item.byte()}`;
        const kind = item.byte();
        if (kind > 0x01) throw unexpected("an alias of an outer definition");
        const instance = item.number();
        const exported = item.name();
        const foreign = kind === 0x00 && this.#isForeign(INSTANCES, instance);
        this.#define(sort, foreign);
        if (kind === 0x01) return coreAlias(sort, instance + 1, exported);
        if (!foreign) return [ALIAS, [sort, 0x00, ...number(instance), ...name(exported)]];
        if (sort === TYPES) return [TYPE, BOOL];
        if (sort === FUNC) return this.#anyFunction();
        throw unexpected(`the alias ${exported}`);
    }

    /** A placeholder in the index of functions: nobody calls it. */
    #anyFunction() {
        return [ALIAS, [FUNC, 0x00, ...number(this.#log), ...name("panic")]];
    }

    #canon(item) {
        let kind;
        let foreign = false;
        const bytes = item.span(() => {
            kind = item.byte();
            if (kind === LIFT) {
                item.byte();
                item.number();
                options(item);
                item.number();
            } else if (kind === LOWER) {
                item.byte();
                foreign = this.#isForeign(FUNC, item.number());
                options(item);
            } else if (kind === RESOURCE_DROP) {
                foreign = this.#isForeign(TYPES, item.number());
            } else {
                throw unexpected(`a built-in ${kind}`);
            }
        });
        const sort = kind === LIFT ? FUNC : CORE_FUNC;
        const index = this.#define(sort, foreign);
        return foreign ? coreAlias(CORE_FUNC, 0, String(index)) : [CANON, bytes];
    }

    #coreInstance(item) {
        if (item.byte() === 0x00) {
            const module = item.number();
            const given = item.list(() => {
                const as = item.name();
                item.byte();
                return [as, item.number()];
            });
            this.#coreInstances.push({ module, given });
            const moved = given.map(([as, from]) => [
                ...name(as),
                AS_INSTANCE,
                ...number(from + 1),
            ]);
            return [CORE_INSTANCE, [0x00, ...number(module + 1), ...list(moved)]];
        }
        const foreign = [];
        const bytes = item.span(() => {
            item.list(() => {
                const exported = item.name();
                const sort = `core ${item.byte()}`;
                const index = item.number();
                if (this.#isForeign(sort, index)) foreign.push([exported, index]);
            });
        });
        this.#coreInstances.push({ foreign });
        return [CORE_INSTANCE, [0x01, ...bytes]];
    }

    #export(item) {
        let exported;
        let sort;
        const bytes = item.span(() => {
            exported = importName(item);
            sort = item.byte();
            item.number();
            if (item.byte() !== 0) throw unexpected(`the type of the export ${exported}`);
        });
        this.#define(sort);
        if (EXPORTED.test(exported)) return [EXPORT, bytes];
        if (sort !== FUNC) throw unexpected(`the export ${exported}`);
        return this.#anyFunction();
    }

    /** A module with a function that traps for each foreign core function. */
    #traps() {
        const signatures = this.#signatures();
        const types = [...signatures.values()];
        const functions = types.map((_, at) => number(at));
        const exports = [...signatures.keys()].map((index, at) => [
            ...name(String(index)),
            0x00,
            ...number(at),
        ]);
        const unreachable = [3, 0, 0x00, 0x0b];
        return Buffer.concat([
            MODULE_PREAMBLE,
            section(1, list(types)),
            section(3, list(functions)),
            section(7, list(exports)),
            section(10, list(types.map(() => unreachable))),
        ]);
    }

    /** The type of each foreign core function, as the module that imports it has it. */
    #signatures() {
        // A function that no module imports may have any type.
        const signatures = new Map(
            [...this.#foreign]
                .filter((key) => key.startsWith(`${CORE_FUNC} `))
                .map((key) => [Number(key.slice(CORE_FUNC.length)), [0x60, 0, 0]]),
        );
        const imports = this.#modules.map(functionImports);
        for (const { module, given = [] } of this.#coreInstances) {
            for (const [as, from] of given) {
                for (const [exported, index] of this.#coreInstances[from].foreign ?? []) {
                    const type = imports[module].get(`${as} ${exported}`);
                    if (type) signatures.set(index, type);
                }
            }
        }
        return signatures;
    }
}

function coreAlias(sort, instance, exported) {
    const [, coreSort] = sort.split(" ");
    return [ALIAS, [0x00, Number(coreSort), 0x01, ...number(instance), ...name(exported)]];
}

/** The options of a lifted or lowered function. */
function options(item) {
    item.list(() => {
        const option = item.byte();
        if (option > 0x05) throw unexpected(`the option ${option} of a function`);
        if (option > 0x02) item.number();
    });
}

function importName(item) {
    item.byte();
    return item.name();
}

/** The functions that a core module imports: `module name` and the bytes of the type. */
function functionImports(module) {
    const imports = new Map();
    let types = [];
    for (const [id, content] of new Reader(module).sections()) {
        const items = new Reader(content);
        if (id === 1) types = items.list(() => items.span(functionType));
        if (id === 2) {
            items.list(() => {
                const key = `${items.name()} ${items.name()}`;
                const kind = items.byte();
                if (kind === 0x00) imports.set(key, types[items.number()]);
                else skipImport(items, kind);
            });
        }
    }
    return imports;
}

function functionType(item) {
    if (item.byte() !== 0x60) throw unexpected("a core type that is not a function's");
    item.list(() => item.byte());
    item.list(() => item.byte());
}

/** Goes over the type of an imported table, memory or global. */
function skipImport(item, kind) {
    if (kind === 0x01) item.byte();
    if (kind === 0x01 || kind === 0x02) {
        const bounded = item.byte() & 1;
        item.number();
        if (bounded) item.number();
    } else if (kind === 0x03) {
        item.bytes(2);
    } else {
        throw unexpected(`a core import of kind ${kind}`);
    }
}

function unexpected(what) {
    return new Error(`the component has ${what}, which is not expected here`);
}

/**
 * A JSON Schema (2020-12). `format` marks Relata's own types: `record` or
 * `record/lead` (a reference), `object`, `template`, `due`, `duration`.
 * `x-fields-of: NAME` on an object says that its keys are fields of the record
 * in the input NAME, or of an object, as `object/lead`.
 */
export interface Schema {
    readonly type?: Type | readonly Type[];
    readonly description?: string;
    readonly format?: string;
    readonly enum?: readonly unknown[];
    readonly const?: unknown;
    readonly properties?: { readonly [name: string]: Schema };
    readonly required?: readonly string[];
    readonly additionalProperties?: boolean | Schema;
    readonly items?: Schema;
    readonly anyOf?: readonly Schema[];
    readonly oneOf?: readonly Schema[];
    readonly [keyword: string]: unknown;
}

type Type = "string" | "number" | "integer" | "boolean" | "null" | "array" | "object";

/** The schema of an input or output. */
export interface ObjectSchema extends Schema {
    readonly type: "object";
}

/** The type of the values that fit a schema. */
export type FromSchema<S> = S extends { const: infer Value }
    ? Value
    : S extends { enum: readonly (infer Value)[] }
      ? Value
      : S extends { anyOf: readonly (infer Part)[] }
        ? FromSchema<Part>
        : S extends { oneOf: readonly (infer Part)[] }
          ? FromSchema<Part>
          : S extends { type: readonly (infer One)[] }
            ? FromType<One, S>
            : S extends { type: infer One }
              ? FromType<One, S>
              : unknown;

type FromType<T, S> = T extends "string"
    ? string
    : T extends "number" | "integer"
      ? number
      : T extends "boolean"
        ? boolean
        : T extends "null"
          ? null
          : T extends "array"
            ? FromItems<S>
            : T extends "object"
              ? FromProperties<S>
              : never;

type FromItems<S> = S extends { items: infer Item } ? FromSchema<Item>[] : unknown[];

type FromProperties<S> = S extends { properties: infer P }
    ? Flat<
          { -readonly [K in keyof P as K extends Required<S> ? K : never]: FromSchema<P[K]> } & {
              -readonly [K in keyof P as K extends Required<S> ? never : K]?: FromSchema<P[K]>;
          }
      >
    : { [name: string]: unknown };

type Required<S> = S extends { required: readonly (infer Name)[] } ? Name : never;

/** Shows an intersection as one object. */
type Flat<T> = { [K in keyof T]: T[K] };

/** Writes plugins of Relata: see `docs/plugins/javascript.md`. */

export { action, plugin, retry, skip } from "./action.js";
export type { Action, Context, Correlation, Definition, Outcome, Plugin } from "./action.js";
export { RelataError } from "./error.js";
export type { Code } from "./error.js";
export type { Json } from "./json.js";
export type { Entity, Reference } from "./records.js";
export type { FromSchema, ObjectSchema, Schema } from "./schema.js";
export * as env from "./env.js";
export * as events from "./events.js";
export * as http from "./http.js";
export * as log from "./log.js";
export * as messages from "./messages.js";
export * as records from "./records.js";
export * as secrets from "./secrets.js";
export * as state from "./state.js";

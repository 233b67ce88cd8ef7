/**
 * The plugin's log, kept with the run. `console` writes to it as well. No
 * customer's text and no secret, please: logs are kept where records are not.
 */

export type Level = "debug" | "info" | "warn" | "error";

export function emit(level: Level, message: string, fields?: object): void;

/** What only the plugin's author wants to know. */
export function debug(message: string, fields?: object): void;

/** What happened. */
export function info(message: string, fields?: object): void;

/** What somebody should look at. */
export function warn(message: string, fields?: object): void;

/** What went wrong. */
export function error(message: string, fields?: object): void;

/**
 * The globals that a plugin has beside those of the language, for a
 * tsconfig.json without the library "DOM":
 *
 *     "types": ["@relata/plugin-sdk/globals"]
 */

declare var console: Record<
    "debug" | "log" | "info" | "warn" | "error",
    (...values: unknown[]) => void
>;

declare var crypto: {
    getRandomValues<T extends ArrayBufferView>(array: T): T;
    randomUUID(): string;
};

declare var performance: { readonly timeOrigin: number; now(): number };

declare class TextEncoder {
    readonly encoding: "utf-8";
    encode(text?: string): Uint8Array;
}

declare class TextDecoder {
    constructor(label?: string, options?: { fatal?: boolean });
    readonly encoding: "utf-8";
    readonly fatal: boolean;
    decode(bytes?: ArrayBuffer | ArrayBufferView): string;
}

declare function atob(base64: string): string;
declare function btoa(binary: string): string;
declare function queueMicrotask(callback: () => void): void;

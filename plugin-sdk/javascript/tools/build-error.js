/** A plugin that cannot be built, in words for its author. */
export class BuildError extends Error {}

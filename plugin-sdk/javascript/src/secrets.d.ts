/** Passwords and tokens of web services, which a plugin uses and never sees. */

/**
 * A text that stands for a secret, for this call alone. Put it into the
 * address, a header or the body of a request: as the request leaves, the secret
 * takes its place, if it may go to that host (`[permissions.secrets]` in
 * plugin.toml). Nowhere else is it worth anything.
 */
export function placeholder(name: string): string;

//! Passwords and tokens of web services, which a plugin uses and never sees.

use crate::bindings::relata::plugin::secrets as host;
use crate::{Error, Result};

/// A text that stands for a secret, for this call alone. Put it into the
/// address, a header or the body of a request: as the request leaves, the
/// secret takes its place, if it may go to that host (`[permissions.secrets]`
/// in plugin.toml). Nowhere else is it worth anything.
pub fn placeholder(name: &str) -> Result<String> {
    host::placeholder(name).map_err(Error::from_host)
}

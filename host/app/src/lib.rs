//! The use cases of Relata, and the runner that moves runs.

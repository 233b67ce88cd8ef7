//! The HTTP side of Relata.

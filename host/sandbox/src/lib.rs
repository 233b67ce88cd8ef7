//! Plugins in wasmtime: loading, limits, capabilities, the host side of wit/.

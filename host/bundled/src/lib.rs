//! The built-in plugins, compiled to components and embedded.

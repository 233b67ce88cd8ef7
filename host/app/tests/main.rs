//! The use cases on a real store, with the real plugins, and the tests that people
//! write of their workflows and plugins.

mod doors;
mod plugin_testing;
mod running;
mod shipped_workflows;
mod testing;
mod use_cases;

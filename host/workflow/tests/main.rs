//! The language: what is read, what is said of mistakes, and what is made of both.

mod catalog;
mod definitions;
mod diagnostics;
mod error_pages;
mod faulty;
mod formula_properties;
mod formulas;
mod graph;
mod inputs;
mod insight;
mod maker;
mod mutants;
mod plugin_test_files;
mod said;
mod schema;
mod shipped;
mod templates;
mod test_files;
mod yaml;

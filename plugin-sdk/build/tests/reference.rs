//! The reference of the plugin contract, `docs/plugins/reference.md`, is made
//! of `wit/`: this test makes it anew and compares. `UPDATE_EXPECT=1` writes it.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use wit_parser::{Docs, Function, Interface, Resolve, Type, TypeDefKind, TypeOwner};

const HEAD: &str = "\
# The contract, item by item

Made of `wit/0.1.0` by a test; change the texts there. What an SDK makes of it is told in its own
tutorial ([Rust](rust.md), [JavaScript](javascript.md), [Python](python.md), [C](c.md)); how versions
of the contract come and go in [plugin-contract.md](../plugin-contract.md).

A plugin exports the interface `actions`. The others are the host's; a plugin may import those that
its `plugin.toml` asks for, and `log` and `env` in any case.
";

#[test]
fn the_reference_says_what_the_contract_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root.join("wit/0.1.0")).unwrap();
    let mut page = format!("{HEAD}\n");
    let interfaces = &resolve.packages[package].interfaces;
    let order = [
        "actions", "types", "records", "messages", "events", "state", "http", "secrets", "env",
        "log",
    ];
    assert_eq!(order.len(), interfaces.len(), "an interface is not in the reference");
    for name in order {
        interface(&resolve, &resolve.interfaces[interfaces[name]], &mut page);
    }
    let page = format!("{}\n", page.trim_end());
    expect_file![root.join("docs/plugins/reference.md")].assert_eq(&page);
}

fn interface(resolve: &Resolve, interface: &Interface, page: &mut String) {
    let name = interface.name.as_deref().unwrap();
    write!(page, "## `{name}`\n\n").unwrap();
    paragraph(&interface.docs, page);
    for (name, id) in &interface.types {
        let kind = &resolve.types[*id];
        // What is used of another interface is told there.
        if let TypeDefKind::Type(Type::Id(_)) = &kind.kind {
            continue;
        }
        let sort = match &kind.kind {
            TypeDefKind::Record(_) => "record",
            TypeDefKind::Enum(_) => "enum",
            TypeDefKind::Variant(_) => "variant",
            TypeDefKind::Type(_) => "type",
            other => panic!("{name} is of a kind that the reference does not know: {other:?}"),
        };
        write!(page, "### {sort} `{name}`\n\n").unwrap();
        paragraph(&kind.docs, page);
        match &kind.kind {
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    let kind = shown(resolve, &field.ty);
                    line(&format!("`{}: {kind}`", field.name), &field.docs, page);
                }
            }
            TypeDefKind::Enum(kinds) => {
                for case in &kinds.cases {
                    line(&format!("`{}`", case.name), &case.docs, page);
                }
            }
            TypeDefKind::Variant(kinds) => {
                for case in &kinds.cases {
                    let held = case.ty.map(|held| format!("({})", shown(resolve, &held)));
                    line(&format!("`{}{}`", case.name, held.unwrap_or_default()), &case.docs, page);
                }
            }
            TypeDefKind::Type(alias) => {
                writeln!(page, "Is a `{}`.", shown(resolve, alias)).unwrap();
            }
            _ => {}
        }
        page.push('\n');
    }
    for function in interface.functions.values() {
        write!(page, "### `{}`\n\n", signature(resolve, function)).unwrap();
        assert!(function.docs.contents.is_some(), "{name}.{} says nothing", function.name);
        paragraph(&function.docs, page);
    }
}

fn paragraph(docs: &Docs, page: &mut String) {
    if let Some(text) = &docs.contents {
        write!(page, "{}\n\n", text.trim()).unwrap();
    }
}

fn line(what: &str, docs: &Docs, page: &mut String) {
    match &docs.contents {
        Some(text) => {
            let text: Vec<&str> = text.lines().map(str::trim).collect();
            writeln!(page, "- {what}: {}", text.join("\n  ").trim()).unwrap();
        }
        None => writeln!(page, "- {what}").unwrap(),
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameters = function.params.iter();
    let parameters: Vec<String> =
        parameters.map(|given| format!("{}: {}", given.name, shown(resolve, &given.ty))).collect();
    let result = function.result.map(|result| format!(" -> {}", shown(resolve, &result)));
    format!("{}({}){}", function.name, parameters.join(", "), result.unwrap_or_default())
}

/// A type as WIT writes it.
fn shown(resolve: &Resolve, kind: &Type) -> String {
    let id = match kind {
        Type::Id(id) => *id,
        Type::Bool => return "bool".to_owned(),
        Type::U8 => return "u8".to_owned(),
        Type::U16 => return "u16".to_owned(),
        Type::U32 => return "u32".to_owned(),
        Type::U64 => return "u64".to_owned(),
        Type::String => return "string".to_owned(),
        other => panic!("the reference does not know {other:?}"),
    };
    let kind = &resolve.types[id];
    if let (Some(name), TypeOwner::Interface(_)) = (&kind.name, kind.owner) {
        return name.clone();
    }
    let several = |kinds: &[Type]| {
        kinds.iter().map(|kind| shown(resolve, kind)).collect::<Vec<_>>().join(", ")
    };
    match &kind.kind {
        TypeDefKind::List(of) => format!("list<{}>", shown(resolve, of)),
        TypeDefKind::Option(of) => format!("option<{}>", shown(resolve, of)),
        TypeDefKind::Tuple(of) => format!("tuple<{}>", several(&of.types)),
        TypeDefKind::Result(of) => {
            let side = |side: &Option<Type>| {
                side.as_ref().map_or_else(|| "_".to_owned(), |kind| shown(resolve, kind))
            };
            format!("result<{}, {}>", side(&of.ok), side(&of.err))
        }
        other => panic!("the reference does not know {other:?}"),
    }
}

/// The C bindings are generated by hand (`plugin-sdk/c/generated/regenerate.sh`);
/// each function of the contract that a plugin can call has to be in them.
#[test]
fn the_c_bindings_know_every_function() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root.join("wit/0.1.0")).unwrap();
    let header = std::fs::read_to_string(root.join("plugin-sdk/c/generated/plugin.h")).unwrap();
    for (name, id) in &resolve.packages[package].interfaces {
        for function in resolve.interfaces[*id].functions.keys() {
            let called = format!("relata_plugin_{name}_{function}(").replace('-', "_");
            assert!(header.contains(&called), "{called}) is missing: run regenerate.sh");
        }
    }
}

//! Which place of the language a place in a file is: the key of a step, the
//! value of an action's argument.

use crate::{
    diagnostic::Place,
    schema::language::{Block, Form},
    source::{Content, Entry, Node},
};

/// What may stand somewhere, as far as the keys around it tell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Context<'a> {
    /// A block of keys.
    Block(Block),
    /// What stands behind a key of the language.
    Form(Form),
    /// An argument of an action, or something within it.
    Argument,
    /// The inputs of a workflow that is run, or one of them.
    With { workflow: Option<&'a str> },
    /// Nothing is known of it.
    Open,
}

/// A place in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) context: Context<'a>,
    /// The block around it.
    pub(super) entries: &'a [Entry],
    /// The key, or the key whose value it is.
    pub(super) entry: Option<&'a Entry>,
    pub(super) part: Part<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    Key,
    Value(&'a Node),
}

/// What is looked for: a key by its text and place, a value by its node.
pub(super) struct Wanted<'w> {
    pub(super) key: &'w dyn Fn(&str, Place) -> bool,
    pub(super) value: &'w dyn Fn(&Node) -> bool,
}

/// Finds a place.
pub(super) fn find<'a>(root: &'a Node, wanted: &Wanted<'_>) -> Option<Spot<'a>> {
    let start = Spot {
        context: Context::Block(Block::Workflow),
        entries: &[],
        entry: None,
        part: Part::Value(root),
    };
    within(root, start, wanted)
}

/// The key or text at a byte of the file.
pub(super) fn at(root: &Node, offset: usize) -> Option<Spot<'_>> {
    let inside = |place: Place| place.start <= offset && offset < place.end;
    let key = |_: &str, place: Place| inside(place);
    let value = |node: &Node| node.text().is_some() && inside(node.place);
    find(root, &Wanted { key: &key, value: &value })
}

fn within<'a>(node: &'a Node, spot: Spot<'a>, wanted: &Wanted<'_>) -> Option<Spot<'a>> {
    match &node.value {
        Content::Map(entries) => {
            let context = as_block(spot.context);
            for entry in entries {
                let here = Spot { context, entries, entry: Some(entry), part: Part::Key };
                if (wanted.key)(&entry.key, entry.key_place) {
                    return Some(here);
                }
                let inner = behind(context, entries, entry);
                let value = Spot { context: inner, part: Part::Value(&entry.value), ..here };
                if let Some(found) = within(&entry.value, value, wanted) {
                    return Some(found);
                }
            }
            None
        }
        Content::List(items) => items.iter().find_map(|item| {
            let context = item_of(spot.context);
            within(item, Spot { context, part: Part::Value(item), ..spot }, wanted)
        }),
        Content::Text { .. } | Content::Nothing | Content::Spoiled => {
            (wanted.value)(node).then_some(spot)
        }
    }
}

/// What a block is that stands where something else may stand too.
const fn as_block(context: Context<'_>) -> Context<'_> {
    match context {
        Context::Form(Form::Block(block) | Form::Blocks(block)) => Context::Block(block),
        Context::Form(Form::Steps) => Context::Block(Block::Step),
        Context::Form(Form::InputType) => Context::Block(Block::Input),
        other => other,
    }
}

const fn item_of(context: Context<'_>) -> Context<'_> {
    match context {
        Context::Form(Form::Blocks(block)) => Context::Form(Form::Block(block)),
        Context::Form(Form::Steps) => Context::Form(Form::Block(Block::Step)),
        Context::Form(Form::Conditions) => Context::Form(Form::Condition),
        Context::Form(Form::Records(object)) => Context::Form(Form::Record(object)),
        other => other,
    }
}

/// What stands behind a key.
fn behind<'a>(context: Context<'a>, entries: &'a [Entry], entry: &'a Entry) -> Context<'a> {
    match context {
        Context::Block(block) => {
            let keys = || entries.iter().map(|entry| entry.key.as_str());
            let is_call = matches!(block, Block::Step | Block::Level) && called(entries).is_some();
            // What an action takes beside its own arguments.
            let known = block.key(&entry.key, keys());
            if is_call && (known.is_none() || entry.key == "set") {
                return Context::Argument;
            }
            match known.map(|key| key.form) {
                Some(Form::With) => Context::With { workflow: text_of(entries, "run") },
                Some(Form::Inputs) if text_of(entries, "blueprint").is_some() => {
                    let workflow = text_of(entries, "workflow");
                    // A blueprint's own parameters have types; an instance
                    // gives them values.
                    match workflow {
                        Some(_) => Context::Open,
                        None => Context::Form(Form::Inputs),
                    }
                }
                Some(form) => Context::Form(form),
                None => Context::Open,
            }
        }
        Context::Form(Form::Inputs) => Context::Form(Form::InputType),
        Context::Form(Form::Arms) => Context::Form(Form::Share),
        Context::Form(Form::Values | Form::Value) => Context::Form(Form::Value),
        Context::Argument | Context::With { .. } | Context::Open => context,
        Context::Form(_) => Context::Open,
    }
}

/// The action of a step.
pub(super) fn called(entries: &[Entry]) -> Option<&str> {
    text_of(entries, "do")
}

/// The text of a key.
pub(super) fn text_of<'a>(entries: &'a [Entry], key: &str) -> Option<&'a str> {
    let entry = entries.iter().find(|entry| entry.key == key)?;
    entry.value.text().map(str::trim)
}

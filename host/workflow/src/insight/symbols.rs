//! The outline of a file.

use super::{Insight, Range, Symbol};
use crate::{
    schema::language::{Block, Form},
    source::{Content, Entry, Node},
};

impl Insight<'_> {
    /// The outline: the head's keys, and the steps with those within them.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        let entries = self.root.as_ref().and_then(Node::entries).unwrap_or_default();
        entries.iter().map(|entry| self.symbol(entry, entries)).collect()
    }

    fn symbol(&self, entry: &Entry, siblings: &[Entry]) -> Symbol {
        let known =
            Block::Workflow.key(&entry.key, siblings.iter().map(|entry| entry.key.as_str()));
        let children = match known.map(|key| key.form) {
            Some(Form::Steps) => self.steps(&entry.value),
            _ => Vec::new(),
        };
        let detail = entry.value.text().map(|text| text.trim().to_owned()).unwrap_or_default();
        let key = Range { start: entry.key_place.start, end: entry.key_place.end };
        Symbol {
            name: entry.key.clone(),
            detail,
            is_step: false,
            range: self.range(key.start, entry.value.place.end.max(key.end)),
            key,
            children,
        }
    }

    fn steps(&self, node: &Node) -> Vec<Symbol> {
        match &node.value {
            Content::List(items) => items.iter().filter_map(|item| self.step(item)).collect(),
            _ => Vec::new(),
        }
    }

    fn step(&self, node: &Node) -> Option<Symbol> {
        let entries = node.entries()?;
        let first = entries.first()?;
        let names = || entries.iter().map(|entry| entry.key.as_str());
        let sort = Block::Level.sort(names());
        let head = entries.iter().find(|entry| sort.is_some_and(|sort| sort.key.name == entry.key));
        let at = entries.iter().find(|entry| entry.key == "at");
        let said = |entry: &Entry| {
            let text = entry.value.text().unwrap_or_default().trim().to_owned();
            format!("{}: {text}", entry.key).trim_end_matches([' ', ':']).to_owned()
        };
        let mut name = head.map_or_else(|| said(first), said);
        if let Some(at) = at {
            name = format!("{}, {name}", said(at));
        }
        let result = entries.iter().find(|entry| entry.key == "as");
        let mut children = Vec::new();
        for entry in entries {
            match Block::Level.key(&entry.key, names()).map(|key| key.form) {
                Some(Form::Steps | Form::Blocks(Block::Level)) => {
                    children.extend(self.steps(&entry.value));
                }
                Some(Form::Blocks(Block::Side)) => {
                    if let Content::List(sides) = &entry.value.value {
                        let steps = sides.iter().filter_map(Node::entries).flatten();
                        children.extend(steps.flat_map(|side| self.steps(&side.value)));
                    }
                }
                _ => {}
            }
        }
        let last = entries
            .last()
            .map_or(first.value.place.end, |entry| entry.value.place.end.max(entry.key_place.end));
        let key = head.unwrap_or(first).key_place;
        Some(Symbol {
            name,
            detail: result.and_then(|entry| entry.value.text()).unwrap_or_default().to_owned(),
            is_step: true,
            range: self.range(first.key_place.start, last),
            key: Range { start: key.start, end: key.end },
            children,
        })
    }

    /// A range without the empty lines that follow it.
    fn range(&self, start: usize, end: usize) -> Range {
        let text = self.source.get(start..end).unwrap_or_default();
        Range { start, end: start + text.trim_end().len() }
    }
}

//! Writing a formula out again. What is printed reads back as the same tree.

use std::fmt::{self, Write};

use relata_model::Value;

use super::tree::{Arithmetic, Node, NodeId, NodeKind};

/// How tightly a node binds: a looser one within a tighter one needs brackets.
const fn strength(kind: &NodeKind) -> u8 {
    match kind {
        NodeKind::Any(_) => 0,
        NodeKind::All(_) => 1,
        NodeKind::Not(_) => 2,
        NodeKind::Compare { .. }
        | NodeKind::In { .. }
        | NodeKind::Contains { .. }
        | NodeKind::Empty { .. } => 3,
        NodeKind::Arithmetic { by: Arithmetic::Plus | Arithmetic::Minus, .. } => 4,
        NodeKind::Arithmetic { .. } => 5,
        NodeKind::Minus(_) => 6,
        NodeKind::Literal(_) => 7,
        NodeKind::List(_)
        | NodeKind::Variable(_)
        | NodeKind::Field { .. }
        | NodeKind::Call { .. } => 8,
    }
}

pub(crate) struct Printed<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) root: NodeId,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node(f, self.root, 0)
    }
}

impl Printed<'_> {
    /// Writes a node, in brackets where it binds less tightly than `least`.
    fn node(&self, f: &mut fmt::Formatter<'_>, id: NodeId, least: u8) -> fmt::Result {
        let kind = &self.nodes[id.0 as usize].kind;
        if strength(kind) < least {
            f.write_char('(')?;
            self.kind(f, kind)?;
            f.write_char(')')
        } else {
            self.kind(f, kind)
        }
    }

    fn joined(
        &self,
        f: &mut fmt::Formatter<'_>,
        ids: &[NodeId],
        between: &str,
        least: u8,
    ) -> fmt::Result {
        for (place, id) in ids.iter().enumerate() {
            if place > 0 {
                f.write_str(between)?;
            }
            self.node(f, *id, least)?;
        }
        Ok(())
    }

    fn kind(&self, f: &mut fmt::Formatter<'_>, kind: &NodeKind) -> fmt::Result {
        let own = strength(kind);
        match kind {
            NodeKind::Literal(value) => literal(f, value),
            NodeKind::List(items) => {
                f.write_char('[')?;
                self.joined(f, items, ", ", 0)?;
                f.write_char(']')
            }
            NodeKind::Variable(name) => f.write_str(name),
            NodeKind::Field { of, name } => {
                self.node(f, *of, 8)?;
                write!(f, ".{name}")
            }
            NodeKind::Not(inner) => {
                f.write_str("not ")?;
                self.node(f, *inner, own)
            }
            NodeKind::Minus(inner) => {
                f.write_char('-')?;
                self.node(f, *inner, own)
            }
            NodeKind::All(parts) => self.joined(f, parts, " and ", own + 1),
            NodeKind::Any(parts) => self.joined(f, parts, " or ", own + 1),
            NodeKind::Compare { by, left, right } => {
                self.binary(f, *left, by.sign(), *right, own + 1, own + 1)
            }
            NodeKind::In { item, list, negated } => {
                let word = if *negated { "not in" } else { "in" };
                self.binary(f, *item, word, *list, own + 1, own + 1)
            }
            NodeKind::Contains { list, item } => {
                self.binary(f, *list, "contains", *item, own + 1, own + 1)
            }
            NodeKind::Empty { of, negated } => {
                self.node(f, *of, own + 1)?;
                f.write_str(if *negated { " is not empty" } else { " is empty" })
            }
            NodeKind::Arithmetic { by, left, right } => {
                self.binary(f, *left, by.sign(), *right, own, own + 1)
            }
            NodeKind::Call { function, arguments } => {
                write!(f, "{function}(")?;
                self.joined(f, arguments, ", ", 0)?;
                f.write_char(')')
            }
        }
    }

    fn binary(
        &self,
        f: &mut fmt::Formatter<'_>,
        left: NodeId,
        word: &str,
        right: NodeId,
        least_left: u8,
        least_right: u8,
    ) -> fmt::Result {
        self.node(f, left, least_left)?;
        write!(f, " {word} ")?;
        self.node(f, right, least_right)
    }
}

fn literal(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Text(text) => {
            f.write_char('"')?;
            for letter in text.chars() {
                match letter {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\t' => f.write_str("\\t")?,
                    _ => f.write_char(letter)?,
                }
            }
            f.write_char('"')
        }
        Value::YesNo(yes) => write!(f, "{yes}"),
        Value::Number(number) => write!(f, "{number}"),
        other => write!(f, "{other}"),
    }
}

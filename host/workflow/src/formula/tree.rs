//! A formula as a tree. The nodes lie in an arena, children before their
//! parents, so that a stored formula is flat however deeply it is nested.

use relata_model::Value;
use serde::{Deserialize, Serialize};

/// The place of a node in its formula's arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

/// One node, and the bytes of the source that it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The first byte in the formula's source.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A value as written.
    Literal(Value),
    /// `["DE", "AT"]`
    List(Vec<NodeId>),
    /// `lead`
    Variable(String),
    /// `.country`
    Field {
        /// Of what.
        of: NodeId,
        /// Its name.
        name: String,
    },
    /// `not x`
    Not(NodeId),
    /// `-x`
    Minus(NodeId),
    /// `x and y and …`
    All(Vec<NodeId>),
    /// `x or y or …`
    Any(Vec<NodeId>),
    /// `x == y`
    Compare {
        /// How.
        by: Comparison,
        /// The left side.
        left: NodeId,
        /// The right side.
        right: NodeId,
    },
    /// `x in y`, `x not in y`
    In {
        /// What is looked for.
        item: NodeId,
        /// In what.
        list: NodeId,
        /// `not in`
        negated: bool,
    },
    /// `x contains y`
    Contains {
        /// In what.
        list: NodeId,
        /// What is looked for.
        item: NodeId,
    },
    /// `x is empty`, `x is not empty`
    Empty {
        /// What is tested.
        of: NodeId,
        /// `is not empty`
        negated: bool,
    },
    /// `x + y`
    Arithmetic {
        /// How.
        by: Arithmetic,
        /// The left side.
        left: NodeId,
        /// The right side.
        right: NodeId,
    },
    /// `lower(x)`
    Call {
        /// The function's name.
        function: String,
        /// What it is given.
        arguments: Vec<NodeId>,
    },
}

impl NodeKind {
    /// The nodes right below it.
    #[must_use]
    pub fn children(&self) -> Vec<NodeId> {
        match self {
            Self::Literal(_) | Self::Variable(_) => Vec::new(),
            Self::Field { of, .. } | Self::Not(of) | Self::Minus(of) | Self::Empty { of, .. } => {
                vec![*of]
            }
            Self::Compare { left, right, .. } | Self::Arithmetic { left, right, .. } => {
                vec![*left, *right]
            }
            Self::In { item, list, .. } | Self::Contains { list, item } => vec![*item, *list],
            Self::List(parts)
            | Self::All(parts)
            | Self::Any(parts)
            | Self::Call { arguments: parts, .. } => parts.clone(),
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// As it is written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    pub(crate) fn of(sign: &str) -> Option<Self> {
        [
            Self::Equal,
            Self::Unequal,
            Self::Less,
            Self::LessOrEqual,
            Self::Greater,
            Self::GreaterOrEqual,
        ]
        .into_iter()
        .find(|by| by.sign() == sign)
    }

    /// The same with its sides turned round.
    pub(crate) const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// Whether it asks only for equality.
    #[must_use]
    pub const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::Unequal)
    }
}

/// How two values are calculated with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    By,
}

impl Arithmetic {
    /// As it is written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::By => "/",
        }
    }
}

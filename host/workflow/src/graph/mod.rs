//! A workflow as a picture that can be read without knowing the language:
//! what starts it, what it does, where it branches, waits and ends.
//!
//! [`graph`] makes a plain model of a definition, in sentences. [`mermaid`]
//! writes it as the text of a Mermaid flowchart, [`svg`] as a picture of its
//! own.

mod build;
mod clock;
mod flow;
mod layout;
mod mermaid;
mod say;
mod svg;
mod text;

use serde::Serialize;

pub use build::graph;
pub use flow::{Edge, Flow, FlowNode, flow};
pub use mermaid::mermaid;
pub use svg::svg;

/// A workflow as nodes within nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// `assign-new-leads`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What starts a run, any one of them; never empty.
    pub triggers: Vec<Node>,
    /// What is asked before a run starts.
    pub gate: Option<Node>,
    /// The steps, and how a run ends after the last.
    pub main: Lane,
    /// What ends a run before its last step: sentences.
    pub ends_early: Vec<Detail>,
    /// What holds for the whole of a run: quiet hours, limits, the calendar.
    pub rules: Vec<Detail>,
    /// What runs where a step has failed for good.
    pub on_error: Option<Lane>,
    /// What runs at the end, however the run ends.
    pub finally: Option<Lane>,
}

/// Steps one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// What it is.
    pub title: String,
    /// In order.
    pub nodes: Vec<Node>,
    /// How the run ends after them; none where it goes on elsewhere.
    pub exit: Option<Exit>,
}

/// A step, a trigger or a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Where it stands: `steps[5].then[0]`, `when[0]`. Different for each.
    pub id: String,
    /// What sort it is.
    pub kind: Kind,
    /// A sentence.
    pub label: String,
    /// What else there is to know, one line each.
    pub details: Vec<Detail>,
    /// The line in the source, from 1; 0 where there is none.
    pub line: u32,
    /// Where it may go on; empty where it simply goes on.
    pub branches: Vec<Branch>,
}

/// A line below a node's sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What it is about: an argument's name; empty for a sentence.
    pub about: String,
    /// What it says.
    pub text: String,
}

impl Detail {
    fn new(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { about: about.into(), text: text.into() }
    }

    fn sentence(text: impl Into<String>) -> Self {
        Self::new("", text)
    }

    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        if self.about.is_empty() {
            self.text.clone()
        } else {
            format!("{}: {}", self.about, self.text)
        }
    }
}

/// One way on from a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Branch {
    /// The reason: `yes`, `not within 48 hours`. Empty where it needs none.
    pub label: String,
    /// What happens on the way.
    pub nodes: Vec<Node>,
    /// How the run ends on it; none where it goes on after the node.
    pub exit: Option<Exit>,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// Well, early or badly.
    pub kind: ExitKind,
    /// One word, or the outcome's name.
    pub label: String,
    /// What it yields.
    pub details: Vec<Detail>,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitKind {
    /// After its last step.
    Done,
    /// Because a condition says so.
    Stopped,
    /// Because a step failed.
    Failed,
}

/// What sort of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Starts a run.
    Trigger,
    /// Is asked before a run starts.
    Gate,
    /// `do:`
    Action,
    /// `decide:`
    Decision,
    /// `if:`
    Question,
    /// `stop_if:`, `stop_unless:`
    Stop,
    /// `wait:`
    Wait,
    /// `wait_for:`
    WaitFor,
    /// `deadline:`; its branches are the levels.
    Deadline,
    /// `split:`
    Split,
    /// `for_each:`; its one branch is what runs for each item.
    Loop,
    /// `parallel:`; all branches are taken.
    Parallel,
    /// `run:`
    Workflow,
    /// `ask:`
    Ask,
    /// `set:`
    Set,
}

impl Kind {
    /// Whether what is in its branches stands within it.
    #[must_use]
    pub const fn is_frame(self) -> bool {
        matches!(self, Self::Loop | Self::Parallel)
    }
}

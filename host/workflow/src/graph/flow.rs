//! The graph as plain nodes and edges: for Mermaid, and for whoever draws it
//! themselves.

use serde::Serialize;

use super::{Branch, Detail, Exit, ExitKind, Graph, Kind, Lane, Node};

/// All nodes and edges, in the order of the workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// In order; those within a frame name it.
    pub nodes: Vec<FlowNode>,
    /// From node to node.
    pub edges: Vec<Edge>,
}

/// A node of the flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowNode {
    /// `n4`
    pub id: String,
    /// Where it stands in the workflow: `steps[5].then[0]`; empty for an end.
    pub path: String,
    /// What it is.
    pub kind: FlowKind,
    /// A sentence.
    pub label: String,
    /// What else there is to know.
    pub details: Vec<Detail>,
    /// The frame that it stands in.
    pub within: Option<String>,
}

/// What a node of the flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// A step, trigger or question.
    Node(Kind),
    /// An end.
    Exit(ExitKind),
    /// What holds steps: a lane beside the main one.
    Lane,
    /// A remark.
    Note,
}

impl FlowKind {
    /// Whether others stand within it.
    #[must_use]
    pub const fn is_frame(self) -> bool {
        match self {
            Self::Node(kind) => kind.is_frame(),
            Self::Lane => true,
            Self::Exit(_) | Self::Note => false,
        }
    }
}

/// A way from one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// From where.
    pub from: String,
    /// Whereto.
    pub to: String,
    /// The reason; empty where there is none.
    pub label: String,
}

/// Ends that still lead nowhere: a node, and the reason for leaving it.
type Loose = Vec<(String, String)>;

/// The flow of a graph.
#[must_use]
pub fn flow(graph: &Graph) -> Flow {
    let mut flow = Flow::default();
    let mut loose: Loose = Vec::new();
    for trigger in &graph.triggers {
        let id = flow.add(trigger, None);
        loose.push((id, String::new()));
    }
    if let Some(gate) = &graph.gate {
        let id = flow.add(gate, None);
        flow.join(&mut loose, &id);
        loose.push((id, "yes".to_owned()));
    }
    flow.lane(&graph.main, loose, None);
    let notes = graph.ends_early.iter().map(|early| ("Ends early", early));
    for (title, detail) in notes.chain(graph.rules.iter().map(|rule| ("Rule", rule))) {
        let id = flow.id();
        flow.nodes.push(FlowNode {
            id,
            path: String::new(),
            kind: FlowKind::Note,
            label: title.to_owned(),
            details: vec![detail.clone()],
            within: None,
        });
    }
    for lane in [&graph.on_error, &graph.finally].into_iter().flatten() {
        let id = flow.id();
        flow.nodes.push(FlowNode {
            id: id.clone(),
            path: String::new(),
            kind: FlowKind::Lane,
            label: lane.title.clone(),
            details: Vec::new(),
            within: None,
        });
        flow.lane(lane, Loose::new(), Some(&id));
    }
    flow
}

impl Flow {
    fn id(&self) -> String {
        format!("n{}", self.nodes.len())
    }

    fn add(&mut self, node: &Node, within: Option<&str>) -> String {
        let id = self.id();
        self.nodes.push(FlowNode {
            id: id.clone(),
            path: node.id.clone(),
            kind: FlowKind::Node(node.kind),
            label: node.label.clone(),
            details: node.details.clone(),
            within: within.map(str::to_owned),
        });
        id
    }

    fn exit(&mut self, exit: &Exit, within: Option<&str>) -> String {
        let id = self.id();
        self.nodes.push(FlowNode {
            id: id.clone(),
            path: String::new(),
            kind: FlowKind::Exit(exit.kind),
            label: exit.label.clone(),
            details: exit.details.clone(),
            within: within.map(str::to_owned),
        });
        id
    }

    fn join(&mut self, loose: &mut Loose, to: &str) {
        for (from, label) in loose.drain(..) {
            self.edges.push(Edge { from, to: to.to_owned(), label });
        }
    }

    fn lane(&mut self, lane: &Lane, loose: Loose, within: Option<&str>) {
        let mut loose = self.sequence(&lane.nodes, loose, within);
        if let Some(exit) = &lane.exit
            && (!loose.is_empty() || lane.nodes.is_empty())
        {
            let id = self.exit(exit, within);
            self.join(&mut loose, &id);
        }
    }

    fn sequence(&mut self, nodes: &[Node], mut loose: Loose, within: Option<&str>) -> Loose {
        for node in nodes {
            let id = self.add(node, within);
            self.join(&mut loose, &id);
            loose = if node.kind.is_frame() {
                for branch in &node.branches {
                    self.branch(branch, Loose::new(), Some(&id));
                }
                vec![(id, String::new())]
            } else if node.branches.is_empty() {
                vec![(id, String::new())]
            } else {
                let mut ends = Loose::new();
                for branch in &node.branches {
                    let begin = vec![(id.clone(), branch.label.clone())];
                    ends.extend(self.branch(branch, begin, within));
                }
                ends
            };
        }
        loose
    }

    fn branch(&mut self, branch: &Branch, loose: Loose, within: Option<&str>) -> Loose {
        let mut loose = self.sequence(&branch.nodes, loose, within);
        if let Some(exit) = &branch.exit {
            let id = self.exit(exit, within);
            self.join(&mut loose, &id);
            return Loose::new();
        }
        loose
    }
}

//! The graph as the text of a Mermaid flowchart.

use std::fmt::Write;

use super::{
    Detail, ExitKind, Graph, Kind,
    flow::{Flow, FlowKind, FlowNode, flow},
};

/// The shape of a node: what stands before and after its label.
const fn shape(kind: FlowKind) -> (&'static str, &'static str) {
    match kind {
        FlowKind::Node(Kind::Trigger) | FlowKind::Exit(_) => ("([", "])"),
        FlowKind::Node(Kind::Gate | Kind::Question | Kind::Stop) => ("{{", "}}"),
        FlowKind::Node(Kind::Wait | Kind::WaitFor | Kind::Deadline) => ("(", ")"),
        FlowKind::Node(Kind::Workflow) => ("[[", "]]"),
        FlowKind::Node(Kind::Ask) => ("[/", "/]"),
        FlowKind::Note => (">", "]"),
        FlowKind::Node(_) | FlowKind::Lane => ("[", "]"),
    }
}

const fn class(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Node(Kind::Trigger) => "trigger",
        FlowKind::Node(Kind::Wait | Kind::WaitFor | Kind::Deadline) => "wait",
        FlowKind::Node(Kind::Gate | Kind::Question | Kind::Stop | Kind::Decision | Kind::Split) => {
            "choice"
        }
        FlowKind::Exit(ExitKind::Done) => "done",
        FlowKind::Exit(ExitKind::Stopped | ExitKind::Failed) => "stopped",
        FlowKind::Note => "note",
        FlowKind::Node(_) | FlowKind::Lane => "step",
    }
}

const CLASSES: &str = "  \
  classDef trigger fill:#e6f4ea,stroke:#1e7e45,color:#10341f
  classDef wait fill:#fff4e0,stroke:#b26a00,color:#3d2600
  classDef choice fill:#eceafd,stroke:#5b4bc4,color:#221a5e
  classDef step fill:#ffffff,stroke:#5f6b7a,color:#1c2430
  classDef done fill:#1e7e45,stroke:#1e7e45,color:#ffffff
  classDef stopped fill:#5f6b7a,stroke:#5f6b7a,color:#ffffff
  classDef note fill:#f3f4f6,stroke:#9aa3af,color:#1c2430,stroke-dasharray:4 3
";

/// The text of a Mermaid flowchart, with every label escaped: whatever the
/// workflow says is shown, and nothing of it is read as Mermaid.
#[must_use]
pub fn mermaid(graph: &Graph) -> String {
    let flow = flow(graph);
    let mut text = String::from("flowchart TD\n");
    for node in flow.nodes.iter().filter(|node| node.within.is_none()) {
        write_node(&mut text, &flow, node, 1);
    }
    for edge in &flow.edges {
        let label = if edge.label.is_empty() {
            String::new()
        } else {
            format!("|\"{}\"|", escaped(&edge.label))
        };
        let _ = writeln!(text, "  {} -->{label} {}", edge.from, edge.to);
    }
    text.push_str(CLASSES);
    for name in ["trigger", "wait", "choice", "step", "done", "stopped", "note"] {
        let ids: Vec<&str> = flow
            .nodes
            .iter()
            .filter(|node| !node.kind.is_frame() && class(node.kind) == name)
            .map(|node| node.id.as_str())
            .collect();
        if !ids.is_empty() {
            let _ = writeln!(text, "  class {} {name}", ids.join(","));
        }
    }
    text
}

fn write_node(text: &mut String, flow: &Flow, node: &FlowNode, depth: usize) {
    let indent = "  ".repeat(depth);
    let label = label(node);
    if node.kind.is_frame() {
        let _ = writeln!(text, "{indent}subgraph {}[\"{label}\"]", node.id);
        for inner in flow.nodes.iter().filter(|inner| inner.within.as_ref() == Some(&node.id)) {
            write_node(text, flow, inner, depth + 1);
        }
        let _ = writeln!(text, "{indent}end");
    } else {
        let (open, close) = shape(node.kind);
        let _ = writeln!(text, "{indent}{}{open}\"{label}\"{close}", node.id);
    }
}

fn label(node: &FlowNode) -> String {
    let mut lines = vec![escaped(&node.label)];
    lines.extend(node.details.iter().map(|detail| escaped(&Detail::line(detail))));
    lines.join("<br/>")
}

/// A text within quotation marks. Mermaid takes `#34;` for a character, and
/// reads HTML, Markdown and its own `%%{ }%%` in labels; none of them may come
/// from a workflow.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for letter in text.chars() {
        match letter {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '*' => {
                let _ = write!(escaped, "#{};", u32::from(letter));
            }
            '%' | '{' if before == '%' => {
                let _ = write!(escaped, "#{};", u32::from(letter));
            }
            // `a_b` is nothing; `_a_` would be emphasis.
            '_' if !before.is_alphanumeric() => {
                let _ = write!(escaped, "#{};", u32::from(letter));
            }
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
        before = letter;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_label_is_read_as_mermaid() {
        for (text, shown) in [
            ("a \"b\" c", "a #34;b#34; c"),
            ("<script>&amp;", "#60;script#62;#38;amp;"),
            ("%%{init: {}}%%", "%#37;#123;init: {}}%#37;"),
            ("#34;", "#35;34;"),
            ("50% of the time", "50% of the time"),
            ("**bold** _x_ a_b", "#42;#42;bold#42;#42; #95;x_ a_b"),
            ("two\nlines", "two lines"),
            ("等待 24 小时", "等待 24 小时"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }
}

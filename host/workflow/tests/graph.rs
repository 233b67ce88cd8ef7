//! Workflows as pictures: everything that can be drawn, and pictures in which
//! nothing overlaps, whatever the workflow.

use std::path::Path;

use expect_test::expect_file;
use proptest::prelude::*;
use relata_workflow::{
    Catalog, Input, Slot, Type, WorkflowSignature,
    graph::{Branch, Detail, Exit, ExitKind, Graph, Kind, Lane, Node, flow, graph, mermaid, svg},
    parse, render,
};

use crate::catalog;

/// The catalog of the tests, with the titles of the shipped actions.
fn titled() -> Catalog {
    let mut catalog = catalog::catalog();
    for (action, title) in [
        ("assign.round_robin", "Pick the next person in turn"),
        ("crm.update", "Change a record"),
        ("mail.send", "Send a mail from a template"),
        ("survey.send", "Send a survey"),
        ("task.create", "Create a task"),
        ("ticket.create", "Create a ticket"),
        ("route.by_skill", "Give a ticket to an agent with the right skills"),
        ("notify.user", "Notify a user"),
        ("sentiment.score", "Score the mood of a text"),
    ] {
        if let Some(action) = catalog.actions.get_mut(action) {
            action.title = title.to_owned();
        }
    }
    catalog
}

/// Those of the shipped workflows that this catalog can read. What all of them
/// say is in the tests of relata-app, whose catalog is the real one.
#[test]
fn nothing_overlaps_in_the_pictures_of_the_shipped_workflows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let catalog = titled();
    let mut drawn = 0;
    for entry in std::fs::read_dir(folder).expect("the workflows are there") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a text");
        if let (Some(definition), _) = parse("workflow.yaml", &source, &catalog) {
            picture_is_sound(&svg(&graph(&definition, &catalog)));
            drawn += 1;
        }
    }
    assert!(drawn >= 4, "only {drawn} could be read");
}

/// Every sort of step, trigger and end.
#[test]
fn everything_is_drawn() {
    let source = include_str!("graph/everything.yaml");
    let mut catalog = titled();
    let slot = Slot::of(Type::YesNo);
    let reason =
        Input { name: "reason".to_owned(), slot: Slot::of(Type::Text), default: None, title: None };
    let inspect = WorkflowSignature {
        inputs: vec![reason],
        outputs: [("accepted".to_owned(), slot)].into(),
        ..WorkflowSignature::default()
    };
    catalog.workflows.insert("inspect-return".to_owned(), inspect);
    let (definition, found) = parse("everything.yaml", source, &catalog);
    let definition = definition.unwrap_or_else(|| panic!("{}", render(&found, source, false)));
    let graph = graph(&definition, &catalog);
    expect_file!["graph/everything.mmd"].assert_eq(&mermaid(&graph));
    let picture = svg(&graph);
    picture_is_sound(&picture);
    let kinds = serde_json::to_string(&flow(&graph)).unwrap();
    for kind in [
        "trigger", "gate", "action", "question", "stop", "wait", "wait_for", "deadline", "split",
        "loop", "parallel", "workflow", "ask", "set", "done", "stopped", "failed",
    ] {
        // Waiting for an event is drawn in the shipped workflows.
        if kind != "wait_for" {
            assert!(kinds.contains(&format!("\"{kind}\"")), "no {kind} in {kinds}");
        }
    }
}

/// A rectangle of the picture, with its class.
#[derive(Debug, Clone)]
struct Rect {
    class: String,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Rect {
    fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    fn holds(&self, other: &Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.x + self.width >= other.x + other.width
            && self.y + self.height >= other.y + other.height
    }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// The tags of this name, with what stands in them.
fn tags<'a>(picture: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name} ");
    picture
        .match_indices(&open)
        .map(|(place, _)| picture[place..].split_once('>').expect("a closed tag").0)
        .collect()
}

fn number(tag: &str, name: &str) -> f64 {
    attribute(tag, name).map_or(0.0, |value| value.parse().expect("a number"))
}

/// No two boxes overlap, frames hold what is in them, no way leads through a
/// box, no text leaves its box, and nothing is outside of the picture.
fn picture_is_sound(picture: &str) {
    let root = tags(picture, "svg")[0];
    let view: Vec<f64> = attribute(root, "viewBox")
        .expect("a view box")
        .split(' ')
        .map(|number| number.parse().expect("a number"))
        .collect();
    let page =
        Rect { class: "page".to_owned(), x: view[0], y: view[1], width: view[2], height: view[3] };
    let rects: Vec<Rect> = tags(picture, "rect")
        .into_iter()
        .map(|tag| Rect {
            class: attribute(tag, "class").expect("a class").to_owned(),
            x: number(tag, "x"),
            y: number(tag, "y"),
            width: number(tag, "width"),
            height: number(tag, "height"),
        })
        .filter(|rect| rect.class != "page")
        .collect();
    assert!(!rects.is_empty());
    for (place, rect) in rects.iter().enumerate() {
        assert!(page.holds(rect), "{rect:?} is outside of {page:?}");
        for other in &rects[place + 1..] {
            if !rect.overlaps(other) {
                continue;
            }
            let within =
                |frame: &Rect, inner: &Rect| frame.class.starts_with("frame") && frame.holds(inner);
            assert!(within(rect, other) || within(other, rect), "{rect:?} overlaps {other:?}");
        }
    }
    for tag in tags(picture, "path") {
        if attribute(tag, "class") != Some("way") {
            continue;
        }
        let points: Vec<(f64, f64)> = attribute(tag, "d")
            .expect("a way")
            .trim_start_matches('M')
            .split('L')
            .map(|point| {
                let (x, y) = point.split_once(' ').expect("a point");
                (x.parse().expect("a number"), y.parse().expect("a number"))
            })
            .collect();
        for pair in points.windows(2) {
            let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
            assert!((x1 - x2).abs() < 0.2 || (y1 - y2).abs() < 0.2, "a way is slanted: {tag}");
            // A little shorter, since ways begin and end on the edges of boxes.
            let way = Rect {
                class: "way".to_owned(),
                x: x1.min(x2) + 0.3,
                y: y1.min(y2) + 0.3,
                width: ((x1 - x2).abs() - 0.6).max(0.0),
                height: ((y1 - y2).abs() - 0.6).max(0.0),
            };
            let crossed = rects
                .iter()
                .filter(|rect| !rect.class.starts_with("frame") && rect.class != "reason")
                .find(|rect| rect.overlaps(&way));
            assert!(crossed.is_none(), "{way:?} crosses {crossed:?}");
        }
    }
    for tag in tags(picture, "text") {
        let (x, y) = (number(tag, "x"), number(tag, "y"));
        let at = Rect { class: String::new(), x, y: y - 8.0, width: 1.0, height: 10.0 };
        assert!(page.holds(&at), "text outside of the picture: {tag}");
    }
}

fn node(kind: Kind, label: &str, branches: Vec<Branch>) -> Node {
    Node {
        id: "steps[0]".to_owned(),
        kind,
        label: label.to_owned(),
        details: vec![Detail { about: "to".to_owned(), text: label.to_owned() }],
        line: 1,
        branches,
    }
}

fn exit(kind: ExitKind) -> Exit {
    Exit { kind, label: format!("{kind:?}"), details: Vec::new() }
}

fn whole(nodes: Vec<Node>) -> Graph {
    Graph {
        name: "test".to_owned(),
        title: "A test with <tags> & \"quotes\"".to_owned(),
        owner: None,
        triggers: vec![node(Kind::Trigger, "When it begins", Vec::new()); 2],
        gate: Some(node(Kind::Gate, "Does a run start?", Vec::new())),
        main: Lane { title: "Steps".to_owned(), nodes, exit: Some(exit(ExitKind::Done)) },
        ends_early: vec![Detail { about: String::new(), text: "The order is paid".to_owned() }],
        rules: Vec::new(),
        on_error: Some(Lane {
            title: "If a step fails".to_owned(),
            nodes: vec![node(Kind::Action, "Tell somebody", Vec::new())],
            exit: Some(exit(ExitKind::Failed)),
        }),
        finally: None,
    }
}

/// Any graph: branches within loops within branches, with long and foreign
/// texts.
fn any_node() -> impl Strategy<Value = Node> {
    let label = prop_oneof![
        Just("Wait".to_owned()),
        Just("Send a mail to everybody who has asked for it, and to nobody else at all".to_owned()),
        Just("等到客户回复为止，或者四个工作小时已经过去了，然后通知负责人并升级工单".to_owned()),
        "\\PC{0,60}",
    ];
    let leaf = (label.clone(), prop_oneof![Just(Kind::Action), Just(Kind::Wait), Just(Kind::Set)])
        .prop_map(|(label, kind)| node(kind, &label, Vec::new()));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let branch = (label.clone(), prop::collection::vec(inner, 0..3), 0_u8..4).prop_map(
            |(label, nodes, end)| Branch {
                label: label.chars().take(20).collect(),
                nodes,
                exit: (end == 0).then(|| exit(ExitKind::Stopped)),
            },
        );
        let kind = prop_oneof![
            Just(Kind::Question),
            Just(Kind::Deadline),
            Just(Kind::Parallel),
            Just(Kind::Loop)
        ];
        (label.clone(), kind, prop::collection::vec(branch, 1..4)).prop_map(
            |(label, kind, mut branches)| {
                if kind.is_frame() {
                    branches.iter_mut().for_each(|branch| branch.label.clear());
                }
                if kind == Kind::Loop {
                    branches.truncate(1);
                }
                node(kind, &label, branches)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_workflow_makes_a_picture_in_which_things_overlap(
        nodes in prop::collection::vec(any_node(), 0..4)
    ) {
        let graph = whole(nodes);
        picture_is_sound(&svg(&graph));
        // Every edge of the flow leads from a node to a node.
        let flow = flow(&graph);
        for edge in &flow.edges {
            for end in [&edge.from, &edge.to] {
                prop_assert!(flow.nodes.iter().any(|node| node.id == *end));
            }
        }
        // And each line of the Mermaid text is one statement.
        let text = mermaid(&graph);
        for line in text.lines() {
            prop_assert_eq!(line.matches('"').count() % 2, 0, "{}", line);
        }
    }
}

//! Where everything goes. A workflow is blocks within blocks, so its picture
//! is boxes within boxes: each part is laid out by itself, with the line on
//! which it is entered and left (its axis), and then moved to its place. No
//! two lines ever cross.

use super::{
    Branch, Detail, Exit, ExitKind, Graph, Kind, Lane, Node,
    text::{width, wrap},
};

/// The width of a card.
pub(super) const CARD: f64 = 320.0;
const PADDING: f64 = 14.0;
/// Where the text of a card begins, right of its icon.
const INDENT: f64 = 44.0;
/// Between two steps.
const GAP: f64 = 30.0;
/// Between two branches.
const ASIDE: f64 = 36.0;
/// From a step to the bus that leads to its branches, and back.
const BUS: f64 = 18.0;
/// Between a frame and what is in it.
const INSET: f64 = 20.0;
const MARGIN: f64 = 32.0;
/// How much wider a bold text is.
const BOLD: f64 = 1.13;

/// The fonts: size and distance of lines.
pub(super) const TITLE: (f64, f64) = (24.0, 30.0);
pub(super) const LABEL: (f64, f64) = (15.0, 20.0);
pub(super) const DETAIL: (f64, f64) = (13.0, 18.0);

/// What is drawn.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A node.
    Card { area: Area, kind: Kind, lines: Vec<Line>, hint: String },
    /// What other nodes stand in.
    Frame { area: Area, kind: FrameKind, lines: Vec<Line>, hint: String },
    /// An end.
    Pill { area: Area, kind: ExitKind, lines: Vec<Line> },
    /// A line, with an arrow at its end or not.
    Path { from: (f64, f64), to: (f64, f64), has_arrow: bool },
    /// The reason on an edge.
    Reason { area: Area, text: String },
    /// Text beside everything.
    Text(Line),
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    Loop,
    Parallel,
    OnError,
    Aside,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A line of text: where its baseline begins, and how much of it (in
/// characters) says what the rest is about.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
    pub(super) about: usize,
    pub(super) style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Title,
    Label,
    Detail,
    /// In the middle of a pill.
    Pill,
    PillDetail,
}

/// A part that is laid out, from its own corner.
#[derive(Debug, Default)]
struct Part {
    width: f64,
    height: f64,
    /// Where it is entered at the top and left at the bottom.
    axis: f64,
    /// Whether the run goes on after it.
    is_open: bool,
    /// The reason for going on, to be written on the way to what follows.
    reason: Option<String>,
    shapes: Vec<Shape>,
}

/// The whole picture.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
}

/// Lays a graph out.
pub(super) fn picture(graph: &Graph) -> Picture {
    let mut parts = Vec::new();
    parts.push(triggers(&graph.triggers));
    if let Some(gate) = &graph.gate {
        let mut part = card(gate);
        part.reason = Some("yes".to_owned());
        parts.push(part);
    }
    parts.extend(graph.main.nodes.iter().map(node));
    parts.extend(graph.main.exit.iter().map(exit));
    let main = stack(parts);
    let asides: Vec<Part> = [
        panel("Ends early when", &graph.ends_early),
        panel("Always", &graph.rules),
        graph.on_error.as_ref().map(|lane| framed_lane(lane, FrameKind::OnError)),
        graph.finally.as_ref().map(|lane| framed_lane(lane, FrameKind::Aside)),
    ]
    .into_iter()
    .flatten()
    .collect();

    let mut shapes = Vec::new();
    let wide = (main.width + asides.iter().map(|part| part.width).fold(0.0, f64::max)).max(480.0);
    let mut y = MARGIN;
    for line in wrap(&graph.title, TITLE.0 * BOLD, wide) {
        shapes.push(Shape::Text(Line {
            x: MARGIN,
            y: y + TITLE.0,
            text: line,
            about: 0,
            style: Style::Title,
        }));
        y += TITLE.1;
    }
    let owner =
        graph.owner.as_ref().map_or_else(String::new, |owner| format!(", owned by {owner}"));
    let under = format!("The workflow {}{owner}", graph.name);
    y += 4.0;
    for line in wrap(&under, DETAIL.0, wide) {
        let about = line.chars().count();
        shapes.push(Shape::Text(Line {
            x: MARGIN,
            y: y + DETAIL.0,
            text: line,
            about,
            style: Style::Detail,
        }));
        y += DETAIL.1;
    }
    y += GAP;
    let mut right = shapes.iter().map(right_of).fold(0.0, f64::max);
    let mut bottom = y + main.height;
    let mut aside_y = y;
    right = right.max(MARGIN + main.width);
    let main = moved(main.shapes, MARGIN, y);
    // As near to the steps as what stands beside them allows.
    let until = y + asides.iter().map(|part| part.height + GAP).sum::<f64>();
    let reach = main
        .iter()
        .filter_map(extent)
        .filter(|area| area.y < until)
        .map(|area| area.x + area.width)
        .fold(MARGIN + CARD, f64::max);
    let aside_x = reach + 2.0 * ASIDE;
    shapes.extend(main);
    for part in asides {
        right = right.max(aside_x + part.width);
        shapes.extend(moved(part.shapes, aside_x, aside_y));
        aside_y += part.height + GAP;
        bottom = bottom.max(aside_y - GAP);
    }
    Picture { width: right + MARGIN, height: bottom + MARGIN, shapes }
}

/// What a shape takes up.
fn extent(shape: &Shape) -> Option<Area> {
    match shape {
        Shape::Card { area, .. }
        | Shape::Frame { area, .. }
        | Shape::Pill { area, .. }
        | Shape::Reason { area, .. } => Some(*area),
        Shape::Path { from, to, .. } => {
            let (x, y) = (from.0.min(to.0), from.1.min(to.1));
            Some(Area { x, y, width: (from.0 - to.0).abs(), height: (from.1 - to.1).abs() })
        }
        Shape::Text(_) => None,
    }
}

fn right_of(shape: &Shape) -> f64 {
    match shape {
        Shape::Text(line) => {
            let size = if line.style == Style::Title { TITLE.0 * BOLD } else { DETAIL.0 };
            line.x + width(&line.text, size)
        }
        _ => 0.0,
    }
}

/// Several triggers stand side by side, many in one card.
fn triggers(nodes: &[Node]) -> Part {
    match nodes {
        [one] => card(one),
        [_, _] | [_, _, _] => gathered(nodes.iter().map(card).collect(), Vec::new(), 0.0),
        several => card(&Node {
            id: "when".to_owned(),
            kind: Kind::Trigger,
            label: "When one of these happens".to_owned(),
            details: several.iter().map(|node| Detail::sentence(node.label.clone())).collect(),
            line: 0,
            branches: Vec::new(),
        }),
    }
}

/// The lines of a card's or frame's text, and their height.
fn lines(label: &str, details: &[Detail], x: f64, y: f64, most: f64) -> (Vec<Line>, f64) {
    let mut all = Vec::new();
    let mut below = y;
    for text in wrap(label, LABEL.0 * BOLD, most) {
        all.push(Line { x, y: below + LABEL.0, text, about: 0, style: Style::Label });
        below += LABEL.1;
    }
    for detail in details {
        below += 2.0;
        let mut about = if detail.about.is_empty() { 0 } else { letters(&detail.about) + 1 };
        for text in wrap(&detail.line(), DETAIL.0, most) {
            // Of the letters that say what it is about, those of this line.
            let here = letters(&text).min(about);
            about -= here;
            let mut seen = 0;
            let until = text
                .chars()
                .take_while(|letter| {
                    seen += usize::from(!letter.is_whitespace());
                    seen <= here && (seen < here || !letter.is_whitespace())
                })
                .count();
            all.push(Line { x, y: below + DETAIL.0, text, about: until, style: Style::Detail });
            below += DETAIL.1;
        }
    }
    (all, below - y)
}

fn letters(text: &str) -> usize {
    text.chars().filter(|letter| !letter.is_whitespace()).count()
}

fn hint(node: &Node) -> String {
    if node.line == 0 { String::new() } else { format!("line {}: {}", node.line, node.id) }
}

fn card(node: &Node) -> Part {
    let (lines, tall) =
        lines(&node.label, &node.details, INDENT, PADDING - 2.0, CARD - INDENT - PADDING);
    let area = Area { x: 0.0, y: 0.0, width: CARD, height: tall + 2.0 * PADDING - 2.0 };
    Part {
        width: CARD,
        height: area.height,
        axis: CARD / 2.0,
        is_open: true,
        reason: None,
        shapes: vec![Shape::Card { area, kind: node.kind, lines, hint: hint(node) }],
    }
}

fn exit(exit: &Exit) -> Part {
    let size = LABEL.0;
    let widest = exit
        .details
        .iter()
        .map(|detail| width(&detail.line(), DETAIL.0))
        .fold(width(&exit.label, size * BOLD), f64::max);
    let wide = (widest + 36.0).clamp(96.0, CARD);
    let mut lines = Vec::new();
    let mut below = 8.0;
    let mut add = |text: String, (size, tall): (f64, f64), style| {
        lines.push(Line { x: wide / 2.0, y: below + size, text, about: 0, style });
        below += tall;
    };
    add(exit.label.clone(), LABEL, Style::Pill);
    for detail in &exit.details {
        for text in wrap(&detail.line(), DETAIL.0, wide - 32.0) {
            add(text, DETAIL, Style::PillDetail);
        }
    }
    let area = Area { x: 0.0, y: 0.0, width: wide, height: below + 6.0 };
    Part {
        width: wide,
        height: area.height,
        axis: wide / 2.0,
        is_open: false,
        reason: None,
        shapes: vec![Shape::Pill { area, kind: exit.kind, lines }],
    }
}

fn node(node: &Node) -> Part {
    match node.kind {
        Kind::Stop => stop(node),
        Kind::Loop => {
            let inner = node.branches.first().map(way).unwrap_or_default();
            framed(FrameKind::Loop, &node.label, &node.details, &hint(node), inner)
        }
        Kind::Parallel => {
            let columns: Vec<Part> = node.branches.iter().map(way).collect();
            let inner = gathered(columns, Vec::new(), BUS);
            framed(FrameKind::Parallel, &node.label, &node.details, &hint(node), inner)
        }
        _ if node.branches.is_empty() => card(node),
        _ => branching(node),
    }
}

/// A question whose one answer ends the run: that end stands beside it.
fn stop(node: &Node) -> Part {
    let mut part = card(node);
    let Some(out) = node.branches.iter().find(|branch| branch.exit.is_some()) else { return part };
    let on = node.branches.iter().find(|branch| branch.exit.is_none());
    part.reason = on.map(|branch| branch.label.clone());
    let Some(end) = &out.exit else { return part };
    let end = exit(end);
    let long = reason_at(&out.label, 0.0, 0.0).width + 30.0;
    let y = part.height / 2.0;
    let said = reason_at(&out.label, CARD + long / 2.0 - 4.0, y);
    part.shapes.push(straight((CARD, y), (said.x, y), false));
    part.shapes.push(straight((said.x + said.width, y), (CARD + long, y), true));
    part.shapes.push(Shape::Reason { area: said, text: out.label.clone() });
    part.shapes.extend(moved(end.shapes, CARD + long, y - end.height / 2.0));
    part.width = CARD + long + end.width;
    part
}

/// The steps of a branch, and how it ends.
fn way(branch: &Branch) -> Part {
    let mut parts: Vec<Part> = branch.nodes.iter().map(node).collect();
    parts.extend(branch.exit.iter().map(exit));
    stack(parts)
}

/// A node above its branches, which stand side by side and come together.
fn branching(node: &Node) -> Part {
    let head = card(node);
    let columns: Vec<Part> = node.branches.iter().map(way).collect();
    let reasons: Vec<&str> = node.branches.iter().map(|branch| branch.label.as_str()).collect();
    let below = gathered(columns, reasons, BUS);
    let left = head.axis.max(below.axis);
    let right = (head.width - head.axis).max(below.width - below.axis);
    let mut shapes = moved(head.shapes, left - head.axis, 0.0);
    shapes.extend(moved(below.shapes, left - below.axis, head.height));
    Part {
        width: left + right,
        height: head.height + below.height,
        axis: left,
        is_open: below.is_open,
        reason: None,
        shapes,
    }
}

/// The place of a reason with its middle here.
fn reason_at(text: &str, x: f64, y: f64) -> Area {
    let wide = width(text, DETAIL.0) + 14.0;
    Area { x: x - wide / 2.0, y: y - 11.0, width: wide, height: 22.0 }
}

const fn straight(from: (f64, f64), to: (f64, f64), has_arrow: bool) -> Shape {
    Shape::Path { from, to, has_arrow }
}

/// A way down, with its reason (if there is one) standing in it.
fn down(x: f64, from: f64, to: f64, said: &str, has_arrow: bool, shapes: &mut Vec<Shape>) {
    if said.is_empty() {
        shapes.push(straight((x, from), (x, to), has_arrow));
        return;
    }
    let area = reason_at(said, x, from + 20.0);
    shapes.push(straight((x, from), (x, area.y), false));
    shapes.push(straight((x, area.y + area.height), (x, to), has_arrow));
    shapes.push(Shape::Reason { area, text: said.to_owned() });
}

/// Columns side by side: a bus above leads to all of them, `above` below the
/// entry, and one below leads away from those that go on.
fn gathered(columns: Vec<Part>, reasons: Vec<&str>, above: f64) -> Part {
    let has_bus = above > 0.0;
    let labelled = reasons.iter().any(|reason| !reason.is_empty());
    let top = if !has_bus {
        0.0
    } else if labelled {
        above + 52.0
    } else {
        above + GAP
    };
    let tallest = columns.iter().map(|part| part.height).fold(0.0, f64::max);
    let is_open = columns.iter().any(|part| part.is_open);
    let bottom = top + tallest + BUS;
    let mut shapes = Vec::new();
    let mut axes = Vec::new();
    let mut x = 0.0;
    for (place, part) in columns.into_iter().enumerate() {
        let reason_text = reasons.get(place).copied().unwrap_or_default();
        let label =
            if reason_text.is_empty() { 0.0 } else { reason_at(reason_text, 0.0, 0.0).width };
        let left = part.axis.max(label / 2.0);
        let right = (part.width - part.axis).max(label / 2.0);
        let axis = x + left;
        axes.push((axis, part.is_open));
        let is_empty = part.shapes.is_empty();
        if has_bus {
            let until = if is_empty { bottom } else { top };
            down(axis, above, until, reason_text, !is_empty, &mut shapes);
        }
        if part.is_open && !is_empty {
            shapes.push(straight((axis, top + part.height), (axis, bottom), false));
        }
        shapes.extend(moved(part.shapes, axis - part.axis, top));
        x = axis + right + ASIDE;
    }
    let wide = (x - ASIDE).max(0.0);
    let first = axes.first().map_or(0.0, |axis| axis.0);
    let last = axes.last().map_or(0.0, |axis| axis.0);
    let axis = f64::midpoint(first, last);
    if has_bus {
        shapes.push(straight((axis, 0.0), (axis, above), false));
        shapes.push(straight((first, above), (last, above), false));
    }
    let open: Vec<f64> = axes.iter().filter(|axis| axis.1).map(|axis| axis.0).collect();
    if is_open {
        let left = open.iter().copied().fold(axis, f64::min);
        let right = open.iter().copied().fold(axis, f64::max);
        shapes.push(straight((left, bottom), (right, bottom), false));
    }
    Part {
        width: wide,
        height: if is_open { bottom } else { top + tallest },
        axis,
        is_open,
        reason: None,
        shapes,
    }
}

/// Parts one below the other, on one axis, with arrows between.
fn stack(parts: Vec<Part>) -> Part {
    let left = parts.iter().map(|part| part.axis).fold(0.0, f64::max);
    let right = parts.iter().map(|part| part.width - part.axis).fold(0.0, f64::max);
    let mut shapes = Vec::new();
    let mut y = 0.0;
    let mut is_open = true;
    let mut before: Option<Option<String>> = None;
    for part in parts {
        if let Some(said) = before.take() {
            let gap = if said.is_some() { GAP + 22.0 } else { GAP };
            down(left, y, y + gap, said.as_deref().unwrap_or_default(), true, &mut shapes);
            y += gap;
        }
        shapes.extend(moved(part.shapes, left - part.axis, y));
        y += part.height;
        is_open = part.is_open;
        before = Some(part.reason);
    }
    let reason = before.flatten();
    Part { width: left + right, height: y, axis: left, is_open, reason, shapes }
}

/// A part in a frame with a sentence at its top.
fn framed(kind: FrameKind, label: &str, details: &[Detail], hint: &str, inner: Part) -> Part {
    let wide = (inner.width + 2.0 * INSET).max(CARD);
    let (lines, tall) = lines(label, details, INDENT, PADDING - 2.0, wide - INDENT - PADDING);
    let top = tall + PADDING + 14.0;
    let slack = (wide - inner.width) / 2.0;
    let axis = wide / 2.0;
    let height = top + inner.height + INSET;
    let area = Area { x: 0.0, y: 0.0, width: wide, height };
    let mut shapes = vec![Shape::Frame { area, kind, lines, hint: hint.to_owned() }];
    shapes.extend(moved(inner.shapes, slack, top));
    Part { width: wide, height, axis, is_open: true, reason: None, shapes }
}

fn framed_lane(lane: &Lane, kind: FrameKind) -> Part {
    let mut parts: Vec<Part> = lane.nodes.iter().map(node).collect();
    parts.extend(lane.exit.iter().map(exit));
    framed(kind, &lane.title, &[], "", stack(parts))
}

/// Remarks in a frame; none where there are none.
fn panel(title: &str, details: &[Detail]) -> Option<Part> {
    if details.is_empty() {
        return None;
    }
    // As wide as a frame with a card in it.
    let wide = CARD + 2.0 * INSET;
    let (lines, tall) = lines(title, details, INDENT, PADDING - 2.0, wide - INDENT - PADDING);
    let area = Area { x: 0.0, y: 0.0, width: wide, height: tall + 2.0 * PADDING - 2.0 };
    let shape = Shape::Frame { area, kind: FrameKind::Aside, lines, hint: String::new() };
    Some(Part {
        width: wide,
        height: area.height,
        axis: wide / 2.0,
        is_open: true,
        reason: None,
        shapes: vec![shape],
    })
}

fn moved(shapes: Vec<Shape>, dx: f64, dy: f64) -> Vec<Shape> {
    let area = |area: Area| Area { x: area.x + dx, y: area.y + dy, ..area };
    let line = |line: Line| Line { x: line.x + dx, y: line.y + dy, ..line };
    let all = |lines: Vec<Line>| lines.into_iter().map(line).collect::<Vec<_>>();
    shapes
        .into_iter()
        .map(|shape| match shape {
            Shape::Card { area: at, kind, lines, hint } => {
                Shape::Card { area: area(at), kind, lines: all(lines), hint }
            }
            Shape::Frame { area: at, kind, lines, hint } => {
                Shape::Frame { area: area(at), kind, lines: all(lines), hint }
            }
            Shape::Pill { area: at, kind, lines } => {
                Shape::Pill { area: area(at), kind, lines: all(lines) }
            }
            Shape::Path { from, to, has_arrow } => Shape::Path {
                from: (from.0 + dx, from.1 + dy),
                to: (to.0 + dx, to.1 + dy),
                has_arrow,
            },
            Shape::Reason { area: at, text } => Shape::Reason { area: area(at), text },
            Shape::Text(at) => Shape::Text(line(at)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No line of text is wider than what it stands in.
    #[test]
    fn text_stays_in_its_box() {
        for label in [
            "Wait",
            "等到客户回复为止或者四个工作小时已经过去了再通知负责人",
            &"Wait until ".repeat(20),
            &"x".repeat(90),
        ] {
            let details = vec![Detail::new("to", label), Detail::new(label, "the ticket’s owner")];
            let node = Node {
                id: "steps[0]".to_owned(),
                kind: Kind::Wait,
                label: label.to_owned(),
                details: details.clone(),
                line: 1,
                branches: Vec::new(),
            };
            let end = Exit { kind: ExitKind::Done, label: "Done".to_owned(), details };
            let parts = vec![
                card(&node),
                exit(&end),
                framed(FrameKind::Loop, label, &node.details, "", card(&node)),
            ];
            for shape in stack(parts).shapes {
                let (Shape::Card { area, lines, .. }
                | Shape::Frame { area, lines, .. }
                | Shape::Pill { area, lines, .. }) = shape
                else {
                    continue;
                };
                for line in lines {
                    let (size, bold) = match line.style {
                        Style::Label | Style::Pill => (LABEL.0, BOLD),
                        _ => (DETAIL.0, 1.0),
                    };
                    let wide = width(&line.text, size * bold);
                    let right = match line.style {
                        Style::Pill | Style::PillDetail => line.x + wide / 2.0,
                        _ => line.x + wide,
                    };
                    assert!(right <= area.x + area.width, "{line:?} in {area:?}");
                    assert!(line.y <= area.y + area.height);
                }
            }
        }
    }

    #[test]
    fn what_a_detail_is_about_is_marked_over_its_lines() {
        let details = [Detail::new("if the lead’s company size is 200 or more", "enterprise")];
        let (lines, _) = lines("x", &details, 0.0, 0.0, 200.0);
        let marked: Vec<String> = lines[1..]
            .iter()
            .map(|line| {
                let about: String = line.text.chars().take(line.about).collect();
                format!("{about}|{}", line.text.chars().skip(line.about).collect::<String>())
            })
            .collect();
        assert_eq!(marked, ["if the lead’s company size is|", "200 or more:| enterprise"]);
    }
}

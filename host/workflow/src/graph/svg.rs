//! The picture as SVG: one file with nothing outside of it, light or dark as
//! the reader's system is, and with its content in words for those who hear
//! it.

use std::fmt::Write;

use super::{
    ExitKind, Graph, Kind,
    layout::{Area, DETAIL, FrameKind, LABEL, Line, Shape, Style, TITLE, picture},
};

/// Light first; what differs in the dark comes behind.
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans','PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;fill:#1c2430}\
.page{fill:#fbfbfc}\
.title{font-weight:700}\
.label{font-weight:600}\
.about{fill:#5f6b7a}\
.box{fill:#fff;stroke:#d5dae1;stroke-width:1}\
.frame{fill:#f1f3f6;stroke:#c3cad4;stroke-width:1}\
.parallel,.aside{fill:none;stroke-dasharray:5 4}\
.error{fill:#fdf1f0;stroke:#e3b1ac}\
.way{fill:none;stroke:#7c8796;stroke-width:1.6}\
.arrow{fill:#7c8796}\
.reason{fill:none}\
.reason-text{fill:#414b59}\
.icon{fill:none;stroke:#fff;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}\
.mark{stroke:none}\
.green{fill:#1e7e45}.violet{fill:#5b4bc4}.amber{fill:#b26a00}.blue{fill:#1f6bb8}.rose{fill:#b0346f}.slate{fill:#5f6b7a}.red{fill:#b3382c}\
.pill text{fill:#fff}\
@media (prefers-color-scheme:dark){\
text{fill:#e7ebf0}\
.page{fill:#15181d}\
.about{fill:#9aa5b3}\
.box{fill:#20252c;stroke:#39414c}\
.frame{fill:#1a1e24;stroke:#3d4652}\
.parallel,.aside{fill:none}\
.error{fill:#2a1b1b;stroke:#6d3a36}\
.way{stroke:#8792a1}.arrow{fill:#8792a1}\
.reason-text{fill:#c3cbd6}\
.green{fill:#2f9a5b}.violet{fill:#7a6be0}.amber{fill:#c88420}.blue{fill:#3d88d6}.rose{fill:#cc5590}.slate{fill:#6f7c8c}.red{fill:#cb5145}\
}";

/// The graph as an SVG document.
#[must_use]
pub fn svg(graph: &Graph) -> String {
    let picture = picture(graph);
    let (wide, tall) = (number(picture.width.ceil()), number(picture.height.ceil()));
    // Ids are those of the workflow, so that two pictures can stand in one page.
    let id = format!("relata-{}", graph.name);
    let mut text = String::new();
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:space=\"preserve\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" \
         width=\"{wide}\" height=\"{tall}\" viewBox=\"0 0 {wide} {tall}\">\n\
         <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{wide}\" height=\"{tall}\"/>\n",
        escaped(&graph.title),
        escaped(&description(graph)),
        id = escaped(&id),
    );
    // Frames first, then the ways, then what stands on them.
    for shape in &picture.shapes {
        if let Shape::Frame { .. } = shape {
            draw(&mut text, shape);
        }
    }
    for shape in &picture.shapes {
        if let Shape::Path { .. } = shape {
            draw(&mut text, shape);
        }
    }
    for shape in &picture.shapes {
        if !matches!(shape, Shape::Frame { .. } | Shape::Path { .. }) {
            draw(&mut text, shape);
        }
    }
    text.push_str("</svg>\n");
    text
}

/// The picture in words.
fn description(graph: &Graph) -> String {
    let starts: Vec<&str> = graph.triggers.iter().map(|node| node.label.as_str()).collect();
    let mut said = format!("{}. ", starts.join(", or "));
    for (number, node) in graph.main.nodes.iter().enumerate() {
        let _ = write!(said, "{}. {} ", number + 1, with_stop(&node.label));
    }
    if let Some(lane) = &graph.on_error {
        let steps: Vec<&str> = lane.nodes.iter().map(|node| node.label.as_str()).collect();
        let _ = write!(said, "{}: {}. ", lane.title, steps.join("; "));
    }
    said.trim_end().to_owned()
}

fn with_stop(label: &str) -> String {
    if label.ends_with(['.', '?', '!']) { label.to_owned() } else { format!("{label}.") }
}

fn draw(text: &mut String, shape: &Shape) {
    match shape {
        Shape::Card { area, kind, lines, hint } => {
            text.push_str("<g>");
            tooltip(text, hint);
            rect(text, "box", *area, 8.0);
            icon(text, look(*kind).0, look(*kind).1, *area);
            all(text, lines);
            text.push_str("</g>\n");
        }
        Shape::Frame { area, kind, lines, hint } => {
            let (class, color, drawing) = match kind {
                FrameKind::Loop => ("frame", "slate", LOOP),
                FrameKind::Parallel => ("frame parallel", "slate", PARALLEL),
                FrameKind::OnError => ("frame error", "red", ALERT),
                FrameKind::Aside => ("frame aside", "slate", NOTE),
            };
            text.push_str("<g>");
            tooltip(text, hint);
            rect(text, class, *area, 10.0);
            icon(text, color, drawing, *area);
            all(text, lines);
            text.push_str("</g>\n");
        }
        Shape::Pill { area, kind, lines } => {
            let color = match kind {
                ExitKind::Done => "green",
                ExitKind::Stopped => "slate",
                ExitKind::Failed => "red",
            };
            text.push_str("<g class=\"pill\">");
            rect(text, color, *area, 16.0_f64.min(area.height / 2.0));
            all(text, lines);
            text.push_str("</g>\n");
        }
        Shape::Path { from, to, has_arrow } => path(text, *from, *to, *has_arrow),
        Shape::Reason { area, text: said } => {
            text.push_str("<g>");
            rect(text, "reason", *area, 4.0);
            let _ = writeln!(
                text,
                "<text class=\"reason-text\" x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"middle\">{}</text></g>",
                number(area.x + area.width / 2.0),
                number(area.y + 15.5),
                number(DETAIL.0),
                escaped(said)
            );
        }
        Shape::Text(line) => {
            write_line(text, line);
            text.push('\n');
        }
    }
}

fn tooltip(text: &mut String, hint: &str) {
    if !hint.is_empty() {
        let _ = write!(text, "<title>{}</title>", escaped(hint));
    }
}

fn rect(text: &mut String, class: &str, area: Area, round: f64) {
    let _ = write!(
        text,
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
        number(area.x),
        number(area.y),
        number(area.width),
        number(area.height),
        number(round)
    );
}

fn path(text: &mut String, from: (f64, f64), to: (f64, f64), has_arrow: bool) {
    let at = |(x, y): (f64, f64)| format!("{} {}", number(x), number(y));
    let _ = write!(text, "<path class=\"way\" d=\"M{}L{}\"/>", at(from), at(to));
    if has_arrow {
        let (x, y) = to;
        let head = if (from.0 - x).abs() < 0.01 {
            [(x, y), (x - 4.5, y - 8.0), (x + 4.5, y - 8.0)]
        } else {
            [(x, y), (x - 8.0, y - 4.5), (x - 8.0, y + 4.5)]
        };
        let _ = write!(text, "<path class=\"arrow\" d=\"M{}Z\"/>", head.map(at).join("L"));
    }
    text.push('\n');
}

fn all(text: &mut String, lines: &[Line]) {
    for line in lines {
        write_line(text, line);
    }
}

fn write_line(text: &mut String, line: &Line) {
    let (class, size) = match line.style {
        Style::Title => ("title", TITLE.0),
        Style::Label => ("label", LABEL.0),
        Style::Detail | Style::PillDetail => ("detail", DETAIL.0),
        Style::Pill => ("label", LABEL.0),
    };
    let anchor = match line.style {
        Style::Pill | Style::PillDetail => " text-anchor=\"middle\"",
        _ => "",
    };
    let split = line.text.char_indices().nth(line.about).map_or(line.text.len(), |(byte, _)| byte);
    let (about, rest) = line.text.split_at(if line.about == 0 { 0 } else { split });
    let about = if about.is_empty() {
        String::new()
    } else {
        format!("<tspan class=\"about\">{}</tspan>", escaped(about))
    };
    let _ = write!(
        text,
        "<text class=\"{class}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{anchor}>{about}{}</text>",
        number(line.x),
        number(line.y),
        number(size),
        escaped(rest)
    );
}

/// A mark in the corner of a box: a coloured square, and a drawing in a grid
/// of 16 on it.
fn icon(text: &mut String, color: &str, drawing: &str, area: Area) {
    let (x, y) = (area.x + 12.0, area.y + 11.0);
    let _ = write!(
        text,
        "<g transform=\"translate({} {})\"><path class=\"mark {color}\" d=\"M5 0h12a5 5 0 0 1 5 5v12a5 5 0 0 1-5 5H5a5 5 0 0 1-5-5V5a5 5 0 0 1 5-5Z\"/>\
         <path class=\"icon\" transform=\"translate(3 3)\" d=\"{drawing}\"/></g>",
        number(x),
        number(y)
    );
}

const LOOP: &str = "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v2.8h-2.8";
const PARALLEL: &str = "M5 3v10M11 3v10";
const ALERT: &str = "M8 3v6M8 12.4v.2";
const NOTE: &str = "M4 5h8M4 8h8M4 11h5";

/// The colour and the drawing of a sort of node.
const fn look(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Trigger => ("green", "M9 2.5 4.5 9H8l-1 4.5L11.5 7H8Z"),
        Kind::Gate => ("violet", "M3 3.5h10L9.5 8v4.5l-3-1.5V8Z"),
        Kind::Question | Kind::Stop => {
            ("violet", "M5.8 6a2.2 2.2 0 1 1 3 2.1C8.2 8.4 8 8.8 8 9.5M8 12.4v.2")
        }
        Kind::Decision => ("violet", "M8 2.5v4M8 6.5 4 10v3M8 6.5l4 3.5v3"),
        Kind::Split => ("violet", "M4 4h.1M12 4h.1M8 8h.1M4 12h.1M12 12h.1"),
        Kind::Action => ("blue", "M5.5 3.5v9l6.5-4.5Z"),
        Kind::Wait => ("amber", "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M8 5v3l2 1.5"),
        Kind::WaitFor => ("amber", "M4 7a4 4 0 0 1 8 0v3l1 1.5H3L4 10ZM7 13.5h2"),
        Kind::Deadline => (
            "amber",
            "M4.5 2.5h7M4.5 13.5h7M5.5 2.5c0 3 2.5 4 2.5 5.5s-2.5 2.5-2.5 5.5M10.5 2.5c0 3-2.5 4-2.5 5.5s2.5 2.5 2.5 5.5",
        ),
        Kind::Loop => ("slate", LOOP),
        Kind::Parallel => ("slate", PARALLEL),
        Kind::Workflow => ("blue", "M2.5 3.5h4v3h-4ZM9.5 9.5h4v3h-4ZM6.5 5H11.5v4.5"),
        Kind::Ask => {
            ("rose", "M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M3.5 13.5a4.5 4.5 0 0 1 9 0")
        }
        Kind::Set => ("slate", "M4 6h8M4 10h8"),
    }
}

/// Text for XML, without the characters that XML has no place for.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A coordinate, to a tenth.
fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    let text = format!("{rounded:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

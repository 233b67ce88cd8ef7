//! Everything that the program prints comes through here: documents and
//! tables to stdout, errors and notes to stderr. A reader that has gone away
//! (`relata runs | head`) is no error, and what is left is not printed.

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::Path,
};

use anyhow::Context;
use comfy_table::{
    Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row,
    TableStyle, Width,
};
use serde::Serialize;

/// A header, a line below it, and no other lines: what `grep` and a person
/// both read.
const PLAIN: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// How narrow a column of text may become.
const NARROWEST: u16 = 18;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    title: &'a str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Whole,
    Number,
}

impl<'a> Column<'a> {
    /// A column whose cells may be wrapped on a narrow terminal.
    pub(crate) const fn text(title: &'a str) -> Self {
        Self { title, kind: Kind::Text }
    }

    /// A column whose cells stay in one piece: ids, times.
    pub(crate) const fn whole(title: &'a str) -> Self {
        Self { title, kind: Kind::Whole }
    }

    /// A column of numbers, on the right.
    pub(crate) const fn number(title: &'a str) -> Self {
        Self { title, kind: Kind::Number }
    }
}

/// Prints a line.
pub(crate) fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    write(&format!("{}\n", text.as_ref()))
}

/// Prints a text as it is.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    write(text)
}

/// Prints a document as JSON.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(document).context("the answer cannot be written as JSON")?)
}

/// Prints a document as one line of JSON.
pub(crate) fn json_line(document: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(document).context("the answer cannot be written as JSON")?)
}

/// Prints a table. On a terminal it is as wide as the terminal, elsewhere as
/// wide as its cells.
pub(crate) fn table(columns: &[Column<'_>], rows: Vec<Vec<String>>) -> anyhow::Result<()> {
    let colors = colors();
    let mut table = comfy_table::Table::new();
    table.load_style(PLAIN);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(Row::from(
        columns
            .iter()
            .map(|column| {
                let cell = Cell::new(column.title);
                if colors { cell.add_attribute(Attribute::Bold) } else { cell }
            })
            .collect::<Vec<_>>(),
    ));
    for row in rows {
        table.add_row(Row::from(row.iter().map(|cell| Cell::new(clean(cell))).collect::<Vec<_>>()));
    }
    let widths = table.column_max_content_widths();
    for ((column, described), width) in table.column_iter_mut().zip(columns).zip(widths) {
        column.set_padding((0, 1));
        match described.kind {
            // On a terminal that is too narrow the line is longer than it,
            // which reads better than a letter a line.
            Kind::Text => {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(
                    width.min(NARROWEST).saturating_add(1),
                )));
            }
            Kind::Whole => {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            Kind::Number => {
                column.set_constraint(ColumnConstraint::ContentWidth);
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    line(table.trim_fmt())
}

/// Prints a table without those of its last columns for which a terminal has
/// no room; the first three are always there.
pub(crate) fn table_that_fits(
    columns: &[Column<'_>],
    mut rows: Vec<Vec<String>>,
) -> anyhow::Result<()> {
    let mut sample = comfy_table::Table::new();
    sample.set_header(columns.iter().map(|column| column.title));
    sample.add_rows(rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect::<Vec<_>>()));
    let Some(room) = sample.width().filter(|_| io::stdout().is_terminal()) else {
        return table(columns, rows);
    };
    let mut needed = 0_u16;
    let fitting = sample
        .column_max_content_widths()
        .into_iter()
        .take_while(|width| {
            needed = needed.saturating_add(*width).saturating_add(2);
            needed <= room
        })
        .count();
    let shown = fitting.max(3).min(columns.len());
    for row in &mut rows {
        row.truncate(shown);
    }
    table(&columns[..shown], rows)
}

/// A text of a record or a mail for a terminal: control characters, which
/// could move the cursor or recolour the screen, become spaces.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Says on stderr that something is wrong.
pub(crate) fn error(text: &str) {
    let word = if stderr_colors() { "\x1b[1;31merror\x1b[0m" } else { "error" };
    say(&format!("{word}: {text}\n"));
}

/// Says something on stderr that is not part of the answer.
pub(crate) fn note(text: &str) {
    say(&format!("{text}\n"));
}

/// Whether stdout takes colours.
pub(crate) fn colors() -> bool {
    io::stdout().is_terminal() && !no_color()
}

/// Whether stderr takes colours.
pub(crate) fn stderr_colors() -> bool {
    io::stderr().is_terminal() && !no_color()
}

/// A path for a message.
pub(crate) fn path(path: &Path) -> String {
    clean(&path.display().to_string())
}

/// `1 run`, `3 runs`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// <https://no-color.org>, and terminals that cannot.
#[expect(clippy::disallowed_methods, reason = "only cli reads the environment")]
fn no_color() -> bool {
    env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty())
        || env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

fn write(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the answer cannot be printed"),
    }
}

fn say(text: &str) {
    // Where stderr is gone there is nobody left to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_customer_wrote_cannot_touch_the_terminal() {
        assert_eq!(clean("Eve\x1b[2J\r\nMallory"), "Eve [2J  Mallory");
        assert_eq!(clean("李雷 — Jürgen"), "李雷 — Jürgen");
    }
}

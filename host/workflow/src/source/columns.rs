//! Indentation: in which column each line may begin, told in the author's
//! words where it does not, and mended.

use super::{
    mended::{Line, Mended},
    shape::Row,
};
use crate::diagnostic::{self as codes, Findings};

/// What has to be changed for every line to stand in a column of its block.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Lines, by number, and the widths of their indentations.
    pub(super) widths: Vec<(usize, usize)>,
    /// Letters before which something is missing, and what.
    pub(super) missing: Vec<(usize, &'static str)>,
    /// Letters of lines that are nothing.
    pub(super) blanked: Vec<(usize, usize)>,
}

/// A block that is open where a line begins.
#[derive(Debug, Clone, Copy)]
struct Block {
    column: usize,
    is_list: bool,
    /// A key of it, as letters.
    key: Option<(usize, usize)>,
}

/// Tells of lines in a wrong column. The columns of those that are indented
/// with tabs (`tabbed`) mean nothing.
pub(super) fn find(
    mended: &Mended,
    rows: &[Row],
    tabbed: &[usize],
    findings: &mut Findings<'_>,
) -> Moves {
    let mut columns = Columns {
        mended,
        lines: mended.lines(),
        findings,
        open: Vec::new(),
        moved: None,
        moves: Moves::default(),
    };
    let mut before: Option<&Row> = None;
    for (place, row) in rows.iter().enumerate() {
        let is_mark = matches!(mended.letters.get(row.line.text()), Some('%' | '.' | '?'))
            || mended.letters[row.line.text()..row.line.end].starts_with(&['-', '-', '-']);
        if is_mark || tabbed.binary_search(&row.number).is_ok() {
            columns.open.clear();
            columns.moved = None;
            before = None;
            continue;
        }
        let last = rows.get(place + 1).map_or(row.number + 1, |next| next.number);
        if columns.row(row, before, last) {
            before = Some(row);
        }
    }
    columns.moves
}

struct Columns<'s, 'f, 'a> {
    mended: &'s Mended,
    lines: Vec<Line>,
    findings: &'f mut Findings<'a>,
    /// Outer blocks first.
    open: Vec<Block>,
    /// A column in which lines stand by mistake, and the one meant.
    moved: Option<(usize, usize)>,
    moves: Moves,
}

impl Columns<'_, '_, '_> {
    /// Whether the line is one that others can belong to; `last` is one past
    /// the last line that goes with it.
    fn row(&mut self, row: &Row, before: Option<&Row>, last: usize) -> bool {
        let mut column = row.line.indent;
        match self.moved {
            Some((wrong, right)) if column >= wrong => {
                column = column - wrong + right;
                self.move_lines(row, last, wrong, right);
            }
            _ => self.moved = None,
        }
        let is_item = row.is_item(self.mended);
        let mut left = Vec::new();
        while let Some(block) = self.open.pop_if(|block| block.column > column) {
            left.push(block);
        }
        let outer = self.open.last().copied();
        let stands = outer.is_none_or(|outer| outer.column == column);
        if !is_item && row.key.is_none() {
            if stands && outer.is_some_and(|outer| !outer.is_list) {
                self.no_key(row);
                return true;
            }
            // A text that goes on.
            self.open.extend(left.into_iter().rev());
            return false;
        }
        let follows = left.is_empty() && before.is_none_or(Row::is_open);
        if !stands && !follows && self.moved.is_none() {
            // A text over two lines may go on with a dash.
            if left.is_empty() && is_item {
                return false;
            }
            let near = |block: &&Block| (block.column.abs_diff(column), usize::MAX - block.column);
            let fits = |block: &&Block| block.is_list == is_item;
            let meant = left.iter().chain(outer.as_ref()).filter(fits).min_by_key(near).copied();
            let Some(meant) = meant else { return true };
            self.misplaced(row, &meant, left.is_empty());
            self.moved = Some((row.line.indent, meant.column));
            self.move_lines(row, last, row.line.indent, meant.column);
            left.retain(|block| block.column <= meant.column);
            self.open.extend(left.into_iter().rev());
            self.open.retain(|block| block.column <= meant.column);
            column = meant.column;
        }
        let lacks_dash = stands && !is_item && outer.is_some_and(|outer| outer.is_list);
        if lacks_dash && let Some((key, colon)) = row.key.zip(row.colon) {
            let message = "a step or an item of a list begins with `- `, and this line does not";
            let name: String = self.mended.letters[key..colon].iter().collect();
            let help = format!("write `- {name}:`, or let it begin further to the right");
            let place = self.mended.place(key, colon);
            self.findings.error(codes::SYNTAX, place, message, Some(help));
            self.moves.missing.push((key, "- "));
            self.open.push(Block { column: column + 2, is_list: false, key: Some((key, colon)) });
            return true;
        }
        self.enter(row, column, is_item);
        true
    }

    /// The blocks that a line begins.
    fn enter(&mut self, row: &Row, column: usize, is_item: bool) {
        let begin = |open: &mut Vec<Block>, column, is_list, key| {
            if open.last().is_none_or(|block| block.column != column) {
                open.push(Block { column, is_list, key });
            }
        };
        let start = row.line.text();
        if is_item {
            let until = row.key.or(row.value).unwrap_or(row.line.end);
            let dashes = (start..until).filter(|at| self.mended.letters[*at] == '-');
            for dash in dashes {
                begin(&mut self.open, column + dash - start, true, None);
            }
        }
        if let Some((key, colon)) = row.key.zip(row.colon) {
            begin(&mut self.open, column + key - start, false, Some((key, colon)));
        }
    }

    fn move_lines(&mut self, row: &Row, last: usize, wrong: usize, right: usize) {
        for (number, line) in (row.number..last).zip(&self.lines[row.number..]) {
            if !line.is_blank() {
                let width = (line.indent + right).saturating_sub(wrong);
                self.moves.widths.push((number, width));
            }
        }
    }

    fn misplaced(&mut self, row: &Row, meant: &Block, is_deeper: bool) {
        let (start, end) = (row.line.text(), row.colon.unwrap_or(row.line.end));
        let start = row.key.unwrap_or(start);
        let message = if is_deeper {
            "this line is indented deeper than the one before, which has its value already"
        } else {
            "this line begins in a column in which no block begins"
        };
        let like = meant.key.map_or_else(String::new, |(start, end)| {
            let key: String = self.mended.letters[start..end].iter().collect();
            format!(", like `{key}`")
        });
        let help = format!("let it begin in column {}{like}", meant.column + 1);
        self.findings.error(codes::SYNTAX, self.mended.place(start, end), message, Some(help));
    }

    /// A line in a block of keys that is no `key: value`.
    fn no_key(&mut self, row: &Row) {
        let text = &self.mended.letters[row.line.text()..row.line.end];
        let is_of_word = |letter: &&char| letter.is_ascii_lowercase() || **letter == '_';
        let word = text.iter().take_while(is_of_word).count();
        let start = row.line.text();
        let name: String = text[..word].iter().collect();
        if matches!(text.first(), Some('"' | '\'' | '[' | '{' | '&' | '!' | '*' | '@' | '`')) {
            return;
        }
        if word > 0 && text.get(word) == Some(&':') && text.get(word + 1) != Some(&'/') {
            let message = format!("behind `{name}:` a space is missing");
            let value: String = text[word + 1..].iter().collect();
            let help = format!("write `{name}: {}`", value.trim_end());
            let place = self.mended.place(start, start + word + 1);
            self.findings.error(codes::SYNTAX, place, message, Some(help));
            self.moves.missing.push((start + word + 1, " "));
            return;
        }
        let length = text.iter().rposition(|letter| !letter.is_whitespace()).map_or(1, |at| at + 1);
        let rest: String = text[word..length].iter().collect();
        let help = match rest.trim_start_matches([' ', '=']) {
            value if word > 0 && !value.is_empty() => format!("write `{name}: {value}`"),
            _ => "write `key: value`".to_owned(),
        };
        let place = self.mended.place(start, start + length);
        self.findings.error(codes::SYNTAX, place, "this line is no `key: value`", Some(help));
        self.findings.lose();
        self.moves.blanked.push((start, start + length));
    }
}

//! A text that is like the source, but mended where YAML would trip, and where
//! each of its letters comes from.

use super::{build::build, shape::Row};
use crate::diagnostic::{self as codes, Findings, Place};

/// Stands for a value that was taken out.
pub(super) const SPOILED: char = '\u{E000}';

/// How often the file is mended and read again before giving up.
pub(super) const MOST_MENDS: usize = 60;

/// How many letters are read at the most to find the right indentations.
const LETTERS_TO_TRY: usize = 400_000;

#[derive(Clone)]
pub(super) struct Mended {
    pub(super) letters: Vec<char>,
    /// The byte in the source, for each letter.
    origins: Vec<usize>,
}

/// A line, as places of its letters, without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
    /// How many blanks it begins with.
    pub(super) indent: usize,
}

impl Line {
    pub(super) const fn is_blank(self) -> bool {
        self.indent == self.end - self.start
    }

    /// Its first letter that is no blank.
    pub(super) const fn text(self) -> usize {
        self.start + self.indent
    }
}

impl Mended {
    /// The source without the byte-order mark that Windows' editors write.
    pub(super) fn new(source: &str) -> Self {
        let from = if source.starts_with('\u{feff}') { 1 } else { 0 };
        // The mark is ours alone: what an author writes so would pass for spoiled.
        let own = |letter| if letter == SPOILED { char::REPLACEMENT_CHARACTER } else { letter };
        let letters = source.char_indices().skip(from);
        let (origins, letters) = letters.map(|(origin, letter)| (origin, own(letter))).unzip();
        Self { letters, origins }
    }

    /// The byte of the source at which a letter stands.
    pub(super) fn origin(&self, letter: usize, length: usize) -> usize {
        self.origins.get(letter).copied().unwrap_or(length)
    }

    /// The place in the source of some letters.
    pub(super) fn place(&self, start: usize, end: usize) -> Place {
        let last = end.saturating_sub(1).max(start);
        let width = self.letters.get(last).map_or(1, |letter| letter.len_utf8());
        let at = |letter| self.origins.get(letter).or(self.origins.last()).copied();
        Place {
            start: at(start).unwrap_or_default(),
            end: at(last).map_or(0, |byte| byte.saturating_add(width)),
        }
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut start = 0;
        let ends = self.letters.iter().enumerate().filter(|(_, letter)| **letter == '\n');
        for end in ends.map(|(place, _)| place).chain([self.letters.len()]) {
            let blanks =
                self.letters[start..end].iter().take_while(|letter| letter.is_whitespace());
            lines.push(Line { start, end, indent: blanks.count() });
            start = end + 1;
        }
        lines
    }

    /// Blanks letters, but no ends of lines.
    pub(super) fn blank(&mut self, start: usize, end: usize) {
        for letter in self.letters[start..end].iter_mut().filter(|letter| **letter != '\n') {
            *letter = ' ';
        }
    }

    /// Puts a mark where a value was, and blanks the rest of it.
    pub(super) fn spoil(&mut self, start: usize, end: usize) {
        self.blank(start, end);
        self.letters[start] = SPOILED;
    }

    /// Blanks the line of a letter, or the last before it that is not blank;
    /// its first and last letter that were none, where there is such a line.
    pub(super) fn blank_line(&mut self, letter: usize) -> Option<(usize, usize)> {
        let lines = self.lines();
        let here = lines.partition_point(|line| line.start <= letter);
        let line = lines[..here].iter().rev().find(|line| !line.is_blank())?;
        let text = &mut self.letters[line.text()..line.end];
        let length = text.iter().rposition(|letter| !letter.is_whitespace()).map_or(0, |at| at + 1);
        text.fill(' ');
        Some((line.text(), line.text() + length))
    }

    /// Gives lines another indentation, each with its number, in order.
    pub(super) fn indent_with(&mut self, widths: &[(usize, usize)]) {
        if widths.is_empty() {
            return;
        }
        let mut letters = Vec::with_capacity(self.letters.len());
        let mut origins = Vec::with_capacity(self.origins.len());
        let mut copied = 0;
        let lines = self.lines();
        for (number, width) in widths {
            let Some(line) = lines.get(*number) else { continue };
            letters.extend_from_slice(&self.letters[copied..line.start]);
            origins.extend_from_slice(&self.origins[copied..line.start]);
            let origin = self.origins.get(line.start).copied().unwrap_or_default();
            for place in 0..*width {
                letters.push(' ');
                origins.push(origin + place.min(line.indent.saturating_sub(1)));
            }
            copied = line.text();
        }
        letters.extend_from_slice(&self.letters[copied..]);
        origins.extend_from_slice(&self.origins[copied..]);
        *self = Self { letters, origins };
    }

    /// Puts what is missing before each of these letters, which are in order.
    pub(super) fn insert(&mut self, missing: &[(usize, &str)]) {
        if missing.is_empty() {
            return;
        }
        let mut whole = Self { letters: Vec::new(), origins: Vec::new() };
        let mut copied = 0;
        for (place, text) in missing {
            whole.letters.extend_from_slice(&self.letters[copied..*place]);
            whole.origins.extend_from_slice(&self.origins[copied..*place]);
            whole.letters.extend(text.chars());
            let origin = self.origins.get(*place).or(self.origins.last()).copied();
            whole.origins.extend(text.chars().map(|_| origin.unwrap_or_default()));
            copied = *place;
        }
        whole.letters.extend_from_slice(&self.letters[copied..]);
        whole.origins.extend_from_slice(&self.origins[copied..]);
        *self = whole;
    }

    /// Tells of tabs between keys and values and in indentations; gives the
    /// numbers of the lines that are indented with some. In texts over several
    /// lines, which are no rows, tabs are let be.
    pub(super) fn lines_with_tabs(
        &mut self,
        rows: &[Row],
        findings: &mut Findings<'_>,
    ) -> Vec<usize> {
        let mut indented = Vec::new();
        let mut rows = rows.iter().peekable();
        for (number, line) in self.lines().into_iter().enumerate() {
            if line.is_blank() {
                for letter in &mut self.letters[line.start..line.end] {
                    *letter = if *letter == '\t' { ' ' } else { *letter };
                }
                continue;
            }
            if rows.next_if(|row| row.number == number).is_none() {
                continue;
            }
            let tabs = &self.letters[line.start..line.text()];
            let mut tab = tabs.iter().position(|letter| *letter == '\t').map(|at| line.start + at);
            if tab.is_some() {
                indented.push(number);
            } else {
                tab = self.take_out_tabs(line);
            }
            if let Some(tab) = tab {
                findings.error(
                    codes::TAB,
                    self.place(tab, tab + 1),
                    "a tab stands here, and YAML wants spaces",
                    Some("replace it by spaces".to_owned()),
                );
            }
        }
        indented
    }

    /// Makes spaces of the tabs of a line, outside of quotes and comments;
    /// where the first was.
    fn take_out_tabs(&mut self, line: Line) -> Option<usize> {
        let mut first = None;
        let mut quote = None;
        for place in line.start..line.end {
            let letter = self.letters[place];
            match (quote, letter) {
                (None, '#') if place == line.start || self.letters[place - 1].is_whitespace() => {
                    break;
                }
                (None, '"' | '\'') => quote = Some(letter),
                (Some(open), _) if open == letter => quote = None,
                (None, '\t') => {
                    first = first.or(Some(place));
                    self.letters[place] = ' ';
                }
                _ => {}
            }
        }
        first
    }

    /// Gives the lines that are indented with tabs an indentation of spaces:
    /// one width for all tabs where the file can be read with it, else, line
    /// by line, the first indentation with which it can be read the furthest.
    pub(super) fn mend_tabs(&mut self, numbers: &[usize]) {
        if numbers.is_empty() {
            return;
        }
        for tab in [2, 4, 8] {
            let mut tried = self.clone();
            tried.indent_with(&self.widths(numbers, tab));
            if build(&tried, usize::MAX).is_ok() {
                *self = tried;
                return;
            }
        }
        // A file that is indented with tabs throughout is one of a kind, and a
        // long one is not read over and over.
        let few = numbers.len().min(MOST_MENDS).min(LETTERS_TO_TRY / (self.letters.len() + 1));
        for number in &numbers[..few] {
            self.mend_tabs_of(*number);
        }
        self.indent_with(&self.widths(&numbers[few..], 2));
    }

    /// How wide the indentations of these lines are where a tab is so wide.
    fn widths(&self, numbers: &[usize], tab: usize) -> Vec<(usize, usize)> {
        let lines = self.lines();
        let width = |line: &Line| {
            let letters = &self.letters[line.start..line.text()];
            letters.iter().map(|letter| if *letter == '\t' { tab } else { 1 }).sum()
        };
        numbers
            .iter()
            .filter_map(|number| lines.get(*number).map(|line| (*number, width(line))))
            .collect()
    }

    fn mend_tabs_of(&mut self, number: usize) {
        let lines = self.lines();
        let near = |line: &&Line| {
            !line.is_blank() && !self.letters[line.start..line.text()].contains(&'\t')
        };
        let before = lines[..number].iter().rev().find(near).map(|line| line.indent);
        let after = lines[number + 1..].iter().find(near).map(|line| line.indent);
        let wide = |tab| self.widths(&[number], tab).first().map(|(_, width)| *width);
        let mut best = None;
        // Two spaces a tab fit most files; what stands around fits the rest.
        for width in [wide(2), wide(4), wide(8), before, after, wide(1)].into_iter().flatten() {
            let mut tried = self.clone();
            tried.indent_with(&[(number, width)]);
            let reached = match build(&tried, usize::MAX) {
                Ok(_) => usize::MAX,
                Err((_, letter)) => letter,
            };
            if best.as_ref().is_none_or(|(furthest, _)| reached > *furthest) {
                best = Some((reached, tried));
            }
        }
        if let Some((_, tried)) = best {
            *self = tried;
        }
    }
}

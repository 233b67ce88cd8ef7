//! A workflow's YAML as a tree that knows where everything stands. Texts stay
//! texts (`NO`, `1.0`, `10:00`), and what YAML would trip over (tabs, tags,
//! anchors, keys that stand twice) is told and mended, so that the rest of the
//! file is still read.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::diagnostic::{self as codes, Findings, Place};

/// A node of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Text; plain if it stands without quotes.
    Text {
        text: String,
        is_plain: bool,
    },
    /// Nothing at all.
    Nothing,
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was found to be wrong already: nothing more is said
    /// about it.
    Spoiled,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Content::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(crate) const fn is_spoiled(&self) -> bool {
        matches!(self.value, Content::Spoiled)
    }

    pub(crate) const fn is_nothing(&self) -> bool {
        matches!(self.value, Content::Nothing)
    }
}

/// Stands for a value that was taken out.
const SPOILED: char = '\u{E000}';

/// How deep blocks may be nested.
const DEEPEST: usize = 100;

/// How often the file is mended and read again before giving up.
const MOST_MENDS: usize = 60;

/// A text that is like the source, but mended, and where each of its
/// characters comes from.
struct Mended {
    letters: Vec<char>,
    /// The byte in the source, for each letter.
    origins: Vec<usize>,
}

/// Reads a file. Nothing where there is nothing in it to go on with.
pub(crate) fn read(findings: &mut Findings<'_>) -> Option<Node> {
    let source = findings.source();
    let mut mended = Mended {
        letters: source.chars().collect(),
        origins: source.char_indices().map(|(byte, _)| byte).collect(),
    };
    if mended.letters.first() == Some(&'\u{feff}') {
        mended.letters[0] = ' ';
        mended.letters.remove(0);
        mended.origins.remove(0);
    }
    let tabs = mended.lines_with_tabs(findings);
    mended.take_out_marks(findings);
    mended.mend_tabs(&tabs);
    let mut told = None;
    for _ in 0..MOST_MENDS {
        match mended.build(findings.source().len()) {
            Ok(built) => {
                for problem in built.problems {
                    findings.error(problem.code, problem.place, problem.message, problem.help);
                }
                return built.root;
            }
            Err((message, letter)) => {
                let start = mended.origin(letter, source.len());
                let line = findings.span(start, start).line;
                // A slip often breaks the next line as well.
                if told.is_none_or(|told| line > told + 1) {
                    let (message, help) = explain(&message);
                    findings.error(codes::SYNTAX, Place { start, end: start + 1 }, message, help);
                }
                told = Some(line);
                if !mended.blank_line(letter) {
                    return None;
                }
            }
        }
    }
    None
}

/// What the scanner says, for people.
fn explain(message: &str) -> (String, Option<String>) {
    let (said, help) = if message.contains("duplicat") {
        ("a key stands here twice", "remove one of the two")
    } else if message.contains("flow") || message.contains(']') || message.contains('}') {
        (
            "a list `[ ]` or a block `{ }` is not closed, or is broken here",
            "look for a missing bracket or comma",
        )
    } else if message.contains("quote") || message.contains("end of stream") {
        ("a quotation mark is not closed", "close it, or put the whole text in quotes")
    } else if message.contains("mapping values") {
        (
            "a second `:` stands on this line where YAML expects none, or the indentation is off",
            "put a text with `: ` in it in quotes; put each key on its own line",
        )
    } else if message.contains("indent")
        || message.contains("block")
        || message.contains("expected")
    {
        (
            "the indentation or the form does not fit here",
            "let the keys of one block begin in the same column",
        )
    } else {
        return (format!("this is not valid YAML: {message}"), None);
    };
    (said.to_owned(), Some(help.to_owned()))
}

/// Something wrong that the tree shows.
struct Problem {
    code: &'static str,
    place: Place,
    message: String,
    help: Option<String>,
}

struct Built {
    root: Option<Node>,
    problems: Vec<Problem>,
}

/// A list or a block that is being read.
enum Open {
    List {
        start: usize,
        items: Vec<Node>,
    },
    Map {
        start: usize,
        entries: Vec<Entry>,
        key: Option<(Option<String>, Place)>,
        seen: BTreeSet<String>,
    },
}

impl Mended {
    fn origin(&self, letter: usize, length: usize) -> usize {
        self.origins.get(letter).copied().unwrap_or(length)
    }

    /// The letters of each line, without its end.
    fn lines(&self) -> Vec<(usize, usize)> {
        let mut lines = Vec::new();
        let mut start = 0;
        for (place, letter) in self.letters.iter().enumerate() {
            if *letter == '\n' {
                lines.push((start, place));
                start = place + 1;
            }
        }
        lines.push((start, self.letters.len()));
        lines
    }

    fn indent(&self, (start, end): (usize, usize)) -> usize {
        self.letters[start..end].iter().take_while(|letter| letter.is_whitespace()).count()
    }

    /// Which lines belong to a block text (`|`, `>`).
    fn in_block_texts(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut block: Option<usize> = None;
        for (number, line) in self.lines().into_iter().enumerate() {
            let text: String = self.letters[line.0..line.1].iter().collect();
            let indent = self.indent(line);
            if let Some(outer) = block {
                if text.trim().is_empty() || indent > outer {
                    found.insert(number);
                    continue;
                }
                block = None;
            }
            let text = text.trim_end();
            let head = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
            if (head.ends_with(": |")
                || head.ends_with(": >")
                || head.ends_with("- |")
                || head.ends_with("- >"))
                && !text.trim_start().starts_with('#')
            {
                block = Some(indent);
            }
        }
        found
    }

    /// Tells of tabs between keys and values and in indentations; gives the
    /// numbers of the lines that are indented with some.
    fn lines_with_tabs(&mut self, findings: &mut Findings<'_>) -> Vec<usize> {
        let blocks = self.in_block_texts();
        let mut indented = Vec::new();
        for (number, (start, end)) in self.lines().into_iter().enumerate() {
            let indent = self.indent((start, end));
            if indent == end - start {
                for letter in &mut self.letters[start..end] {
                    *letter = if *letter == '\t' { ' ' } else { *letter };
                }
                continue;
            }
            let mut tab =
                self.letters[start..start + indent].iter().position(|letter| *letter == '\t');
            if tab.is_some() && !blocks.contains(&number) {
                indented.push(number);
            } else if !blocks.contains(&number) {
                tab = None;
                let mut quote = None;
                for place in start..end {
                    let letter = self.letters[place];
                    match (quote, letter) {
                        (None, '#')
                            if place == start || self.letters[place - 1].is_whitespace() =>
                        {
                            break;
                        }
                        (None, '"' | '\'') => quote = Some(letter),
                        (Some(open), _) if open == letter => quote = None,
                        (None, '\t') => {
                            tab = tab.or(Some(place - start));
                            self.letters[place] = ' ';
                        }
                        _ => {}
                    }
                }
            } else {
                tab = None;
            }
            if let Some(tab) = tab {
                let at = self.origins[start + tab];
                findings.error(
                    codes::TAB,
                    Place { start: at, end: at + 1 },
                    "a tab stands here, and YAML wants spaces",
                    Some("replace it by spaces".to_owned()),
                );
            }
        }
        indented
    }

    /// Takes tags, anchors and aliases out that begin a value.
    fn take_out_marks(&mut self, findings: &mut Findings<'_>) {
        let blocks = self.in_block_texts();
        for (number, (start, end)) in self.lines().into_iter().enumerate() {
            if blocks.contains(&number) {
                continue;
            }
            let Some(value) = self.value_of_line(start, end) else { continue };
            let mark = self.letters[value];
            let rest: String = self.letters[value..end].iter().collect();
            let word = rest.split_whitespace().next().unwrap_or_default().to_owned();
            let after = rest[word.len()..].trim();
            let alone = after.is_empty() || after.starts_with('#');
            let length = word.chars().count();
            let place = Place { start: self.origins[value], end: self.origins[value] + word.len() };
            match mark {
                '!' => {
                    let help = if length > 1 && !alone {
                        "write `not …` in a formula, or put the text in quotes".to_owned()
                    } else {
                        format!(
                            "write `not {}` in a formula, or put the text in quotes",
                            word.trim_start_matches('!')
                        )
                    };
                    let message = format!("`{word}` is a YAML tag, and YAML would drop it");
                    findings.error(codes::TAG, place, message, Some(help));
                }
                '&' | '*' if length > 1 => {
                    let what = if mark == '&' { "an anchor" } else { "an alias" };
                    let message = format!("`{word}` is {what} of YAML, which workflows do not use");
                    findings.error(
                        codes::ANCHOR,
                        place,
                        message,
                        Some("write the value out here".to_owned()),
                    );
                }
                _ => continue,
            }
            // A tag or an anchor before a block leaves the block as it is.
            let has_block = alone && mark != '*' && self.next_line_is_deeper(number, start);
            let keeps_rest = has_block || (mark == '&' && !alone);
            let until = if keeps_rest || alone { value + length } else { end };
            for letter in &mut self.letters[value..until] {
                *letter = ' ';
            }
            if !keeps_rest {
                self.letters[value] = SPOILED;
            }
        }
    }

    fn next_line_is_deeper(&self, number: usize, start: usize) -> bool {
        let lines = self.lines();
        let own = self.letters[start..].iter().take_while(|letter| **letter == ' ').count();
        lines[number + 1..]
            .iter()
            .find(|line| self.indent(**line) < line.1 - line.0)
            .is_some_and(|line| self.indent(*line) > own)
    }

    /// Where the value of a line begins: after `key: `, after dashes.
    fn value_of_line(&self, start: usize, end: usize) -> Option<usize> {
        let mut place = start + self.indent((start, end));
        loop {
            match self.letters.get(place..end)? {
                ['-', ' ', ..] => {
                    place += 1;
                    place += self.indent((place, end));
                }
                [] | ['#', ..] => return None,
                ['!' | '&' | '*', ..] => return Some(place),
                rest => {
                    let key = rest
                        .iter()
                        .take_while(|c| c.is_alphanumeric() || "_-.".contains(**c))
                        .count();
                    if key == 0 || rest.get(key) != Some(&':') || rest.get(key + 1) != Some(&' ') {
                        return None;
                    }
                    place += key + 1;
                    place += self.indent((place, end));
                    return (place < end).then_some(place);
                }
            }
        }
    }

    /// Gives the lines that are indented with tabs an indentation of spaces:
    /// one width for all tabs where the file can be read with it, else, line
    /// by line, the first indentation with which it can be read the furthest.
    fn mend_tabs(&mut self, lines: &[usize]) {
        if lines.is_empty() {
            return;
        }
        for width in [2, 4, 8] {
            let mut tried = Self { letters: self.letters.clone(), origins: self.origins.clone() };
            tried.widen_tabs(lines, width);
            if tried.build(usize::MAX).is_ok() {
                *self = tried;
                return;
            }
        }
        for (place, number) in lines.iter().enumerate() {
            let all = self.lines();
            let Some(&line) = all.get(*number) else { return };
            let indent = self.indent(line);
            // A file that is indented with tabs throughout is one of a kind.
            if place >= MOST_MENDS {
                self.indent_with(line.0, indent, indent * 2);
                continue;
            }
            let near = |mut numbers: Box<dyn Iterator<Item = usize>>| {
                numbers
                    .find(|other| {
                        let line = all[*other];
                        let own = self.indent(line);
                        own < line.1 - line.0 && !self.letters[line.0..line.0 + own].contains(&'\t')
                    })
                    .map(|other| self.indent(all[other]))
            };
            let before = near(Box::new((0..*number).rev()));
            let after = near(Box::new(*number + 1..all.len()));
            let wide = |width: usize| self.width_of(line.0, indent, width);
            // Two spaces a tab fit most files; what stands around fits the rest.
            let widths =
                [Some(wide(2)), Some(wide(4)), Some(wide(8)), before, after, Some(wide(1))];
            let mut best = (0, wide(2));
            for width in widths.into_iter().flatten() {
                let mut tried =
                    Self { letters: self.letters.clone(), origins: self.origins.clone() };
                tried.indent_with(line.0, indent, width);
                let reached = match tried.build(usize::MAX) {
                    Ok(_) => usize::MAX,
                    Err((_, letter)) => letter,
                };
                if reached > best.0 {
                    best = (reached, width);
                }
            }
            self.indent_with(line.0, indent, best.1);
        }
    }

    /// How wide an indentation is where a tab is so wide.
    fn width_of(&self, start: usize, indent: usize, tab: usize) -> usize {
        let letters = &self.letters[start..start + indent];
        letters.iter().map(|letter| if *letter == '\t' { tab } else { 1 }).sum()
    }

    /// Replaces each tab that indents one of these lines by so many spaces.
    fn widen_tabs(&mut self, numbers: &[usize], tab: usize) {
        let all = self.lines();
        // From the end, so that the places of the lines before stay right.
        for number in numbers.iter().rev() {
            let Some(&line) = all.get(*number) else { continue };
            let indent = self.indent(line);
            let width = self.width_of(line.0, indent, tab);
            self.indent_with(line.0, indent, width);
        }
    }

    /// Replaces the indentation of the line that begins at `start`.
    fn indent_with(&mut self, start: usize, indent: usize, width: usize) {
        let origin = self.origins.get(start).copied().unwrap_or_default();
        let origins: Vec<usize> =
            (0..width).map(|place| origin + place.min(indent.saturating_sub(1))).collect();
        self.letters.splice(start..start + indent, std::iter::repeat_n(' ', width));
        self.origins.splice(start..start + indent, origins);
    }

    /// Blanks the line of a letter; whether there was something in it.
    fn blank_line(&mut self, letter: usize) -> bool {
        let lines = self.lines();
        let here = lines.iter().rposition(|line| line.0 <= letter).unwrap_or(0);
        // An error at the end of a file is told of the line before.
        for line in lines[..=here].iter().rev() {
            let line = &mut self.letters[line.0..line.1];
            if line.iter().any(|letter| !letter.is_whitespace()) {
                line.fill(' ');
                return true;
            }
        }
        false
    }

    /// Builds the tree; the error is the scanner's, with the letter.
    fn build(&self, length: usize) -> Result<Built, (String, usize)> {
        let text: String = self.letters.iter().collect();
        let mut builder = Builder {
            mended: self,
            length,
            open: Vec::new(),
            root: None,
            problems: Vec::new(),
            documents: 0,
        };
        for event in Parser::new_from_str(&text) {
            let (event, span) =
                event.map_err(|error| (error.info().to_owned(), error.marker().index()))?;
            builder.event(event, span.start.index(), span.end.index())?;
        }
        Ok(Built { root: builder.root, problems: builder.problems })
    }
}

struct Builder<'a> {
    mended: &'a Mended,
    length: usize,
    open: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Problem>,
    documents: usize,
}

impl Builder<'_> {
    fn place(&self, start: usize, end: usize) -> Place {
        let start_byte = self.mended.origin(start, self.length);
        let last = end.checked_sub(1).filter(|last| *last >= start);
        let end_byte = last.map_or(start_byte, |last| {
            let letter = self.mended.letters.get(last).map_or(0, |letter| letter.len_utf8());
            // A letter of the mended text may stand for another one.
            let letter = if self.mended.letters.get(last) == Some(&SPOILED) { 1 } else { letter };
            self.mended.origin(last, self.length).saturating_add(letter)
        });
        Place { start: start_byte, end: end_byte.max(start_byte) }
    }

    fn problem(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: &str,
    ) {
        self.problems.push(Problem {
            code,
            place,
            message: message.into(),
            help: Some(help.to_owned()),
        });
    }

    fn event(&mut self, event: Event<'_>, start: usize, end: usize) -> Result<(), (String, usize)> {
        let place = self.place(start, end);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.problem(
                        codes::WRONG_FORM,
                        place,
                        "a second document begins here",
                        "put each workflow in a file of its own",
                    );
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.marked(anchor, tag.is_some(), place);
                let is_plain = style == ScalarStyle::Plain;
                let value = if text.contains(SPOILED) || tag.is_some() {
                    Content::Spoiled
                } else if is_plain && matches!(text.as_ref(), "" | "~" | "null") {
                    Content::Nothing
                } else {
                    Content::Text { text: text.into_owned(), is_plain }
                };
                self.add(Node { place, value });
            }
            Event::Alias(_) => {
                self.marked(1, false, place);
                self.add(Node { place, value: Content::Spoiled });
            }
            Event::SequenceStart(anchor, tag) => {
                self.marked(anchor, tag.is_some(), place);
                self.deeper(start)?;
                self.open.push(Open::List { start, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.marked(anchor, tag.is_some(), place);
                self.deeper(start)?;
                self.open.push(Open::Map {
                    start,
                    entries: Vec::new(),
                    key: None,
                    seen: BTreeSet::new(),
                });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { start, items }) => {
                    let place = self.place(start, end);
                    self.add(Node { place, value: Content::List(items) });
                }
                Some(Open::Map { start, entries, .. }) => {
                    let place = self.place(start, end);
                    self.add(Node { place, value: Content::Map(entries) });
                }
                None => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn deeper(&self, start: usize) -> Result<(), (String, usize)> {
        if self.open.len() < DEEPEST {
            return Ok(());
        }
        Err((format!("blocks are nested more than {DEEPEST} deep"), start))
    }

    fn marked(&mut self, anchor: usize, tagged: bool, place: Place) {
        if tagged {
            self.problem(
                codes::TAG,
                place,
                "this has a YAML tag (a word with `!`), and YAML would drop it",
                "put the text in quotes",
            );
        } else if anchor > 0 {
            self.problem(
                codes::ANCHOR,
                place,
                "anchors and aliases of YAML are not used in workflows",
                "write the value out here",
            );
        }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => {
                if self.root.is_none() {
                    self.root = Some(node);
                }
            }
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, seen, .. }) => match key.take() {
                None => {
                    let text = match &node.value {
                        Content::Text { text, .. } => Some(text.clone()),
                        Content::Nothing => Some("null".to_owned()),
                        _ => None,
                    };
                    *key = Some((text, node.place));
                }
                Some((None, place)) => {
                    self.problem(codes::WRONG_FORM, place, "a key is a word", "write `key: value`");
                }
                Some((Some(text), place)) => {
                    // A comma within `{ a: =default(x, y) }` ends the formula
                    // for YAML; the formula itself will be told of.
                    let torn = node.is_nothing()
                        && text.contains(')')
                        && entries.last().is_some_and(is_torn);
                    if torn {
                        return;
                    }
                    if seen.insert(text.clone()) {
                        entries.push(Entry { key: text, key_place: place, value: node });
                    } else {
                        self.problem(
                            codes::DUPLICATE_KEY,
                            place,
                            format!("`{text}` stands twice in this block"),
                            "one of the two would be lost: remove it, or join the two",
                        );
                    }
                }
            },
        }
    }
}

/// Whether a value is a formula with an open bracket.
fn is_torn(entry: &Entry) -> bool {
    entry.value.text().is_some_and(|text| {
        text.starts_with('=') && text.matches('(').count() > text.matches(')').count()
    })
}

/// Leads from a byte of a text to the byte of the source at which it stands:
/// in quotes, with escapes, or over several lines.
pub(crate) struct Locator {
    bytes: Vec<usize>,
}

impl Locator {
    pub(crate) fn new(source: &str, node: &Node) -> Self {
        let Content::Text { text, is_plain } = &node.value else {
            return Self { bytes: vec![node.place.start] };
        };
        let end = node.place.end.min(source.len());
        let start = node.place.start.min(end);
        let mut raw = source.get(start..end).unwrap_or_default().char_indices().peekable();
        if !is_plain {
            raw.next();
        }
        let mut bytes = Vec::with_capacity(text.len() + 1);
        let mut last = start;
        for letter in text.chars() {
            if letter.is_whitespace() {
                if let Some((place, _)) = raw.next_if(|(_, found)| found.is_whitespace()) {
                    last = start + place;
                }
            } else {
                while raw.next_if(|(_, found)| *found != letter).is_some() {}
                if let Some((place, _)) = raw.next() {
                    last = start + place;
                }
            }
            bytes.extend(std::iter::repeat_n(last, letter.len_utf8()));
        }
        bytes.push((last + text.chars().next_back().map_or(0, char::len_utf8)).min(end.max(last)));
        Self { bytes }
    }

    /// The place of a range of the text.
    pub(crate) fn place(&self, range: Place) -> Place {
        let at =
            |byte: usize| self.bytes.get(byte).or(self.bytes.last()).copied().unwrap_or_default();
        let start = at(range.start);
        let end = if range.end > range.start { at(range.end - 1) + 1 } else { start };
        Place { start, end: end.max(start) }
    }
}

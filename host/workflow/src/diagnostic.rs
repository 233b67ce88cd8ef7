//! What is wrong with a workflow, where, and how to mend it.

use std::cell::Cell;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The workflow cannot be activated.
    Error,
    /// It can, but it is probably not what was meant.
    Warning,
}

/// Where in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The column of the first byte, from 1, in characters.
    pub column: usize,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// `R102`; [`CODES`] explains each.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// How to mend it, where that is known.
    pub help: Option<String>,
    /// The file's name, as it was given.
    pub file: String,
    /// Where in the file.
    pub span: Span,
}

impl Diagnostic {
    /// Whether it keeps the workflow from being activated.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }

    /// What is wrong and how to mend it, in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}; {help}", self.message),
            None => self.message.clone(),
        }
    }
}

/// What a code means, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CodeEntry {
    /// `R102`.
    pub code: &'static str,
    /// What is wrong where it appears.
    pub meaning: &'static str,
    /// What to do about it.
    pub mend: &'static str,
}

/// Declares the codes: one registry, so that no two share a number.
macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal, $mend:literal;)+) => {
        $(#[doc = $meaning] pub(crate) const $name: &str = $code;)+

        /// Every code, in order.
        pub const CODES: &[CodeEntry] = &[
            $(CodeEntry { code: $code, meaning: $meaning, mend: $mend }),+
        ];
    };
}

codes! {
    SYNTAX = "R001", "The file is not valid YAML.", "Look at the indentation and the quotes near the place.";
    TAB = "R002", "A tab stands where YAML wants spaces.", "Replace each tab by spaces.";
    TAG = "R003", "A word with `!` in front is a YAML tag, and YAML drops what it marks.", "Write `not` in a formula, or put the text in quotes.";
    ANCHOR = "R004", "Anchors (`&name`) and aliases (`*name`) are not used in workflows.", "Write the value out, or put the text in quotes.";
    DUPLICATE_KEY = "R005", "A key stands twice in one block, so one of the two would be lost.", "Remove one of them, or join the two.";
    UNKNOWN_KEY = "R006", "A key is not known at this place.", "Look for a slip in the word, or for a wrong indentation.";
    MISSING_KEY = "R007", "Something that has to be said is missing.", "Add the key that is named.";
    WRONG_FORM = "R008", "A value has another form than its key takes: a list, a block of keys, a text.", "Write it in the form that is named.";
    NOT_YET = "R009", "This part of the language is not yet in this version.", "Leave it out, or wait for a version that has it.";
    WRONG_NAME = "R010", "A name cannot be used: it is malformed, reserved or used already.", "Choose another name.";
    COMMENT = "R011", "Part of a text is a comment, because it stands behind ` #`.", "Put the whole text in quotes.";

    UNKNOWN_VARIABLE = "R101", "A formula names something that is not known at this place.", "Use the record that the workflow is about, or the name (`as:`) of an earlier step.";
    UNKNOWN_FIELD = "R102", "An object or a result has no such field.", "Look for a slip in the word, or define the field in the object.";
    UNKNOWN_OBJECT = "R103", "There is no such object.", "Look for a slip in the word, or define the object.";
    UNKNOWN_ACTION = "R104", "There is no such action.", "Look for a slip in the word, or install the plugin that has it.";
    UNKNOWN_ARGUMENT = "R105", "The action takes no such argument.", "Look for a slip in the word; `relata action describe NAME` lists them.";
    UNKNOWN_EVENT = "R106", "No object declares such an event.", "Look for a slip in the word, or declare the event in the object.";
    UNKNOWN_FUNCTION = "R107", "There is no such function.", "Look for a slip in the word.";
    UNKNOWN_FILTER = "R108", "There is no such filter.", "Use short, date, time, upper or lower.";
    UNKNOWN_TEMPLATE = "R109", "There is no such mail template.", "Look for a slip in the name, or add the template.";
    UNKNOWN_SEGMENT = "R110", "There is no such segment.", "Look for a slip in the name, or create the segment.";
    UNKNOWN_CALENDAR = "R111", "There is no such calendar.", "Look for a slip in the name, or create the calendar.";
    UNKNOWN_RECORD = "R112", "There is no such record.", "Look for a slip in its key, or create it.";
    UNKNOWN_ROLE = "R113", "No user has such a role, and no team is called so.", "Look for a slip in the word, or give a user the role.";
    UNKNOWN_STEP = "R114", "No earlier step has this name.", "Give the step a name with `as:`.";
    NOT_ANSWERED = "R115", "The action of this step is not answered by this event.", "Wait for an event that answers the action, or leave `since` out.";
    UNKNOWN_WORKFLOW = "R116", "There is no such workflow to run.", "Look for a slip in the name, or check it together with the file of that workflow.";
    UNKNOWN_BLUEPRINT = "R117", "There is no such blueprint.", "Look for a slip in the name, or check it together with the file of that blueprint.";
    UNKNOWN_SECRET = "R118", "There is no such secret.", "Look for a slip in the name, or set it: `relata secret set NAME`.";
    UNKNOWN_TYPE = "R119", "There is no such type of inputs.", "Write text, number, yes/no, date, time, duration, money, record, an object's name, a list of words, or `list of` and one of these.";
    OUT_OF_SCOPE = "R120", "A name is used outside of the loop or the branch that gives it its value.", "Give a name a value with `set:` before the loop, and another in it; use the results of branches after all of them.";

    WRONG_TYPE = "R201", "A formula puts together what does not go together.", "Compare and calculate with values of one kind.";
    WRONG_VALUE = "R202", "A value is of another kind than the place takes.", "Write a value of the kind that is named.";
    NOT_A_CHOICE = "R203", "A word is none of the words that the field can hold.", "Use one of the words that are listed.";
    MAY_BE_EMPTY = "R204", "A value that may be empty is used where one is needed.", "Test it first (`x is not empty and …`), or give a value for that case: `default(x, …)`.";
    MAY_BE_UNSET = "R205", "A result is used on a way on which its step may not have run.", "Move the use to the branch of the step, or test it first with `is not empty`.";
    MISSING_ARGUMENT = "R206", "The action needs an argument that is not given.", "Add the argument.";
    TEXT_LIKE_PATH = "R207", "A text looks like a path to a value, but without `=` it is only a text.", "Write `=` in front of it, or put it in quotes within a formula: `=\"…\"`.";
    NOT_A_CONDITION = "R208", "A condition has to be yes or no.", "Compare the value with something.";
    INPUT_NOT_GIVEN = "R209", "An input has to be given, and something starts the workflow that gives none.", "Give the input a `default:`, or make it `optional: true`.";
    NOT_A_LIST = "R210", "`for_each` is given something else than a list.", "Name a list, such as a field with several texts, or the records that a step has found.";
    MISPLACED_SECRET = "R211", "A secret stands where it would be shown or kept.", "Write `secret/NAME` as the whole text of an action's argument.";
    MISSING_PERMISSION = "R212", "The step needs something that its plugin may not do there.", "Add it to the step's `may:`, or to what the plugin was installed with.";

    AFTER_CATCH_ALL = "R301", "This row can never be chosen: a row before it takes everything.", "Move the row without `if` to the end.";
    NO_CATCH_ALL = "R302", "No row takes what meets none of the conditions.", "Add a last row without `if`.";
    CONSTANT = "R303", "A condition is always true, or never.", "Remove it, or compare something that varies.";
    UNREACHABLE = "R304", "This step can never be reached.", "Remove it, or the step before it that always stops.";
    SHARES = "R305", "The shares of the arms do not add up to 100%.", "Change the shares.";
    UNRELATED = "R306", "What is awaited has nothing to do with the record that the workflow is about.", "Name an object or an event that leads to the record.";
    DIFFERENT_SUBJECTS = "R307", "The triggers are about different objects, so that the steps would not know which.", "Make a workflow for each object.";
    LEVELS = "R308", "The levels of a deadline do not rise.", "Put them in ascending order.";
    TOO_NESTED = "R309", "Loops and branches are nested too deeply.", "Move the inner steps to a workflow of their own, and `run:` it.";
    SHARED_NAME = "R310", "Two branches that run side by side give one name a value.", "Use another name in each branch.";

    IMPOSSIBLE_SCHEDULE = "R401", "A schedule cannot be read, or would never fire.", "Write `weekdays at 09:00`, or a cron expression of five fields: minute, hour, day, month, weekday.";
    NO_CALENDAR = "R402", "Working hours and days need a calendar, and none is named.", "Add `calendar:` to the workflow or the deadline.";
    CLOCK_CHANGE = "R403", "The schedule names a local time that the clock change leaves out on some days.", "Choose an hour outside the clock change; on such a day it fires at the first moment after the gap.";
    UNKNOWN_ZONE = "R404", "There is no such time zone.", "Use an IANA name such as Europe/Berlin.";

    LOOP = "R501", "Workflows start each other for ever.", "Make a condition of one exclude what another writes.";
    SAME_NAME = "R502", "Two workflows have one name.", "Rename one of them.";
    RUNS_FOR_EVER = "R503", "A workflow runs itself, directly or over others.", "Take one of the `run:` steps out, or go through a list with `for_each:`.";
    SAME_WEBHOOK = "R504", "Two workflows have the same webhook.", "Give one of them another name, or run the second workflow from the first.";
    BROKEN_BLUEPRINT = "R505", "The blueprint of this workflow has errors of its own.", "Mend the blueprint first.";

    FORMULA_SYNTAX = "R601", "A formula cannot be read.", "Look at the place that is marked.";
    TOO_DEEP = "R602", "A formula is nested too deeply.", "Split it over several steps.";
    WRONG_COUNT = "R603", "A function is given too few or too many values.", "Give it what its description says.";

    TESTS_NOTHING = "R701", "A test names a workflow that is not beside it.", "Look for a slip in the name, or put the test into the workflow's folder.";
    EXPECTS_NOTHING = "R702", "A case expects nothing, so that it could never fail.", "Add `- expect:` with what has to come of it.";
    TIME_GOES_BACK = "R703", "A play goes back in time, and the clock goes forward only.", "Put the entries in the order in which they happen.";
}

/// What says only that something is not there.
const MISSING: &[&str] = &[MISSING_KEY, MISSING_ARGUMENT, NO_CATCH_ALL, SHARES, UNKNOWN_STEP];

/// What a code means.
#[must_use]
pub fn explain(code: &str) -> Option<&'static CodeEntry> {
    CODES.iter().find(|entry| entry.code == code)
}

/// Prints the diagnostics of one file as a person reads them, each with its
/// source line; `color` is for terminals.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], source: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut printed = String::new();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let start = floor_boundary(source, diagnostic.span.start);
        let end = floor_boundary(source, diagnostic.span.end.max(start));
        let mut annotation = AnnotationKind::Primary.span(start..end);
        if let Some(help) = &diagnostic.help {
            annotation = annotation.label(help);
        }
        let group = level
            .primary_title(diagnostic.message.as_str())
            .id(diagnostic.code)
            .element(Snippet::source(source).path(diagnostic.file.as_str()).annotation(annotation));
        printed.push_str(&renderer.render(&[group]));
        printed.push_str("\n\n");
    }
    printed
}

/// The nearest place at or before `place` at which a character begins.
fn floor_boundary(source: &str, place: usize) -> usize {
    let mut place = place.min(source.len());
    while !source.is_char_boundary(place) {
        place -= 1;
    }
    place
}

/// A source text, and what was found in it.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    file: &'a str,
    source: &'a str,
    /// The byte at which each line begins.
    lines: Vec<usize>,
    /// The last byte of which the column was asked for, and that column: a
    /// long line is not counted from its start for each place on it.
    counted: Cell<(usize, usize)>,
    found: Vec<Diagnostic>,
    /// Whether a line could not be read, so that what seems to be missing may
    /// stand on it.
    lost: bool,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(file: &'a str, source: &'a str) -> Self {
        let lines = std::iter::once(0)
            .chain(source.match_indices('\n').map(|(place, _)| place + 1))
            .collect();
        Self { file, source, lines, counted: Cell::new((0, 1)), found: Vec::new(), lost: false }
    }

    pub(crate) const fn source(&self) -> &'a str {
        self.source
    }

    pub(crate) const fn file(&self) -> &'a str {
        self.file
    }

    /// What is marked of a place: not more than one line, and not nothing.
    fn marked(&self, place: Place) -> Place {
        let start = floor_boundary(self.source, place.start);
        let end = place.end.max(start).min(self.source.len());
        let line = self.lines.partition_point(|begin| *begin <= start);
        let line_end = self.lines.get(line).map_or(self.source.len(), |next| next - 1);
        let text = self.source.get(start..line_end).unwrap_or_default();
        if end > line_end {
            return Place { start, end: start + text.trim_end().len().max(1) };
        }
        if end > start {
            return Place { start, end };
        }
        // The end of a formula: the letter there, or the last one of the line.
        match text.chars().next().filter(|letter| !letter.is_whitespace()) {
            Some(letter) => Place { start, end: start + letter.len_utf8() },
            None => {
                let begin = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
                let before = self.source.get(begin..start).unwrap_or_default().trim_end();
                let last = before.chars().next_back().map_or(0, char::len_utf8);
                let end = begin + before.len();
                if last == 0 {
                    Place { start, end: start }
                } else {
                    Place { start: end - last, end }
                }
            }
        }
    }

    /// The span between two bytes.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let start = floor_boundary(self.source, start);
        let mut end = end.max(start).min(self.source.len());
        while !self.source.is_char_boundary(end) {
            end += 1;
        }
        let line = self.lines.partition_point(|&begin| begin <= start);
        Span { start, end, line, column: self.column(self.lines[line - 1], start) }
    }

    /// The column, from 1, of a byte on the line that begins at `begin`.
    fn column(&self, begin: usize, start: usize) -> usize {
        let (from, before) = match self.counted.get() {
            (counted, column) if begin <= counted && counted <= start => (counted, column),
            _ => (begin, 1),
        };
        let column = before + self.source[from..start].chars().count();
        self.counted.set((start, column));
        column
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: Place,
        message: String,
        help: Option<String>,
    ) {
        let place = self.marked(place);
        let span = self.span(place.start, place.end);
        self.found.push(Diagnostic {
            code,
            severity,
            message,
            help,
            file: self.file.to_owned(),
            span,
        });
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.add(Severity::Error, code, place, message.into(), help);
    }

    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.add(Severity::Warning, code, place, message.into(), help);
    }

    /// Remembers that a line could not be read.
    pub(crate) const fn lose(&mut self) {
        self.lost = true;
    }

    /// Whether an error was found after the first so many.
    pub(crate) fn has_error_since(&self, before: usize) -> bool {
        self.found.iter().skip(before).any(Diagnostic::is_error)
    }

    /// How many were found so far.
    pub(crate) const fn count(&self) -> usize {
        self.found.len()
    }

    /// What was found, by place, without repetitions.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| {
            (a.span.start, a.severity, a.code, &a.message).cmp(&(
                b.span.start,
                b.severity,
                b.code,
                &b.message,
            ))
        });
        self.found.dedup();
        // What stands on a line that could not be read is not missing.
        if self.lost {
            self.found.retain(|found| !MISSING.contains(&found.code));
        }
        self.found
    }
}

/// A range of bytes in a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// `did you mean `x`?`, where there is an `x` near enough: a slip of a few
/// letters, or the only one that has the same words (`due` for `due_in`).
pub(crate) fn did_you_mean<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let known: Vec<&str> = known.collect();
    relata_model::text::nearest(wrong, known.iter().copied())
        .or_else(|| only_one_with_words_of(wrong, known.iter().copied()))
        .map(|near| format!("did you mean `{near}`?"))
}

fn only_one_with_words_of<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let words = |name: &str| -> Vec<String> {
        name.split(['_', '-', '.', ' ']).map(str::to_lowercase).collect()
    };
    let wanted = words(wrong);
    // `to` and `id` are parts of too many names.
    if wanted.iter().all(|word| word.len() < 3) {
        return None;
    }
    let has_all = |name: &&str| {
        let has = words(name);
        let (few, many) = if has.len() < wanted.len() { (&has, &wanted) } else { (&wanted, &has) };
        few.iter().all(|word| many.contains(word) && word.len() >= 3)
    };
    let mut fitting = known.filter(has_all);
    fitting.next().filter(|_| fitting.next().is_none())
}

/// `did you mean `x`?`, or else the first of the known ones in a list.
pub(crate) fn mean_or_list<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    did_you_mean(wrong, known.clone()).or_else(|| listed(known))
}

/// `known are x, y`: the first of the known ones.
pub(crate) fn listed<'a>(known: impl Iterator<Item = &'a str>) -> Option<String> {
    let listed: Vec<&str> = known.take(12).collect();
    (!listed.is_empty()).then(|| format!("known are {}", listed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_sorted() {
        for pair in CODES.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} {}", pair[0].code, pair[1].code);
        }
        assert_eq!(explain("R102").unwrap().meaning, "An object or a result has no such field.");
    }

    #[test]
    fn it_prints_the_line_and_the_mend() {
        let source = "steps:\n  - if: lead.contry in [\"DE\"]\n";
        let mut findings = Findings::new("a.yaml", source);
        findings.error(
            UNKNOWN_FIELD,
            Place { start: 15, end: 26 },
            "a lead has no field `contry`",
            Some("did you mean `country`?".to_owned()),
        );
        expect_test::expect![[r#"
            error[R102]: a lead has no field `contry`
             --> a.yaml:2:9
              |
            2 |   - if: lead.contry in ["DE"]
              |         ^^^^^^^^^^^ did you mean `country`?

        "#]]
        .assert_eq(&render(&findings.finish(), source, false));
    }
}

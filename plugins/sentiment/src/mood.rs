//! From the moods of words to the mood of a text, the same for both languages.

use relata_plugin_sdk::prelude::*;

use crate::lexicon::Lexicon;
use crate::text::{Language, language, sentences};
use crate::{chinese, english};

/// Something expected is denied: `I have not received the invoice`. Alone it
/// is a question, not a complaint.
pub(crate) const DENIED: f64 = -0.7;
/// The same, impatiently: `I still have not received any answer`.
pub(crate) const IMPATIENT: f64 = -1.7;

/// Words up to this strength are mild: a problem is not yet a complaint.
const MILD: f64 = 0.8;
/// So all mild words together weigh no more than this, whatever their number,
/// and never make a text negative or positive alone.
const MILD_IN_ALL: f64 = 0.75;
/// From this score on, either way, a text is not neutral.
const THRESHOLD: f64 = 0.2;
/// VADER's: what an exclamation mark adds, and up to how many count.
const EXCLAMATION: f64 = 0.292;
const EXCLAMATIONS: usize = 4;
/// VADER's: what a question mark adds from the second on, and the most.
const QUESTION: f64 = 0.18;
const QUESTIONS: f64 = 0.96;
/// VADER's: how soon the score comes near 1.
const NORMALIZATION: f64 = 15.0;
/// What came before a `but` counts this much, what follows that much.
const BEFORE_TURN: f64 = 0.5;
const AFTER_TURN: f64 = 1.5;
/// More than this many bytes say nothing new: what follows in such a mail is
/// the quoted conversation.
const LONGEST: usize = 32 * 1024;
/// How many of the deciding words are named.
const WORDS: usize = 10;

/// The mood of a text in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Label {
    /// Criticism, or a complaint.
    Negative,
    /// Neither.
    Neutral,
    /// Praise.
    Positive,
    /// The text is in another language.
    Unknown,
}

/// The mood of a text.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Mood {
    /// In one word.
    pub(crate) label: Label,
    /// How much: -1 is as negative as it gets, 1 as positive.
    #[schemars(range(min = -1, max = 1))]
    pub(crate) score: f64,
    /// Which language was read.
    pub(crate) language: Language,
    /// The words that decided, the strongest first, ten at most.
    pub(crate) words: Vec<String>,
}

/// A word that has a mood in its place.
#[derive(Debug)]
pub(crate) struct Hit {
    word: String,
    value: f64,
    mild: bool,
}

impl Hit {
    /// A word, its value in the lexicon, and what it is here.
    pub(crate) fn new(word: &str, base: f64, value: f64) -> Self {
        Self { word: word.to_owned(), value, mild: base.abs() <= MILD }
    }
}

/// The moods of one sentence's words in one language.
#[derive(Debug, Default)]
pub(crate) struct Clause {
    hits: Vec<Hit>,
    /// Whether the sentence begins with a `but`.
    turns: bool,
}

impl Clause {
    /// Hits by their place, and the place of the first `but`.
    pub(crate) fn new(hits: Vec<(usize, Hit)>, turn: Option<usize>) -> Self {
        let hits = hits
            .into_iter()
            .map(|(place, mut hit)| {
                if let Some(turn) = turn {
                    hit.value *= if place < turn { BEFORE_TURN } else { AFTER_TURN };
                }
                hit
            })
            .collect();
        Self { hits, turns: turn == Some(0) }
    }
}

/// Scores a text, of a very long one the beginning.
pub(crate) fn mood(text: &str) -> Mood {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    let language = language(text);
    let english = matches!(language, Language::En | Language::Mixed).then(Lexicon::english);
    let chinese = matches!(language, Language::Zh | Language::Mixed).then(Lexicon::chinese);
    let (mut strong, mut mild) = (0.0, 0.0);
    let mut hits: Vec<Hit> = Vec::new();
    for sentence in sentences(text) {
        let mut found = Vec::new();
        let clauses = [
            english.as_ref().map(|l| english::clause(l, sentence.text)),
            chinese.as_ref().map(|l| chinese::clause(l, sentence.text)),
        ];
        for clause in clauses.into_iter().flatten() {
            if clause.turns {
                strong *= BEFORE_TURN;
                mild *= BEFORE_TURN;
            }
            found.extend(clause.hits);
        }
        let sum = |mild: bool| -> f64 {
            let values = found.iter().filter(|hit| hit.mild == mild);
            values.map(|hit| hit.value).sum()
        };
        let here: f64 = sum(false);
        mild += sum(true);
        strong += here;
        if here != 0.0 {
            strong += emphasis(sentence.exclamations, sentence.questions).copysign(here);
        }
        hits.extend(found);
    }
    let total = strong + mild.clamp(-MILD_IN_ALL, MILD_IN_ALL);
    let score = total / (total * total + NORMALIZATION).sqrt();
    // Three digits, and no -0.
    let score = (score * 1_000.0).round() / 1_000.0 + 0.0;
    Mood {
        label: match language {
            Language::Unknown => Label::Unknown,
            _ if score <= -THRESHOLD => Label::Negative,
            _ if score >= THRESHOLD => Label::Positive,
            _ => Label::Neutral,
        },
        score,
        language,
        words: strongest(hits),
    }
}

fn emphasis(exclamations: usize, questions: usize) -> f64 {
    let exclamations = exclamations.min(EXCLAMATIONS) as f64 * EXCLAMATION;
    let questions = match questions {
        0 | 1 => 0.0,
        2 | 3 => questions as f64 * QUESTION,
        _ => QUESTIONS,
    };
    exclamations + questions
}

fn strongest(mut hits: Vec<Hit>) -> Vec<String> {
    hits.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    let mut words: Vec<String> = Vec::new();
    for hit in hits {
        if hit.value != 0.0 && !words.contains(&hit.word) && words.len() < WORDS {
            words.push(hit.word);
        }
    }
    words
}

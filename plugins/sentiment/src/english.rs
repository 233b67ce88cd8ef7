//! English by the rules of VADER: Hutto, C.J. & Gilbert, E.E. (2014), "VADER:
//! A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
//! Text", ICWSM-14. Negation, boosters, capitals, "least" and "but" are as in
//! the paper's reference implementation. Two things are added: phrases, and
//! denials of what a customer may expect (see `Entry::expected`).

use crate::lexicon::{Entry, Lexicon};
use crate::mood::{Clause, DENIED, Hit, IMPATIENT};
use crate::text::is_han;

/// What capitals add in a text that is not all capitals.
const CAPITALS: f64 = 0.733;
/// What a negation makes of a mood.
const NEGATION: f64 = -0.74;
/// Boosters and negations work over so many words.
const REACH: usize = 3;
/// A denial reaches a little further: `not even once been answered`.
const DENIAL_REACH: usize = 4;

/// A word, or a phrase of the lexicon.
struct Token {
    /// In lower case.
    text: String,
    capitals: bool,
    entry: Entry,
}

impl Token {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// Boosters stand in VADER's lexicon too, but only strengthen here.
    fn has_mood(&self) -> bool {
        self.entry.value.is_some() && self.entry.degree.is_none()
    }

    fn negates(&self) -> bool {
        self.entry.negator || self.text.contains("n't")
    }
}

/// The moods of one sentence's English words.
pub(crate) fn clause(lexicon: &Lexicon, sentence: &str) -> Clause {
    let tokens = tokens(lexicon, sentence);
    // Capitals only mean something among words without them.
    let mixed =
        tokens.iter().any(|token| token.capitals) && tokens.iter().any(|token| !token.capitals);
    let impatient = tokens.iter().any(|token| token.entry.impatience);
    let mut denied = false;
    let mut hits: Vec<(usize, Hit)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.entry.expected && !denied && is_denied(&tokens, index) {
            // One denial a sentence: `no answer and no reply` is one complaint.
            denied = true;
            let value = if impatient { IMPATIENT } else { DENIED };
            hits.push((index, Hit::new(&token.text, value, value)));
        } else if let Some(base) = token.entry.value.filter(|_| token.entry.degree.is_none()) {
            let value = valence(&tokens, index, base, mixed);
            if value != 0.0 {
                hits.push((index, Hit::new(&token.text, base, value)));
            }
        }
    }
    let turn = tokens.iter().position(|token| token.entry.contrast);
    Clause::new(hits, turn)
}

/// Whether a word is denied by one shortly before it: `not`, `no`, `nobody`.
/// A word with a mood in between takes the denial to itself: in `not happy
/// with the answer` nobody denies the answer.
fn is_denied(tokens: &[Token], index: usize) -> bool {
    tokens[index.saturating_sub(DENIAL_REACH)..index]
        .iter()
        .rev()
        .take_while(|token| token.is("no") || token.negates() || !token.has_mood())
        .any(|token| token.is("no") || token.negates())
}

/// VADER's valence of one word in its place.
fn valence(tokens: &[Token], index: usize, base: f64, mixed: bool) -> f64 {
    let token = &tokens[index];
    let before = |back: usize| index.checked_sub(back).map(|at| &tokens[at]);
    let mut valence = base;
    if token.is("no") {
        // `no` before a word with a mood, or an expected one, only denies it.
        let next = tokens.get(index + 1).map(|next| next.entry);
        if next.is_some_and(|next| next.value.is_some() || next.expected) {
            return 0.0;
        }
    } else if before(1).is_some_and(|word| word.is("no"))
        || before(2).is_some_and(|word| word.is("no"))
    {
        valence = base * NEGATION;
    }
    if token.capitals && mixed {
        valence += CAPITALS.copysign(valence);
    }
    for back in 1..=REACH {
        let Some(word) = before(back) else {
            break;
        };
        if word.has_mood() {
            continue;
        }
        if let Some(degree) = word.entry.degree {
            let mut boost = degree.copysign(degree * valence);
            if word.capitals && mixed {
                boost += CAPITALS.copysign(valence);
            }
            // The further away, the weaker.
            valence += boost * [1.0, 0.95, 0.9][back - 1];
        }
        valence = negated(valence, tokens, index, back);
    }
    if before(1).is_some_and(|word| word.is("least"))
        && !before(2).is_some_and(|word| word.is("at") || word.is("very"))
    {
        valence *= NEGATION;
    }
    valence
}

fn negated(valence: f64, tokens: &[Token], index: usize, back: usize) -> f64 {
    let word = &tokens[index - back];
    let between = &tokens[index - back + 1..index];
    if word.is("never") && between.iter().any(|word| word.is("so") || word.is("this")) {
        // `never so good` praises.
        return valence * 1.25;
    }
    if word.is("without") && between.iter().any(|word| word.is("doubt")) {
        return valence;
    }
    if word.negates() {
        return valence * NEGATION;
    }
    valence
}

fn tokens(lexicon: &Lexicon, sentence: &str) -> Vec<Token> {
    let mut words: Vec<(String, bool)> = Vec::new();
    let mut emoji: Vec<Token> = Vec::new();
    for part in
        sentence.split(|c: char| c.is_whitespace() || is_han(c) || "，、：（）“”《》—".contains(c))
    {
        let part = part.replace('’', "'");
        // `:)` and `<3` are words of their own; else punctuation goes.
        let stripped = part.trim_matches(|c: char| c.is_ascii_punctuation());
        let kept = if stripped.chars().count() < 2 && lexicon.get(&part).is_some() {
            part.as_str()
        } else {
            stripped
        };
        for character in part.chars().filter(|c| !c.is_alphanumeric() && !c.is_ascii()) {
            let text = character.to_string();
            if let Some(entry) = lexicon.get(&text) {
                emoji.push(Token { text, capitals: false, entry });
            }
        }
        let kept = kept.trim_matches(|c: char| !c.is_ascii());
        if !kept.is_empty() {
            let capitals = kept.chars().count() > 1
                && kept.chars().any(|c| c.is_uppercase())
                && !kept.chars().any(|c| c.is_lowercase());
            words.push((kept.to_lowercase(), capitals));
        }
    }
    let mut tokens = phrases(lexicon, &words);
    tokens.extend(emoji);
    tokens
}

/// Joins words that are a phrase of the lexicon, the longest first.
fn phrases(lexicon: &Lexicon, words: &[(String, bool)]) -> Vec<Token> {
    let texts: Vec<&str> = words.iter().map(|(text, _)| text.as_str()).collect();
    let joined = texts.join(" ");
    let mut tokens = Vec::with_capacity(words.len());
    let (mut at, mut start) = (0, 0);
    while at < words.len() {
        let (text, entry) = match lexicon.longest_phrase(&joined[start..]) {
            Some((length, entry)) => (&joined[start..start + length], entry),
            None => (texts[at], Entry::default()),
        };
        let next = at + 1 + text.matches(' ').count();
        tokens.push(Token {
            text: text.to_owned(),
            capitals: words[at..next].iter().all(|(_, capitals)| *capitals),
            entry,
        });
        at = next;
        start += text.len() + 1;
    }
    tokens
}

//! Chinese: the longest words of the lexicon, and what stands before them.
//!
//! There is no general segmentation. A dictionary such as jieba's (350,000
//! words) would have to be loaded at every call; the longest match over the
//! lexicon itself, whose neutral words protect those in which another hides,
//! comes to the same for the words that matter here.

use crate::lexicon::{Entry, Lexicon, simplified};
use crate::mood::{Clause, DENIED, Hit, IMPATIENT};

/// What a negation makes of praise, as in VADER: 不满意.
const PRAISE_DENIED: f64 = -0.74;
/// What a negation makes of criticism, which is less than praise: 没有失望.
const CRITICISM_DENIED: f64 = -0.4;
/// How many characters may stand between a word and what modifies it.
const REACH: usize = 6;

struct Token {
    text: String,
    entry: Entry,
    /// Where it begins and ends, in characters of the sentence.
    start: usize,
    end: usize,
    /// Which part of the sentence, between commas.
    part: usize,
}

/// The moods of one sentence's Chinese words.
pub(crate) fn clause(lexicon: &Lexicon, sentence: &str) -> Clause {
    let tokens = tokens(lexicon, sentence);
    let impatient = tokens.iter().any(|token| token.entry.impatience);
    let mut denied = false;
    let mut hits = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.entry.expected {
            // One denial a sentence: 没人联系，也没人处理 is one complaint.
            if !denied && negators(&tokens, index) % 2 == 1 {
                denied = true;
                let value = if impatient { IMPATIENT } else { DENIED };
                hits.push((index, Hit::new(&token.text, value, value)));
            }
        } else if let Some(base) = token.entry.value
            && !modifies(&tokens, index)
        {
            let value = valence(&tokens, index, base);
            hits.push((index, Hit::new(&token.text, base, value)));
        }
    }
    let turn = tokens.iter().position(|token| token.entry.contrast);
    Clause::new(hits, turn)
}

/// Whether a word that can be either is a degree here: 好 in 好慢.
fn modifies(tokens: &[Token], index: usize) -> bool {
    let token = &tokens[index];
    token.entry.degree.is_some()
        && tokens.get(index + 1).is_some_and(|next| {
            next.start == token.end && (next.entry.value.is_some() || next.entry.degree.is_some())
        })
}

fn valence(tokens: &[Token], index: usize, base: f64) -> f64 {
    let degree: f64 = modifiers(tokens, index).filter_map(|token| token.entry.degree).product();
    // 最 and 真的 and 非常 together are not four times as much.
    let mut valence = base * degree.clamp(0.5, 1.8);
    for _ in 0..negators(tokens, index) {
        valence *= if valence > 0.0 { PRAISE_DENIED } else { CRITICISM_DENIED };
    }
    valence
}

fn negators(tokens: &[Token], index: usize) -> usize {
    modifiers(tokens, index).filter(|token| token.entry.negator).count()
}

/// The words before this one that act on it: back to the previous word with a
/// mood of its own, within the same part of the sentence.
fn modifiers(tokens: &[Token], index: usize) -> impl Iterator<Item = &Token> {
    let token = &tokens[index];
    let mut last = token.start;
    tokens[..index]
        .iter()
        .enumerate()
        .rev()
        .take_while(move |(at, before)| {
            let near = last.saturating_sub(before.end) <= REACH && before.part == token.part;
            last = before.start;
            near && (before.entry.value.is_none() || modifies(tokens, *at))
        })
        .map(|(_, before)| before)
}

fn tokens(lexicon: &Lexicon, sentence: &str) -> Vec<Token> {
    let text: String = sentence.chars().map(simplified).collect();
    let mut tokens = Vec::new();
    let (mut part, mut position) = (0, 0);
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        if let Some((length, entry)) = lexicon.longest(rest) {
            let word = &rest[..length];
            let end = position + word.chars().count();
            // Neutral words are only there to be the longest match.
            if entry != Entry::default() {
                tokens.push(Token { text: word.to_owned(), entry, start: position, end, part });
            }
            position = end;
            rest = &rest[length..];
            continue;
        }
        if matches!(first, '，' | ',' | '：' | ':' | '、') {
            part += 1;
        }
        position += 1;
        rest = &rest[first.len_utf8()..];
    }
    tokens
}

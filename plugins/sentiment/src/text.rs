//! A text in sentences, and which language it is in.

use relata_plugin_sdk::prelude::*;

/// The language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Language {
    /// English.
    En,
    /// Chinese, simplified or traditional.
    Zh,
    /// English and Chinese, each more than a quarter of the text.
    Mixed,
    /// Neither, or too little to tell.
    Unknown,
}

/// One sentence, and how loudly it ends.
pub(crate) struct Sentence<'a> {
    pub(crate) text: &'a str,
    /// How many `!` and `！` it ends with.
    pub(crate) exclamations: usize,
    /// How many `?` and `？` it ends with.
    pub(crate) questions: usize,
}

/// Cuts a text where sentences end. A full stop ends one only before a space,
/// so that `3.5` and `example.com` stay whole.
pub(crate) fn sentences(text: &str) -> Vec<Sentence<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut rest = text.char_indices().peekable();
    while let Some((index, character)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        let ends = match character {
            '!' | '?' | '！' | '？' | '。' | '；' | ';' | '\n' | '…' => true,
            '.' => next.is_none_or(char::is_whitespace),
            _ => false,
        };
        if !ends {
            continue;
        }
        let (mut exclamations, mut questions) = (0, 0);
        let mut count = |character| match character {
            '!' | '！' => exclamations += 1,
            '?' | '？' => questions += 1,
            _ => {}
        };
        count(character);
        // `?!!` is the end of one sentence and not of three.
        while let Some((_, next)) =
            rest.next_if(|(_, next)| matches!(next, '!' | '?' | '！' | '？' | '。' | '…' | '.'))
        {
            count(next);
        }
        found.push(Sentence { text: &text[start..index], exclamations, questions });
        start = rest.peek().map_or(text.len(), |(index, _)| *index);
    }
    found.push(Sentence { text: &text[start..], exclamations: 0, questions: 0 });
    found.retain(|sentence| !sentence.text.trim().is_empty());
    found
}

/// Whether a character is a Chinese one.
pub(crate) fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Words that English cannot do without, and German, French, Spanish, Italian
/// and Dutch do not have.
const ENGLISH: [&str; 60] = [
    "the", "and", "is", "to", "of", "i", "you", "my", "not", "it", "have", "for", "with", "this",
    "that", "please", "your", "we", "are", "be", "on", "can", "how", "do", "has", "had", "your",
    "our", "they", "what", "when", "will", "would", "at", "from", "but", "been", "there", "which",
    "very", "i'm", "i've", "it's", "don't", "no", "were", "did", "could", "should", "their",
    "them", "he", "she", "if", "or", "as", "by", "after", "thanks", "your's",
];

/// Below this share of such words a longer text is some other language.
const ENGLISH_SHARE: f64 = 0.12;
/// Shorter texts are not long enough to tell by share.
const SHORT: usize = 6;

/// Tells the language by characters and by English function words.
pub(crate) fn language(text: &str) -> Language {
    let han = text.chars().filter(|c| is_han(*c)).count();
    let kana = text.chars().filter(|c| matches!(c, '\u{3040}'..='\u{30ff}')).count();
    // Japanese uses Chinese characters too, but never without kana.
    let han = if kana * 5 > han { 0 } else { han };
    let words: Vec<String> = text
        .split(|c: char| !(c.is_alphabetic() || c == '\'') || is_han(c))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let latin = words
        .iter()
        .filter(|word| word.chars().all(|c| c.is_ascii_alphabetic() || c == '\''))
        .count();
    let english = words.iter().filter(|word| ENGLISH.contains(&word.as_str())).count();
    let is_english = latin > 0
        && latin * 2 > words.len()
        && (words.len() < SHORT || english as f64 >= ENGLISH_SHARE * words.len() as f64);
    // A Chinese word has about one and a half characters.
    let (chinese, english) = (han as f64 / 1.5, if is_english { words.len() } else { 0 } as f64);
    if han == 0 && !is_english {
        return Language::Unknown;
    }
    let share = english / (chinese + english);
    if share > 0.75 {
        Language::En
    } else if share < 0.25 {
        Language::Zh
    } else {
        Language::Mixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_sentences_end() {
        let found: Vec<(&str, usize, usize)> =
            sentences("It costs 3.5 at a.example. Really?!! 太差了！！没人管。 Bye")
                .into_iter()
                .map(|s| (s.text.trim(), s.exclamations, s.questions))
                .collect();
        assert_eq!(
            found,
            [
                ("It costs 3.5 at a.example", 0, 0),
                ("Really", 2, 1),
                ("太差了", 2, 0),
                ("没人管", 0, 0),
                ("Bye", 0, 0)
            ]
        );
        assert!(sentences(" \n. ").is_empty());
    }

    #[test]
    fn languages() {
        let cases = [
            ("I have not received my order yet, can you help?", Language::En),
            ("Great!", Language::En),
            ("我的订单还没有收到", Language::Zh),
            ("我的 iPhone 15 Pro 屏幕坏了，请问怎么维修？", Language::Zh),
            ("我要投诉 your support team is not helping me at all 太差了", Language::Mixed),
            ("Die Ware ist kaputt angekommen, bitte melden Sie sich", Language::Unknown),
            ("商品がまだ届いていません", Language::Unknown),
            ("لم يصل الطلب حتى الآن", Language::Unknown),
            ("12345", Language::Unknown),
            ("", Language::Unknown),
        ];
        for (text, expected) in cases {
            assert_eq!(language(text), expected, "{text}");
        }
    }
}

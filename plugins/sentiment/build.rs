//! Compiles the lexicons into automatons (fst), one a language, and the
//! traditional characters into a sorted table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

include!("src/entry.rs");

type Lexicon = BTreeMap<String, Entry>;

#[allow(clippy::disallowed_methods, reason = "cargo names the directory in a variable only")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=lexicon");
    println!("cargo::rerun-if-changed=src/entry.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let mut english = vader();
    read("lexicon/english.txt", &mut english)?;
    write(&out.join("english.fst"), &english)?;

    let mut chinese = Lexicon::new();
    read("lexicon/chinese.txt", &mut chinese)?;
    write(&out.join("chinese.fst"), &chinese)?;

    std::fs::write(out.join("traditional.rs"), traditional(&chinese)?)?;
    Ok(())
}

/// VADER's words and emoticons, and each emoji with the mood of the words
/// that describe it.
fn vader() -> Lexicon {
    let mut lexicon = Lexicon::new();
    let mut valences = BTreeMap::new();
    for (word, valence) in vader_sentiment::LEXICON.iter() {
        let word = word.to_lowercase();
        if word.contains(char::is_whitespace) {
            continue;
        }
        valences.insert(word.clone(), *valence);
        lexicon.entry(word).or_default().value = Some(*valence);
    }
    for (emoji, description) in vader_sentiment::EMOJI_LEXICON.iter() {
        let valence: f64 = description
            .split(|c: char| !c.is_alphanumeric())
            .filter_map(|word| valences.get(&word.to_lowercase()))
            .sum();
        if valence != 0.0 && emoji.chars().count() == 1 {
            lexicon.entry((*emoji).to_owned()).or_default().value = Some(valence.clamp(-2.5, 2.5));
        }
    }
    lexicon
}

/// Reads a lexicon file over what is there: sections of words, in some of
/// which a line begins with the value of its words.
fn read(path: &str, lexicon: &mut Lexicon) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut section = String::new();
    let mut seen = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let place = format!("{path}:{}", index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (number, words) = match line.split_once(": ") {
            Some((number, words)) => match number.parse::<f64>() {
                Ok(number) => (Some(number), words),
                Err(_) => return Err(format!("{place}: `{number}` is not a number")),
            },
            None => (None, line),
        };
        for word in words.split_whitespace() {
            let word = word.replace('_', " ");
            // A word twice in one section is a slip; the last would win.
            if !seen.insert((section.clone(), word.clone())) {
                return Err(format!("{place}: `{word}` stands twice in [{section}]"));
            }
            let entry = lexicon.entry(word).or_default();
            match (section.as_str(), number) {
                ("words", Some(value)) => entry.value = Some(value).filter(|value| *value != 0.0),
                ("degrees", Some(degree)) => entry.degree = Some(degree),
                ("expected", None) => entry.expected = true,
                ("negators", None) => entry.negator = true,
                ("impatience", None) => entry.impatience = true,
                ("contrast", None) => entry.contrast = true,
                // It only has to be there, to be the longest match.
                ("neutral", None) => {}
                _ => return Err(format!("{place}: does not fit section [{section}]")),
            }
        }
    }
    Ok(())
}

fn write(path: &std::path::Path, lexicon: &Lexicon) -> Result<(), Box<dyn std::error::Error>> {
    // A BTreeMap's order of texts is the order of their bytes, as fst wants it.
    let mut builder = fst::MapBuilder::memory();
    for (word, entry) in lexicon {
        builder.insert(word, entry.pack())?;
    }
    std::fs::write(path, builder.into_inner()?)?;
    Ok(())
}

/// The pairs of a traditional and a simplified character, sorted, and only
/// those that a word of the lexicon can need.
fn traditional(lexicon: &Lexicon) -> Result<String, Box<dyn std::error::Error>> {
    let used: BTreeSet<char> = lexicon.keys().flat_map(|word| word.chars()).collect();
    let text = std::fs::read_to_string("lexicon/traditional.txt")?;
    let mut pairs = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut characters = line.chars().filter(|c| !c.is_whitespace());
        let Some(simplified) = characters.next() else {
            continue;
        };
        for form in characters {
            // A form that the lexicon itself uses stays as it is.
            if used.contains(&simplified) && !used.contains(&form) {
                pairs.insert(form, simplified);
            }
        }
    }
    let mut table = String::from("&[");
    for (form, simplified) in pairs {
        write!(table, "({form:?}, {simplified:?}),")?;
    }
    table.push(']');
    Ok(table)
}

//! Scores the mood of English and Chinese text.
//!
//! It only computes: the component imports nothing but the log. The lexicons
//! lie in the data segment as automatons (see `build.rs`), because the plugin
//! starts anew for every call.

mod chinese;
mod english;
mod lexicon;
mod mood;
mod text;

use mood::{Mood, mood};
use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// What somebody wrote. Nothing, or an empty text, is `unknown`.
    text: Option<String>,
}

struct Score;

impl Action for Score {
    const ID: &str = "score";
    const TITLE: &str = "Score the mood of a text";
    const SUMMARY: &str = "Says whether a text in English or Chinese (simplified or traditional) \
        is negative, neutral or positive, how much, and which words decided. English follows the \
        rules and the lexicon of VADER (Hutto & Gilbert 2014) with additions for customer \
        service, Chinese a lexicon of customer service made for this plugin. A mere problem or \
        question is neutral; criticism, impatience and accusations are negative. Irony is not \
        understood. Of a text above 32 KiB the beginning is read. Other languages are `unknown`.";
    type Input = Input;
    type Output = Mood;

    fn run(_: &Context, input: Input) -> Result<Outcome<Mood>> {
        done(mood(input.text.as_deref().unwrap_or_default()))
    }
}

relata_plugin_sdk::plugin!(Score);

#[cfg(test)]
mod tests;

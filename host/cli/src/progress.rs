//! Progress of long work, on stderr, for a person who watches. In a pipe or
//! a log there is none.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with the count of what is done; its length is set with the first
/// step.
pub(crate) fn bar(doing: &'static str) -> ProgressBar {
    shown(doing, "{msg} [{bar:40}] {pos}/{len}")
}

/// A bar whose message changes and whose count means nothing to a person.
pub(crate) fn share(doing: &'static str) -> ProgressBar {
    shown(doing, "[{bar:40}] {msg}")
}

/// Something that takes a while, of unknown length.
pub(crate) fn spinner(doing: &'static str) -> ProgressBar {
    let spinner = shown(doing, "{spinner} {msg}");
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn shown(doing: &'static str, template: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(1).with_message(doing);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

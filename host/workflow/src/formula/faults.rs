//! What can still fail when a formula that was checked is evaluated: all of
//! it, in one table.

use relata_model::Duration;

use super::EvaluationError;

/// Something that the checker cannot exclude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PossibleFault {
    /// The sentence, with `{…}` for what it names.
    pub sentence: &'static str,
    /// When it comes to that.
    pub when: &'static str,
}

impl PossibleFault {
    /// Whether an error's sentence is this one, with its holes filled.
    #[must_use]
    pub fn says(&self, said: &str) -> bool {
        let mut parts = self
            .sentence
            .split('{')
            .map(|part| part.split_once('}').map_or(part, |(_, after)| after));
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = said.strip_prefix(first) else { return false };
        for part in parts {
            match rest.find(part) {
                Some(place) => rest = &rest[place + part.len()..],
                None => return false,
            }
        }
        true
    }
}

/// Declares the faults, and for each a function that makes it.
macro_rules! faults {
    ($($name:ident($($part:ident: $kind:ty),*) = $sentence:literal, $when:literal;)+) => {
        /// Every fault of a formula that was checked.
        pub const FAULTS: &[PossibleFault] =
            &[$(PossibleFault { sentence: $sentence, when: $when }),+];

        $(#[doc = $when]
        pub(crate) fn $name($($part: $kind),*) -> EvaluationError {
            EvaluationError::Fault(format!($sentence))
        })+
    };
}

faults! {
    nothing_there(wanted: &str) = "{wanted} is needed, but there is nothing: a record may be gone",
        "A formula reads a field of a record that was deleted.";
    by_zero() = "nothing can be divided by 0",
        "A divisor that is computed comes to 0.";
    overflow() = "the result is too large to calculate with",
        "A number has more than 28 digits, an amount more than 18, or a duration is longer than any.";
    past_all_times(by: Duration) = "`{by}` leads past the range of times",
        "A point in time lies before the year -9999 or after 9999, or working time would take a hundred years.";
    past_all_days(by: Duration) = "`{by}` leads past the range of days",
        "A day lies before the year -9999 or after 9999.";
    not_for_a_day(by: Duration) = "`{by}` cannot be added to a day; add days, weeks or months",
        "A duration that is computed has hours or working time, and is added to a day.";
    not_comparable(left: Duration, right: Duration) =
        "`{left}` and `{right}` cannot be compared: months and working time are not a fixed number of hours",
        "Two durations of different kinds are compared by size.";
    not_divisible(duration: Duration) = "`{duration}` cannot be divided so: days and months stay whole",
        "A share of a duration is no whole number of days, months or working days.";
    two_currencies(left: &str, right: &str) = "{left} and {right} are amounts of two currencies",
        "Amounts of two currencies are added, subtracted or compared by size.";
    no_currency() = "a currency is three letters such as EUR",
        "`money` is given a text that is no currency.";
    too_many_digits() = "an amount has no fraction of the smallest coin; `round` it before",
        "`money` is given more digits than the currency has.";
    digits_out_of_range() = "`round` takes a whole number of digits from 0 to 28",
        "The number of digits is computed, and is none.";
    no_such_time() = "a time of the day has an hour from 0 to 23 and a minute from 0 to 59",
        "`at` is given another hour or minute.";
    text_too_long() = "the text would be too long: more than 1,000,000 letters",
        "`replace`, `join` or `{{ }}` makes a text that no mail and no field could hold.";
    no_calendar() = "working hours and days need a calendar, and none is named",
        "A decision or a plugin yields working time in a workflow without `calendar:`.";
}

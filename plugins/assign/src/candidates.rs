//! Who can take a record, and why the others cannot.

use relata_plugin_sdk::prelude::*;

/// One member of the team and what spoke for or against.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Candidate {
    /// The user.
    #[schemars(extend("format" = "record/user"))]
    pub(crate) user: Reference,
    /// Their name, for the run's history.
    pub(crate) name: String,
    /// Their share relative to the others.
    pub(crate) weight: f64,
    /// How many open leads they have; absent where it did not matter.
    pub(crate) open: Option<u64>,
    /// Whether they could be picked.
    pub(crate) eligible: bool,
    /// Why they could not, or why they were.
    pub(crate) reason: String,
}

/// What is read of a user.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) weight: Option<f64>,
    pub(crate) absences: Option<Vec<String>>,
    pub(crate) active: Option<bool>,
}

/// The fields of a user that [`Member`] needs.
pub(crate) const FIELDS: [&str; 4] = ["name", "weight", "absences", "active"];

impl Candidate {
    /// Judges one user. `today` is a date such as `2026-12-24`; `open` the
    /// number of open leads, where it was counted; `limit` how many of them
    /// are too many.
    ///
    /// Presence is not looked at: that is for live channels. A lead waits
    /// until tomorrow morning, a telephone call does not.
    pub(crate) fn judge(
        user: Reference,
        member: &Member,
        open: Option<u64>,
        limit: Option<u64>,
        today: &str,
    ) -> Self {
        let weight = member.weight.unwrap_or(1.0);
        let absence = member.absences.iter().flatten().find(|absence| covers(absence, today));
        let against = if member.active == Some(false) {
            Some("no longer works here".to_owned())
        } else if weight <= 0.0 {
            Some("has weight 0".to_owned())
        } else if let Some(absence) = absence {
            Some(format!("is away ({absence})"))
        } else {
            match (open, limit) {
                (Some(open), Some(limit)) if open >= limit => {
                    Some(format!("has {open} open leads, and {limit} is the most allowed"))
                }
                _ => None,
            }
        };
        Self {
            user,
            name: member.name.clone(),
            weight,
            open,
            eligible: against.is_none(),
            reason: against.unwrap_or_else(|| "could take it".to_owned()),
        }
    }
}

/// Whether a day lies in an absence: `2026-12-24`, or first and last day
/// `2026-12-24/2026-12-31`. ISO dates sort as texts.
fn covers(absence: &str, today: &str) -> bool {
    let (first, last) = absence.split_once('/').unwrap_or((absence, absence));
    (first.trim()..=last.trim()).contains(&today)
}

/// Each name with its reason, for an error message.
pub(crate) fn reasons(candidates: &[Candidate]) -> String {
    if candidates.is_empty() {
        return "it has no members".to_owned();
    }
    candidates
        .iter()
        .map(|candidate| format!("{} {}", candidate.name, candidate.reason))
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(user: serde_json::Value, open: Option<u64>, expected: Expect) {
        let member: Member = serde_json::from_value(user).unwrap();
        let candidate = Candidate::judge("user/a".into(), &member, open, Some(40), "2026-12-24");
        let mark = if candidate.eligible { "yes" } else { "no" };
        expected.assert_eq(&format!("{mark}: {}", reasons(&[candidate])));
    }

    #[test]
    fn who_can_take_it() {
        check(json!({"name": "Ana", "weight": 2}), Some(39), expect!["yes: Ana could take it"]);
        check(json!({"name": "Ana"}), None, expect!["yes: Ana could take it"]);
        check(
            json!({"name": "Ana", "active": false, "weight": 0}),
            None,
            expect!["no: Ana no longer works here"],
        );
        check(json!({"name": "Ana", "weight": 0}), None, expect!["no: Ana has weight 0"]);
        check(
            json!({"name": "Ana", "absences": ["2026-12-24/2026-12-31"]}),
            None,
            expect!["no: Ana is away (2026-12-24/2026-12-31)"],
        );
        check(
            json!({"name": "Ana", "absences": ["2026-12-20/2026-12-23", "2026-12-25"]}),
            None,
            expect!["yes: Ana could take it"],
        );
        check(
            json!({"name": "Ana"}),
            Some(40),
            expect!["no: Ana has 40 open leads, and 40 is the most allowed"],
        );
    }
}

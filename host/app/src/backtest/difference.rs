//! What two versions make of the same events, side by side.

use std::collections::BTreeMap;

use crate::backtest::{
    replay::{Cause, Decision},
    report::Change,
    tally::Group,
};

/// Differences, by what it was and what it is now.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    groups: BTreeMap<(String, String), Group>,
    /// What only one of the two has decided so far: the other may follow.
    open: BTreeMap<Cause, (Option<Decision>, Option<Decision>)>,
}

impl Differences {
    /// What both decided of the same causes.
    pub(crate) fn compare(
        &mut self,
        before: BTreeMap<Cause, Decision>,
        now: BTreeMap<Cause, Decision>,
    ) {
        for (cause, decision) in before {
            self.open.entry(cause).or_default().0 = Some(decision);
        }
        for (cause, decision) in now {
            self.open.entry(cause).or_default().1 = Some(decision);
        }
        let both = self.open.extract_if(.., |_, (before, now)| before.is_some() && now.is_some());
        for (_, pair) in both.collect::<Vec<_>>() {
            self.add(pair.0, pair.1, "");
        }
    }

    fn add(&mut self, before: Option<Decision>, now: Option<Decision>, none: &str) {
        let what = |decision: &Option<Decision>| {
            decision.as_ref().map_or_else(|| none.to_owned(), |decision| decision.what.clone())
        };
        let pair = (what(&before), what(&now));
        if pair.0 != pair.1 {
            let record = now.or(before).and_then(|decision| decision.record);
            self.groups.entry(pair).or_default().add(record.as_ref());
        }
    }

    /// The differences, the most frequent first. `none` is what is said where
    /// only one of the two decided anything; without it that is left out.
    pub(crate) fn finish(mut self, none: Option<&str>) -> Vec<Change> {
        for (_, (before, now)) in std::mem::take(&mut self.open) {
            if let Some(none) = none {
                self.add(before, now, none);
            }
        }
        let mut changes: Vec<Change> = self
            .groups
            .into_iter()
            .map(|((before, now), group)| {
                let (count, examples) = group.finish();
                Change { before, now, count, examples }
            })
            .collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.count));
        changes
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use relata_model::{EventId, Reference};
    use uuid::Uuid;

    use super::*;

    fn decided(decisions: &[(u128, &str)]) -> BTreeMap<Cause, Decision> {
        let cause = |number| Cause::Event(EventId::from_uuid(Uuid::from_u128(number)));
        decisions
            .iter()
            .map(|(number, what)| {
                let record = Some(Reference::new("lead", number.to_string()));
                (cause(*number), Decision { what: (*what).to_owned(), record })
            })
            .collect()
    }

    #[test]
    fn the_same_cause_is_compared_whenever_it_is_decided() {
        let mut differences = Differences::default();
        differences.compare(decided(&[(1, "started"), (2, "started")]), decided(&[(1, "started")]));
        differences
            .compare(decided(&[(3, "started")]), decided(&[(2, "too small"), (3, "too small")]));
        differences.compare(decided(&[(4, "too small")]), decided(&[]));
        let told: Vec<String> = differences
            .finish(Some("not offered"))
            .iter()
            .map(|change| {
                let examples = change.examples.join(" ");
                format!("{} x {} -> {} ({examples})", change.count, change.before, change.now)
            })
            .collect();
        expect![[r#"
            2 x started -> too small (lead/2 lead/3)
            1 x too small -> not offered (lead/4)"#]]
        .assert_eq(&told.join("\n"));
    }
}

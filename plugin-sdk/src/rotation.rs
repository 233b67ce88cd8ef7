//! Whose turn it is: a weighted rotation without luck and without bursts.
//!
//! Each member has a *lag*: how many records it should have had by now, less
//! those it had. Before a pick everyone's lag grows by its share of one
//! record; whoever is picked loses one. The pick follows Tijdeman's rule for
//! the chairman assignment problem ("The chairman assignment problem",
//! Discrete Mathematics 32, 1980): among those who are due at all, the one
//! whose time runs out first. With the same `k` members throughout nobody is
//! ever more than `1 - 1/(2k-2)` away from the exact share, at any moment,
//! which no other rule can better.
//!
//! Members come and go. Who leaves takes the lag along, and the others divide
//! the difference by weight, so that the lags always add up to nothing. Who
//! comes back starts at the present: what was missed is not made up for (no
//! flood of records on the first morning), but what was had too early still
//! counts (nobody gains by leaving and coming back).
//!
//! Keep it in the plugin's [`state`](crate::state), and give the action an
//! `EXCLUSIVE` lane, so that no two calls count from the same memory:
//!
//! ```
//! use relata_plugin_sdk::rotation::Rotation;
//!
//! let mut rotation = Rotation::default();
//! let members = [("ana", 1.0), ("ben", 2.0)];
//! let turns: Vec<&str> =
//!     (0..6).filter_map(|now| Some(members[rotation.next(&members, now)?].0)).collect();
//! assert_eq!(turns.iter().filter(|turn| **turn == "ben").count(), 4);
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The memory of a rotation: what was given so far, by member.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rotation {
    members: BTreeMap<String, Member>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Member {
    /// Records due, less records had.
    lag: f64,
    /// Whether it took part in the last pick.
    present: bool,
    /// When it was last picked, milliseconds since 1970; 0 for never.
    #[serde(default)]
    last: u64,
}

/// Two lags or deadlines nearer than this are equal: sums of thirds must not
/// decide by their last bit.
const NEAR: f64 = 1e-9;

impl Rotation {
    /// Gives the next record to one of the members (name, weight above 0),
    /// and returns which: an index into `members`. Nothing if there are none.
    /// `now` is in milliseconds since 1970, as of [`env::now_ms`](crate::env::now_ms).
    pub fn next(&mut self, members: &[(&str, f64)], now: u64) -> Option<usize> {
        let total: f64 = members.iter().map(|(_, weight)| weight).sum();
        if members.is_empty() || total <= 0.0 {
            return None;
        }
        let mut lags = self.lags(members, total);
        let picked = chairman(
            &members
                .iter()
                .zip(&lags)
                .map(|((name, weight), lag)| Due {
                    name,
                    share: weight / total,
                    // At this moment the member should have had one share more.
                    lag: lag + weight / total,
                })
                .collect::<Vec<_>>(),
        )?;
        for ((_, weight), lag) in members.iter().zip(&mut lags) {
            *lag += weight / total;
        }
        lags[picked] -= 1.0;
        for ((name, _), lag) in members.iter().zip(lags) {
            let member = self.members.entry((*name).to_owned()).or_default();
            member.lag = lag;
            member.present = true;
        }
        self.touch(members[picked].0, now);
        Some(picked)
    }

    /// Notes that a member was picked by other means.
    pub fn touch(&mut self, name: &str, now: u64) {
        self.members.entry(name.to_owned()).or_default().last = now;
    }

    /// When a member was last picked; 0 for never.
    pub fn last(&self, name: &str) -> u64 {
        self.members.get(name).map_or(0, |member| member.last)
    }

    /// The lags of those who take part now, adding up to nothing; marks the
    /// others as gone.
    fn lags(&mut self, members: &[(&str, f64)], total: f64) -> Vec<f64> {
        let mut lags: Vec<f64> = members
            .iter()
            .map(|(name, _)| match self.members.get(*name) {
                Some(member) if member.present => member.lag,
                // Back again: nothing to make up for, but debts remain.
                Some(member) => member.lag.min(0.0),
                None => 0.0,
            })
            .collect();
        let surplus: f64 = lags.iter().sum();
        for (lag, (_, weight)) in lags.iter_mut().zip(members) {
            *lag -= surplus * weight / total;
        }
        for (name, member) in &mut self.members {
            member.present = members.iter().any(|(present, _)| present == name);
        }
        lags
    }
}

/// A member at the moment of a pick.
struct Due<'a> {
    name: &'a str,
    /// Its share of all records, above 0; all shares add up to 1.
    share: f64,
    /// Records due up to and including this one, less records had.
    lag: f64,
}

/// Tijdeman's rule. Ties go by name, so that the same history gives the same
/// pick.
fn chairman(due: &[Due<'_>]) -> Option<usize> {
    if due.len() < 2 {
        return (!due.is_empty()).then_some(0);
    }
    let margin = 1.0 / (2 * due.len() - 2) as f64;
    // The lags add up to 1, so somebody has at least 1/k, which is no less
    // than the margin: there is always a candidate.
    due.iter()
        .enumerate()
        .filter(|(_, due)| due.lag >= margin - NEAR)
        .map(|(index, due)| (index, (1.0 - margin - due.lag) / due.share, due.name))
        .reduce(|best, other| {
            let sooner = other.1 < best.1 - NEAR;
            let tied = (other.1 - best.1).abs() <= NEAR && other.2 < best.2;
            if sooner || tied { other } else { best }
        })
        .map(|(index, ..)| index)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn sequence(members: &[(&str, f64)], picks: usize) -> String {
        let mut rotation = Rotation::default();
        (0..picks)
            .map(|_| members[rotation.next(members, 0).expect("there are members")].0)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn equal_weights_take_turns() {
        expect!["a b c a b c a b c"].assert_eq(&sequence(&[("a", 1.0), ("b", 1.0), ("c", 1.0)], 9));
    }

    #[test]
    fn a_double_weight_gets_every_other() {
        expect!["a b c a a b c a"].assert_eq(&sequence(&[("a", 2.0), ("b", 1.0), ("c", 1.0)], 8));
    }

    #[test]
    fn a_small_weight_is_spread_and_not_forgotten() {
        expect!["a b a a a b a a a b a a"].assert_eq(&sequence(&[("a", 2.7), ("b", 1.0)], 12));
    }

    #[test]
    fn nobody_there() {
        assert_eq!(Rotation::default().next(&[], 0), None);
        assert_eq!(Rotation::default().next(&[("a", 0.0)], 0), None);
    }

    #[test]
    fn the_memory_survives_its_json() {
        let members = [("a", 1.0), ("b", 3.0)];
        let mut rotation = Rotation::default();
        for now in 0..5 {
            rotation.next(&members, now);
        }
        let text = serde_json::to_string(&rotation).unwrap();
        assert_eq!(serde_json::from_str::<Rotation>(&text).unwrap(), rotation);
    }

    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

    /// Weights as companies write them: one decimal, none 0.
    fn weights() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((1_u32..60).prop_map(|tenths| f64::from(tenths) / 10.0), 1..=8)
    }

    proptest! {
        /// The guarantee: with the same members throughout everybody is within
        /// Tijdeman's bound of the exact share, after every single pick.
        #[test]
        fn everybody_is_within_one_at_every_moment(weights in weights(), picks in 1_usize..400) {
            let members: Vec<(&str, f64)> = NAMES.into_iter().zip(weights).collect();
            let total: f64 = members.iter().map(|member| member.1).sum();
            let bound = match members.len() {
                1 => 0.0,
                k => 1.0 - 1.0 / (2 * k - 2) as f64,
            };
            let mut rotation = Rotation::default();
            let mut had = vec![0_u32; members.len()];
            for pick in 1..=picks {
                let index = rotation.next(&members, 0).expect("there are members");
                had[index] += 1;
                for ((name, weight), had) in members.iter().zip(&had) {
                    let exact = pick as f64 * weight / total;
                    let off = (exact - f64::from(*had)).abs();
                    prop_assert!(off <= bound + 1e-6, "{name} is {off} off after {pick} picks");
                }
            }
        }

        /// Whoever comes and goes, the lags add up to nothing and stay small:
        /// no debt grows in the background.
        #[test]
        fn lags_stay_small_when_members_come_and_go(
            weights in prop::collection::vec((1_u32..60).prop_map(|tenths| f64::from(tenths) / 10.0), 8),
            presence in prop::collection::vec(1_u8..=255, 1..300),
        ) {
            let mut rotation = Rotation::default();
            for present in presence {
                let members: Vec<(&str, f64)> = NAMES
                    .into_iter()
                    .zip(weights.iter().copied())
                    .enumerate()
                    .filter(|(bit, _)| present >> bit & 1 == 1)
                    .map(|(_, member)| member)
                    .collect();
                rotation.next(&members, 0).expect("somebody is present");
                let lags = members.iter().map(|(name, _)| rotation.members[*name].lag);
                prop_assert!(lags.clone().sum::<f64>().abs() < 1e-6);
                for lag in lags {
                    prop_assert!(lag.abs() < 3.0, "a lag of {lag}");
                }
            }
        }

        /// Who was away for long gets no flood, and is not left out either.
        #[test]
        fn no_flood_after_an_absence(weights in weights(), away in 1_usize..200, after in 1_usize..60) {
            let members: Vec<(&str, f64)> = NAMES.into_iter().zip(weights).collect();
            prop_assume!(members.len() > 1);
            let mut rotation = Rotation::default();
            for _ in 0..20 {
                rotation.next(&members, 0);
            }
            for _ in 0..away {
                rotation.next(&members[1..], 0);
            }
            let got = (0..after)
                .filter(|_| rotation.next(&members, 0) == Some(0))
                .count() as f64;
            let share = members[0].1 / members.iter().map(|member| member.1).sum::<f64>();
            let off = got - share * after as f64;
            prop_assert!(off < 1.0 + 1e-6, "{off} too many after the absence");
            prop_assert!(off > -2.0 - 1e-6, "{off} too few after the absence");
        }
    }
}

//! Limits: who is let in, who waits, and who comes next.

use std::fmt::Write as _;

use expect_test::expect;
use relata_model::RunId;
use relata_store::{Entered, Limit, Store};

use crate::backend::*;

fn places(most: u32) -> Limit {
    Limit { key: "workflow w".to_owned(), at_once: Some(most), apart_ms: None, once: true }
}

fn turns(key: &str, apart_ms: u64, once: bool) -> Limit {
    Limit { key: key.to_owned(), at_once: None, apart_ms: Some(apart_ms), once }
}

/// Some runs that wait, by a letter each.
async fn runs(store: &Store, letters: &str) -> Vec<(char, RunId)> {
    let mut runs = Vec::new();
    for letter in letters.chars() {
        let run = run("w");
        runs.push((letter, run.id));
        begin(store, beginning(run, None)).await;
    }
    runs
}

fn of(runs: &[(char, RunId)], letter: char) -> RunId {
    runs.iter().find(|(known, _)| *known == letter).unwrap().1
}

async fn enter(store: &Store, run: RunId, limits: &[Limit], now: i64) -> Entered {
    let limits = limits.to_vec();
    store
        .write(move |tx| {
            Box::pin(async move { tx.limits_enter(run, &limits, at(now), at(now + 60)).await })
        })
        .await
        .unwrap()
}

async fn leave(store: &Store, run: RunId, has_ended: bool, now: i64) {
    store
        .write(move |tx| {
            Box::pin(async move { tx.limits_leave(run, has_ended, at(now), at(now + 60)).await })
        })
        .await
        .unwrap();
}

/// How a limit stands, and which of the runs are due.
async fn told(store: &Store, runs: &[(char, RunId)], now: i64) -> String {
    let mut told = String::new();
    for limit in store.limit_list(at(now)).await.unwrap() {
        let most = limit.most.map_or_else(String::new, |most| format!(" of {most}"));
        let _ = write!(
            told,
            "{}: {}{most} at work, {} in line, {} to come; ",
            limit.key, limit.working, limit.in_line, limit.to_come
        );
    }
    told.push_str("due:");
    for (letter, run) in runs {
        if store.run_fetch(*run).await.unwrap().unwrap().due_at.is_some() {
            let _ = write!(told, " {letter}");
        }
    }
    told
}

on_each_backend! {
    /// First come, first served, and nobody overtakes.
    async fn places_go_on_in_the_order_of_the_line(backend) {
        let store = backend.open().await;
        let runs = runs(&store, "abcde").await;
        let mut came = String::new();
        for (number, letter) in "abcd".chars().enumerate() {
            let entered = enter(&store, of(&runs, letter), &[places(2)], number as i64).await;
            let _ = write!(came, "{letter} {entered:?}; ");
        }
        expect!["a Now; b Now; c InLine; d InLine; "].assert_eq(&came);
        expect!["workflow w: 2 of 2 at work, 2 in line, 0 to come; due:"]
            .assert_eq(&told(&store, &runs, 10).await);

        // Who has a place keeps it, who waits goes on waiting, in its place.
        assert_eq!(enter(&store, of(&runs, 'a'), &[places(2)], 11).await, Entered::Now);
        assert_eq!(enter(&store, of(&runs, 'c'), &[places(2)], 12).await, Entered::InLine);
        leave(&store, of(&runs, 'a'), false, 13).await;
        expect!["workflow w: 2 of 2 at work, 1 in line, 0 to come; due: c"]
            .assert_eq(&told(&store, &runs, 13).await);
        assert_eq!(enter(&store, of(&runs, 'c'), &[places(2)], 14).await, Entered::Now);

        // Somebody who waits and ends frees no place.
        leave(&store, of(&runs, 'd'), true, 15).await;
        leave(&store, of(&runs, 'b'), true, 16).await;
        expect!["workflow w: 1 of 2 at work, 0 in line, 0 to come; due: c"]
            .assert_eq(&told(&store, &runs, 16).await);
        assert_eq!(enter(&store, of(&runs, 'e'), &[places(2)], 17).await, Entered::Now);
    }

    /// A host that is gone gives nothing back, and neither does anybody else
    /// where a limit is raised.
    async fn places_that_nobody_gave_back_are_found(backend) {
        let store = backend.open().await;
        let runs = runs(&store, "abc").await;
        for letter in "abc".chars() {
            enter(&store, of(&runs, letter), &[places(1)], 0).await;
        }
        let sweep = async |now: i64| {
            let swept = store.write(move |tx| {
                Box::pin(async move { tx.limits_sweep(at(now), at(now + 60)).await })
            });
            swept.await.unwrap()
        };
        assert_eq!(sweep(59).await, 0);
        assert_eq!(sweep(60).await, 1);
        expect!["workflow w: 1 of 1 at work, 1 in line, 0 to come; due: b"]
            .assert_eq(&told(&store, &runs, 61).await);
        // Who comes back late stands in line again, and tells of two places.
        assert_eq!(enter(&store, of(&runs, 'a'), &[places(2)], 62).await, Entered::InLine);
        assert_eq!(sweep(63).await, 1);
        expect!["workflow w: 2 of 2 at work, 1 in line, 0 to come; due: b c"]
            .assert_eq(&told(&store, &runs, 64).await);
        // A host that goes on keeps what it has.
        let b = of(&runs, 'b');
        let renewed = store.write(move |tx| {
            Box::pin(async move { tx.limits_renew(b, at(300)).await })
        });
        renewed.await.unwrap();
        assert_eq!(sweep(200).await, 1);
        expect!["workflow w: 2 of 2 at work, 0 in line, 0 to come; due: a b c"]
            .assert_eq(&told(&store, &runs, 201).await);
    }

    /// Turns are apart, nobody loses one, and none are saved up.
    async fn turns_come_one_after_another(backend) {
        let store = backend.open().await;
        let runs = runs(&store, "abcd").await;
        let (run, call) = (turns("run", 60_000, true), turns("call", 5_000, false));
        let mut came = String::new();
        for letter in "abc".chars() {
            let entered = enter(&store, of(&runs, letter), std::slice::from_ref(&run), 0).await;
            let _ = write!(came, "{letter} {entered:?}; ");
        }
        expect!["a Now; b At(2026-12-14T09:01:00Z); c At(2026-12-14T09:02:00Z); "].assert_eq(&came);
        let b = of(&runs, 'b');
        assert_eq!(enter(&store, b, std::slice::from_ref(&run), 59).await, Entered::At(at(60)));
        assert_eq!(enter(&store, b, std::slice::from_ref(&run), 60).await, Entered::Now);
        expect!["run: 0 at work, 0 in line, 1 to come; due:"]
            .assert_eq(&told(&store, &runs, 60).await);

        // A run has one turn, a call one each.
        leave(&store, b, false, 61).await;
        assert_eq!(enter(&store, b, &[run.clone(), call.clone()], 62).await, Entered::Now);
        leave(&store, b, false, 63).await;
        assert_eq!(enter(&store, b, &[run.clone(), call], 64).await, Entered::At(at(67)));
        leave(&store, b, true, 65).await;
        assert_eq!(enter(&store, b, std::slice::from_ref(&run), 500).await, Entered::Now);
        // The minute after that is the next, not one of those that passed.
        assert_eq!(enter(&store, of(&runs, 'd'), &[run], 500).await, Entered::At(at(560)));
    }

    /// Each value of a `per` is a limit of its own: those of the past go.
    async fn limits_that_nobody_is_under_are_forgotten(backend) {
        let store = backend.open().await;
        let runs = runs(&store, "ab").await;
        let (a, b) = (of(&runs, 'a'), of(&runs, 'b'));
        enter(&store, a, &[turns("paced", 60_000, true)], 0).await;
        enter(&store, b, &[places(1)], 0).await;
        leave(&store, a, true, 1).await;
        let rows = async |now: i64| {
            let swept = store.write(move |tx| {
                Box::pin(async move {
                    tx.limits_sweep(at(now), at(now + 60)).await?;
                    tx.limit_rows().await
                })
            });
            swept.await.unwrap()
        };
        assert_eq!(rows(59).await, 2, "the next turn has not come yet, and b works");
        assert_eq!(rows(60).await, 0, "it has, and b's place was not kept");
    }

    /// Two limits: the place in the first is kept while it waits for the second.
    async fn limits_are_entered_in_one_order(backend) {
        let store = backend.open().await;
        let runs = runs(&store, "abc").await;
        let named = |key: &str, most| Limit { key: key.to_owned(), ..places(most) };
        let both = [named("workflow w", 2), named("action x", 1)];
        assert_eq!(enter(&store, of(&runs, 'a'), &both[1..], 0).await, Entered::Now);
        assert_eq!(enter(&store, of(&runs, 'b'), &both, 1).await, Entered::InLine);
        expect!["action x: 1 of 1 at work, 1 in line, 0 to come; due:"]
            .assert_eq(&told(&store, &runs, 2).await);
        leave(&store, of(&runs, 'a'), true, 3).await;
        assert_eq!(enter(&store, of(&runs, 'b'), &both, 4).await, Entered::Now);
        assert_eq!(enter(&store, of(&runs, 'c'), &both, 5).await, Entered::InLine);
        leave(&store, of(&runs, 'b'), true, 6).await;
        expect!["action x: 1 of 1 at work, 0 in line, 0 to come; due: b c"]
            .assert_eq(&told(&store, &runs, 7).await);
    }

    /// Whoever gets a place while it falls asleep is not forgotten.
    async fn nobody_falls_asleep_beside_a_free_place(backend) {
        let store = backend.open().await;
        let (a, b) = (run("w"), run("w"));
        let runs = [('a', a.id), ('b', b.id)];
        begin(&store, beginning(a, None)).await;
        begin(&store, beginning(b, Some(at(0)))).await;
        let (a, b) = (of(&runs, 'a'), of(&runs, 'b'));
        enter(&store, a, &[places(1)], 0).await;
        // b is still a host's when a leaves.
        let claimed = store.run_claim("host", at(1), 60_000, 10).await.unwrap().remove(0);
        assert_eq!(claimed.run.id, b);
        assert_eq!(enter(&store, b, &[places(1)], 1).await, Entered::InLine);
        leave(&store, a, true, 2).await;
        commit(&store, next(&claimed), at(3)).await.unwrap();
        let fell = store.write(move |tx| {
            Box::pin(async move { tx.limits_fall_asleep(b, at(3)).await })
        });
        fell.await.unwrap();
        expect!["workflow w: 1 of 1 at work, 0 in line, 0 to come; due: b"]
            .assert_eq(&told(&store, &runs, 4).await);
    }
}

//! Decisions about whose a record is, as a page shows them.

use relata_app::{Decision, DecisionCandidate, model::Reference};

use crate::{
    failure::Failure,
    html::{Link, Moment},
    names::{Names, Told},
    session::Visit,
    texts::fill,
};

/// A decision about whose a record is.
pub(crate) struct DecisionView {
    pub(crate) at: Option<Moment>,
    pub(crate) what: String,
    pub(crate) reason: Option<Told>,
    pub(crate) run: Option<Link>,
    /// Where it was looked for somebody, in this order.
    pub(crate) places: Vec<Place>,
}

/// Who was looked at in one place.
pub(crate) struct Place {
    pub(crate) title: String,
    pub(crate) candidates: Vec<CandidateView>,
}

pub(crate) struct CandidateView {
    pub(crate) name: String,
    pub(crate) eligible: bool,
    pub(crate) reason: Told,
}

/// Decisions with the names of everybody in them, in their order.
pub(crate) async fn views(
    visit: &Visit,
    decisions: &[Decision],
    names: &mut Names<'_>,
) -> Result<Vec<DecisionView>, Failure> {
    let t = visit.lang().texts();
    let parse = |text: &String| text.parse::<Reference>().ok();
    let mut named: Vec<Reference> = Vec::new();
    let mut sentences: Vec<&str> = Vec::new();
    for decision in decisions {
        named.extend([&decision.owner, &decision.queue].into_iter().flatten().filter_map(parse));
        named.extend(decision.by.parse().ok());
        named.extend(decision.passed.iter().filter_map(|passed| parse(&passed.queue)));
        sentences.extend(decision.reason.as_deref());
        for who in everybody(decision) {
            named.extend(parse(&who.user));
            sentences.push(&who.reason);
        }
    }
    names.learn(&named.iter().collect::<Vec<_>>()).await?;
    names.learn_sentences(&sentences).await?;
    let names = &*names;
    let called = |text: &str| names.actor(text);
    let what = |decision: &Decision| {
        let what = match (&decision.owner, &decision.queue) {
            (Some(owner), _) => fill(t.given_to, &[&called(owner)]),
            (None, Some(queue)) => fill(t.put_into, &[&called(queue)]),
            (None, None) => t.taken_from_all.to_owned(),
        };
        format!("{what}, {}", fill(t.by_hand_of, &[&called(&decision.by)]))
    };
    let views = |candidates: &[DecisionCandidate]| {
        let view = |who: &DecisionCandidate| CandidateView {
            name: called(&who.user),
            eligible: who.eligible,
            reason: names.told(&who.reason),
        };
        candidates.iter().map(view).collect()
    };
    Ok(decisions
        .iter()
        .map(|decision| {
            let mut places: Vec<Place> = decision
                .passed
                .iter()
                .map(|passed| Place {
                    title: format!("{}: {}", called(&passed.queue), passed.reason),
                    candidates: views(&passed.candidates),
                })
                .collect();
            if !decision.candidates.is_empty() {
                // Where it went on, it is said from where to where.
                let title = match (&decision.queue, places.is_empty()) {
                    (Some(queue), false) => called(queue),
                    _ => t.looked_at.to_owned(),
                };
                places.push(Place { title, candidates: views(&decision.candidates) });
            }
            DecisionView {
                at: visit.moment_of(Some(&decision.at)),
                what: what(decision),
                reason: decision.reason.as_deref().map(|reason| names.told(reason)),
                run: decision.run.as_ref().map(|run| {
                    let action = decision.action.as_deref().unwrap_or(run);
                    Link::to(format!("/runs/{run}"), action)
                }),
                places,
            }
        })
        .collect())
}

/// Everybody who was looked at, wherever it was.
fn everybody(decision: &Decision) -> impl Iterator<Item = &DecisionCandidate> {
    let passed = decision.passed.iter().flat_map(|passed| &passed.candidates);
    passed.chain(&decision.candidates)
}

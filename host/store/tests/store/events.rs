use expect_test::expect;
use relata_engine::{Happening, HappeningKind};
use relata_model::{EventId, RunId, Value};
use relata_store::{Cause, RecordError, Write};
use serde_json::json;

use crate::backend::*;

fn line(happening: &Happening) -> String {
    match &happening.kind {
        HappeningKind::Change(change) => {
            let after = change.after.clone().unwrap_or_default();
            let touched: Vec<String> = after
                .keys()
                .filter(|field| change.touches(field) && !field.ends_with("_at"))
                .map(|field| format!("{field}: {} -> {}", change.was(field), change.is(field)))
                .collect();
            format!("{} {}: {}", change.kind.as_str(), change.reference.object, touched.join(", "))
        }
        HappeningKind::Named { name, key, about, data } => format!(
            "{name} key {} about {} status {}",
            key.is_some(),
            about.iter().map(|record| record.object.as_str()).collect::<Vec<_>>().join(", "),
            match data {
                Value::Map(fields) => fields.get("status").unwrap_or(&Value::Nothing).to_string(),
                other => other.to_string(),
            },
        ),
    }
}

on_each_backend! {
    async fn changes_leave_images_and_named_events(backend) {
        let store = backend.open().await;
        let anna = create(&store, "contact", json!({"name": "Anna", "external_id": "anna"})).await;
        let answer = create(&store, "survey_response", json!({"contact": "contact/anna"})).await;
        set(&store, &answer.reference, json!({"status": "sent"})).await;
        set(&store, &answer.reference, json!({"status": "answered", "score": 2})).await;
        set(&store, &answer.reference, json!({"comment": "still answered"})).await;
        create(&store, "interaction", json!({"about": "contact/anna", "kind": "mail_clicked", "mail": "fx_1"})).await;

        let pending = store.event_pending(100).await.unwrap();
        let lines: Vec<String> = pending.iter().map(line).collect();
        expect![[r#"
            created contact: external_id: (empty) -> anna, life_cycle: (empty) -> customer, locale: (empty) -> en, mail_consent: (empty) -> yes, name: (empty) -> Anna, order_count: (empty) -> 0, survey_consent: (empty) -> yes, tier: (empty) -> standard
            created survey_response: contact: (empty) -> contact/ANNA, status: (empty) -> scheduled
            changed survey_response: status: scheduled -> sent
            changed survey_response: score: (empty) -> 2, status: sent -> answered
            survey.answered key true about survey_response, contact status answered
            changed survey_response: comment: (empty) -> still answered
            created interaction: about: (empty) -> contact/ANNA, kind: (empty) -> mail_clicked, mail: (empty) -> fx_1
            mail.clicked key true about interaction, contact status (empty)"#]]
        .assert_eq(&lines.join("\n").replace(&anna.reference.key, "ANNA"));

        let HappeningKind::Named { key, about, .. } = &pending[4].kind else { panic!("a named event") };
        assert_eq!(key.as_deref(), Some(answer.reference.key.as_str()));
        assert_eq!(about, &[answer.reference.clone(), anna.reference.clone()]);
        let HappeningKind::Named { key, .. } = &pending[7].kind else { panic!("a named event") };
        assert_eq!(key.as_deref(), Some("fx_1"));

        // The contact's timeline has what was about it, newest last.
        let timeline = store.event_list(&anna.reference, None, 100).await.unwrap();
        assert_eq!(timeline.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 5, 8]);
        let earlier = store.event_list(&anna.reference, Some(8), 1).await.unwrap();
        assert_eq!(earlier.iter().map(|event| event.seq).collect::<Vec<_>>(), [5]);
        assert_eq!(timeline[0].actor, "test");
    }

    async fn events_are_pending_until_they_are_settled(backend) {
        let store = backend.open().await;
        for number in 0..5 {
            create(&store, "team", json!({"name": format!("team {number}")})).await;
        }
        let seen: Vec<EventId> =
            store.event_pending(3).await.unwrap().iter().map(|happening| happening.id).collect();
        assert_eq!(seen.len(), 3);
        for settled in [3, 0] {
            let seen = seen.clone();
            let count =
                store.write(move |tx| Box::pin(async move { tx.event_settle(&seen).await })).await.unwrap();
            assert_eq!(count.len(), settled);
        }
        assert_eq!(store.event_pending(100).await.unwrap().len(), 2);
        let event = store.event_fetch(seen[0]).await.unwrap().unwrap();
        assert_eq!((event.seq, event.happening.id), (1, seen[0]));
    }

    async fn an_event_knows_its_cause(backend) {
        let store = backend.open().await;
        let run = RunId::from_uuid(fresh());
        let cause = Cause {
            actor: "workflow/assign-new-leads".to_owned(),
            run: Some(run),
            workflow: Some("assign-new-leads".to_owned()),
            depth: 3,
            entry: Some(7),
        };
        let the_write = new(&store, "team", json!({"name": "Sales"}));
        let team = store
            .write(move |tx| {
                Box::pin(async move {
                    let written = tx.record_write(the_write, &cause, &mut fresh, at(0)).await?;
                    // It reads its own writes.
                    assert!(tx.record_fetch(&written.record.reference).await?.is_some());
                    Ok::<_, RecordError>(written.record)
                })
            })
            .await
            .unwrap();
        let events = store.event_list_of_run(run).await.unwrap();
        assert_eq!(events, store.event_list(&team.reference, None, 9).await.unwrap());
        let [event] = &events[..] else { panic!("one event") };
        assert_eq!(event.actor, "workflow/assign-new-leads");
        assert_eq!(event.happening.run, Some(run));
        assert_eq!(event.happening.workflow.as_deref(), Some("assign-new-leads"));
        assert_eq!((event.happening.depth, event.entry), (3, Some(7)));
        let _: Write = new(&store, "team", json!({}));
    }
}

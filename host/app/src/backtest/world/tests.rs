use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::*;

fn reference(text: &str) -> Reference {
    text.parse().expect("a reference")
}

fn fields(json: &Json) -> Option<Arc<Fields>> {
    let read = |value: &Json| match value.as_str().and_then(|text| text.parse().ok()) {
        Some(reference) => Value::Reference(reference),
        None => Value::from_json(value),
    };
    let object = json.as_object()?;
    let fields: Fields = object.iter().map(|(name, value)| (name.clone(), read(value))).collect();
    Some(fields.into())
}

fn change(record: &str, before: &Json, after: &Json) -> Change {
    let (before, after) = (fields(before), fields(after));
    let kind = match (&before, &after) {
        (None, _) => ChangeKind::Created,
        (_, None) => ChangeKind::Deleted,
        _ => ChangeKind::Changed,
    };
    Change { reference: reference(record), kind, before, after }
}

/// `status: open, owner: mara`, `gone` or `nothing known`.
fn look(world: &World, record: &str) -> String {
    match world.find(&reference(record)) {
        Known::Nothing => "nothing known".to_owned(),
        Known::As(None) => "gone".to_owned(),
        Known::As(Some(record)) => {
            let told: Vec<String> =
                record.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            told.join(", ")
        }
    }
}

fn came_to(applied: &Applied) -> String {
    match applied {
        Applied::AsLogged => "as logged".to_owned(),
        Applied::Moot => "moot".to_owned(),
        Applied::NoRecord => "no record".to_owned(),
        Applied::Otherwise(change) => {
            format!("{:?}", change.after.as_ref().map(|fields| fields.len()))
        }
    }
}

/// Plays lines of the log: who, the record, before, after. `other` is anybody
/// else, `live` the live version, `draft` writes by itself.
fn check(lines: &[(&str, &str, Json, Json)], expected: Expect) {
    let mut world = World::default();
    let mut told = Vec::new();
    for (who, record, before, after) in lines {
        let change = change(record, before, after);
        let applied = match *who {
            "live" => {
                world.pass_over(&change);
                "passed over".to_owned()
            }
            "draft" => {
                world.write(&change.reference, change.after.clone());
                "written".to_owned()
            }
            _ => came_to(&world.apply(&change)),
        };
        told.push(format!("{who}: {applied} -> {}", look(&world, record)));
    }
    expected.assert_eq(&told.join("\n"));
}

#[test]
fn a_record_begins_before_its_first_change_and_moves_with_the_log() {
    check(
        &[
            ("other", "lead/1", json!({"status": "new"}), json!({"status": "dead"})),
            ("other", "lead/2", json!(null), json!({"status": "new"})),
            ("other", "lead/2", json!({"status": "new"}), json!(null)),
        ],
        expect![[r#"
            other: as logged -> status: dead
            other: as logged -> status: new
            other: as logged -> gone"#]],
    );
}

#[test]
fn what_the_live_version_wrote_has_no_part_in_it() {
    let (new, owned) = (json!({"status": "new"}), json!({"status": "assigned", "owner": "mara"}));
    let called = json!({"status": "in_process", "owner": "mara"});
    check(
        &[
            ("other", "lead/1", json!(null), new.clone()),
            ("live", "lead/1", new.clone(), owned.clone()),
            // Somebody sets the status of the record that the live version left.
            ("other", "lead/1", owned.clone(), called.clone()),
            // The draft gives it to somebody else; what the log changes stays so.
            ("draft", "lead/1", json!(null), json!({"status": "in_process", "owner": "bert"})),
            ("other", "lead/1", called.clone(), json!({"status": "dead", "owner": "mara"})),
            ("other", "lead/1", json!({"owner": "mara"}), json!({"owner": "bert"})),
        ],
        expect![[r#"
            other: as logged -> status: new
            live: passed over -> status: new
            other: Some(1) -> status: in_process
            draft: written -> owner: bert, status: in_process
            other: Some(2) -> owner: bert, status: dead
            other: moot -> owner: bert, status: dead"#]],
    );
}

#[test]
fn who_answers_what_only_the_live_version_asked_is_not_heard() {
    let (sent, answered) = (json!({"status": "sent"}), json!({"status": "answered"}));
    check(
        &[
            ("live", "survey_response/1", json!(null), sent.clone()),
            ("other", "survey_response/1", sent.clone(), answered.clone()),
            // Where the draft asked too, it is.
            ("live", "survey_response/2", json!(null), sent.clone()),
            ("draft", "survey_response/2", json!(null), sent.clone()),
            ("other", "survey_response/2", sent, answered),
        ],
        expect![[r#"
            live: passed over -> gone
            other: no record -> gone
            live: passed over -> gone
            draft: written -> status: sent
            other: as logged -> status: answered"#]],
    );
}

#[test]
fn records_are_found_by_external_id_as_long_as_they_have_it() {
    let mut world = World::default();
    let id = reference("queue/01k9zzzzzzzzzzzzzzzzzzzzzz");
    assert_eq!(look(&world, "queue/support"), "nothing known");
    world.learn(&id, fields(&json!({"external_id": "support", "name": "Support"})));
    assert_eq!(look(&world, "queue/support"), "external_id: support, name: Support");
    world.write(&id, fields(&json!({"external_id": "help", "name": "Support"})));
    assert_eq!(look(&world, "queue/help"), "external_id: help, name: Support");
    assert_eq!(look(&world, "queue/support"), "nothing known");
    world.learn_nobody(&reference("queue/support"));
    assert_eq!(look(&world, "queue/support"), "gone");
    // What is known already is not learned again.
    world.learn(&id, None);
    assert_eq!(look(&world, "queue/help"), "external_id: help, name: Support");
}

#[test]
fn those_that_refer_to_another_are_kept_up_to_date() {
    let mut world = World::default();
    let (anna, bert) = (reference("contact/anna"), reference("contact/bert"));
    let of = |world: &World, to: &Reference| {
        let found = world.related("ticket", "customer", to);
        found.iter().map(|record| record.reference.key.clone()).collect::<Vec<_>>()
    };
    world.learn(&reference("ticket/1"), fields(&json!({"customer": "contact/anna"})));
    assert!(world.relate("ticket", "customer"));
    assert!(!world.relate("ticket", "customer"));
    assert!(!world.is_related("ticket", "customer", &anna));
    world.learn_related("ticket", "customer", &anna);
    assert!(world.is_related("ticket", "customer", &anna));
    world.learn(&reference("ticket/2"), fields(&json!({"customer": "contact/anna"})));
    world.learn(&reference("ticket/3"), fields(&json!({"subject": "none"})));
    assert_eq!(of(&world, &anna), ["1", "2"]);
    world.write(&reference("ticket/1"), fields(&json!({"customer": "contact/bert"})));
    world.write(&reference("ticket/2"), None);
    assert_eq!((of(&world, &anna), of(&world, &bert)), (vec![], vec!["1".to_owned()]));
}

use expect_test::expect;
use relata_app::{
    ApprovalFilter, NewAnswer, Running,
    model::{Reference, Value},
    store::EffectFilter,
};

use super::company::{Company, without_ids};

const ASKING: &str = "\
workflow: discount
when:
  - created: contact
steps:
  - do: approval.request
    who: WHO
    question: Give {{ contact.name }} 10 % off?
    answers: [approve, not now]
    due_at: 2 days
    as: asked
  - wait_for: { event: approval.answered }
    since: asked
    up_to: 2 days
    then:
      - do: task.create
        record: =contact
        assignee: queue/unassigned
        title: Somebody answered
        due_in: 1 day
    otherwise:
      - do: approval.close
        approval: =asked.approval
";

/// A contact was created, and somebody is asked.
async fn asking(who: &str) -> (Company, Reference) {
    let company = Company::new().await;
    let users: [(&str, &str, &str); 4] = [
        ("mara", "sales-lead", "yes"),
        ("ben", "sales-lead;head-of-support", "yes"),
        ("zoe", "agent", "yes"),
        ("old", "sales-lead", "no"),
    ];
    for (id, roles, active) in users {
        let email = format!("{id}@a.example");
        let fields = [
            ("name", id),
            ("external_id", id),
            ("email", email.as_str()),
            ("roles", roles),
            ("active", active),
        ];
        company.create("user", &fields).await;
    }
    let activated =
        company.app.activate("t.yaml", &ASKING.replace("WHO", who), "test", Running::Finish).await;
    activated.unwrap_or_else(|why| panic!("{why}"));
    company.create("contact", &[("name", "Anna"), ("external_id", "anna")]).await;
    company.settle().await;
    let approvals = company.app.approvals(&ApprovalFilter::default()).await.unwrap();
    let approval = Reference::new("approval", &approvals[0].approval);
    (company, approval)
}

fn answer(approval: &Reference, answer: &str, by: &str) -> NewAnswer {
    NewAnswer {
        approval: approval.clone(),
        answer: answer.to_owned(),
        by: by.parse().unwrap(),
        comment: None,
    }
}

#[tokio::test]
async fn an_answer_reaches_the_run() {
    let (company, approval) = asking("sales-lead").await;
    let given = NewAnswer {
        comment: Some(" up to 50 EUR ".to_owned()),
        ..answer(&approval, "approve", "user/ben")
    };
    let answered = company.app.answer_approval(&given).await.unwrap();
    assert_eq!(answered.too_late, None);
    assert_eq!(answered.approval.comment.as_deref(), Some("up to 50 EUR"));
    company.settle().await;
    assert_eq!(company.runs().await, ["discount done"]);
    assert_eq!(company.tasks().await, ["Somebody answered"]);
    let record = company.app.record(&approval).await.unwrap();
    let ben = company.app.record(&"user/ben".parse().unwrap()).await.unwrap().reference;
    assert_eq!(record.field("answered_by"), &Value::Reference(ben.clone()));
    let timeline = company.app.timeline(&approval).await.unwrap();
    assert!(timeline.iter().any(|entry| entry.by == ben.to_string()), "{timeline:?}");
    assert!(company.app.approvals(&ApprovalFilter::default()).await.unwrap().is_empty());
    let all = ApprovalFilter { all: true, ..ApprovalFilter::default() };
    assert_eq!(company.app.approvals(&all).await.unwrap()[0].answer.as_deref(), Some("approve"));
}

#[tokio::test]
async fn all_who_have_the_role_are_told_how_to_answer() {
    let (company, _) = asking("sales-lead").await;
    let effects = company.app.effects(&EffectFilter::default()).await.unwrap();
    let mut told: Vec<&str> =
        effects.iter().filter_map(|effect| effect.address.as_deref()).collect();
    told.sort_unstable();
    assert_eq!(told, ["ben@a.example", "mara@a.example"]);
    let to_ben = effects.iter().find(|effect| effect.address.as_deref() == Some("ben@a.example"));
    let id = to_ben.unwrap().effect.parse().unwrap();
    let detail = company.app.effect(id).await.unwrap();
    expect![[r#"
        Give Anna 10 % off?

        run_… asks this, and waits for the answer until 2026-12-16T07:00:00Z. To answer:

            relata approvals answer … approve --by user/ben
            relata approvals answer … 'not now' --by user/ben

        It is about:

        contact/…"#]]
    .assert_eq(&without_ids(&detail.text.unwrap()));
}

#[tokio::test]
async fn who_is_asked_what() {
    let (company, _) = asking("sales-lead").await;
    let mut told = Vec::new();
    for (user, role) in [
        (None, None),
        (Some("user/ben"), None),
        (Some("user/zoe"), None),
        (None, Some("sales-lead")),
        (None, Some("agent")),
    ] {
        let filter = ApprovalFilter {
            user: user.map(|user| user.parse().unwrap()),
            role: role.map(str::to_owned),
            all: false,
        };
        let found = company.app.approvals(&filter).await.unwrap();
        told.push(format!("{user:?} {role:?}: {}", found.len()));
    }
    expect![[r#"
        None None: 1
        Some("user/ben") None: 1
        Some("user/zoe") None: 0
        None Some("sales-lead"): 1
        None Some("agent"): 0"#]]
    .assert_eq(&told.join("\n"));
}

#[tokio::test]
async fn every_wrong_answer_is_refused_with_its_reason() {
    let mut told = Vec::new();
    let (company, approval) = asking("sales-lead").await;
    let nothing: Reference = "approval/zzz".parse().unwrap();
    let contact: Reference = "contact/anna".parse().unwrap();
    for new in [
        answer(&nothing, "approve", "user/ben"),
        answer(&contact, "approve", "user/ben"),
        answer(&approval, "aprove", "user/ben"),
        answer(&approval, "maybe", "user/ben"),
        answer(&approval, "approve", "user/nobody"),
        answer(&approval, "approve", "contact/anna"),
        answer(&approval, "approve", "user/zoe"),
        answer(&approval, "approve", "user/old"),
    ] {
        let why = company.app.answer_approval(&new).await.unwrap_err();
        assert!(why.is_wrong_input());
        told.push(without_ids(&why.to_string()));
    }
    company.app.answer_approval(&answer(&approval, "not now", "user/mara")).await.unwrap();
    for by in ["user/mara", "user/ben"] {
        let why = company.app.answer_approval(&answer(&approval, "not now", by)).await.unwrap_err();
        told.push(without_ids(&why.to_string()));
    }
    let (company, approval) = asking("user/mara").await;
    let why =
        company.app.answer_approval(&answer(&approval, "approve", "user/ben")).await.unwrap_err();
    told.push(without_ids(&why.to_string()));
    company.advance("2026-12-16T07:00:00Z").await;
    assert_eq!(company.runs().await, ["discount done"]);
    let why =
        company.app.answer_approval(&answer(&approval, "approve", "user/mara")).await.unwrap_err();
    told.push(without_ids(&why.to_string()));
    expect![[r#"
        there is no approval `zzz`; `relata approvals` lists those that are open
        contact/anna is no approval; `relata approvals` lists those that are open
        `aprove` is none of the answers; did you mean `approve`?
        `maybe` is none of the answers; there are approve, not now
        there is no user `nobody`
        contact/anna is no user; write it like user/anna
        those with the role `sales-lead` are asked, and zoe does not have it
        old no longer works here
        mara has answered `not now` already
        mara has answered `not now` already
        mara is asked, not ben
        nobody waits for the answer any more: it has expired"#]]
    .assert_eq(&told.join("\n"));
}

#[tokio::test]
async fn past_its_time_nothing_can_be_answered() {
    let (company, approval) = asking("sales-lead").await;
    // Nothing closes it: its run is gone.
    let run = company.app.runs(Default::default(), 1).await.unwrap()[0].run.parse().unwrap();
    company.app.cancel(run, "a test").await.unwrap();
    company.advance("2026-12-16T07:00:00Z").await;
    let late = company.app.approvals(&ApprovalFilter::default()).await.unwrap();
    assert_eq!((late[0].late, late[0].abandoned), (true, true));
    let why =
        company.app.answer_approval(&answer(&approval, "approve", "user/ben")).await.unwrap_err();
    assert_eq!(
        why.to_string(),
        "it could be answered until 2026-12-16T07:00:00Z, which has gone by"
    );
}

#[tokio::test]
async fn an_answer_after_the_runs_end_says_so() {
    let (company, approval) = asking("sales-lead").await;
    let run = company.app.runs(Default::default(), 1).await.unwrap()[0].run.parse().unwrap();
    company.app.cancel(run, "the customer called").await.unwrap();
    company.settle().await;
    let answered =
        company.app.answer_approval(&answer(&approval, "approve", "user/ben")).await.unwrap();
    expect!["run_… has ended before (cancelled: the customer called)"]
        .assert_eq(&without_ids(&answered.too_late.unwrap()));
    assert_eq!(answered.approval.status, "answered");
}

#[tokio::test]
async fn of_two_who_answer_at_once_one_does() {
    let (company, approval) = asking("sales-lead").await;
    let (mara, ben) =
        (answer(&approval, "approve", "user/mara"), answer(&approval, "not now", "user/ben"));
    let (one, other) =
        tokio::join!(company.app.answer_approval(&mara), company.app.answer_approval(&ben));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    company.settle().await;
    assert_eq!(company.tasks().await.len(), 1);
}

#[tokio::test]
async fn nobody_to_ask_ends_the_step() {
    for (who, expected) in [
        ("head-of-nothing", "nobody has the role `head-of-nothing`"),
        ("user/old", "old no longer works here"),
        ("queue/unassigned", "queue/unassigned cannot be asked"),
    ] {
        let company = Company::new().await;
        let fields =
            [("name", "old"), ("external_id", "old"), ("email", "o@a.example"), ("active", "no")];
        company.create("user", &fields).await;
        company
            .app
            .activate("t.yaml", &ASKING.replace("WHO", who), "test", Running::Finish)
            .await
            .unwrap();
        company.create("contact", &[("name", "Anna")]).await;
        company.settle().await;
        let runs = company.runs().await;
        assert!(runs[0].contains(expected), "{runs:?}");
    }
}

/// `ask:` is made of the two actions; here it goes all the way.
#[tokio::test]
async fn ask_goes_on_with_the_answer_or_without() {
    let company = Company::new().await;
    company
        .create("user", &[("name", "Mara"), ("email", "m@a.example"), ("roles", "sales-lead")])
        .await;
    company
        .activate(
            "\
workflow: discount
when:
  - created: contact
steps:
  - ask: sales-lead
    question: Give {{ contact.name }} 10 % off?
    answers: [approve, reject]
    up_to: 2 days
    as: approval
  - do: task.create
    record: =contact
    assignee: queue/unassigned
    title: \"{{ contact.name }}: {{ approval.answer }}\"
    due_in: 1 day
",
        )
        .await;
    for name in ["Anna", "Ben"] {
        company.create("contact", &[("name", name)]).await;
    }
    company.settle().await;
    let open = company.app.approvals(&ApprovalFilter::default()).await.unwrap();
    assert_eq!(open.len(), 2);
    // Runs move side by side: either may have asked first.
    let anna = open.iter().find(|row| row.question.contains("Anna")).unwrap();
    let first = Reference::new("approval", &anna.approval);
    let mara = company.app.records_all("user").await.unwrap()[0].reference.to_string();
    company.app.answer_approval(&answer(&first, "approve", &mara)).await.unwrap();
    company.settle().await;
    assert_eq!(company.tasks().await, ["Anna: approve"]);
    company.advance("2026-12-17T07:00:00Z").await;
    assert_eq!(company.tasks().await, ["Anna: approve", "Ben: no_answer"]);
    let all = ApprovalFilter { all: true, ..ApprovalFilter::default() };
    for row in company.app.approvals(&all).await.unwrap() {
        let expected = if row.approval == first.key { "answered" } else { "expired" };
        assert_eq!(row.status, expected, "{}", row.question);
    }
}

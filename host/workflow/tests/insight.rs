//! What an editor is told: what can stand at a place, what stands there, and
//! where it comes from. `¦` is the cursor.

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use relata_workflow::{
    Catalog,
    insight::{Insight, complete, fix},
    parse,
};

use crate::catalog;

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);

/// A file without its cursor, and where that was.
fn cursor(marked: &str) -> (String, usize) {
    let offset = marked.find('¦').expect("a cursor");
    (marked.replacen('¦', "", 1), offset)
}

/// A workflow about a ticket with these steps.
fn about_a_ticket(steps: &str) -> String {
    format!("workflow: test\nwhen:\n  - created: ticket\nsteps:\n{steps}")
}

/// The labels of what can stand at the cursor.
fn offered(file: &str, expected: Expect) {
    let (source, offset) = cursor(file);
    let mut labels: Vec<String> = complete("test.yaml", &source, offset, &CATALOG)
        .into_iter()
        .map(|item| item.label)
        .collect();
    if labels.len() > 9 {
        labels.truncate(8);
        labels.push("…".to_owned());
    }
    expected.assert_eq(&labels.join(", "));
}

fn offered_in_steps(steps: &str, expected: Expect) {
    offered(&about_a_ticket(steps), expected);
}

#[test]
fn keys_are_offered() {
    offered(
        "workf¦",
        expect!["workflow, blueprint, title, owner, calendar, when, about, inputs, …"],
    );
    offered(
        "workflow: a\nwhen:\n  - created: lead\n¦\n",
        expect!["blueprint, title, owner, calendar, about, inputs, only_if, never_for, …"],
    );
    offered(
        "workflow: a\nwhen:\n  - ¦\nsteps: []\n",
        expect!["created, changed, enters, event, schedule, cron, webhook, button"],
    );
    offered(
        "workflow: a\nwhen:\n  - cre¦\nsteps: []\n",
        expect!["created, changed, enters, event, schedule, cron, webhook, button"],
    );
    offered("workflow: a\nwhen:\n  - changed: ticket.status\n    ¦\n", expect!["from, to"]);
    offered("workflow: a\nwhen:\n  - { changed: ticket.status, ¦ }\n", expect!["from, to"]);
    offered(
        "workflow: a\nwhen:\n  - schedule: weekdays at 09:00\n    t¦\n",
        expect!["time_zone, if_missed"],
    );
    offered(
        "workflow: a\nrepeat:\n  one_per: ticket\n  ¦",
        expect!["again_after, counted_from, while_running"],
    );
    offered_in_steps(
        "  - ¦",
        expect!["do, decide, if, wait, wait_until, wait_for, deadline, split, …"],
    );
    offered_in_steps("  - wait: 1 hour\n    ¦", expect!["resume_in"]);
    offered_in_steps("  - if: ticket.owner is empty\n    the¦", expect!["then, else"]);
    offered_in_steps(
        "  - if: ticket.owner is empty\n    then:\n      - wait_¦",
        expect!["do, decide, if, wait, wait_until, wait_for, deadline, split, …"],
    );
    offered_in_steps("  - decide: x\n    rows:\n      - ¦\n", expect!["if, use"]);
    offered_in_steps(
        "  - deadline: 4 hours\n    met_when: ticket.owner is empty\n    levels:\n      - at: 50%\n        ¦",
        expect!["steps, do, decide, if, wait, wait_until, wait_for, deadline, …"],
    );
    offered_in_steps(
        "  - ask: sales\n    ¦",
        expect!["question, answers, about, up_to, as, otherwise"],
    );
}

#[test]
fn actions_and_their_arguments_are_offered() {
    offered_in_steps(
        "  - do: ¦",
        expect![
            "approval.close, approval.request, assign.round_robin, crm.create, crm.find, crm.update, enrich.company, mail.send, …"
        ],
    );
    offered_in_steps(
        "  - do: mail.¦",
        expect![
            "approval.close, approval.request, assign.round_robin, crm.create, crm.find, crm.update, enrich.company, mail.send, …"
        ],
    );
    offered_in_steps(
        "  - do: mail.send\n    ¦",
        expect!["template, to, data, as, retry, if_it_fails, if_unknown, may"],
    );
    offered_in_steps(
        "  - do: mail.send\n    to: =ticket.customer\n    te¦\n  - wait: 1 hour\n",
        expect!["template, data, as, retry, if_it_fails, if_unknown, may"],
    );
    offered_in_steps(
        "  - do: mail.send\n    template: w¦",
        expect!["csat, welcome, win-back-free_shipping, win-back-reminder, win-back-ten_percent"],
    );
    offered_in_steps("  - do: mail.send\n    to: ¦", expect!["=ticket"]);
    offered_in_steps(
        "  - do: assign.round_robin\n    team: ¦",
        expect!["dach, enterprise, international, sales-ops, =ticket"],
    );
    offered_in_steps(
        "  - do: route.by_skill\n    prefer: ¦",
        expect!["senior, junior, any, =ticket"],
    );
    offered_in_steps(
        "  - do: crm.update\n    record: =ticket\n    set: { ¦ }",
        expect!["ref, customer, subject, body, channel, type, category, priority, …"],
    );
    offered_in_steps(
        "  - do: crm.update\n    record: =ticket\n    set:\n      pri¦",
        expect!["ref, customer, subject, body, channel, type, category, priority, …"],
    );
    offered_in_steps(
        "  - do: crm.update\n    record: =ticket\n    set: { status: open, prio¦ }",
        expect!["ref, customer, subject, body, channel, type, category, priority, …"],
    );
    offered_in_steps(
        "  - do: crm.update\n    record: =ticket\n    set: { status: ¦ }",
        expect!["new, open, waiting_for_customer, on_hold, solved, closed, =ticket"],
    );
    offered_in_steps(
        "  - do: crm.create\n    object: le¦",
        expect!["account, approval, calendar, campaign, contact, contract, escalation, form, …"],
    );
    offered_in_steps(
        "  - do: notify.role\n    role: ¦",
        expect!["head-of-support, marketing, sales-ops, support-ops, =ticket"],
    );
}

#[test]
fn names_fields_and_functions_are_offered_in_formulas() {
    offered_in_steps(
        "  - do: mail.send\n    to: =ticket.¦",
        expect!["ref, customer, subject, body, channel, type, category, priority, …"],
    );
    offered_in_steps(
        "  - do: mail.send\n    to: =ticket.customer.na¦",
        expect!["name, email, phone, account, locale, time_zone, country, tier, …"],
    );
    offered_in_steps(
        "  - stop_if: ticket.¦",
        expect!["ref, customer, subject, body, channel, type, category, priority, …"],
    );
    offered_in_steps(
        "  - stop_if: ticket.status == \"op¦",
        expect!["new, open, waiting_for_customer, on_hold, solved, closed"],
    );
    offered_in_steps(
        "  - stop_if: ticket.status == \"¦\"",
        expect!["new, open, waiting_for_customer, on_hold, solved, closed"],
    );
    offered_in_steps(
        "  - stop_if: ticket.status in [\"new\", \"¦\"]",
        expect!["new, open, waiting_for_customer, on_hold, solved, closed"],
    );
    offered_in_steps(
        "  - stop_if: ticket.status ¦",
        expect!["==, !=, <, <=, >, >=, is empty, is not empty, …"],
    );
    offered_in_steps("  - stop_if: ticket.owner is ¦", expect!["empty, not empty"]);
    offered_in_steps("  - stop_if: ticket.owner is not ¦", expect!["empty"]);
    // Whatever is still open is closed, as far as that is needed.
    let text = "  - do: notify.role\n    role: support-ops\n    text: ";
    offered_in_steps(
        &format!("{text}\"{{{{ ticket.cust¦"),
        expect!["ref, customer, subject, body, channel, type, category, priority, …"],
    );
    offered_in_steps(
        &format!("{text}\"{{{{ ticket.created_at | ¦ }}}}\""),
        expect!["short, date, time, upper, lower"],
    );
    // The name of a step, and its parts, from there on.
    let scored = "  - do: sentiment.score\n    text: =ticket.subject\n    as: mood\n";
    offered_in_steps(
        &format!("{scored}  - stop_if: mood.¦\n  - wait: 1 hour"),
        expect!["label, score"],
    );
    offered_in_steps(
        &format!("{scored}  - stop_if: mood.label == \"¦\""),
        expect!["negative, neutral, positive"],
    );
    let (file, offset) = cursor(&about_a_ticket("  - stop_if: low¦"));
    let labels: Vec<String> =
        complete("test.yaml", &file, offset, &CATALOG).into_iter().map(|item| item.label).collect();
    for known in ["ticket", "lower", "days_between", "now", "not", "true"] {
        assert!(labels.iter().any(|label| label == known), "{known} is not in {labels:?}");
    }
}

#[test]
fn what_is_there_by_name_is_offered() {
    offered(
        "workflow: a\nwhen:\n  - created: ¦",
        expect!["account, approval, calendar, campaign, contact, contract, escalation, form, …"],
    );
    offered(
        "workflow: a\nwhen:\n  - changed: lead.¦",
        expect!["name, email, phone, company, company_size, country, locale, source, …"],
    );
    offered(
        "workflow: a\nwhen:\n  - changed: lead.status\n    to: ¦",
        expect!["new, assigned, in_process, converted, recycled, dead"],
    );
    offered(
        "workflow: a\nwhen:\n  - enters: ¦",
        expect![
            "segment/dormant-90-days, segment/no-surveys, segment/open-complaint, segment/unsubscribed"
        ],
    );
    offered(
        "workflow: a\nnever_for: [segment/no-surveys, segment/¦]",
        expect![
            "segment/dormant-90-days, segment/no-surveys, segment/open-complaint, segment/unsubscribed"
        ],
    );
    offered(
        "workflow: a\nnever_for:\n  - ¦",
        expect![
            "segment/dormant-90-days, segment/no-surveys, segment/open-complaint, segment/unsubscribed"
        ],
    );
    offered(
        "workflow: a\nwhen:\n  - created: lead\nonly_if:\n  - lead.own¦",
        expect!["name, email, phone, company, company_size, country, locale, source, …"],
    );
    offered("workflow: a\ncalendar: ¦", expect!["marketing-hours, sales-hours, support-hours"]);
    offered(
        "workflow: a\nowner: ¦",
        expect![
            "head-of-support, marketing, sales-ops, support-ops, dach, enterprise, international, sales-ops"
        ],
    );
    offered(
        "workflow: a\nrepeat:\n  while_running: ¦",
        expect!["ignore, restart, queue, parallel"],
    );
    offered(
        "workflow: a\nstop_when:\n  - event: ¦",
        expect![
            "approval.answered, sla.breached, sla.warning, mail.clicked, mail.opened, order.paid, survey.answered"
        ],
    );
    offered_in_steps(
        "  - do: survey.send\n    to: =ticket.customer\n    template: csat\n    as: survey\n  - wait_for: { event: survey.answered }\n    since: ¦",
        expect!["survey"],
    );
    offered(
        "workflow: a\ninputs:\n  size: ¦",
        expect!["text, number, yes/no, date, time, duration, money, record, …"],
    );
    // Nothing in a remark, and nothing where a name is made up.
    offered("workflow: a # for lead.¦", expect![""]);
    offered("workflow: ¦", expect![""]);
}

/// A completion takes the place of what was written of it.
#[test]
fn the_word_before_the_cursor_is_replaced() {
    for (file, label, becomes) in [
        (
            about_a_ticket("  - stop_if: ticket.sta¦"),
            "status",
            about_a_ticket("  - stop_if: ticket.status"),
        ),
        (about_a_ticket("  - do: crm.up¦"), "crm.update", about_a_ticket("  - do: crm.update")),
        (about_a_ticket("  - wai¦"), "wait", about_a_ticket("  - wait: ")),
        (about_a_ticket("  - wai¦: 1 hour"), "wait", about_a_ticket("  - wait: 1 hour")),
        (about_a_ticket("  - wait¦\n"), "wait_for", about_a_ticket("  - wait_for:\n")),
        (
            "workflow: a\nnever_for: [seg¦]".to_owned(),
            "segment/no-surveys",
            "workflow: a\nnever_for: [segment/no-surveys]".to_owned(),
        ),
        (
            about_a_ticket("  - stop_if: ticket.status == \"wai¦\""),
            "waiting_for_customer",
            about_a_ticket("  - stop_if: ticket.status == \"waiting_for_customer\""),
        ),
        (
            about_a_ticket("  - stop_if: ticket.subject == low¦"),
            "lower",
            about_a_ticket("  - stop_if: ticket.subject == lower("),
        ),
    ] {
        let (source, offset) = cursor(&file);
        let item = complete("test.yaml", &source, offset, &CATALOG)
            .into_iter()
            .find(|item| item.label == label)
            .unwrap_or_else(|| panic!("{label} is not offered in {file}"));
        let mut after = source.clone();
        after.replace_range(item.replaces.start..item.replaces.end, &item.insert);
        assert_eq!(after, becomes);
    }
}

/// What is said of the cursor's place, and of which part of the file.
fn said(file: &str, expected: Expect) {
    let (source, offset) = cursor(file);
    let insight = Insight::new("test.yaml", &source, &CATALOG);
    let said = match insight.hover(offset) {
        None => "nothing".to_owned(),
        Some(hover) => {
            format!("{}\n---\n{}", &source[hover.range.start..hover.range.end], hover.text)
        }
    };
    expected.assert_eq(&said);
}

#[test]
fn what_stands_there_is_said() {
    said(
        &about_a_ticket("  - wa¦it: 1 hour"),
        expect![[r#"
        wait
        ---
        `wait` of a step

        Waits for a length of time: `24 hours` is elapsed time, `1 day` the same local time on the next day."#]],
    );
    said(
        &about_a_ticket("  - stop_if: ticket.customer.ti¦er == \"gold\""),
        expect![[r#"
        tier
        ---
        `ticket.customer.tier`: one of standard, silver, gold; may be empty

        One of standard, silver, gold."#]],
    );
    said(
        &about_a_ticket("  - stop_if: tic¦ket.customer is empty"),
        expect![[r#"
        ticket
        ---
        `ticket`: a record of ticket

        A customer's inquiry, from the first message to its solution."#]],
    );
    let (source, offset) =
        cursor(&about_a_ticket("  - stop_if: days_bet¦ween(ticket.created_at, now()) > 3"));
    let text = Insight::new("test.yaml", &source, &CATALOG).hover(offset).unwrap().text;
    assert!(text.starts_with("`days_between(from, to)`\n\n"), "{text}");
    assert!(text.contains("\n- `from`: a day or a point in time\n"), "{text}");
    said(
        &about_a_ticket("  - do: mail.s¦end\n    to: =ticket.customer\n    template: csat"),
        expect![[r#"
            mail.send
            ---
            `mail.send`
            - `data`: Takes anything. May be left out.
            - `template`: Takes the name of a mail template.
            - `to`: Takes a record.
            - yields `mail`: text
            - yields `suppressed`: text; may be empty

            Is answered by `mail.clicked`, `mail.opened`."#]],
    );
    said(
        &about_a_ticket("  - do: mail.send\n    templ¦ate: csat"),
        expect![[r#"
        template
        ---
        `template` of `mail.send`

        Takes the name of a mail template."#]],
    );
    said(
        &about_a_ticket("  - do: crm.update\n    record: =ticket\n    set: { prior¦ity: high }"),
        expect![[r#"
        priority
        ---
        `priority` of ticket

        One of low, normal, high, urgent."#]],
    );
    said(
        &about_a_ticket(
            "  - do: notify.role\n    role: support-ops\n    text: \"客户 {{ ticket.subj¦ect }} 😀\"",
        ),
        expect![[r#"
        subject
        ---
        `ticket.subject`: text

        Text."#]],
    );
    said(
        "workflow: a\nwhen:\n  - changed: ticket.sta¦tus\nsteps: []",
        expect![[r#"
        ticket.status
        ---
        `status` of ticket

        One of new, open, waiting_for_customer, on_hold, solved, closed."#]],
    );
    said(
        "workflow: a\nstop_when:\n  - event: order.pa¦id\nsteps: []",
        expect![[r#"
            order.paid
            ---
            `order.paid` happens when `status` of an order becomes `paid`."#]],
    );
    said(
        "workflow: a\nrepeat:\n  while_running: res¦tart",
        expect![[r#"
        restart
        ---
        `restart`: the run ends, and another begins"#]],
    );
    said("# a rem¦ark\nworkflow: a", expect!["nothing"]);
}

fn leads_to(file: &str, expected: Expect) {
    let (source, offset) = cursor(file);
    let insight = Insight::new("test.yaml", &source, &CATALOG);
    let target = insight.target(offset).map_or("nothing".to_owned(), |target| match target {
        relata_workflow::insight::Target::Here(range) => {
            let line = source[..range.start].matches('\n').count() + 1;
            format!("line {line}: {}", &source[range.start..range.end])
        }
        other => format!("{other:?}"),
    });
    expected.assert_eq(&target);
}

#[test]
fn where_it_comes_from_is_found() {
    let steps = "  - do: survey.send\n    to: =ticket.customer\n    template: csat\n    as: survey\n  - wait_for: { event: survey.answered }\n    since: survey\n    as: answer\n  - stop_if: answer.score == 1\n";
    leads_to(
        &about_a_ticket(&steps.replace("since: survey", "since: sur¦vey")),
        expect!["line 8: survey"],
    );
    leads_to(
        &about_a_ticket(&steps.replace("stop_if: answer", "stop_if: ans¦wer")),
        expect!["line 11: answer"],
    );
    leads_to(
        &about_a_ticket(&steps.replace("answer.score", "answer.sc¦ore")),
        expect![[r#"Object("survey_response", Some("score"))"#]],
    );
    leads_to(
        &about_a_ticket(&steps.replace("=ticket.customer", "=tic¦ket.customer")),
        expect![[r#"Object("ticket", None)"#]],
    );
    leads_to(
        &about_a_ticket(&steps.replace("ticket.customer", "ticket.cus¦tomer")),
        expect![[r#"Object("ticket", Some("customer"))"#]],
    );
    leads_to(
        &about_a_ticket(&steps.replace("template: csat", "template: cs¦at")),
        expect![[r#"Template("csat")"#]],
    );
    leads_to(
        &about_a_ticket(steps).replace("created: ticket", "created: tic¦ket"),
        expect![[r#"Object("ticket", None)"#]],
    );
    leads_to(
        &about_a_ticket(&steps.replace("survey.answered", "survey.ans¦wered")),
        expect![[r#"Object("survey_response", None)"#]],
    );
    leads_to(
        &about_a_ticket("  - run: inspect-¦return"),
        expect![[r#"Workflow("inspect-return")"#]],
    );
    leads_to(&about_a_ticket("  - wait: 1 ¦hour"), expect!["nothing"]);
}

#[test]
fn the_outline_has_the_steps() {
    let source = include_str!("../../../workflows/complaint-escalation.yaml");
    let insight = Insight::new("test.yaml", source, &CATALOG);
    assert!(insight.definition().is_some());
    fn write(symbols: &[relata_workflow::insight::Symbol], depth: usize, text: &mut String) {
        for symbol in symbols {
            let detail = if symbol.detail.is_empty() {
                String::new()
            } else {
                format!(" ({})", symbol.detail)
            };
            text.push_str(&format!("{}{}{detail}\n", "  ".repeat(depth), symbol.name));
            assert!(symbol.range.start <= symbol.key.start && symbol.key.end <= symbol.range.end);
            for child in &symbol.children {
                assert!(symbol.range.start <= child.range.start, "{}", symbol.name);
                assert!(child.range.end <= symbol.range.end, "{}", symbol.name);
            }
            write(&symbol.children, depth + 1, text);
        }
    }
    let mut text = String::new();
    write(&insight.symbols(), 0, &mut text);
    expect![[r#"
        workflow (complaint-escalation)
        title (Find complaints and escalate them)
        owner (support-ops)
        when
        repeat
        stop_when
        steps
          do: sentiment.score (mood)
          stop_unless: mood.label == "negative" or ticket.category == "complaint"
          decide: target
          do: crm.update
          do: route.by_skill (agent)
          deadline: =target.reply_in
            at: 50%, do: notify.user
            at: 100%, do: route.by_skill
            at: 200%, do: notify.role
    "#]]
    .assert_eq(&text);
}

#[test]
fn slips_are_mended_by_the_editor() {
    let mended = |source: &str, expected: &str| {
        let (_, found) = parse("test.yaml", source, &CATALOG);
        let fixes: Vec<_> = found.iter().filter_map(|found| fix(found, source)).collect();
        let [fix] = fixes.as_slice() else { panic!("{found:#?}") };
        let mut after = source.to_owned();
        after.replace_range(fix.range.start..fix.range.end, &fix.text);
        assert_eq!(after, expected);
    };
    for (slip, meant) in [
        ("  - stop_if: ticket.custmer is empty\n", "  - stop_if: ticket.customer is empty\n"),
        ("  - stop_if: ticket.status == \"opn\"\n", "  - stop_if: ticket.status == \"open\"\n"),
        (
            "  - stop_if: lowr(ticket.subject) == \"x\"\n",
            "  - stop_if: lower(ticket.subject) == \"x\"\n",
        ),
        (
            "  - do: mail.sned\n    to: =ticket.customer\n",
            "  - do: mail.send\n    to: =ticket.customer\n",
        ),
        ("  - wiat: 1 hour\n", "  - wait: 1 hour\n"),
        (
            "  - wait: 1 hour\n    resume_in: suport-hours\n",
            "  - wait: 1 hour\n    resume_in: support-hours\n",
        ),
        (
            "  - do: task.create\n    record: =ticket\n    assignee: queue/complaint\n    title: x\n    due_in: 1 hour\n",
            "  - do: task.create\n    record: =ticket\n    assignee: queue/complaints\n    title: x\n    due_in: 1 hour\n",
        ),
        (
            "  - do: notify.role\n    role: support-ops\n    text: ticket.ref\n",
            "  - do: notify.role\n    role: support-ops\n    text: =ticket.ref\n",
        ),
    ] {
        mended(&about_a_ticket(slip), &about_a_ticket(meant));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in a file and wherever the cursor is, an editor gets
    /// an answer, and every range lies in the file.
    #[test]
    fn every_place_of_every_file_has_an_answer(
        which in 0_usize..4,
        cut in 0_usize..3_000,
        typed in prop_oneof![
            Just(String::new()),
            Just("=ticket.".to_owned()),
            Just("\"{{ ".to_owned()),
            Just("- ".to_owned()),
            Just("}".to_owned()),
            "\\PC{0,6}",
        ],
        rest in any::<bool>(),
    ) {
        let source = [
            include_str!("../../../workflows/assign-new-leads.yaml"),
            include_str!("../../../workflows/inquiry-survey.yaml"),
            include_str!("../../../workflows/complaint-escalation.yaml"),
            include_str!("../../../workflows/win-back.yaml"),
        ][which];
        let mut cut = cut % source.len();
        while !source.is_char_boundary(cut) {
            cut -= 1;
        }
        let behind = if rest { &source[cut..] } else { "" };
        let file = format!("{}{typed}{behind}", &source[..cut]);
        let offset = cut + typed.len();
        for item in complete("test.yaml", &file, offset, &CATALOG) {
            prop_assert!(item.replaces.end == offset && item.replaces.start <= offset);
            prop_assert!(file.is_char_boundary(item.replaces.start));
        }
        let insight = Insight::new("test.yaml", &file, &CATALOG);
        if let Some(hover) = insight.hover(offset) {
            prop_assert!(file.get(hover.range.start..hover.range.end).is_some());
        }
        let _ = insight.target(offset);
        let _ = insight.symbols();
        // What is found does not hang on being recorded.
        let (definition, found) = parse("test.yaml", &file, &CATALOG);
        prop_assert_eq!(insight.definition(), definition.as_ref());
        prop_assert_eq!(insight.diagnostics(), found.as_slice());
    }
}

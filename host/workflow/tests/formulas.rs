//! Formulas: what they yield, what is wrong with them, and that they never
//! panic.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use expect_test::{Expect, expect, expect_file};
use relata_model::{
    Calendar, Duration, Fields, Objects, Record, Reference, TimeZone, Timestamp, Value,
};
use relata_workflow::{
    EvaluationError, Facts, Formula, Need, Scope, Slot, Type, formula::functions::FUNCTIONS,
    formula::reference_page,
};

fn variables() -> BTreeMap<String, Slot> {
    let record = |object: &str| Slot::of(Type::Record(vec![object.to_owned()]));
    BTreeMap::from([
        ("lead".to_owned(), record("lead")),
        ("ticket".to_owned(), record("ticket")),
        ("order".to_owned(), record("order")),
        (
            "mood".to_owned(),
            Slot::of(Type::Map(BTreeMap::from([
                ("score".to_owned(), Slot::of(Type::Number)),
                (
                    "label".to_owned(),
                    Slot::of(Type::Choice(vec!["negative".to_owned(), "positive".to_owned()])),
                ),
                ("why".to_owned(), Slot::maybe(Type::Text)),
            ]))),
        ),
    ])
}

fn record(reference: &str, fields: &[(&str, Value)]) -> (Reference, Option<Record>) {
    let reference: Reference = reference.parse().unwrap();
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let fields = fields.collect::<Fields>().into();
    (reference.clone(), Some(Record { reference, revision: 3, fields }))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn reference(text: &str) -> Value {
    Value::Reference(text.parse().unwrap())
}

fn world() -> (BTreeMap<String, Value>, Facts) {
    let mut facts = Facts::default();
    facts.records.extend([
        record(
            "lead/1",
            &[
                ("name", text("Ana Müller")),
                ("country", text("DE")),
                ("status", text("new")),
                ("tags", Value::List(vec![text("fair"), text("vip")])),
                ("created_at", Value::Time("2026-12-13T18:30:00Z".parse().unwrap())),
            ],
        ),
        record(
            "ticket/1",
            &[
                ("ref", text("T-1")),
                ("customer", reference("contact/1")),
                ("sentiment", Value::Number("-0.9".parse().unwrap())),
            ],
        ),
        record("contact/1", &[("tier", text("gold")), ("owner", reference("user/deleted"))]),
        record("order/1", &[("amount", Value::Money("12.50 EUR".parse().unwrap()))]),
        ("user/deleted".parse().unwrap(), None),
    ]);
    let mood = Value::Map(BTreeMap::from([
        ("score".to_owned(), Value::Number("-0.8".parse().unwrap())),
        ("label".to_owned(), text("negative")),
    ]));
    let variables = BTreeMap::from([
        ("lead".to_owned(), reference("lead/1")),
        ("ticket".to_owned(), reference("ticket/1")),
        ("order".to_owned(), reference("order/1")),
        ("mood".to_owned(), mood),
    ]);
    (variables, facts)
}

fn with_scope<T>(run: impl FnOnce(&Scope<'_>) -> T) -> T {
    let (variables, facts) = world();
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let calendar = Calendar::always_open(zone.clone());
    run(&Scope {
        variables: &[&variables],
        facts: &facts,
        now: "2026-12-14T09:00:00Z".parse::<Timestamp>().unwrap(),
        zone: &zone,
        calendar: Some(&calendar),
    })
}

static OBJECTS: LazyLock<Objects> = LazyLock::new(Objects::standard);
static VARIABLES: LazyLock<BTreeMap<String, Slot>> = LazyLock::new(variables);

fn read(source: &str) -> Result<(Formula, Slot), String> {
    Formula::parse_value(source, &VARIABLES, &OBJECTS).map_err(|found| {
        found
            .iter()
            .map(|found| {
                format!(
                    "{}:{} {}{}",
                    found.code,
                    found.span.column,
                    found.message,
                    found.help.as_ref().map_or(String::new(), |help| format!(" [{help}]"))
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
    })
}

/// What a formula yields, or what is wrong with it.
fn check(source: &str, expected: Expect) {
    let said = match read(source) {
        Ok((formula, _)) => match with_scope(|scope| formula.evaluate(scope)) {
            Ok(value) => value.to_string(),
            Err(fault) => format!("fault: {fault}"),
        },
        Err(found) => found,
    };
    expected.assert_eq(&said);
}

#[test]
fn values() {
    for (source, yields) in [
        ("lead.country in [\"DE\", \"AT\"]", "yes"),
        ("lead.country not in ['DE', 'AT']", "no"),
        ("lead.owner is empty and lead.name is not empty", "yes"),
        ("default(lead.company_size, 0) >= 200", "no"),
        ("lead.company_size is not empty and lead.company_size >= 200", "no"),
        ("ticket.customer.tier == \"gold\" or mood.score <= -0.8", "yes"),
        ("mood.score <= -0.8", "yes"),
        ("not (lead.status == \"new\")", "no"),
        ("lead.tags is not empty and lead.tags contains \"vip\"", "yes"),
        ("lead.name contains \"Müller\"", "yes"),
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("10 - 3 - 2", "5"),
        ("-2 * -3", "6"),
        ("50% * 3", "1.5"),
        ("0.1 + 0.2 == 0.3", "yes"),
        ("now() - lead.created_at < 1 day", "yes"),
        ("now() - lead.created_at", "14 hours 30 minutes"),
        ("now() + 4 working hours", "2026-12-14T13:00:00Z"),
        ("now() - 1 day", "2026-12-13T09:00:00Z"),
        ("today() + 2 weeks", "2026-12-28"),
        ("2026-03-01 - 2026-02-01", "28 days"),
        ("2026-01-31 + 1 month", "2026-02-28"),
        ("30 days / 2", "15 days"),
        ("default(order.amount, order.amount) is empty", "no"),
        ("order.amount is not empty and order.amount.amount > 12", "yes"),
        ("order.amount.currency == \"EUR\"", "yes"),
        ("lead.id", "1"),
        ("lead.revision + 1", "4"),
        ("ticket.customer.owner.name is empty", "yes"),
        ("default(mood.why, \"unknown\")", "unknown"),
        // An empty list, and not nothing: the first is a list in any case.
        ("default(unique(ticket.required_skills), ticket.required_skills) == []", "yes"),
        ("1 day == 24 hours", "yes"),
        ("[1, 2] == [1, 2]", "yes"),
        ("\"a\\\"b\"", "a\"b"),
    ] {
        match read(source) {
            Ok((formula, _)) => {
                let value = with_scope(|scope| formula.evaluate(scope)).unwrap();
                assert_eq!(value.to_string(), yields, "{source}");
            }
            Err(found) => panic!("{source}: {found}"),
        }
    }
}

#[test]
fn every_function_does_what_its_example_says() {
    for function in FUNCTIONS {
        for (source, yields) in function.examples {
            let (formula, _) = read(source).unwrap_or_else(|found| panic!("{source}: {found}"));
            assert_eq!(
                with_scope(|scope| formula.evaluate(scope)).unwrap().to_string(),
                *yields,
                "{source}"
            );
        }
    }
    assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name), "the table is in order");
}

#[test]
fn unknown_names_are_told_with_what_was_meant() {
    check(
        "lead.contry == \"DE\"",
        expect![[r#"R102:1 a lead has no field `contry` [did you mean `country`?]"#]],
    );
    check(
        "leed.country == \"DE\"",
        expect![[r#"R101:1 nothing is called `leed` here [did you mean `lead`?]"#]],
    );
    check(
        "lead.owner.managr is empty",
        expect![[
            r#"R102:1 neither a user nor a queue has a field `managr` [did you mean `manager`?]"#
        ]],
    );
    check(
        "mood.scor > 1",
        expect![[r#"R102:1 `mood` has no part `scor` [did you mean `score`?]"#]],
    );
    check(
        "lenght(lead.name) > 3",
        expect![[r#"R107:1 there is no function `lenght` [did you mean `length`?]"#]],
    );
    check(
        "lead.status == null",
        expect!["R101:16 nothing is called `null` here [write `is empty`, or `is not empty`]"],
    );
    check("lead.name.first is empty", expect![[r#"R102:1 text has no part `first`"#]]);
}

#[test]
fn types_do_not_mix_in_silence() {
    check(
        "lead.company_size == \"large\"",
        expect![[
            r#"R201:1 a number is never equal to the text "large" [write a number without quotes]"#
        ]],
    );
    check(
        "lead.name > 5",
        expect![
            "R201:1 text and a number cannot be compared by size [`number(…)` reads a number in a text]"
        ],
    );
    check(
        "\"abc\" > \"abd\"",
        expect![[r#"R201:1 the text "abc" and the text "abd" cannot be compared by size"#]],
    );
    check(
        "lead.created_at < today()",
        expect![[
            r#"R201:1 a point in time and a day cannot be compared by size [`date(…)` makes a day of a point in time]"#
        ]],
    );
    check(
        "lead.name + \" \"",
        expect![[
            r#"R201:1 `+` does not work with text and the text " " [to join texts, write "{{ a }} {{ b }}" without `=`]"#
        ]],
    );
    check(
        "lead.owner == \"queue/unassigned\"",
        expect![[
            r#"R201:1 a record is never equal to a text [compare one of its fields, such as `external_id`]"#
        ]],
    );
    check(
        "lead.owner == ticket.customer",
        expect![[r#"R201:1 a record of user or queue is never equal to a record of contact"#]],
    );
    check(
        "now() - lead.created_at > 5",
        expect![[
            r#"R201:1 a duration and a number cannot be compared by size [a duration has a unit: `30 days`]"#
        ]],
    );
    check(
        "[1, \"a\"]",
        expect![[
            r#"R201:5 the list has a number and the text "a", but a list holds values of one kind"#
        ]],
    );
    check("1 / 0", expect![[r#"R201:5 nothing can be divided by 0"#]]);
    check(
        "today() + 4 hours",
        expect![[
            r#"R201:11 `4 hours` cannot be added to a day [add days, weeks or months, or use `now()` instead of `today()`]"#
        ]],
    );
    check(
        "lead.name and true",
        expect![[r#"
        R208:1 yes or no is needed here, not text [compare it with something]
        R303:15 this part of the condition is always the same"#]],
    );
    check(
        "lower(5)",
        expect!["R201:7 `lower` takes text here, not a number [`text(…)` makes text of a number]"],
    );
    check(
        "round()",
        expect![
            "R603:1 `round` takes 1 to 2 values, but is given 0 [write `round(number, [digits])`]"
        ],
    );
    check(
        "max(1, today())",
        expect![[r#"R201:1 the values of `max` are of different kinds: a number and a day"#]],
    );
}

#[test]
fn words_of_an_enumeration_are_checked() {
    check(
        "lead.status == \"asigned\"",
        expect![[r#"R203:16 `lead.status` is never "asigned" [did you mean `assigned`?]"#]],
    );
    check(
        "lead.status in [\"new\", \"old\"]",
        expect![[
            r#"R203:24 `lead.status` is never "old" [it is one of new, assigned, in_process, converted, recycled, dead]"#
        ]],
    );
    check(
        "\"hot\" != mood.label",
        expect![[r#"R203:1 `mood.label` is never "hot" [it is one of negative, positive]"#]],
    );
}

#[test]
fn what_may_be_empty_is_tested_or_defaulted() {
    check(
        "lead.company_size >= 200",
        expect![[
            r#"R204:1 `lead.company_size` may be empty, and a value is needed here [write `lead.company_size is not empty and …`, or `default(lead.company_size, 0)`]"#
        ]],
    );
    check(
        "ticket.customer.last_order_at < now()",
        expect![[
            r#"R204:1 `ticket.customer.last_order_at` may be empty, and a value is needed here [write `ticket.customer.last_order_at is not empty and …`, or `default(ticket.customer.last_order_at, …)`]"#
        ]],
    );
    for fine in [
        "lead.company_size is empty or lead.company_size > 5",
        "not (lead.company_size is empty) and lead.company_size > 5",
        "not (lead.company_size is empty or lead.company_size < 5)",
        "lead.company_size == 7 and lead.company_size > 5",
        "lead.company_size in [1, 2] and lead.company_size > 1",
        "ticket.customer.last_order_at is not empty and ticket.customer.order_count == 3",
        "(lead.company_size is not empty and lead.score is not empty) and lead.score > lead.company_size",
    ] {
        assert_eq!(read(fine).map(|_| ()), Ok(()), "{fine}");
    }
    for wrong in [
        "lead.company_size is not empty or lead.company_size > 5",
        "not (lead.company_size is not empty) and lead.company_size > 5",
        "lead.score is not empty and lead.company_size > 5",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn slips_in_the_syntax_are_told_at_their_place() {
    check(
        "lead.owner is not",
        expect!["R601:17 after `is not` comes `empty`, not the end [to compare, write `!=`]"],
    );
    check(
        "lead.status = \"new\"",
        expect![[r#"R601:13 a formula cannot have `=` here [write `==`]"#]],
    );
    check("a && b", expect![[r#"R601:3 a formula cannot have `&&` here [write `and`]"#]]);
    check(
        "lead.status == “new”",
        expect![[r#"R601:16 a formula cannot have `“` here [write `"`]"#]],
    );
    check(
        "lead.owner is empty AND true",
        expect![[r#"R601:21 `AND` does not continue the formula [write `and` in small letters]"#]],
    );
    check(
        "1 < 2 < 3",
        expect![[r#"R601:7 comparisons cannot be chained [write `x > 1 and x < 5`]"#]],
    );
    check("(1 + 2", expect!["R601:6 `)` is missing before the end"]);
    check("\"open", expect![[r#"R601:1 this text has no end [close it with "]"#]]);
    check("48 h > 1 day", expect!["R601:1 `48 h` is not a duration [write `48 hours`]"]);
    check("2026-02-30 == today()", expect![[r#"R601:1 there is no day 2026-02-30"#]]);
    check("lead.", expect!["R601:5 after the point comes a field, not the end"]);
    check("", expect![[r#"R601:1 a formula is missing here"#]]);
    check(
        &"(".repeat(100),
        expect![[
            r#"R602:66 this formula is nested more than 64 deep [split it over several steps]"#
        ]],
    );
    check(
        &format!("1{}", " + 1".repeat(100)),
        expect![[
            r#"R602:1 this formula is nested more than 64 deep [split it over several steps]"#
        ]],
    );
    assert!(
        read(&format!("true{}", " or true".repeat(1_000))).is_ok(),
        "a long list of alternatives is not deep"
    );
}

#[test]
fn what_is_always_the_same_is_told() {
    let warned = |source: &str| match Formula::parse_condition(source, &VARIABLES, &OBJECTS) {
        Ok(formula) => formula.to_string(),
        Err(found) => found[0].message.clone(),
    };
    // A warning alone does not keep a formula from being used.
    assert_eq!(warned("lead.status is empty"), "lead.status is empty");
}

#[test]
fn at_run_time_faults_are_sentences() {
    check("1 / (lead.revision - 3)", expect!["fault: nothing can be divided by 0"]);
    check(
        "79228162514264337593543950335 * 2",
        expect!["fault: the result is too large to calculate with"],
    );
    check("now() + 100000 years", expect!["fault: `1200000 months` leads past the range of times"]);
    check(
        "1 month > 30 days",
        expect![
            "fault: `1 month` and `30 days` cannot be compared: months and working time are not a fixed number of hours"
        ],
    );
    check("1 day / 2", expect!["fault: `1 day` cannot be divided so: days and months stay whole"]);
}

#[test]
fn missing_facts_are_asked_for() {
    let (formula, _) = read("lead.owner.name == \"Ana\"").unwrap();
    let variables = BTreeMap::from([("lead".to_owned(), reference("lead/9"))]);
    let mut facts = Facts::default();
    let zone = TimeZone::UTC;
    let mut needs = Vec::new();
    let answer = loop {
        let scope = Scope {
            variables: &[&variables],
            facts: &facts,
            now: Timestamp::UNIX_EPOCH,
            zone: &zone,
            calendar: None,
        };
        match formula.evaluate(&scope) {
            Ok(value) => break value,
            Err(EvaluationError::Need(Need::Record(reference))) => {
                let (reference, record) = match reference.object.as_str() {
                    "lead" => record("lead/9", &[("owner", self::reference("user/3"))]),
                    _ => record("user/3", &[("name", text("Ana"))]),
                };
                needs.push(reference.to_string());
                facts.records.insert(reference, record);
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!((needs.join(", ").as_str(), answer), ("lead/9, user/3", Value::YesNo(true)));
}

#[test]
fn the_explanation_has_the_values_that_were_read() {
    let (formula, _) =
        read("lead.country == \"DE\" and (lead.owner is empty or lead.name == \"x\")").unwrap();
    let (holds, read) = with_scope(|scope| formula.holds(scope)).unwrap();
    let read: Vec<String> = read.iter().map(|(path, value)| format!("{path} = {value}")).collect();
    assert!(holds);
    // The last part was not needed, so it was not read.
    assert_eq!(read.join("; "), "lead.country = DE; lead.owner = (empty)");
}

#[test]
fn one_record_by_id_and_by_external_id_is_one() {
    let (formula, _) = read("lead.owner == ticket.owner").unwrap();
    let mut facts = Facts::default();
    let by_id = record("queue/01k", &[]);
    facts.records.extend([
        record("lead/1", &[("owner", reference("queue/unassigned"))]),
        record("ticket/1", &[("owner", reference("queue/01k"))]),
        (Reference::new("queue", "unassigned"), by_id.1.clone()),
        by_id,
    ]);
    let variables = BTreeMap::from([
        ("lead".to_owned(), reference("lead/1")),
        ("ticket".to_owned(), reference("ticket/1")),
    ]);
    let zone = TimeZone::UTC;
    let scope = Scope {
        variables: &[&variables],
        facts: &facts,
        now: Timestamp::UNIX_EPOCH,
        zone: &zone,
        calendar: None,
    };
    assert_eq!(formula.evaluate(&scope), Ok(Value::YesNo(true)));
}

#[test]
fn durations_that_are_printed_read_back() {
    let (formula, _) = read("1 day 4 hours").unwrap();
    assert_eq!(
        with_scope(|scope| formula.evaluate(scope)),
        Ok(Value::Duration(Duration { days: 1, millis: 14_400_000, ..Duration::default() }))
    );
    assert_eq!(formula.to_string(), "1 day 4 hours");
}

/// `docs/formulas.md` is made of the tables in the code: with `UPDATE_EXPECT=1`
/// this test writes it anew.
#[test]
fn the_reference_page_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formulas.md");
    expect_file![page].assert_eq(&reference_page());
}

/// What the page says of operators and literals holds, too.
#[test]
fn the_reference_page_tells_no_lies() {
    let page = reference_page();
    for function in FUNCTIONS {
        assert!(page.contains(&format!("#### `{}`", function.form())), "{}", function.name);
    }
    let blocks: Vec<&str> = page.split("```\n").skip(1).step_by(2).collect();
    let formulas = blocks.iter().flat_map(|block| block.lines());
    for line in formulas {
        let source = line.split("  →  ").next().unwrap_or(line);
        assert_eq!(read(source).map(|_| ()), Ok(()), "{source}");
    }
}

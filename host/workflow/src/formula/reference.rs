//! The reference page of formulas, made of the tables that the checker and the
//! evaluator use.

use std::fmt::Write;

use super::{
    expression::FILTERS,
    faults::FAULTS,
    functions::{FUNCTIONS, Function, Group},
    parser::DEEPEST,
};

/// What stands before the functions.
const HEAD: &str = r#"# Formulas

A value that starts with `=` is a formula, as in a spreadsheet: `=lead.owner`.
`only_if`, `if`, `stop_if`, `stop_unless`, `met_when`, `pause_while` and `one_per`
are formulas without it. In a text, a formula stands between `{{ }}`:
`"Follow up {{ lead.name }}"`. Everything else is text.

Every formula is checked against your objects before a workflow goes live: names,
types, the words of choices, and whether a value may be empty.

## What can be written

| | |
|---|---|
| a path | `lead.name`, `ticket.customer.tier`: a field, also through relations; `pick.user`: what a step has yielded |
| text | `"DE"` or `'DE'`; `\"` for a quotation mark, `\n` for a new line, `\\` for `\` |
| a number | `200`, `-0.8`, `50%` (which is 0.5) |
| yes or no | `true`, `false` |
| a day | `2026-12-24` |
| a duration | `48 hours`, `1 day 4 hours`, `4 working hours`, `2 working days` |
| a list | `["DE", "AT", "CH"]` |
| a record | only by its path; a record's fields are compared, or the record with another |

`24 hours` is elapsed time, `1 day` the same local time on the next day; working
hours and days need a calendar.

## Operators

From those that bind the least to those that bind the most:

| | |
|---|---|
| `or` | one of them holds |
| `and` | all of them hold |
| `not` | it does not hold |
| `==` `!=` | equal, not equal; an empty value is equal to none |
| `<` `<=` `>` `>=` | numbers, days, times, durations, amounts |
| `in`, `not in` | one of a list: `lead.country in ["DE", "AT"]` |
| `contains` | a list has the value, or a text the part: `lead.tags contains "vip"` |
| `is empty`, `is not empty` | no value, a text without letters, a list without values |
| `+` `-` | numbers, amounts, durations; a time or a day and a duration; two times or days |
| `*` `/` | numbers; an amount or a duration and a number |

Two comparisons are joined by `and`: `x > 1 and x < 5`. Texts are joined by
`{{ }}`: `"{{ contact.name }} of {{ contact.account.name }}"`.

## What may be empty

A field that may be empty is tested before it is used, or given a value for that
case. What was tested in an earlier part of a condition, in `only_if`, in `if` or
in `stop_if`, counts:

```
lead.company_size is not empty and lead.company_size >= 200
default(lead.company_size, 0) >= 200
```

`==`, `!=`, `in`, `contains` and the functions of lists take what may be empty:
nothing is equal to no value, and is a list without values.

## In texts

Behind `|` stands how a value is written: `{{ lead.created_at | short }}`.

"#;

/// The whole page, as Markdown.
#[must_use]
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    table(&mut page, FILTERS.iter().map(|(name, does)| (format!("`{name}`"), (*does).to_owned())));
    page.push_str("\n## Functions\n");
    for group in Group::ALL {
        let _ = write!(page, "\n### {}\n", group.title());
        for function in FUNCTIONS.iter().filter(|function| function.group == group) {
            self::function(&mut page, function);
        }
    }
    page.push_str(
        "\n## What can still fail\n\n\
         A formula that was checked fails only so. The run then goes to `on_error`, and its log \
         has the sentence.\n\n",
    );
    table(
        &mut page,
        FAULTS.iter().map(|fault| (fault.sentence.replace('|', "\\|"), fault.when.to_owned())),
    );
    let _ = write!(
        page,
        "\nWhere a plugin leaves open what it yields, a value may be of another kind than a \
         formula needs; then the sentence names both.\n\n\
         A formula may be nested {DEEPEST} deep.\n"
    );
    page
}

fn function(page: &mut String, function: &Function) {
    let _ = write!(page, "\n#### `{}`\n\n{}", function.form(), function.doc);
    if function.needs_calendar {
        page.push_str(" The workflow needs a `calendar:`.");
    }
    page.push_str("\n\n");
    for parameter in function.parameters {
        let _ = writeln!(page, "- `{}`: {}", parameter.name, parameter.takes.describe());
    }
    let _ = writeln!(page, "- yields {}\n", function.result.describe());
    page.push_str("```\n");
    for (example, yields) in function.examples {
        let _ = writeln!(page, "{example}  →  {yields}");
    }
    page.push_str("```\n");
}

fn table(page: &mut String, rows: impl Iterator<Item = (String, String)>) {
    page.push_str("| | |\n|---|---|\n");
    for (left, right) in rows {
        let _ = writeln!(page, "| {left} | {right} |");
    }
}

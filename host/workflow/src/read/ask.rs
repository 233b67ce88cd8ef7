//! `ask:` puts a question to a person and waits for the answer. It is made of
//! other steps: a call of `approval.request`, a wait for `approval.answered`,
//! and a `set` of what came of it.

use std::collections::BTreeMap;

use relata_model::Value;

use super::{
    Keys, Reader,
    branches::{Branch, join},
    formulas, schema,
    schema::{Parameter, Wanted},
    steps::After,
};
use crate::{
    catalog::ActionSignature,
    definition::{
        Argument, BlockId, Conversion, Do, Expression, Occurrence, Retry, Step, StepId, StepKind,
        WaitFor,
    },
    diagnostic::{self as codes, Place},
    formula::{Formula, Names},
    source::{Content, Entry},
    types::{Slot, Type},
};

/// Asks.
const REQUEST: &str = "approval.request";
/// Takes a question back that nobody has answered.
const CLOSE: &str = "approval.close";
/// Says that somebody has answered.
const ANSWERED: &str = "approval.answered";
/// The answer where nobody has answered in time.
const NO_ANSWER: &str = "no_answer";

/// The steps that one `ask` is made of, as to what they have in common.
struct Asking {
    path: String,
    label: String,
    line: u32,
    /// What its result is called.
    name: String,
    /// Where the formulas that it makes up stand.
    place: Place,
}

impl Asking {
    /// What the question is called, and the answer.
    fn asked(&self) -> String {
        format!("{}_asked", self.name)
    }

    fn answered(&self) -> String {
        format!("{}_answered", self.name)
    }
}

impl Reader<'_> {
    /// `ask: sales-lead`
    pub(super) fn ask(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        path: &str,
        label: String,
        names: &mut Names,
    ) -> After {
        let as_entry = keys.take("as");
        let question = self.question(entry, keys, names);
        let about_entry = keys.take("about");
        let up_to_entry = keys.take("up_to");
        let otherwise = keys.take("otherwise");
        let who = self.who(entry, names);
        let answers = keys.take("answers").map_or_else(
            || Some(vec!["yes".to_owned(), "no".to_owned()]),
            |entry| self.answers(entry),
        );
        let about = self.asked_about(about_entry, names);
        let up_to =
            up_to_entry.map(|entry| self.length(entry, Wanted::Duration, self.has_calendar, names));
        let signatures = self.approval(entry);
        let name = self.ask_name(as_entry, entry, keys, names);

        // What is known where somebody has answered, and where nobody has.
        let mut happened = names.branch();
        let mut missed = names.branch();
        if let Some(name) = &name {
            let request = signatures.as_ref().map(|(request, _)| request);
            self.name_asked(name, request, &mut happened, &mut missed);
            let words = answers.clone().unwrap_or_default();
            let slot = |answers: Vec<String>| match answers.is_empty() {
                true => Slot::of(Type::Any),
                false => Slot::of(answer_type(answers)),
            };
            self.set(name, formulas::known(slot(words)), &mut happened);
            self.set(name, formulas::known(slot(vec![NO_ANSWER.to_owned()])), &mut missed);
        }
        let mut others = None;
        let mut missed_ends = up_to_entry.is_none();
        if let Some(otherwise) = otherwise {
            if up_to_entry.is_none() {
                let help = Some("say how long: `up_to: 2 days`".to_owned());
                self.error(
                    codes::UNREACHABLE,
                    otherwise.key_place,
                    "without `up_to` this waits for ever, so `otherwise` is never reached",
                    help,
                );
            }
            let (block, ends) = self.block(otherwise, &format!("{path}.otherwise"), &mut missed);
            others = Some(block);
            missed_ends |= ends;
        }
        let branches =
            [Branch { names: happened, ends: false }, Branch { names: missed, ends: missed_ends }];
        join(names, &branches);

        let failed = about.is_none() || up_to.as_ref().is_some_and(Option::is_none);
        let made = (|| {
            let name = name.filter(|_| !failed)?;
            let mut input = vec![
                plain("who", who?),
                plain("question", question?),
                plain("answers", Expression::Literal(words(&answers?))),
            ];
            if let Some(about) = about.flatten() {
                let conversion = Conversion::Reference { objects: Vec::new() };
                input.push(Argument { name: "about".to_owned(), value: about, conversion });
            }
            let up_to = up_to.flatten();
            if let Some(up_to) = &up_to {
                let conversion = Conversion::Due;
                input.push(Argument {
                    name: "due_at".to_owned(),
                    value: up_to.clone(),
                    conversion,
                });
            }
            let line = self.line(keys.place());
            let place = entry.value.place;
            let asking = Asking { path: path.to_owned(), label: label.clone(), line, name, place };
            Some((asking, input, up_to))
        })();
        let Some(((asking, input, up_to), (request, close))) = made.zip(signatures) else {
            return After::of(None, label);
        };
        let wait = self.answer_step(&asking, up_to, &close, others);
        let kind = call(&request, input);
        After { name: Some(asking.asked()), more: vec![wait], ..After::of(Some(kind), label) }
    }

    /// `question:`, a text.
    fn question(&mut self, ask: &Entry, keys: &mut Keys<'_>, names: &Names) -> Option<Expression> {
        let Some(entry) = keys.take("question") else {
            if !keys.has_slip_of("question") {
                let help = Some("add `question:` with what is asked".to_owned());
                let message = "`ask` does not say what is asked";
                self.error(codes::MISSING_KEY, ask.key_place, message, help);
            }
            return None;
        };
        let parameter = Parameter { wanted: Wanted::Text, required: true, nullable: false };
        self.value(&entry.value, &parameter, "`question`", names).map(|got| got.expression)
    }

    /// Who is asked: a role, `user/ana`, or a formula that yields a user.
    fn who(&mut self, entry: &Entry, names: &Names) -> Option<Expression> {
        let text = entry.value.text().unwrap_or_default();
        if text.starts_with('=') || text.starts_with("user/") {
            let wanted = Wanted::Record(vec!["user".to_owned()]);
            let parameter = Parameter { wanted, required: true, nullable: false };
            return self.value(&entry.value, &parameter, "`ask`", names).map(|got| got.expression);
        }
        let role = self.plain_text(entry)?.to_owned();
        let roles = &self.catalog.roles;
        if !roles.is_empty() && !roles.contains(&role) {
            let help = codes::mean_or_list(&role, roles.iter().map(String::as_str));
            let message = format!("nobody has the role `{role}`, so nobody would be asked");
            self.findings.warning(codes::UNKNOWN_ROLE, entry.value.place, message, help);
        }
        Some(Expression::Literal(Value::Text(role)))
    }

    /// `answers: [approve, reject]`
    fn answers(&mut self, entry: &Entry) -> Option<Vec<String>> {
        let items = match &entry.value.value {
            Content::List(items) => items,
            Content::Spoiled => return None,
            _ => {
                let help = Some("write `answers: [approve, reject]`".to_owned());
                let message = "`answers` is a list of words";
                self.error(codes::WRONG_FORM, entry.key_place, message, help);
                return None;
            }
        };
        let Type::Choice(words) = self.choice(&entry.value, items)? else { return None };
        if let Some(place) = words.iter().position(|word| word == NO_ANSWER) {
            let message = format!("`{NO_ANSWER}` says that nobody has answered in time");
            let help = Some("choose another word".to_owned());
            let place = items.get(place).map_or(entry.value.place, |item| item.place);
            self.error(codes::WRONG_NAME, place, message, help);
            return None;
        }
        Some(words)
    }

    /// `about:`, or else the run's subject; the outer none where it is wrong.
    fn asked_about(&mut self, entry: Option<&Entry>, names: &Names) -> Option<Option<Expression>> {
        let Some(entry) = entry else {
            let subject = self.subject.as_ref().and_then(|subject| Formula::read(subject).ok());
            return Some(subject.map(Expression::Formula));
        };
        let wanted = Wanted::Record(Vec::new());
        let parameter = Parameter { wanted, required: true, nullable: false };
        self.value(&entry.value, &parameter, "`about`", names).map(|got| Some(got.expression))
    }

    fn ask_name(
        &mut self,
        as_entry: Option<&Entry>,
        entry: &Entry,
        keys: &Keys<'_>,
        names: &Names,
    ) -> Option<String> {
        let Some(as_entry) = as_entry else {
            if !keys.has_slip_of("as") {
                let help = Some("add `as: approval`, and use `approval.answer`".to_owned());
                let message = "`ask` does not say what the answer is called";
                self.error(codes::MISSING_KEY, entry.key_place, message, help);
            }
            return None;
        };
        let text = self.plain_text(as_entry)?;
        let name = self.result_name(text, as_entry.value.place, names)?;
        let taken = [format!("{name}_asked"), format!("{name}_answered")]
            .into_iter()
            .find(|made| names.contains(made));
        if let Some(taken) = taken {
            let message = format!("`ask` needs the name `{taken}` itself, and it is taken");
            let help = Some("choose another name".to_owned());
            self.error(codes::WRONG_NAME, as_entry.value.place, message, help);
            return None;
        }
        Some(name)
    }

    /// The names of the question and of the answer's record, for the steps
    /// that come after.
    fn name_asked(
        &mut self,
        name: &str,
        request: Option<&ActionSignature>,
        happened: &mut Names,
        missed: &mut Names,
    ) {
        let output =
            request.map_or(Type::Any, |request| schema::result(&request.output, &BTreeMap::new()));
        let asked = format!("{name}_asked");
        for names in [&mut *happened, missed] {
            self.set(&asked, formulas::known(Slot::of(output.clone())), names);
        }
        let answered = format!("{name}_answered");
        let record = Slot::of(Type::Record(vec!["approval".to_owned()]));
        self.set(&answered, formulas::known(record), happened);
        self.name_step(&asked, Some(REQUEST.to_owned()));
        self.name_step(&answered, None);
        self.name_step(name, None);
    }

    /// The actions that asking is made of; says so where they are missing.
    fn approval(&mut self, entry: &Entry) -> Option<(ActionSignature, ActionSignature)> {
        let actions = &self.catalog.actions;
        let found = actions.get(REQUEST).cloned().zip(actions.get(CLOSE).cloned());
        let has_event = self.catalog.objects.event(ANSWERED).is_some();
        if found.is_none() || !has_event {
            self.error(
                codes::UNKNOWN_ACTION,
                entry.key_place,
                "`ask` needs the plugin `approval`, which is not there",
                Some(format!("install the plugin that has `{REQUEST}` and `{CLOSE}`")),
            );
            return None;
        }
        found
    }

    /// Waits for the answer, and takes it over.
    fn answer_step(
        &mut self,
        asking: &Asking,
        up_to: Option<Expression>,
        close: &ActionSignature,
        others: Option<BlockId>,
    ) -> StepId {
        let path = format!("{}.answer", asking.path);
        let id = self.reserve();
        let answered = asking.answered();
        let part = |field: &str| self.made_up(&format!("{answered}.{field}"), asking.place);
        let parts = (part("answer"), part("answered_by"), part("comment"));
        let then = self.set_answer(asking, &format!("{path}.then[0]"), parts);
        let then = self.block_of(vec![then]);
        let otherwise = up_to.as_ref().map(|_| {
            let question = self.made_up(&format!("{}.approval", asking.asked()), asking.place);
            let conversion = Conversion::Reference { objects: vec!["approval".to_owned()] };
            let argument = Argument { name: "approval".to_owned(), value: question, conversion };
            let closed = self.reserve();
            self.fill(Step {
                id: closed,
                path: format!("{path}.otherwise[0]"),
                label: asking.label.clone(),
                line: asking.line,
                name: None,
                kind: call(close, vec![argument]),
            });
            let nothing = || Expression::Literal(Value::Nothing);
            let answer = Expression::Literal(Value::Text(NO_ANSWER.to_owned()));
            let parts = (answer, nothing(), nothing());
            let set = self.set_answer(asking, &format!("{path}.otherwise[1]"), parts);
            match others {
                Some(block) => {
                    self.blocks[block.0 as usize].splice(0..0, [closed, set]);
                    block
                }
                None => self.block_of(vec![closed, set]),
            }
        });
        self.fill(Step {
            id,
            path,
            label: asking.label.clone(),
            line: asking.line,
            name: Some(answered),
            kind: StepKind::WaitFor(WaitFor {
                occurrence: Occurrence::Event { name: ANSWERED.to_owned() },
                about: None,
                since: Some(asking.asked()),
                up_to,
                then: Some(then),
                otherwise,
            }),
        });
        id
    }

    fn set_answer(
        &mut self,
        asking: &Asking,
        path: &str,
        (answer, by, comment): (Expression, Expression, Expression),
    ) -> StepId {
        let parts = [("answer", answer), ("by", by), ("comment", comment)];
        let value = Expression::Map(
            parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect(),
        );
        let id = self.reserve();
        self.fill(Step {
            id,
            path: path.to_owned(),
            label: asking.label.clone(),
            line: asking.line,
            name: None,
            kind: StepKind::Set { values: vec![(asking.name.clone(), value)] },
        });
        id
    }

    /// A formula that stands nowhere in the file.
    fn made_up(&self, path: &str, place: Place) -> Expression {
        let Ok(mut formula) = Formula::read(path) else {
            return Expression::Literal(Value::Nothing);
        };
        let span = self.findings.span(place.start, place.end);
        formula.line = u32::try_from(span.line).unwrap_or(u32::MAX);
        formula.column = u32::try_from(span.column).unwrap_or(u32::MAX);
        Expression::Formula(formula)
    }
}

/// What comes of a question with these answers.
fn answer_type(answers: Vec<String>) -> Type {
    Type::Map(BTreeMap::from([
        ("answer".to_owned(), Slot::of(Type::Choice(answers))),
        ("by".to_owned(), Slot::maybe(Type::Record(vec!["user".to_owned()]))),
        ("comment".to_owned(), Slot::maybe(Type::Text)),
    ]))
}

fn words(answers: &[String]) -> Value {
    Value::List(answers.iter().cloned().map(Value::Text).collect())
}

fn plain(name: &str, value: Expression) -> Argument {
    Argument { name: name.to_owned(), value, conversion: Conversion::Plain }
}

fn call(signature: &ActionSignature, input: Vec<Argument>) -> StepKind {
    StepKind::Do(Do {
        action: signature.name.clone(),
        input,
        retry: Retry::default(),
        if_it_fails: None,
        if_unknown: crate::IfUnknown::Hold,
        may: None,
        exclusive: signature.exclusive.clone(),
        correlation: signature.correlation.clone(),
        output: schema::result(&signature.output, &BTreeMap::new()),
    })
}

//! `run:` runs another workflow and takes over what it yields.

use relata_model::text::with_article;

use super::{
    Keys, Reader,
    action::Done,
    inputs::exactly,
    schema::{Parameter, Wanted},
};
use crate::{
    catalog::WorkflowSignature,
    definition::{Argument, Conversion, StepKind, SubRun},
    diagnostic as codes,
    formula::Names,
    source::{Content, Entry},
    types::{Slot, Type},
};

impl Reader<'_> {
    /// `run: inspect-return`
    pub(super) fn run_step(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        names: &mut Names,
    ) -> Done {
        let with = keys.take("with");
        let about = keys.take("about");
        let up_to_entry = keys.take("up_to");
        let as_name = keys.take("as");
        let if_it_fails = keys.take("if_it_fails");
        let workflow = self.plain_text(entry).map(str::to_owned);
        let signature = workflow.as_ref().and_then(|name| self.workflow_called(name, entry));
        let up_to =
            up_to_entry.map(|entry| self.length(entry, Wanted::Duration, self.has_calendar, names));
        let Some((workflow, signature)) = workflow.zip(signature) else {
            // Read only for what the formulas say.
            self.loosely(with, about, names);
            if let Some(entry) = if_it_fails {
                self.fallback(entry, &Slot::of(Type::Any), names);
            }
            let name = self.name_result(as_name, Slot::of(Type::Any), None, names);
            return Done { kind: None, name };
        };
        let is_certain = !self.uncertain.contains(&workflow);
        let input = if is_certain {
            let subject = self.run_about(&workflow, &signature, about, entry, names);
            let input = self.run_with(&workflow, &signature, with, entry, names);
            subject.zip(input).map(|(subject, input)| subject.into_iter().chain(input).collect())
        } else {
            self.loosely(with, about, names);
            Some(Vec::new())
        };
        let mut slot =
            if is_certain { Slot::of(Type::Map(signature.outputs)) } else { Slot::of(Type::Any) };
        let output = slot.kind.clone();
        let mut failed = up_to.as_ref().is_some_and(Option::is_none);
        let mut fallback = None;
        if let Some(entry) = if_it_fails {
            match self.fallback(entry, &slot, names) {
                Some(got) => {
                    slot = got.slot;
                    fallback = Some(got.expression);
                }
                None => failed = true,
            }
        }
        let name = self.name_result(as_name, slot, None, names);
        let kind = input.filter(|_| !failed).map(|input| {
            StepKind::Run(SubRun {
                workflow,
                input,
                output,
                up_to: up_to.flatten(),
                if_it_fails: fallback,
            })
        });
        Done { kind, name }
    }

    /// What is known of the workflow that is run; says so where there is
    /// none, and where it is this one.
    fn workflow_called(&mut self, name: &str, entry: &Entry) -> Option<WorkflowSignature> {
        let place = entry.value.place;
        if self.name.as_deref() == Some(name) {
            self.error(
                codes::RUNS_FOR_EVER,
                place,
                format!("the workflow `{name}` runs itself, so it would never end"),
                Some("go through a list with `for_each:`, or run another workflow".to_owned()),
            );
            return None;
        }
        let found = self.catalog.workflows.get(name).cloned();
        if found.is_none() {
            let (message, help) = if self.catalog.blueprints.contains_key(name) {
                let help = Some("run a workflow that is made of it".to_owned());
                (format!("`{name}` is a blueprint, not a workflow"), help)
            } else {
                let known = self.catalog.workflows.keys().map(String::as_str);
                let known = known.filter(|known| self.name.as_deref() != Some(*known));
                (format!("there is no workflow `{name}`"), codes::mean_or_list(name, known))
            };
            self.error(codes::UNKNOWN_WORKFLOW, place, message, help);
        }
        found
    }

    /// Reads what a workflow is given of which nothing is known.
    fn loosely(&mut self, with: Option<&Entry>, about: Option<&Entry>, names: &Names) {
        let open = Parameter { wanted: Wanted::Open, required: false, nullable: true };
        for entry in with.into_iter().chain(about) {
            self.value(&entry.value, &open, &format!("`{}`", entry.key), names);
        }
    }

    /// `about: =contact`, as an argument under the name of the object; none
    /// where it is wrong.
    fn run_about(
        &mut self,
        workflow: &str,
        signature: &WorkflowSignature,
        about: Option<&Entry>,
        run: &Entry,
        names: &Names,
    ) -> Option<Option<Argument>> {
        match (&signature.subject, about) {
            (None, None) => Some(None),
            (None, Some(about)) => {
                let message = format!("the workflow `{workflow}` is about no record");
                let help = Some("leave `about:` out".to_owned());
                self.error(codes::UNKNOWN_ARGUMENT, about.key_place, message, help);
                None
            }
            (Some(object), None) => {
                let help = if self.subject.as_ref() == Some(object) {
                    format!("add `about: ={object}`")
                } else {
                    format!("add `about:`, which is {}", with_article(object))
                };
                let message =
                    format!("the workflow `{workflow}` is about {}", with_article(object));
                self.error(codes::MISSING_ARGUMENT, run.value.place, message, Some(help));
                None
            }
            (Some(object), Some(about)) => {
                let objects = vec![object.clone()];
                let wanted = Wanted::Record(objects.clone());
                let parameter = Parameter { wanted, required: true, nullable: false };
                let got = self.value(&about.value, &parameter, "`about`", names)?;
                let conversion = Conversion::Reference { objects };
                Some(Some(Argument { name: object.clone(), value: got.expression, conversion }))
            }
        }
    }

    /// `with:`; none where a value is wrong.
    fn run_with(
        &mut self,
        workflow: &str,
        signature: &WorkflowSignature,
        with: Option<&Entry>,
        run: &Entry,
        names: &Names,
    ) -> Option<Vec<Argument>> {
        let entries = match with.map(|with| &with.value.value) {
            None => &[][..],
            Some(Content::Map(entries)) => entries,
            Some(_) => {
                // Says that it is no block.
                if let Some(with) = with {
                    self.keys(&with.value, "`with`");
                }
                return None;
            }
        };
        let mut failed = false;
        for input in signature.inputs.iter().filter(|input| input.is_required()) {
            let is_given = entries.iter().any(|entry| entry.key == input.name);
            if is_given {
                continue;
            }
            failed = true;
            let is_slip = entries.iter().any(|entry| {
                signature.inputs.iter().all(|input| input.name != entry.key)
                    && codes::did_you_mean(&entry.key, std::iter::once(input.name.as_str()))
                        .is_some()
            });
            if !is_slip {
                let message = format!("`{workflow}` needs the input `{}`", input.name);
                let wanted = exactly(&input.slot.kind).describe();
                let help = Some(format!("add `{}:` under `with:`, which is {wanted}", input.name));
                self.error(codes::MISSING_ARGUMENT, run.value.place, message, help);
            }
        }
        let mut arguments = Vec::new();
        for entry in entries {
            let Some(input) = signature.inputs.iter().find(|input| input.name == entry.key) else {
                let known = signature.inputs.iter().map(|input| input.name.as_str());
                let help = codes::mean_or_list(&entry.key, known);
                let message = format!("`{workflow}` has no input `{}`", entry.key);
                self.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
                failed = true;
                continue;
            };
            let wanted = exactly(&input.slot.kind);
            let conversion = match &wanted {
                Wanted::Record(objects) => Conversion::Reference { objects: objects.clone() },
                _ => Conversion::Plain,
            };
            let nullable = input.slot.optional;
            let parameter = Parameter { wanted, required: !nullable, nullable };
            let what = format!("`{}`", entry.key);
            match self.value(&entry.value, &parameter, &what, names) {
                Some(got) => arguments.push(Argument {
                    name: entry.key.clone(),
                    value: got.expression,
                    conversion,
                }),
                None => failed = true,
            }
        }
        (!failed).then_some(arguments)
    }
}

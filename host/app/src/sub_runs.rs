//! `run:` starts another workflow: a run of its own, in the commit of the
//! step that wants it.

use relata_engine::{Admission, ChildCall, Input, Start, admit_asked};
use relata_store::Committed;

use crate::{
    App, AppError, change_set::ChangeSet, commit::NotCommitted, runner::Held, triggers::Starting,
};

/// A run that a step starts, or why it does not start.
type Child = Result<Box<Starting>, String>;

impl App {
    /// Starts another workflow for a run, or lets its step fail. Answers what
    /// came for the run meanwhile, where it has more to do at once.
    pub(crate) async fn begin_child(
        &self,
        held: &mut Held,
        call: ChildCall,
    ) -> Result<Option<Committed>, AppError> {
        let before = held.run.clone();
        let logged = held.log.len();
        let mut child = self.child(&call).await?;
        loop {
            let (answer, starting) = match child {
                Ok(starting) => (call.clone().began(), Some(starting)),
                Err(why) => (call.clone().refused(&why), None),
            };
            let mut facts = self.no_facts();
            self.advance(held, Input::Child(answer), &mut facts, None, None).await?;
            let (until, next) = self.settle_owed(held, &mut facts, None).await?;
            let more = next.is_some();
            match self.commit(held, until, ChangeSet::default(), more, starting).await {
                Err(NotCommitted::NoPlace(why)) => {
                    held.run = before.clone();
                    held.log.truncate(logged);
                    child = Err(why);
                }
                other => return Ok(other?),
            }
        }
    }

    /// The run that a step starts: of the version that is active now.
    async fn child(&self, call: &ChildCall) -> Result<Child, AppError> {
        let active = self.active().await?;
        let Some((digest, definition)) =
            active.iter().find(|(_, definition)| definition.name == call.workflow)
        else {
            return Ok(Err("no workflow of this name is active; activate it first".to_owned()));
        };
        let mut asked = call.asked(definition);
        if let Some(subject) = &mut asked.subject {
            match self.store().record_fetch(subject).await? {
                Some(record) => *subject = record.reference,
                None => return Ok(Err(format!("there is no {subject} that it would be about"))),
            }
        }
        let (now, mut facts) = (self.now(), self.no_facts());
        let admission = self
            .with_facts(&mut facts, None, |facts| admit_asked(definition, &asked, facts, now))
            .await;
        Ok(match admission {
            Ok(Admission::Start { subject, inputs, key, blocked_since }) => {
                let start = Start {
                    id: call.child,
                    version: digest.clone(),
                    subject,
                    key,
                    inputs,
                    happening: None,
                    parent: Some(call.parent),
                    now,
                };
                Ok(Box::new(self.starting(definition, start, blocked_since)))
            }
            Ok(Admission::Refuse { reason, .. }) => Err(reason),
            Ok(Admission::NoMatch) => Err("it cannot be started so".to_owned()),
            Err(why) if why.is_wrong_input() => Err(why.to_string()),
            Err(other) => return Err(other),
        })
    }
}

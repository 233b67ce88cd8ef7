//! A company with one call of one action in it.

use std::sync::Arc;

use relata_model::{Reference, RunId, TimeZone, Timestamp};
use relata_sandbox::{
    CallError, CallFault, CallReport, CallRequest, Called, Permissions, Plugin, contract,
};
use relata_store::{Cause, RecordBatch, RecordError};
use relata_workflow::{
    IfUnknown,
    test_file::plugin::{PluginCase, PluginTest},
};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{
    cassette::{Cassette, Reading},
    meddler::{Meddler, Meddling},
};
use crate::{
    App, AppError, Secret, SecretOverrides,
    change_set::ChangeSet,
    host::{StepHost, StepScope},
    runner::seed,
    testing::{
        compare::Eye,
        rig::{Crashes, by_id},
        scene::{ACTOR, Opening, Scene},
        stage::Stage,
    },
};

/// The step that every call is made for.
const STEP: &str = "steps[0]";

/// A company as a case begins with it.
pub(super) struct Desk<'s> {
    scene: Scene<'s>,
    plugin: &'s Plugin,
    file: &'s str,
    case: &'s PluginCase,
    run: RunId,
    input: Json,
    pub(super) eye: Arc<Eye>,
}

/// How a call differs from the case as it is told.
#[derive(Default)]
pub(super) struct Twist {
    /// Of the plugin's permissions these are left.
    pub(super) leaves: Option<Permissions>,
    /// What goes wrong between the plugin and its host.
    pub(super) meddling: Meddling,
    /// It is the attempt after the one of the case.
    pub(super) again: bool,
}

/// A call that was made, of which nothing is committed.
pub(super) struct Made {
    pub(super) result: Result<contract::Outcome, CallError>,
    pub(super) report: CallReport,
    pub(super) changes: ChangeSet,
    /// The host calls, by their names in the contract.
    pub(super) calls: Vec<&'static str>,
    pub(super) web: Cassette,
}

impl<'s> Desk<'s> {
    /// Makes a company as a case begins with it.
    pub(super) async fn open(
        stage: &'s Stage,
        plugin: &'s Plugin,
        test: &'s PluginTest,
        case: &'s PluginCase,
    ) -> Result<Self, AppError> {
        let secrets: SecretOverrides =
            case.secrets.iter().map(|(name, text)| (name.clone(), Secret::new(text))).collect();
        let opening = Opening {
            zone: TimeZone::UTC,
            start: case.at,
            given: case.given.clone(),
            pretend: Vec::new(),
            workflows: Vec::new(),
            crashes: Crashes::Never,
            secrets,
        };
        let scene = Scene::open(stage, opening).await?;
        let names = scene.names();
        let input: Map<String, Json> = case
            .input
            .iter()
            .map(|(name, value)| (name.clone(), by_id(value, &names).to_json()))
            .collect();
        let desk = Self {
            plugin,
            file: &test.file,
            case,
            run: run_of(case),
            input: Json::Object(input),
            eye: Arc::new(Eye::new(names, TimeZone::UTC, None)),
            scene,
        };
        desk.remember().await?;
        Ok(desk)
    }

    pub(super) fn app(&self) -> Result<&App, AppError> {
        self.scene.app()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.scene.now()
    }

    /// The name under which the plugin keeps values of its own.
    pub(super) fn plugin_name(&self) -> &str {
        self.plugin.name()
    }

    pub(super) async fn close(self) {
        self.scene.close().await;
    }

    /// Keeps the values that the plugin has before.
    async fn remember(&self) -> Result<(), AppError> {
        let (values, now) = (self.case.state.clone(), self.now());
        let plugin = self.plugin.name().to_owned();
        let write = self.app()?.store().write(move |tx| {
            Box::pin(async move {
                for (key, value) in &values {
                    tx.state_put(&plugin, key, Some(value), None, None, now).await?;
                }
                Ok::<_, AppError>(())
            })
        });
        write.await
    }

    /// Calls the action. Whatever it writes is not committed.
    pub(super) async fn call(&self, twist: Twist, reading: Reading) -> Result<Made, AppError> {
        let case = self.case;
        let web = Cassette::new(
            self.file,
            case.span,
            &case.web,
            reading,
            Arc::clone(&self.eye),
            self.now(),
        );
        self.scene.rig().answer_requests(web.service());
        let key = format!("{}/{STEP}", self.run);
        let scope = StepScope {
            plugin: self.plugin.name().to_owned(),
            run: None,
            workflow: ACTOR.to_owned(),
            step: STEP.to_owned(),
            rounds: String::new(),
            idempotency_key: key.clone(),
            send_in: None,
            hold_above: None,
            if_unknown: IfUnknown::Hold,
            now: self.now(),
        };
        let about = case.about.as_ref().map(|about| self.eye.by_id(about).to_string());
        let request = CallRequest {
            context: contract::Context {
                run_id: self.run.to_string(),
                step_id: STEP.to_owned(),
                attempt: case.attempt.saturating_add(u32::from(twist.again)),
                idempotency_key: key.clone(),
                subject: about,
                dry_run: false,
            },
            now_ms: u64::try_from(self.now().as_millisecond()).unwrap_or(0),
            seed: case.seed.unwrap_or_else(|| seed(&key)),
            leaves: twist.leaves.as_ref(),
            ..CallRequest::new(&case.action, &self.input)
        };
        let host = StepHost::new(self.app()?.clone(), scope);
        let Called { result, report, host } =
            self.plugin.call(request, Meddler::new(host, twist.meddling)).await;
        let Meddler { mut host, calls, .. } = host;
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        let changes = match &result {
            Ok(contract::Outcome::Done(_) | contract::Outcome::Skip(_)) => host.changes,
            Ok(contract::Outcome::Retry { .. }) | Err(_) => ChangeSet::default(),
        };
        Ok(Made { result, report, changes, calls, web })
    }

    /// Commits what a call has written, as a step does; what the records
    /// refuse makes it fail.
    pub(super) async fn commit(&self, made: &mut Made) -> Result<(), AppError> {
        let (changes, now) = (made.changes.clone(), self.now());
        let written = self.app()?.store().write(move |tx| {
            Box::pin(async move {
                let cause = Cause::outside(ACTOR);
                let mut records = RecordBatch::new();
                changes.write_records(tx, &mut records, &cause, now).await?;
                records.keep();
                records.flush(tx).await?;
                for effect in changes.plain_effects() {
                    tx.outbox_put(effect, now).await?;
                }
                changes.write_rest(tx, &cause, now).await
            })
        });
        let refused = match written.await {
            Ok(()) => return Ok(()),
            Err(RecordError::Store(why)) => return Err(why.into()),
            Err(refused) => refused,
        };
        let code = match refused {
            RecordError::Conflict { .. } => contract::Code::Conflict,
            _ => contract::Code::Invalid,
        };
        let why = format!("what it wrote was refused: {refused}");
        made.changes = ChangeSet::default();
        made.result = Err(CallError {
            plugin: self.plugin.name().to_owned(),
            action: self.case.action.clone(),
            fault: Box::new(CallFault::Guest(contract::HostError::new(code, why))),
        });
        Ok(())
    }

    /// A record as it is, by what the test calls it.
    pub(super) async fn record(
        &self,
        alias: &Reference,
    ) -> Result<Option<relata_model::Record>, AppError> {
        Ok(self.app()?.store().record_fetch(&self.eye.by_id(alias)).await?)
    }
}

/// The run of a case: always the same, so that what is drawn by it is drawn
/// again.
fn run_of(case: &PluginCase) -> RunId {
    let digest = Sha256::digest(&case.it);
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(case.at.as_millisecond()).unwrap_or(0);
    RunId::from_uuid(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
}

//! The use cases of Relata: everything that the API, the console and the
//! command line do, and the runner that moves runs.
//!
//! The way of an event through these modules: [`records`] writes a record and
//! its event in one transaction; [`triggers`] matches the event against the
//! active workflows and starts runs, or records why not; [`runner`] claims
//! runs, asks the engine what is due, calls the action in its sandbox through
//! [`host`], and commits the step with everything it wrote; [`outbox`]
//! delivers what goes to the outside.

mod access;
mod activation;
mod approvals;
mod arrivals;
mod attachments;
mod audit;
mod awaiting;
pub mod backtest;
mod backup;
mod breakers;
mod change_set;
mod changes;
mod check;
mod clock;
mod commit;
mod config;
mod conversation;
mod counts;
mod decisions;
mod desk;
mod doctor;
mod effects;
mod error;
mod fresh;
mod head_start;
mod history;
mod host;
mod import;
mod inbox;
mod ingest;
mod intake;
mod json_records;
mod knowledge;
mod lanes;
mod limits;
mod links;
mod log_in;
mod mailings;
mod metrics;
mod names;
mod near_miss;
mod older_runs;
mod outbox;
mod pauses;
mod places;
mod plugin_breaker;
mod plugins;
mod queue;
mod records;
mod rehearsal;
mod requests;
mod retention;
mod retries;
mod routing_simulation;
mod runner;
mod schedules;
mod secrets;
mod segments;
mod sentence;
mod serve;
mod service_levels;
mod several;
mod signature;
mod starts;
mod stride;
mod sub_runs;
mod subscriptions;
mod surveys;
mod templates;
pub mod testing;
mod timeline;
mod tokens;
mod traces;
mod trial;
mod triggers;
mod visitors;
mod watch;
mod web_forms;
mod webhooks;
mod why_not;
mod workflow_detail;

use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use relata_channels::{HttpOut, MailOut};
use relata_model::{ObjectDefinition, Objects, TimeZone, Timestamp, text};
use relata_sandbox::Compiler;
use relata_store::{DatabaseUrl, Place, Store, StoreConfig};

pub use access::Viewer;
pub use activation::{Activation, WorkflowRow};
pub use approvals::{Answered, ApprovalFilter, ApprovalView, NewAnswer};
pub use attachments::{MessageFile, attachment_disposition, attachment_type};
pub use audit::AuditEntry;
pub use awaiting::{EventOutcome, NotBegun, RunOutcome};
pub use backup::{BackupView, Restored};
pub use changes::{ChangeStream, ChangeView, Changes, ChangesWanted};
pub use check::{Checked, catalog_alone, check_alone};
pub use clock::{Clock, ServerClock};
pub use config::{Config, ConfigError, DataDirectory, SHIPPED};
pub use conversation::NewMessage;
pub use counts::{MOST_COUNTED, WorkWaiting};
pub use decisions::{Decision, DecisionCandidate, PassedQueue};
pub use doctor::{Finding, Severity};
pub use effects::{EffectDetail, EffectView};
pub use error::AppError;
pub use history::{RunHistory, RunView, StepView, WaitView};
pub use import::{ImportReport, RejectedLine};
pub use inbox::{HeldMailView, TakenMail};
pub use ingest::{
    Accepted, IngestError, IngestRequest, IngestedItem, ItemError, MOST_ITEMS, TakenIn,
};
pub use intake::{Channel, InboundMessage, IntakeError, TakenMessage};
pub use json_records::{
    AccessError, DeclaredEvent, FieldView, ObjectView, Put, RecordSearch, RecordsFound,
    object_view, record_json,
};
pub use limits::{ActionLimit, LimitView};
pub use links::PageAge;
pub use log_in::{LogIn, LogInError, LoggedIn, NewCodes, Session, UserView};
pub use mailings::Subscription;
pub use older_runs::{Kept, OlderRuns, Running};
pub use pauses::{PauseView, Resumed};
pub use plugins::{
    ActionView, InstalledPlugin, Offered, Packages, PluginView, Plugins, PluginsConfig, RolledBack,
    new_signing_key, read_package, write_package,
};
pub use records::Assignment;
pub use rehearsal::Advanced;
pub use relata_bundled as bundled;
pub use relata_channels::{Login, OciReference};
pub use relata_model as model;
pub use relata_package as package;
pub use relata_sandbox as sandbox;
pub use relata_store as store;
pub use relata_workflow as workflow;
pub use retention::{CleanedUp, Retention};
pub use retries::{BulkRow, Retried, RetryRequest};
pub use routing_simulation::{
    MOST_SIMULATED, RoutingScenario, RoutingSimulation, SimulatedRefusal, SimulatedShare,
    SimulatedTicket,
};
pub use secrets::{Secret, SecretOverrides, SecretRow, secret_of_variable};
pub use sentence::{Piece, pieces_of};
pub use service_levels::{
    ClockView, DueClock, EscalationView, LevelView, Recomputed, ServiceLevelView, SpanView,
};
pub use starts::{ButtonView, Doors, GivenInputs, ManualStart};
pub use surveys::{SurveyAnswer, SurveyError, SurveyState, SurveyView};
pub use templates::{Purpose, Rendered, TemplateError, Templates};
pub use timeline::{LONGEST_TIMELINE, TimelineEntry};
pub use tokens::{Caller, CallerError, NewToken, Scope, TokenView};
pub use traces::TracesConfig;
pub use trial::{Logged, Trial, TrialOutcome, Used};
pub use visitors::{Pace, Visitors, network};
pub use watch::{Known, Watch, Watched};
pub use web_forms::{AskedField, FormError, FormFault, FormMessage, WebForm};
pub use webhooks::{WebhookCall, WebhookError, WebhookReceipt};
pub use why_not::{Detail, Reason};
pub use workflow_detail::{ActivationView, WorkflowDetail};

/// How a data directory is opened, beside what its files say.
#[derive(Debug, Default)]
pub struct Opening {
    /// Secrets that go before those of its files.
    pub secrets: SecretOverrides,
    /// The database, before the one that `relata.toml` names. Without both it
    /// is a file in the directory.
    pub database: Option<DatabaseUrl>,
    /// How long this host has what it has claimed, other than the usual minute:
    /// for tests of what happens when it has passed.
    pub lease: Option<Duration>,
    /// How installed plugins are compiled.
    pub compiler: Compiler,
}

/// A company's Relata: its data directory, opened.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    directory: DataDirectory,
    config: Config,
    zone: TimeZone,
    objects: Arc<Objects>,
    templates: Arc<Templates>,
    store: Store,
    clock: Clock,
    mail: MailOut,
    /// Places for mails with files, so that only some lie in memory at once.
    files_out: tokio::sync::Semaphore,
    http: HttpOut,
    plugins: plugins::Slot,
    lanes: lanes::Lanes,
    /// Who tries to log in.
    log_ins: Visitors,
    versions: activation::Versions,
    rules: segments::Rules,
    secrets: SecretOverrides,
    /// For the runs that it has in motion, where it serves.
    places: OnceLock<places::Places>,
    pauses: pauses::KnownPauses,
    limits_swept: limits::LimitsSwept,
    plugin_breakers: plugin_breaker::KnownBreakers,
    metrics: Arc<metrics::Metrics>,
    traces: Option<Arc<traces::Traces>>,
    awaiting: Arc<awaiting::Awaiting>,
    following: changes::Following,
    subscriptions: subscriptions::Subscriptions,
    tokens: tokens::Tokens,
    link_key: tokio::sync::OnceCell<links::LinkKey>,
    lock: Mutex<Option<std::fs::File>>,
    lease: Duration,
    standing: several::Standing,
    /// Where this is a test: what it pretends.
    rig: Option<Arc<testing::Rig>>,
}

/// What an [`App`] is put together from.
struct Parts {
    directory: DataDirectory,
    config: Config,
    objects: Arc<Objects>,
    templates: Arc<Templates>,
    store: Store,
    clock: Clock,
    plugins: plugins::Slot,
    secrets: SecretOverrides,
    lease: Duration,
    rig: Option<Arc<testing::Rig>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("directory", &self.inner.directory).finish_non_exhaustive()
    }
}

/// The name of the setting that holds a rehearsal's time.
const CLOCK: &str = "clock";

impl App {
    /// Makes a data directory and opens it. `start` is what a rehearsal's
    /// clock shows first.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the directory is in use or cannot be written.
    pub async fn create(root: &Path, rehearsal: Option<Timestamp>) -> Result<Self, AppError> {
        Self::create_with(root, rehearsal, Opening::default()).await
    }

    /// The same, on another database than a file in it. Where that is in use by
    /// other hosts already, nothing in it is changed.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the directory is in use or cannot be written, or the
    /// database cannot be used.
    pub async fn create_with(
        root: &Path,
        rehearsal: Option<Timestamp>,
        opening: Opening,
    ) -> Result<Self, AppError> {
        DataDirectory::create(root, rehearsal.is_some())?;
        let app = Self::open_with(root, opening).await?;
        if let Some(start) = rehearsal {
            app.set_clock(start).await?;
        }
        app.seed().await?;
        Ok(app)
    }

    /// Opens a data directory.
    ///
    /// # Errors
    ///
    /// [`AppError`] says which file is wrong.
    pub async fn open(root: &Path) -> Result<Self, AppError> {
        Self::open_with(root, Opening::default()).await
    }

    /// Opens a data directory; what `opening` says goes before its files.
    ///
    /// # Errors
    ///
    /// [`AppError`] says which file is wrong.
    pub async fn open_with(root: &Path, opening: Opening) -> Result<Self, AppError> {
        let (directory, config) = DataDirectory::open(root)?;
        let objects = Arc::new(objects_of(&directory)?);
        let templates = Arc::new(Templates::load(&directory.templates())?);
        let lease = opening.lease.unwrap_or(several::LEASE);
        let place = match opening.database {
            Some(url) => Place::Server(url),
            None => match config.database_url()? {
                Some(url) => Place::Server(url),
                None => Place::File(directory.database()),
            },
        };
        // Half a lease: whoever was stopped in the middle of a write lets go of
        // what it has locked before others may take over.
        let usual = StoreConfig::at(place);
        let patience = usual.patience.max(lease);
        let config_of_store = StoreConfig { stall: lease / 2, patience, ..usual };
        let store = Store::open(&config_of_store, Arc::clone(&objects)).await?;
        let clock = if config.rehearsal {
            let shown = store.setting_get(CLOCK).await?;
            let shown = shown.and_then(|text| text.as_str().and_then(|text| text.parse().ok()));
            Clock::manual(shown.unwrap_or(Timestamp::UNIX_EPOCH))
        } else if store.is_shared() {
            Clock::Server(Arc::new(ServerClock::new(store.server_time().await?)))
        } else {
            Clock::Real
        };
        let plugins = plugins::Slot::compiling(opening.compiler);
        let secrets = opening.secrets;
        let rig = None;
        Self::assemble(Parts {
            directory,
            config,
            objects,
            templates,
            store,
            clock,
            plugins,
            secrets,
            lease,
            rig,
        })
    }

    fn assemble(parts: Parts) -> Result<Self, AppError> {
        let Parts {
            directory,
            config,
            objects,
            templates,
            store,
            clock,
            plugins,
            secrets,
            lease,
            rig,
        } = parts;
        let zone = TimeZone::get(&config.time_zone).unwrap_or(TimeZone::UTC);
        let mail = MailOut::new(&config.mail.rooted_at(directory.root()))
            .map_err(|why| AppError::wrong(format!("relata.toml, [mail]: {why}")))?;
        let http = HttpOut::new(&config.http.rooted_at(directory.root()))
            .map_err(|why| AppError::wrong(format!("relata.toml, [http]: {why}")))?;
        let traces = config.traces.clone().map(traces::Traces::new).transpose();
        let traces =
            traces.map_err(|why| AppError::wrong(format!("relata.toml, [traces]: {why}")))?;
        let metrics = Arc::<metrics::Metrics>::default();
        store.observe_writes(metrics.observer());
        Ok(Self {
            inner: Arc::new(Inner {
                directory,
                config,
                zone,
                objects,
                templates,
                store,
                clock,
                mail,
                files_out: tokio::sync::Semaphore::new(attachments::MOST_ON_THEIR_WAY),
                http,
                plugins,
                lanes: lanes::Lanes::default(),
                log_ins: Visitors::default(),
                versions: activation::Versions::default(),
                rules: segments::Rules::default(),
                secrets,
                places: OnceLock::new(),
                pauses: pauses::KnownPauses::default(),
                limits_swept: limits::LimitsSwept::default(),
                plugin_breakers: plugin_breaker::KnownBreakers::default(),
                metrics,
                traces,
                awaiting: Arc::default(),
                following: changes::Following::default(),
                subscriptions: subscriptions::Subscriptions::default(),
                tokens: tokens::Tokens::default(),
                link_key: tokio::sync::OnceCell::new(),
                lock: Mutex::new(None),
                lease,
                standing: several::Standing::default(),
                rig,
            }),
        })
    }

    /// Closes the database in good order.
    pub async fn close(self) {
        self.inner.store.clone().close().await;
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The zone of times that name none.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        self.inner.zone.clone()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &DataDirectory {
        &self.inner.directory
    }

    /// The company's objects.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.inner.objects
    }

    /// The company's mail templates.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.inner.templates
    }

    /// The records, runs and effects.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// An object by its name.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] with the name that was probably meant.
    pub fn object(&self, name: &str) -> Result<&ObjectDefinition, AppError> {
        self.inner.objects.get(name).ok_or_else(|| {
            let hint = text::nearest(name, self.inner.objects.names()).map_or_else(
                || {
                    let names: Vec<&str> = self.inner.objects.names().collect();
                    format!("there are {}", names.join(", "))
                },
                |near| format!("did you mean `{near}`?"),
            );
            AppError::wrong(format!("there is no object `{name}`; {hint}"))
        })
    }

    async fn set_clock(&self, at: Timestamp) -> Result<(), AppError> {
        self.put_setting_time(CLOCK, at).await?;
        self.inner.clock.set(at);
        Ok(())
    }

    pub(crate) async fn setting_time(&self, name: &str) -> Result<Option<Timestamp>, AppError> {
        let stored = self.store().setting_get(name).await?;
        Ok(stored.and_then(|text| text.as_str().and_then(|text| text.parse().ok())))
    }

    pub(crate) async fn put_setting_time(
        &self,
        name: &'static str,
        at: Timestamp,
    ) -> Result<(), AppError> {
        let text = serde_json::Value::String(at.to_string());
        self.store()
            .write(move |tx| Box::pin(async move { tx.setting_put(name, &text).await }))
            .await?;
        Ok(())
    }
}

/// The objects of a data directory: the shipped ones, and its own.
fn objects_of(directory: &DataDirectory) -> Result<Objects, AppError> {
    let mut objects = Objects::standard();
    for file in config::files(&directory.objects(), "yaml")? {
        let name = file.display().to_string();
        let source = std::fs::read_to_string(&file).map_err(|why| ConfigError::Io {
            doing: "read",
            file: file.clone(),
            why,
        })?;
        ObjectDefinition::parse(&name, &source)
            .and_then(|object| objects.add(&name, object))
            .map_err(|why| AppError::wrong(why.to_string()))?;
    }
    Ok(objects)
}

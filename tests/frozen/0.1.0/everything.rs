//! A plugin that calls every function of the contract 0.1.0 and answers in
//! every way that there is. Its component was built when that version was
//! made and is never built again: every later host must run it as it is.

use std::time::Duration;

use relata_plugin_sdk::prelude::*;

/// The records that it works on.
#[derive(Deserialize, JsonSchema)]
struct Input {
    #[schemars(extend("format" = "record/lead"))]
    lead: Reference,
    #[schemars(extend("format" = "record/user"))]
    user: Reference,
}

/// What each function came to.
#[derive(Serialize, JsonSchema)]
struct Report {
    name: String,
    found: usize,
    counted: u64,
    revision: u64,
    mail: String,
    notice: String,
    kept: u64,
    /// What was kept by the call before.
    before: Option<u64>,
    random_bytes: usize,
    now_ms: u64,
    deadline_ms: u64,
    cancelled: bool,
    attempt: u32,
    dry_run: bool,
    status: u16,
    body: String,
}

/// Calls every function at least once.
struct Everything;

impl Action for Everything {
    const ID: &str = "everything";
    const TITLE: &str = "Call every function of the contract";
    const SUMMARY: &str = "For the test that a host still runs what was built long ago.";
    const READS: &[&str] = &["lead"];
    const WRITES: &[&str] = &["lead"];
    const EXCLUSIVE: Option<&str> = Some("everything");
    const IDEMPOTENT: bool = false;
    type Input = Input;
    type Output = Report;

    fn run(context: &Context, input: Input) -> Result<Outcome<Report>> {
        log::info!("it begins"; step = context.step_id.as_str());
        let lead = records::get(&input.lead)?;
        let name: String = lead.field("name")?;
        let found = records::query("lead").equal("name", &name).fields(["name"]).all()?.len();
        let counted = records::query("lead").is_not_empty("name").count()?;
        let created = records::create("lead", json!({ "name": "New", "email": "new@a.example" }))?;
        let updated = records::update(created.reference(), json!({ "name": "Newer" }))?;
        let revision = updated.revision();
        records::update_if(created.reference(), revision, json!({ "company": "A" }))?;
        records::delete(created.reference())?;
        let mail = messages::send_mail(&input.lead, &"welcome".into(), json!({}))?;
        let notice = messages::notify(&input.user, "A lead was looked at.", Some(&input.lead))?;
        events::emit("lead.looked_at", &[&input.lead], json!({ "by": "everything" }))?;
        let (before, last) = match state::get::<u64>("calls")? {
            Some(stored) => (Some(stored.value), stored.revision),
            None => (None, 0),
        };
        let kept = state::put_if("calls", before.unwrap_or(0) + 1, last)?;
        state::put_for("briefly", true, Duration::from_secs(60))?;
        let token = secrets::placeholder("shop-token")?;
        let answer = http::post("https://shop.example/orders")
            .header("authorization", format!("Bearer {token}"))
            .json(&json!({ "lead": name }))?
            .send()?;
        http::put("https://shop.example/seen").body("seen").deliver()?;
        log::warn!("it ends");
        done(Report {
            name,
            found,
            counted,
            revision,
            mail: receipt(&mail),
            notice: receipt(&notice),
            kept,
            before,
            random_bytes: env::random::<32>().len(),
            now_ms: env::now_ms(),
            deadline_ms: env::deadline_ms(),
            cancelled: env::cancelled(),
            attempt: context.attempt,
            dry_run: context.dry_run,
            status: answer.status(),
            body: answer.text()?.to_owned(),
        })
    }
}

fn receipt(receipt: &Receipt) -> String {
    match receipt {
        Receipt::Queued(_) => "queued".to_owned(),
        Receipt::Suppressed(why) => format!("suppressed: {why}"),
    }
}

/// The way in which to answer.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Wish {
    way: String,
}

/// Answers in the way that is asked for.
struct Answers;

impl Action for Answers {
    const ID: &str = "answers";
    const TITLE: &str = "Answer in every way";
    type Input = Wish;
    type Output = Wish;

    fn run(_: &Context, input: Wish) -> Result<Outcome<Wish>> {
        match input.way.as_str() {
            "done" => done(input),
            "skip" => skip("there was nothing to do"),
            "retry" => retry(Duration::from_secs(5), "not yet"),
            "transient" => Err(Error::retry_after(Duration::from_secs(7), "it is away")),
            "permanent" => Err(Error::permanent("it never will").with_details(json!({ "a": 1 }))),
            "panic" => panic!("it fell over"),
            other => Err(Error::invalid(format!("there is no way `{other}`"))),
        }
    }
}

relata_plugin_sdk::plugin!(Everything, Answers);

//! The host of the tests: one lead, and a memory of what it was asked.

use std::time::Duration;

use relata_sandbox::contract::{
    Condition, Entity, EventRequest, Fields, HttpRequest, HttpResponse, MailRequest, Notice, Page,
    Query, Receipt, StateItem, StatePut, Tally,
};
use relata_sandbox::{
    CallRequest, Called, HostCalls, HostError, Outcome, Plugin, PluginManifest, Sandbox,
    SandboxConfig, async_trait,
};
use serde_json::{Value, json};

/// A host with one record, `lead/1`.
#[derive(Debug, Default)]
pub struct Desk {
    /// What it was asked, in order.
    pub asked: Vec<String>,
    /// How long each read takes.
    pub delay: Duration,
    /// Where the first request is sent on to: a status and a `location`.
    pub redirects: Vec<(u16, &'static str)>,
}

fn lead(fields: Value) -> Entity {
    Entity {
        object: "lead".to_owned(),
        id: "1".to_owned(),
        revision: 7,
        fields: serde_json::from_value(fields).unwrap(),
    }
}

#[async_trait]
impl HostCalls for Desk {
    async fn record_get(&mut self, record: &str) -> Result<Entity, HostError> {
        self.asked.push(format!("get {record}"));
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        Ok(lead(json!({"owner": "user/2", "email": "anna@example.org"})))
    }

    async fn record_query(&mut self, query: Query) -> Result<Page, HostError> {
        self.asked.push(format!("query {query:?}"));
        Ok(Page { entities: Vec::new(), cursor: None })
    }

    async fn record_count(&mut self, object: &str, _: Vec<Condition>) -> Result<u64, HostError> {
        self.asked.push(format!("count {object}"));
        Ok(0)
    }

    async fn record_count_by(
        &mut self,
        object: &str,
        _: Vec<Condition>,
        field: &str,
    ) -> Result<Vec<Tally>, HostError> {
        self.asked.push(format!("count {object} by {field}"));
        Ok(vec![Tally { value: json!("user/2"), count: 3 }])
    }

    async fn calendar_is_open(&mut self, calendar: &str, at_ms: u64) -> Result<bool, HostError> {
        self.asked.push(format!("is {calendar} open at {at_ms}"));
        Ok(true)
    }

    async fn record_create(&mut self, object: &str, _: Fields) -> Result<Entity, HostError> {
        self.asked.push(format!("create {object}"));
        Ok(lead(json!({"owner": "user/2", "email": "anna@example.org", "status": "new"})))
    }

    async fn record_update(
        &mut self,
        record: &str,
        fields: Fields,
        _: Option<u64>,
    ) -> Result<Entity, HostError> {
        if fields.get("status") == Some(&json!("lost")) {
            return Err(HostError::invalid(
                "lead.status cannot go from won to lost: won is an end",
            ));
        }
        let fields = Value::Object(fields);
        self.asked.push(format!("update {record} {fields}"));
        Ok(lead(json!({"owner": "user/3", "email": "anna@example.org", "status": "new"})))
    }

    async fn record_delete(&mut self, record: &str, _: Option<u64>) -> Result<(), HostError> {
        self.asked.push(format!("delete {record}"));
        Ok(())
    }

    async fn send_mail(&mut self, mail: MailRequest) -> Result<Receipt, HostError> {
        self.asked.push(format!("mail {}", mail.to));
        Ok(Receipt::Queued("1".to_owned()))
    }

    async fn notify(&mut self, notice: Notice) -> Result<Receipt, HostError> {
        self.asked.push(format!("notify {}", notice.to));
        Ok(Receipt::Queued("1".to_owned()))
    }

    async fn emit(&mut self, event: EventRequest) -> Result<(), HostError> {
        self.asked.push(format!("emit {}", event.name));
        Ok(())
    }

    async fn state_get(&mut self, key: &str) -> Result<Option<StateItem>, HostError> {
        self.asked.push(format!("state {key}"));
        Ok(None)
    }

    async fn state_put(&mut self, put: StatePut) -> Result<u64, HostError> {
        self.asked.push(format!("put {}", put.key));
        Ok(1)
    }

    async fn http_send(&mut self, request: HttpRequest) -> Result<HttpResponse, HostError> {
        let mut asked = format!("{} {}", request.method, request.url);
        for (name, value) in &request.headers {
            asked.push_str(&format!(" {name}: {value}"));
        }
        if !request.body.is_empty() {
            asked.push_str(&format!(" {}", String::from_utf8_lossy(&request.body)));
        }
        for secret in &request.secrets {
            asked = asked.replace(&secret.placeholder, &format!("<{}>", secret.name));
        }
        self.asked.push(asked);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if !self.redirects.is_empty() {
            let (status, location) = self.redirects.remove(0);
            let headers = vec![("location".to_owned(), location.to_owned())];
            return Ok(HttpResponse { status, headers, body: Vec::new() });
        }
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: b"{}".to_vec() })
    }

    async fn http_deliver(&mut self, request: HttpRequest) -> Result<String, HostError> {
        self.asked.push(format!("deliver {} {}", request.method, request.url));
        Ok("1".to_owned())
    }

    async fn has_secret(&mut self, name: &str) -> Result<bool, HostError> {
        Ok(name != "missing")
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// A sandbox without a cache.
pub fn sandbox() -> Sandbox {
    Sandbox::new(SandboxConfig { concurrent_calls: 4, ..SandboxConfig::default() }).unwrap()
}

/// A manifest of the plugin `p` with more in it.
pub fn manifest(more: &str) -> PluginManifest {
    PluginManifest::parse(&format!(
        "name = \"p\"\nversion = \"0.1.0\"\ntitle = \"P\"\ncontract = \"0.1.0\"\n{more}"
    ))
    .unwrap()
}

/// A loaded guest whose manifest has more in it.
pub async fn load(component: Vec<u8>, more: &str) -> Plugin {
    sandbox().load(manifest(more), None, component).await.unwrap()
}

/// Calls `act`.
pub async fn call(plugin: &Plugin, input: Value) -> Called<Desk> {
    plugin.call(CallRequest::new("act", &input), Desk::default()).await
}

/// What came of a call, in a line.
pub fn line(called: &Called<Desk>) -> String {
    match &called.result {
        Ok(Outcome::Done(output)) => format!("done: {output}"),
        Ok(Outcome::Retry { after_ms, reason }) => format!("retry in {after_ms} ms: {reason}"),
        Ok(Outcome::Skip(reason)) => format!("skip: {reason}"),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

/// How much memory this process has now, in KiB.
#[cfg(target_os = "linux")]
pub fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

//! Calls web services as it is told, for the tests: now, or after the commit.

use relata_plugin_sdk::prelude::*;

/// What to send.
#[derive(Deserialize, JsonSchema)]
struct Input {
    url: String,
    /// `GET` where it is not there, else `POST`.
    body: Option<String>,
    /// A secret for the header `authorization`.
    secret: Option<String>,
    /// Fails after it was sent or queued.
    #[serde(default)]
    fails: bool,
}

impl Input {
    fn request(&self) -> Result<http::Request> {
        let request = match &self.body {
            None => http::get(&self.url),
            Some(body) => http::post(&self.url).body(body.as_str()),
        };
        Ok(match &self.secret {
            None => request,
            Some(name) => {
                let placeholder = secrets::placeholder(name)?;
                request.header("authorization", format!("Bearer {placeholder}"))
            }
        })
    }

    fn end<T>(&self, output: T) -> Result<Outcome<T>> {
        if self.fails {
            return Err(Error::permanent("failed on purpose"));
        }
        done(output)
    }
}

#[derive(Serialize, JsonSchema)]
struct Answer {
    status: u16,
    text: String,
}

/// Sends a request and waits for the answer.
struct Call;

impl Action for Call {
    const ID: &str = "call";
    const TITLE: &str = "Call a web service";
    type Input = Input;
    type Output = Answer;

    fn run(_: &Context, input: Input) -> Result<Outcome<Answer>> {
        let response = input.request()?.send()?;
        input.end(Answer { status: response.status(), text: response.text()?.to_owned() })
    }
}

#[derive(Serialize, JsonSchema)]
struct Queued {
    id: String,
}

/// Sends a request after the commit.
struct Deliver;

impl Action for Deliver {
    const ID: &str = "deliver";
    const TITLE: &str = "Tell a web service";
    type Input = Input;
    type Output = Queued;

    fn run(_: &Context, input: Input) -> Result<Outcome<Queued>> {
        let id = input.request()?.deliver()?;
        input.end(Queued { id })
    }
}

relata_plugin_sdk::plugin!(Call, Deliver);

//! Somebody who is logged in to the console.

use anyhow::{Context as _, ensure};

use crate::{
    host::Program,
    http::{Answer, Connection},
};

/// The password that they choose at their first log-in.
const PASSWORD: &str = "a-benchmark-of-the-console";

pub(crate) struct Session {
    connection: Connection,
    cookie: String,
}

impl Session {
    /// Gives a user a password, logs in with it, and chooses another one, as
    /// everybody does.
    pub(crate) async fn enter(
        program: &Program,
        address: &str,
        email: &str,
    ) -> anyhow::Result<Self> {
        let given = program.run(&["user", "password", email]).await?;
        let given = given["password"].as_str().context("no password")?;
        let mut session =
            Self { connection: Connection::open(address).await?, cookie: String::new() };
        session.log_in(email, given).await?;
        let page = session.get("/password").await?;
        let page = String::from_utf8(page.body)?;
        let token = page.split("name=\"form_token\" value=\"").nth(1);
        let token = token.and_then(|rest| rest.split('"').next()).context("no form")?;
        let form = [("form_token", token), ("was", given), ("new", PASSWORD), ("again", PASSWORD)];
        session.post("/password", &form).await?;
        session.log_in(email, PASSWORD).await?;
        Ok(session)
    }

    async fn log_in(&mut self, email: &str, password: &str) -> anyhow::Result<()> {
        let answer = self.post("/login", &[("email", email), ("password", password)]).await?;
        let cookie = answer.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let value = value.split(';').next()?;
            name.eq_ignore_ascii_case("set-cookie").then(|| value.to_owned())
        });
        self.cookie = cookie.context("no session")?;
        Ok(())
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: relata\r\ncookie: {}\r\n\r\n", self.cookie);
        self.connection.send(request.as_bytes()).await
    }

    /// Sends a form whose answer leads on.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let body = body.join("&");
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: relata\r\ncookie: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        let answer = self.connection.send(request.as_bytes()).await?;
        ensure!(answer.status == 303, "{path} was answered {}", answer.status);
        Ok(answer)
    }
}

/// A value of a form.
pub(crate) fn escaped(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

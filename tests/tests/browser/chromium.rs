//! Chromium without a window, driven by the Chrome DevTools Protocol. It speaks
//! JSON over two pipes, so there is no port, no second program whose version has
//! to match, and it ends with the test.
//!
//! A page is used as a person uses it: what is pressed is found by its role and
//! its name, must be there to be hit, and is hit with the mouse or the keyboard.
//! Nothing is waited for by the clock: what is looked for is looked for until it
//! is there.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// How long something may take that happens within a second on a machine with
/// nothing else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked whether something is so.
const LOOK: Duration = Duration::from_millis(15);

/// What keeps it to itself: nothing is fetched, nobody is asked, and no name leads
/// out of this machine.
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-pipe",
    // Tests run as root in a container, where its own sandbox does not start; it
    // sees no pages but ours.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=MediaRouter,OptimizationHints,Translate",
    "--metrics-recording-only",
    "--password-store=basic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// A browser; it ends with the value.
pub(crate) struct Chromium {
    process: Child,
    wire: Arc<Wire>,
    _profile: TempDir,
}

/// The way to it and back.
struct Wire {
    to: Mutex<ChildStdin>,
    heard: Mutex<Heard>,
    more: Condvar,
}

#[derive(Default)]
struct Heard {
    asked: u64,
    answers: HashMap<u64, Json>,
    /// What happened on each page, in order.
    events: HashMap<String, Vec<Json>>,
    ended: bool,
}

/// How somebody looks at pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// The language that the browser asks for.
    pub(crate) lang: &'static str,
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

impl Look {
    /// In English, on a desk.
    pub(crate) const DESK: Self = Self { lang: "en", width: 1280, dark: false };
}

impl Chromium {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // Its pipes are 3 and 4.
        let mut process = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#, "sh", program()])
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = Mutex::new(process.stdin.take().unwrap());
        let wire = Arc::new(Wire { to, heard: Mutex::default(), more: Condvar::new() });
        let from = BufReader::new(process.stdout.take().unwrap());
        let hearing = Arc::clone(&wire);
        thread::spawn(move || hearing.hear(from));
        let browser = Self { process, wire, _profile: profile };
        browser.wire.ask(None, "Browser.getVersion", json!({})).expect("Chromium starts");
        browser
    }

    /// A new window that shares nothing with the others.
    pub(crate) fn page(&self, look: Look) -> Page<'_> {
        let ask = |method, parameters| self.wire.ask(None, method, parameters).unwrap();
        let context = ask("Target.createBrowserContext", json!({ "disposeOnDetach": true }));
        let context = text(&context, "browserContextId");
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = text(&ask("Target.createTarget", target), "targetId");
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&ask("Target.attachToTarget", attach), "sessionId");
        let page = Page { browser: self, context, session };
        for domain in ["Page", "Runtime", "Log", "DOM", "Accessibility"] {
            page.ask(&format!("{domain}.enable"), json!({}));
        }
        page.ask("Page.setLifecycleEventsEnabled", json!({ "enabled": true }));
        let agent = json!({ "userAgent": "Relata's tests", "acceptLanguage": look.lang });
        page.ask("Emulation.setUserAgentOverride", agent);
        page.look(look);
        page
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its children end with it, if it is asked.
        let _ = self.wire.ask(None, "Browser.close", json!({}));
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Wire {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what it says, until it ends.
    fn hear(&self, from: impl BufRead) {
        for message in from.split(0).map_while(Result::ok) {
            let Ok(message) = serde_json::from_slice::<Json>(&message) else { continue };
            let mut heard = self.heard();
            match (message["id"].as_u64(), message["sessionId"].as_str()) {
                (Some(id), _) => drop(heard.answers.insert(id, message)),
                (None, Some(session)) => {
                    heard.events.entry(session.to_owned()).or_default().push(message);
                }
                (None, None) => {}
            }
            self.more.notify_all();
        }
        self.heard().ended = true;
        self.more.notify_all();
    }

    /// Asks it for something, on a page or of itself.
    fn ask(&self, session: Option<&str>, method: &str, parameters: Json) -> Result<Json, String> {
        let mut heard = self.heard();
        heard.asked += 1;
        let id = heard.asked;
        drop(heard);
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        to.write_all(&bytes).map_err(|why| format!("{method}: Chromium has ended: {why}"))?;
        drop(to);
        let mut answer = self.wait(method, |heard| heard.answers.remove(&id))?;
        match answer.get("error") {
            Some(why) => Err(format!("{method}: {}", why["message"])),
            None => Ok(answer["result"].take()),
        }
    }

    /// Waits until something was heard.
    fn wait<T>(
        &self,
        what: &str,
        mut find: impl FnMut(&mut Heard) -> Option<T>,
    ) -> Result<T, String> {
        let start = now();
        let mut heard = self.heard();
        loop {
            if let Some(found) = find(&mut heard) {
                return Ok(found);
            }
            if heard.ended {
                return Err(format!("{what}: Chromium has ended"));
            }
            let left = PATIENCE.checked_sub(now().duration_since(start));
            let left = left.ok_or_else(|| format!("{what}: Chromium does not answer"))?;
            let waited = self.more.wait_timeout(heard, left);
            heard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A window of the browser; it closes with the value.
pub(crate) struct Page<'a> {
    browser: &'a Chromium,
    context: String,
    session: String,
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        let context = json!({ "browserContextId": self.context });
        let _ = self.browser.wire.ask(None, "Target.disposeBrowserContext", context);
    }
}

impl Page<'_> {
    fn try_ask(&self, method: &str, parameters: Json) -> Result<Json, String> {
        self.browser.wire.ask(Some(&self.session), method, parameters)
    }

    fn ask(&self, method: &str, parameters: Json) -> Json {
        self.try_ask(method, parameters).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Makes the window so wide, and light or dark.
    pub(crate) fn look(&self, look: Look) {
        let height = if look.width < 600 { 844 } else { 800 };
        let size = json!({ "width": look.width, "height": height, "deviceScaleFactor": 1, "mobile": look.width < 600 });
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme = if look.dark { "dark" } else { "light" };
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", scheme);
    }

    /// Goes to an address, and waits until all of it is there.
    pub(crate) fn open(&self, url: &str) {
        let begun = self.ask("Page.navigate", json!({ "url": url }));
        assert!(begun.get("errorText").is_none(), "{url}: {begun}");
        let loader = &begun["loaderId"];
        let loaded = |event: &Json| {
            let of = &event["params"];
            of["name"] == "load" && of["loaderId"] == *loader
        };
        let waited = self
            .browser
            .wire
            .wait(url, |heard| heard.events.get(&self.session)?.iter().any(loaded).then_some(()));
        waited.unwrap_or_else(|why| panic!("{why}"));
    }

    /// What an expression of JavaScript yields on the page.
    pub(crate) fn try_evaluate(&self, script: &str) -> Result<Json, String> {
        let call = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let mut done = self.try_ask("Runtime.evaluate", call)?;
        match done.get("exceptionDetails") {
            Some(why) => Err(why["exception"]["description"].to_string()),
            None => Ok(done["result"]["value"].take()),
        }
    }

    /// The same, where nothing can go wrong.
    pub(crate) fn evaluate(&self, script: &str) -> Json {
        self.try_evaluate(script).unwrap_or_else(|why| panic!("{}: {why}", self.address()))
    }

    /// Tries until it works; a page may be in the middle of becoming another one.
    fn until<T>(&self, what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
        let start = now();
        loop {
            match attempt() {
                Ok(done) => return done,
                Err(why) if now().duration_since(start) > PATIENCE => {
                    let shown =
                        self.try_evaluate("location.href + '\\n' + document.body.innerText");
                    let shown = shown.unwrap_or_default();
                    panic!("{what}: {why}; the page shows {}", shown.as_str().unwrap_or("nothing"))
                }
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    /// Waits until an expression of JavaScript is true.
    pub(crate) fn waits_for(&self, script: &str) {
        self.until(script, || match self.try_evaluate(script)?.as_bool() {
            Some(true) => Ok(()),
            _ => Err("it does not become true".to_owned()),
        });
    }

    /// Waits until the page shows a text.
    pub(crate) fn sees(&self, text: &str) {
        self.until(text, || {
            let shown = self.try_evaluate("document.body.innerText")?;
            let shown = shown.as_str().unwrap_or_default();
            let there = shown.contains(text);
            if there { Ok(()) } else { Err("it is not seen".to_owned()) }
        });
    }

    /// The page's address.
    pub(crate) fn address(&self) -> String {
        let address = self.try_evaluate("location.href").unwrap_or_default();
        address.as_str().unwrap_or_default().to_owned()
    }

    /// What has this role and this name, or this as a part of its name, as a screen
    /// reader tells them; the only one.
    fn find(&self, role: &str, name: &str) -> Result<Json, String> {
        let document = self.try_ask("DOM.getDocument", json!({ "depth": 0 }))?;
        let query = json!({ "nodeId": document["root"]["nodeId"], "role": role });
        let found = self.try_ask("Accessibility.queryAXTree", query)?;
        let mut nodes = found["nodes"].as_array().cloned().unwrap_or_default();
        nodes.retain(|node| node["ignored"] != true);
        let called = |node: &Json| node["name"]["value"].as_str().unwrap_or_default().to_owned();
        if nodes.iter().any(|node| called(node) == name) {
            nodes.retain(|node| called(node) == name);
        } else {
            nodes.retain(|node| called(node).contains(name));
        }
        match nodes.as_slice() {
            [] => Err("it is not on the page".to_owned()),
            [node] => Ok(node["backendDOMNodeId"].clone()),
            several => Err(format!("there are {} of them", several.len())),
        }
    }

    /// Calls a function of JavaScript on an element.
    fn call(&self, node: &Json, function: &str, argument: &Json) -> Result<Json, String> {
        let object = self.try_ask("DOM.resolveNode", json!({ "backendNodeId": node }))?;
        let call = json!({
            "objectId": object["object"]["objectId"], "functionDeclaration": function,
            "arguments": [{ "value": argument }], "returnByValue": true,
        });
        Ok(self.try_ask("Runtime.callFunctionOn", call)?["result"]["value"].take())
    }

    /// Presses a button, a link or the like with the mouse.
    pub(crate) fn press(&self, role: &str, name: &str) {
        let (x, y) = self.until(&format!("{role} `{name}`"), || {
            let node = self.find(role, name)?;
            self.try_ask("DOM.scrollIntoViewIfNeeded", json!({ "backendNodeId": node }))?;
            // The middle of its first line; nothing may lie over it.
            let middle = self.call(
                &node,
                "function() {
                    const box = this.getClientRects()[0];
                    if (!box) return null;
                    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                    const hit = document.elementFromPoint(x, y);
                    return hit && (this.contains(hit) || hit.contains(this)) ? [x, y] : null;
                }",
                &Json::Null,
            )?;
            match (middle[0].as_f64(), middle[1].as_f64()) {
                (Some(x), Some(y)) => Ok((x, y)),
                _ => Err("something lies over it".to_owned()),
            }
        });
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", event);
        }
    }

    /// Types a text into a field, in place of what is in it.
    pub(crate) fn fill(&self, role: &str, name: &str, text: &str) {
        self.until(&format!("{role} `{name}`"), || {
            let node = self.find(role, name)?;
            self.try_ask("DOM.focus", json!({ "backendNodeId": node }))?;
            self.call(&node, "function() { this.select() }", &Json::Null)
        });
        self.types(text);
    }

    /// Chooses one of the options of a list.
    pub(crate) fn choose(&self, name: &str, option: &str) {
        self.until(&format!("`{option}` of `{name}`"), || {
            let node = self.find("combobox", name)?;
            let chosen = self.call(
                &node,
                "function(text) {
                    const option = [...this.options].find(option => option.text === text);
                    if (!option) return false;
                    this.value = option.value;
                    this.dispatchEvent(new Event('input', { bubbles: true }));
                    this.dispatchEvent(new Event('change', { bubbles: true }));
                    return true;
                }",
                &json!(option),
            )?;
            if chosen == true { Ok(()) } else { Err("there is no such option".to_owned()) }
        });
    }

    /// Types a text where the cursor is.
    pub(crate) fn types(&self, text: &str) {
        self.ask("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key.
    pub(crate) fn key(&self, key: Key) {
        let (name, code, text) = match key {
            Key::Tab => ("Tab", 9, ""),
            Key::Enter => ("Enter", 13, "\r"),
            Key::Space => (" ", 32, " "),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": name, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// What the browser found fault with since it was last asked: errors of
    /// scripts, what the page's policy forbade, what could not be loaded.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut heard = self.browser.wire.heard();
        let events = heard.events.get_mut(&self.session).map(std::mem::take).unwrap_or_default();
        events.iter().filter_map(fault).collect()
    }

    /// The whole page as a picture, PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let size = &self.ask("Page.getLayoutMetrics", json!({}))["cssContentSize"];
        let clip =
            json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.ask("Page.captureScreenshot", asked);
        STANDARD.decode(text(&picture, "data")).unwrap()
    }
}

/// A key that goes on, or presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Tab,
    Enter,
    Space,
}

fn fault(event: &Json) -> Option<String> {
    let of = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(of["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if of["type"] == "error" => Some(of["args"].to_string()),
        "Log.entryAdded" if of["entry"]["level"] == "error" => {
            Some(format!("{} {}", of["entry"]["text"], of["entry"]["url"]))
        }
        _ => None,
    }
}

/// Debian's program, or another one's name.
fn program() -> &'static str {
    let found = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let there =
        |name: &&&str| std::env::split_paths(&found).any(|folder| folder.join(name).is_file());
    names.iter().find(there).expect(
        "Chromium is missing: `apt-get install chromium`, or `cargo xtask test`, which does that",
    )
}

fn text(json: &Json, name: &str) -> String {
    json[name].as_str().unwrap_or_else(|| panic!("there is no {name} in {json}")).to_owned()
}

#[allow(clippy::disallowed_methods, reason = "a test has a clock")]
fn now() -> Instant {
    Instant::now()
}

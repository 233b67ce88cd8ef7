//! Every address, for every role: who lacks a permission is refused, and that
//! is noted; nobody else is. Nobody who is not logged in sees anything.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use relata_app::{
    Viewer,
    model::{Act, Area, Doing, access::standard_roles},
    store::AuditFilter,
};

use crate::browser::Browser;

/// What somebody must be allowed to get at an address.
#[derive(Debug, Clone, Copy)]
enum Need {
    /// Nothing: it is for those who are not logged in as well.
    Nothing,
    /// To be logged in.
    LogIn,
    /// Something in an area.
    Area(Area, Doing),
    /// Something with records of the object in the address, or of this one.
    Act(Option<&'static str>, Act),
    /// The same, and that this field may be set.
    Set(Option<&'static str>, &'static str),
    /// To list records of the object in the address without saying of which
    /// whole they are parts.
    List,
    /// To decide what others may do.
    Grant,
}

type Filled = &'static [(&'static str, &'static str)];

/// What each address needs, and what a form brings along that gets as far as
/// the question whether it may. An address that is not here fails the test.
fn needs(method: &Method, path: &str) -> Vec<(Need, Filled)> {
    let of = |area| Need::Area(area, Doing::See);
    let change = |area| Need::Area(area, Doing::Change);
    let one = |need| vec![(need, [].as_slice())];
    match (method.as_str(), path) {
        ("GET", "/login" | "/assets/{file}") | ("POST", "/login" | "/look") => one(Need::Nothing),
        ("GET", "/" | "/navigation" | "/live" | "/password" | "/approvals" | "/records")
        | ("POST", "/logout" | "/password" | "/approvals/{key}") => one(Need::LogIn),
        ("POST", "/presence") => {
            vec![(Need::Set(Some("user"), "presence"), &[("presence", "away")])]
        }
        ("GET", "/inbox" | "/tickets/{key}") => one(Need::Act(Some("ticket"), Act::See)),
        ("GET", "/messages/{key}/files/{id}") => one(Need::Act(Some("message"), Act::See)),
        ("POST", "/tickets/{key}/reply") => {
            vec![(Need::Act(Some("ticket"), Act::Change), &[("text", "Yes."), ("nonce", "1")])]
        }
        ("POST", "/tickets/{key}/note") => {
            vec![(Need::Act(Some("ticket"), Act::See), &[("text", "Well."), ("nonce", "2")])]
        }
        ("POST", "/tickets/{key}/status") => {
            vec![(Need::Set(Some("ticket"), "status"), &[("status", "open")])]
        }
        ("POST", "/tickets/{key}/owner") => {
            vec![(Need::Set(Some("ticket"), "owner"), &[("owner", "me")])]
        }
        ("GET", "/tasks") => one(Need::Act(Some("task"), Act::See)),
        ("GET", "/records/{object}") => one(Need::List),
        ("GET", "/boards/{object}") => one(Need::List),
        ("GET", "/records/{object}/{key}") => one(Need::Act(None, Act::See)),
        ("GET", "/records/{object}/{key}/edit") | ("POST", "/records/{object}/{key}") => {
            one(Need::Act(None, Act::Change))
        }
        ("POST", "/records/{object}/{key}/move") => {
            vec![(Need::Set(None, "status"), &[("field", "status"), ("to", "open")])]
        }
        ("POST", "/records/{object}/{key}/delete") => one(Need::Act(None, Act::Delete)),
        ("GET" | "POST", "/new/{object}") => one(Need::Act(None, Act::Create)),
        ("GET", "/runs" | "/runs/{id}") => one(of(Area::Runs)),
        ("POST", "/runs/{id}/retry" | "/runs/{id}/cancel") => one(change(Area::Runs)),
        ("GET", "/workflows" | "/workflows/{name}" | "/workflows/{name}/difference") => {
            one(of(Area::Workflows))
        }
        (
            "POST",
            "/workflows/{name}/check" | "/workflows/{name}/complete" | "/workflows/{name}/hover",
        ) => vec![(of(Area::Workflows), &[("source", "workflow: x"), ("offset", "0")])],
        ("POST", "/workflows/{name}") => vec![
            (of(Area::Workflows), &[("do", "check"), ("source", "workflow: x")]),
            (of(Area::Workflows), &[("do", "test"), ("source", "workflow: x")]),
            (change(Area::Workflows), &[("do", "activate"), ("source", "no workflow")]),
            (change(Area::Workflows), &[("do", "deactivate")]),
        ],
        ("GET", "/routing" | "/routing/simulator") => one(of(Area::Routing)),
        ("GET", "/plugins") => one(of(Area::Plugins)),
        ("GET", "/admin" | "/admin/mails") => one(of(Area::Operations)),
        ("POST", "/admin/effects/{id}") => {
            vec![(change(Area::Operations), &[("do", "drop")])]
        }
        ("POST", "/admin/mails/{id}") => {
            vec![(change(Area::Operations), &[("do", "drop")])]
        }
        ("POST", "/admin/users") => one(Need::Grant),
        _ => panic!("{method} {path} is in no line of this test: say what it needs"),
    }
}

/// A request: what it needs of whom, and what it brings.
struct Asked {
    method: Method,
    path: String,
    /// None where it is for everybody who is logged in, or for all.
    object: Option<String>,
    need: Need,
    filled: Filled,
}

/// Every address with everything that can stand in it; no record of these keys
/// is there, so that nothing is written.
fn everything(browser: &Browser) -> Vec<Asked> {
    let mut asked = Vec::new();
    for (method, path) in relata_console::addresses() {
        let filled_in = path
            .replace("{key}", "none-of-this-key")
            .replace("{id}", "none-of-this-id")
            .replace("{name}", "none-of-this-name")
            .replace("{file}", "console.css");
        let objects: Vec<String> = match path.contains("{object}") {
            true => browser.app.objects().names().map(str::to_owned).collect(),
            false => vec![String::new()],
        };
        for (need, filled) in needs(&method, path) {
            for object in &objects {
                let (Need::Act(fixed, _) | Need::Set(fixed, _)) = need else {
                    let object = (!object.is_empty()).then(|| object.clone());
                    let path = filled_in.replace("{object}", object.as_deref().unwrap_or_default());
                    asked.push(Asked { method: method.clone(), path, object, need, filled });
                    continue;
                };
                let object = fixed.map_or_else(|| object.clone(), str::to_owned);
                let path = filled_in.replace("{object}", &object);
                let object = Some(object);
                asked.push(Asked { method: method.clone(), path, object, need, filled });
            }
        }
    }
    asked
}

/// Whether this is more than a page that says that there is no such thing.
fn exists(browser: &Browser, asked: &Asked) -> bool {
    let Some(definition) = asked.object.as_deref().and_then(|name| browser.app.objects().get(name))
    else {
        return true;
    };
    let has_stages = definition.in_order().any(|(_, field)| !field.transitions.is_empty());
    match asked.path.as_str() {
        path if path.starts_with("/boards/") => has_stages,
        path if path.ends_with("/move") => definition.field("status").is_some(),
        _ => true,
    }
}

fn may(browser: &Browser, viewer: &Viewer, asked: &Asked) -> bool {
    let object = asked.object.as_deref().unwrap_or_default();
    match asked.need {
        Need::Nothing | Need::LogIn => true,
        Need::Area(area, doing) => viewer.may(area, doing),
        Need::Act(_, act) => viewer.may_object(object, act),
        Need::Set(_, field) => {
            viewer.may_object(object, Act::Change) && viewer.writes_field(object, field)
        }
        Need::List => viewer.may_find(browser.app.object(object).unwrap(), ""),
        Need::Grant => viewer.may_grant(),
    }
}

async fn send(browser: &Browser, asked: &Asked, token: &str) -> StatusCode {
    let form: Vec<(String, String)> = [("form_token", token)]
        .iter()
        .chain(asked.filled)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let form = (asked.method == Method::POST).then_some(form.as_slice());
    let headers = [("sec-fetch-site", "same-origin")];
    match asked.path.as_str() {
        // It goes on for ever; that it has begun is enough.
        "/live" => browser.follow("/live", None).await.status,
        path => browser.ask(asked.method.clone(), path, &headers, form).await.status,
    }
}

#[tokio::test]
async fn a_role_without_a_permission_is_refused_everywhere() {
    let company = Browser::open().await;
    let everything = everything(&company);
    let (mut count, mut refused) = (0, 0);
    for role in standard_roles().keys().map(String::as_str).chain(["no-role"]) {
        let browser = company.another();
        let user = browser.log_in_as(role, &[role]).await;
        let viewer = browser.app.viewer_of_user(&user).await.unwrap().unwrap();
        let token = browser.get("/password").await.form("/logout");
        let token = &token.iter().find(|(name, _)| name == "form_token").unwrap().1;
        // After that nobody is logged in.
        let (last, others): (Vec<_>, Vec<_>) =
            everything.iter().partition(|asked| asked.path == "/logout");
        for asked in others.into_iter().chain(last) {
            let status = send(&browser, asked, token).await;
            let may = may(&browser, &viewer, asked) || !exists(&browser, asked);
            let told =
                format!("{role}: {} {} {:?}: {status}", asked.method, asked.path, asked.need);
            assert!(status.as_u16() < 500, "{told}");
            assert_eq!(status != StatusCode::FORBIDDEN, may, "{told}");
            count += 1;
            refused += u64::from(status == StatusCode::FORBIDDEN);
        }
    }
    assert!(refused > 100 && refused < count, "{refused} of {count}");
    let filter = AuditFilter { outcome: Some("refused".to_owned()), ..AuditFilter::default() };
    let noted = company.app.audit(&filter, 10_000).await.unwrap();
    // Who wrote a wrong password was refused as well.
    let noted: u64 =
        noted.iter().filter(|entry| entry.act != "log in").map(|entry| entry.times).sum();
    assert_eq!(noted, refused, "not every refusal is in the audit");
}

#[tokio::test]
async fn nobody_who_is_not_logged_in_sees_anything() {
    let company = Browser::open().await;
    company.log_in_as("mara", &["administrator"]).await;
    let stranger = company.another();
    let mut open = BTreeSet::new();
    for asked in everything(&company) {
        let page = stranger.ask(asked.method.clone(), &asked.path, &[], None).await;
        let way = page.headers.get("location").map(|way| way.to_str().unwrap().to_owned());
        let to_log_in = way.is_some_and(|way| way.starts_with("/login"));
        match asked.need {
            Need::Nothing => {
                open.insert(format!("{} {} {}", asked.method, asked.path, page.status.as_u16()));
            }
            _ => assert!(to_log_in, "{} {}: {}", asked.method, asked.path, page.status),
        }
    }
    let open: Vec<String> = open.into_iter().collect();
    assert_eq!(
        open,
        ["GET /assets/console.css 200", "GET /login 200", "POST /login 401", "POST /look 303"]
    );
}

#[tokio::test]
async fn a_script_is_not_sent_to_the_log_in_and_no_page_is_lost() {
    let company = Browser::open().await;
    company.log_in_as("mara", &["agent"]).await;
    let stranger = company.another();
    for headers in [&[("hx-request", "true")][..], &[("accept", "text/event-stream")]] {
        for path in ["/inbox", "/navigation", "/live"] {
            let page = stranger.ask(Method::GET, path, headers, None).await;
            assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{path} {headers:?}");
            assert!(page.headers.get("hx-redirect").is_none(), "{path} {headers:?}");
            assert!(page.html.is_empty(), "{path} {headers:?}");
        }
    }
    // A link that somebody followed leads there as a whole.
    let headers = [("hx-request", "true"), ("hx-boosted", "true")];
    let page = stranger.ask(Method::GET, "/inbox?view=open", &headers, None).await;
    assert_eq!(page.headers["hx-redirect"], "/login?then=/inbox%3Fview%3Dopen");
    assert!(page.html.is_empty());
}

//! Every screen, in both languages, wide and narrow, light and dark: axe-core finds
//! nothing serious, nothing is wider than a telephone, and the browser has nothing
//! to complain of.
//!
//! `RELATA_SCREENS=FOLDER` leaves a picture of each there, to be looked at.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
};

use relata_app::{
    App, Running, SHIPPED,
    model::{Reference, Value},
    store::{EffectFilter, RunFilter},
};
use serde_json::json;

use super::{
    chromium::{Chromium, Look, Page},
    company::{Company, LOG_IN},
};

/// A mail of the customer's with a picture, 64 by 48, and files that are hard to
/// show: one with a name that does not end, one that says to be a picture.
const PICTURES: &str = "From: Laura Dawson <laura.dawson@home.example>\r\nSubject: Re: [T-LAMP] pictures\r\n\
    Message-ID: <pictures@home.example>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n\
    --=_b\r\nContent-Type: text/plain\r\n\r\nThis one.\r\n\
    --=_b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename=\"lamp.png\"\r\n\r\niVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAIAAAAuKetIAAAAQ0lEQVR42u3PQQkAAAgEsMtjOasZ0Qp+hcEKLNXzWgQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQErhZWXGziimHf+wAAAABJRU5ErkJggg==\r\n\
    --=_b\r\nContent-Type: application/pdf\r\n\
    Content-Disposition: attachment; filename=\"0000000000000000000000000000000000000000000000000000000000000000000000000000000000.pdf\"\r\n\r\n%PDF\r\n\
    --=_b\r\nContent-Type: text/html\r\n\
    Content-Disposition: attachment; filename=\"picture.png\"\r\n\r\n<script>document.title = 'it runs'</script>\r\n\
    --=_b--\r\n";

/// What asks somebody, and what goes wrong.
const WORKFLOWS: [&str; 2] = [
    "\
workflow: large-discount
title: Ask before a large discount is given
owner: sales-ops
when:
  - created: opportunity
steps:
  - ask: administrator
    question: \"{{ opportunity.name }}: is a discount of 20 % all right?\"
    answers: [approve, reject]
    about: =opportunity
    up_to: 2 days
    as: approval
",
    "\
workflow: welcome-account
title: Give a new account somebody of the press team
owner: sales-ops
when:
  - created: account
steps:
  - do: assign.round_robin
    team: press
    as: pick
  - do: crm.update
    record: =account
    set: { owner: =pick.user }
",
];

/// A screen: what it is called here, and its address.
type Screen = (&'static str, String);

/// What is looked at.
struct Screens {
    company: Company,
    /// Those that nobody need be logged in for.
    open: Vec<Screen>,
    console: Vec<Screen>,
}

/// The first lines of a file of customers' data, as a file of its own.
fn lines(file: &str, many: usize) -> String {
    let text = fs::read_to_string(relata_tests::data(file)).unwrap();
    text.split_inclusive('\n').take(many + 1).collect()
}

impl Screens {
    /// A company that has worked for a day.
    async fn set_up() -> Self {
        let rehearsal = ["--rehearsal", "--clock", "2026-12-14 09:00"];
        let mut company = Company::new(&rehearsal, |settings| settings).await;
        let app = &company.app;
        let mara = json!({ "external_id": "mara", "name": "Mara Lenz", "email": "mara@shop.example", "team": "team/support", "roles": ["administrator"] });
        let mara = company.hire(mara).await;
        for (object, file, many) in [("user", "agents.csv", 15), ("contact", "contacts.csv", 300)] {
            app.import(object, lines(file, many).as_bytes(), &[], |_, _| {}).await.unwrap();
        }
        // A team without anybody, so that a run fails.
        company.make("team", json!({ "external_id": "press", "name": "Press" })).await;
        for name in ["assign-new-leads", "complaint-escalation", "route-tickets", "inquiry-survey"]
        {
            let file = format!("workflows/{name}.yaml");
            let (file, text) = SHIPPED.iter().find(|(known, _)| *known == file).unwrap();
            app.activate(file, text, "test", Running::Finish).await.unwrap();
        }
        for text in WORKFLOWS {
            app.activate("workflows/own.yaml", text, "test", Running::Finish).await.unwrap();
        }
        app.import("lead", lines("leads.csv", 24).as_bytes(), &[], |_, _| {}).await.unwrap();
        // A quoted cell of it may have several lines.
        app.import("ticket", lines("messages.csv", 40).as_bytes(), &[], |_, _| {}).await.unwrap();
        company.make("account", json!({ "external_id": "keller", "name": "Keller Antriebstechnik GmbH", "country": "DE", "tier": "gold" })).await;
        for (name, stage) in
            [("Lamps for the canteen", "prospecting"), ("Two hundred desk lamps", "proposal")]
        {
            let offer = json!({ "name": name, "account": "account/keller", "amount": "12500.00 EUR", "stage": stage, "owner": mara.to_string() });
            company.make("opportunity", offer).await;
        }
        let task = json!({ "title": "Call Laura Dawson back", "assignee": mara.to_string(), "about": "contact/c-0001", "due_at": "2026-12-13T09:00:00Z" });
        company.make("task", task).await;
        let form = json!({ "external_id": "contact", "title": "Write to us", "title_zh": "联系我们", "intro": "We answer within a day.", "queue": "queue/support", "asks": ["priority: How urgent is it?"] });
        company.make("form", form).await;
        let _ =
            app.take_mail(b"Subject: nobody wrote this\r\n\r\nHello\r\n".to_vec()).await.unwrap();
        // A talk with somebody whose earlier inquiry was solved.
        let solved = json!({ "subject": "The blue lamp flickers", "customer": "contact/c-0001", "owner": mara.to_string(), "status": "open", "category": "complaint" });
        let solved = company.make("ticket", solved).await;
        at(app, "2026-12-14T08:30:00Z").await;
        app.update_record(
            &solved,
            [("status".to_owned(), Value::Text("solved".to_owned()))].into(),
            "test",
        )
        .await
        .unwrap();
        let ticket = json!({ "external_id": "lamp", "ref": "T-LAMP", "subject": "Where is the lamp that I ordered on the second of December, and when will it come?", "customer": "contact/c-0001", "owner": mara.to_string(), "queue": "queue/support", "priority": "high", "status": "open" });
        let ticket = company.make("ticket", ticket).await;
        let routed = json!({ "subject": "How do I log in?", "queue": "queue/support" });
        company.make("ticket", routed).await;
        for (direction, author, body) in [
            (
                "in",
                "contact/c-0001".to_owned(),
                "Hello,\n\nmy lamp has not come: https://shop.example/orders/SO-1001/tracking/000000000000000000000000000000000000000000000001\n\nLaura",
            ),
            ("out", mara.to_string(), "Hello Laura,\n\nit is on its way."),
            ("note", mara.to_string(), "The carrier has lost one before."),
        ] {
            let message = json!({ "ticket": ticket.to_string(), "direction": direction, "channel": "mail", "author": author, "body": body, "attachments": ["picture.jpg (image/jpeg, 120 KiB)"] });
            company.make("message", message).await;
        }
        let _ = app.take_mail(PICTURES.as_bytes().to_vec()).await.unwrap();
        at(app, "2026-12-15T12:00:00Z").await;

        let (survey, unsubscribe) = links(app).await;
        let public = company.url("");
        let own = |link: &str| link.strip_prefix(&public).unwrap().to_owned();
        let (survey, unsubscribe) = (own(&survey), own(&unsubscribe));
        let open = vec![
            ("login", "/login".to_owned()),
            ("form", "/f/contact".to_owned()),
            ("survey", survey),
            ("unsubscribe", unsubscribe),
        ];
        let mut console: Vec<Screen> = [
            ("inbox", "/inbox"),
            ("inbox-open", "/inbox?view=open"),
            ("inbox-empty", "/inbox?view=waiting"),
            ("objects", "/records"),
            ("contacts", "/records/contact"),
            ("contacts-some", "/records/contact?tier=gold&sort=-created_at"),
            ("contacts-none", "/records/contact?name=nobody"),
            ("accounts", "/records/account"),
            ("leads", "/records/lead"),
            ("leads-board", "/boards/lead"),
            ("opportunities-board", "/boards/opportunity"),
            ("orders-none", "/records/order"),
            ("new-lead", "/new/lead"),
            ("tasks", "/tasks"),
            ("approvals", "/approvals"),
            ("workflows", "/workflows"),
            ("workflow", "/workflows/inquiry-survey"),
            ("workflow-never-active", "/workflows/win-back"),
            ("runs", "/runs"),
            ("runs-none", "/runs?text=nothing-of-the-kind"),
            ("routing", "/routing"),
            ("plugins", "/plugins"),
            ("administration", "/admin"),
            ("password", "/password"),
        ]
        .map(|(name, path)| (name, path.to_owned()))
        .into();
        let key = async |reference: &str| {
            let reference: Reference = reference.parse().unwrap();
            app.record(&reference).await.unwrap().reference.key
        };
        console.push(("ticket", format!("/tickets/{}", ticket.key)));
        console.push(("contact", format!("/records/contact/{}", key("contact/c-0001").await)));
        console.push(("account", format!("/records/account/{}", key("account/keller").await)));
        console.push(("user", format!("/records/user/{}", key("user/grace-tanner").await)));
        console.push(("edit-ticket", format!("/records/ticket/{}/edit", ticket.key)));
        let runs = app.runs(RunFilter::default(), 500).await.unwrap();
        for (name, workflow, status) in [
            ("run-done", "route-tickets", "done"),
            ("run-failed", "welcome-account", "failed"),
            ("run-active", "inquiry-survey", "active"),
        ] {
            let run = runs.iter().find(|run| run.workflow == workflow && run.status == status);
            let run = run.unwrap_or_else(|| panic!("no run of {workflow} is {status}"));
            console.push((name, format!("/runs/{}", run.run)));
        }
        company.hand_over().await;
        Self { company, open, console }
    }
}

async fn at(app: &App, time: &str) {
    app.advance_to(time.parse().unwrap(), |_| ()).await.unwrap();
}

/// The links of a survey's mail: to answer it, and to be asked no more.
async fn links(app: &App) -> (String, String) {
    let mails = app.effects(&EffectFilter::default()).await.unwrap();
    let mail = mails.iter().find(|mail| mail.template.as_deref() == Some("csat")).unwrap();
    let text = app.effect(mail.effect.parse().unwrap()).await.unwrap().text.unwrap();
    let link = |part: &str| {
        let links = text.split(['(', ')']).filter(|link| link.starts_with("http"));
        links.into_iter().find(|link| link.contains(part)).unwrap().to_owned()
    };
    (link("/s/"), link("/u/"))
}

/// axe-core, as `cargo xtask` installs it.
fn axe() -> String {
    let file =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("../axe-core/node_modules/axe-core/axe.min.js");
    fs::read_to_string(&file).unwrap_or_else(|why| {
        panic!(
            "there is no axe-core at {} ({why}); `cargo xtask setup` installs it",
            file.display()
        )
    })
}

/// How it looks for what, and tells what is serious of it: a line for each element.
const JUDGE: &str = "axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations
    .filter(one => ['serious', 'critical'].includes(one.impact))
    .flatMap(one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 200)} ${node.any.map(check => check.message).join('; ')}`)))";

/// What is wider than the window, if the whole page is. (`innerWidth` would grow with it
/// on a telephone.)
const WIDER: &str = "(() => {
    const page = document.scrollingElement;
    const window = document.documentElement.clientWidth;
    if (page.scrollWidth <= window) return [];
    const wide = [...document.body.querySelectorAll('*')]
        .filter(one => one.getBoundingClientRect().right > window + 1 && !one.closest('.scroll'));
    return [`${page.scrollWidth} wide: ` + wide.slice(0, 3).map(one => one.outerHTML.slice(0, 120)).join(' | ')];
})()";

/// Two ways to look at a screen: how wide, whether dark, whether what is folded is open.
type TwoLooks = [(u32, bool, bool); 2];

/// How each screen is looked at: so wide, dark or not, and with what is folded open or
/// not. Of language, width, colours and folds each two meet; all sixteen would find
/// no more, and take four times as long.
const LOOKS: [(&str, TwoLooks); 2] = [
    ("en", [(1280, false, false), (390, true, true)]),
    ("zh", [(1280, true, true), (390, false, false)]),
];

/// Looks at screens in one language; what is wrong with them.
fn judge(
    page: &Page<'_>,
    company: &Company,
    screens: &[Screen],
    lang: &'static str,
) -> Vec<String> {
    let axe = axe();
    let (_, looks) = LOOKS.into_iter().find(|(known, _)| *known == lang).unwrap();
    let mut wrong = Vec::new();
    for (name, path) in screens {
        page.look(Look { lang, ..Look::DESK });
        page.open(&company.url(path));
        page.evaluate(&format!("{axe};0"));
        for (width, dark, unfolded) in looks {
            page.look(Look { lang, width, dark });
            // On a telephone the menu would lie over the page.
            let folds = if width < 600 { "details:not(.me)" } else { "details" };
            page.evaluate(&format!(
                "document.querySelectorAll('{folds}').forEach(one => one.open = {unfolded})"
            ));
            let shade = if dark { "dark" } else { "light" };
            for script in [WIDER, JUDGE] {
                let found = page.evaluate(script);
                let found = found.as_array().unwrap().iter().map(|one| {
                    format!("{name} ({lang}, {width}, {shade}): {}", one.as_str().unwrap())
                });
                wrong.extend(found);
            }
            if let Some(folder) = pictures() {
                let folder = folder.join(format!("{lang}-{width}-{shade}"));
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(format!("{name}.png")), page.picture()).unwrap();
            }
        }
        wrong.extend(page.faults().iter().map(|fault| format!("{name} ({lang}): {fault}")));
    }
    wrong
}

/// Where pictures are wanted.
fn pictures() -> Option<PathBuf> {
    env::var_os("RELATA_SCREENS").map(PathBuf::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_read_and_use_every_screen() {
    let screens = Box::pin(Screens::set_up()).await;
    let company = &screens.company;
    let _server = company.serve(company.place.command());
    let browser = Chromium::start();
    let look = |lang: &'static str, log_in: [&str; 3]| {
        let page = browser.page(Look { lang, ..Look::DESK });
        let mut wrong = judge(&page, company, &screens.open, lang);
        company.log_in(&page, "mara@shop.example", log_in);
        wrong.extend(judge(&page, company, &screens.console, lang));
        wrong
    };
    let wrong = thread::scope(|both| {
        let chinese = both.spawn(|| look("zh", ["电子邮箱", "密码", "登录"]));
        let mut wrong = look("en", LOG_IN);
        wrong.extend(chinese.join().unwrap());
        wrong
    });
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}

//! `relata demo` as a person runs it, and everything that it promises.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use relata_tests::{data, program};
use serde_json::Value as Json;

#[test]
fn the_demonstration_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("demo");
    let mut demo = Command::new(program())
        .args(["demo", "--json", "--serve=127.0.0.1:0", "--keep"])
        .arg(&root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (figures, open) = told(&mut demo);
    the_company_is_open(&open);
    let stopped = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let ended = demo.wait().unwrap();
    let whole = |pointer: &str| {
        figures
            .pointer(pointer)
            .and_then(Json::as_u64)
            .unwrap_or_else(|| panic!("there is no {pointer} in {figures:#}"))
    };

    // Leads.
    assert_eq!(whole("/leads/assigned"), 97);
    assert_eq!(whole("/leads/valid"), 97);
    assert_eq!(whole("/leads/second_import_created"), 0);
    let deviation = figures["leads"]["max_share_deviation"].as_f64().unwrap();
    assert!(deviation <= 1.0, "somebody is {deviation} leads away from their share");
    assert_eq!(whole("/mails/welcome"), 97);
    assert_eq!(whole("/tasks/due_48h"), 97);
    let teams: Vec<(&str, u64)> = figures["leads"]["teams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|team| (team["team"].as_str().unwrap(), team["leads"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        teams.iter().map(|(_, leads)| leads).collect::<BTreeSet<_>>(),
        BTreeSet::from([&24, &31, &42]),
        "{teams:?}"
    );
    assert!(whole("/leads/manager_told") > 0, "no manager was told of a lead that waits");

    // Surveys.
    assert!(whole("/surveys/sent") >= 10, "{:#}", figures["surveys"]);
    assert_eq!(whole("/surveys/sent_early"), 0);
    let lateness = figures["surveys"]["max_lateness_s"].as_i64().unwrap();
    assert!(lateness <= 60, "a survey was {lateness} s late");
    assert_eq!(whole("/surveys/duplicates"), 0);
    assert!(whole("/surveys/answered") > 0);
    assert!(whole("/surveys/low") > 0);
    assert!(whole("/surveys/reopened") > 0);
    assert!(whole("/surveys/waited_for_opening") > 0);
    let over_the_holidays = figures["surveys"]["list"].as_array().unwrap().iter().any(|survey| {
        survey["solved_at"].as_str().unwrap().starts_with("2026-12-23T")
            && survey["sent_at"] == "2026-12-28T08:00:00Z"
    });
    assert!(over_the_holidays, "{:#}", figures["surveys"]["list"]);

    // Kills, and what they must not do.
    assert!(whole("/restarts") >= 1, "the host was never killed at its work");
    assert_eq!(whole("/effects/duplicates"), 0, "{:#}", figures["effects"]);
    assert_eq!(whole("/effects/missing"), 0, "{:#}", figures["effects"]);
    assert_eq!(whole("/effects/unknown"), 0, "{:#}", figures["effects"]);
    assert_eq!(whole("/runs/not_terminal_and_not_due"), 0);
    assert_eq!(figures.pointer("/runs/by_outcome/failed"), None, "{:#}", figures["runs"]);
    let mails = mails(&root.join("mail"));
    assert_eq!(mails, whole("/effects/sent"), "the mail folder has another number of mails");

    // Escalations.
    for level in ["50%", "100%", "200%"] {
        let reached = figures["escalations"][level].as_u64().unwrap_or(0);
        assert!(reached > 0, "level {level} was never reached: {:#}", figures["escalations"]);
    }

    // The campaign, and what did not run.
    let arms = figures["campaign"]["arms"].as_object().unwrap();
    let of = |arm: &str, figure: &str| arms.get(arm).map_or(0, |arm| arm[figure].as_u64().unwrap());
    assert_eq!(of("nothing", "mailed"), 0, "the control group got mail: {arms:#?}");
    let total = |figure: &str| arms.keys().map(|arm| of(arm, figure)).sum::<u64>();
    for figure in ["mailed", "clicked", "reminded", "bought", "stopped_as_bought"] {
        assert!(total(figure) > 0, "{figure}: {arms:#?}");
    }
    assert!(figures["not_started"]["win-back"].is_object(), "{:#}", figures["not_started"]);
    assert!(figures["not_started"]["inquiry-survey"].is_object(), "{:#}", figures["not_started"]);

    complaints(&figures);
    println!("{figures:#}");
    assert!(ended.success(), "a promise was broken: {ended}");
}

/// The figures, and the line that says where the company is open.
fn told(demo: &mut Child) -> (Json, Json) {
    let mut figures = String::new();
    for line in BufReader::new(demo.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains(r#""password""#) {
            return (serde_json::from_str(&figures).unwrap(), serde_json::from_str(&line).unwrap());
        }
        figures.push_str(&line);
    }
    panic!("relata demo ended before the company was open: {figures}");
}

/// Somebody logs in by what the demonstration prints, and sees the company.
fn the_company_is_open(open: &Json) {
    let text = |name: &str| open[name].as_str().unwrap();
    let address = text("url").strip_prefix("http://").unwrap().trim_end_matches('/');
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let form = format!("email={}&password={}", text("email").replace('@', "%40"), text("password"));
    let entered = ask(&format!(
        "POST /login HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    ));
    assert!(entered.starts_with("HTTP/1.1 303"), "{entered}");
    let cookie = entered.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let page = ask(&format!(
        "GET /records/lead HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {cookie}\r\n\r\n"
    ));
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("/records/lead/"), "no lead is on the page: {page}");
}

/// Precision and recall of the complaints that the workflow found, against
/// those that people marked.
fn complaints(figures: &Json) {
    let found: BTreeSet<&str> = figures["complaints"]["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let answers = std::fs::read_to_string(data("messages.answers.csv")).unwrap();
    let complaints: BTreeSet<&str> =
        answers.lines().filter_map(|line| line.strip_suffix(",yes")).collect();
    assert_eq!(complaints.len(), 20);
    let right = found.intersection(&complaints).count();
    let precision = right as f64 / found.len().max(1) as f64;
    let recall = right as f64 / complaints.len() as f64;
    println!("complaints: precision {precision:.2}, recall {recall:.2}");
    println!("  missed: {:?}", complaints.difference(&found).collect::<Vec<_>>());
    println!("  no complaints: {:?}", found.difference(&complaints).collect::<Vec<_>>());
    assert!(precision >= 0.6 && recall >= 0.6, "precision {precision:.2}, recall {recall:.2}");
}

/// How many mails lie in a folder.
fn mails(folder: &Path) -> u64 {
    let mut mails = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            mails += self::mails(&path);
        } else if path.extension().is_some_and(|extension| extension == "eml") {
            mails += 1;
        }
    }
    mails
}

#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction)]
use relata_app::testing::{Ground, Tests};
fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let mut sources = Vec::new();
        let mut files: Vec<_> = std::fs::read_dir("workflows").unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
        files.sort();
        for p in files {
            let name = p.display().to_string();
            let is_test = name.ends_with(".test.yaml");
            if args[0] == "check" && is_test { continue; }
            if args[0] == "test" && is_test && args.len() > 1 && !args[1..].iter().any(|a| name.contains(a.as_str())) { continue; }
            sources.push((name, std::fs::read_to_string(&p).unwrap()));
        }
        let templates = std::path::PathBuf::from("workflows/templates");
        let print = |found: &[relata_app::workflow::Diagnostic]| {
            for d in found {
                let src = sources.iter().find(|(f, _)| *f == d.file).map(|(_, s)| s.as_str()).unwrap_or("");
                println!("{}", relata_app::workflow::render(std::slice::from_ref(d), src, false));
            }
        };
        if args[0] == "check" {
            for (f, def, found) in relata_app::check_alone(&sources, Some(&templates)).await.unwrap() {
                println!("== {f} {}", def.is_some());
                print(&found);
            }
        } else {
            let tests = Tests::load(&sources, &Ground::Shipped { templates: Some(templates) }).await.unwrap();
            print(tests.diagnostics());
            let reports = tests.run(None, |_| {}).await;
            let mut n = 0;
            for r in &reports {
                if r.holds() { n += 1; println!("ok  {}: {} {:?} {}ms", r.workflow, r.it, r.at, r.millis); continue; }
                println!("FAILED {}: {} (crashes {}) {:?}", r.workflow, r.it, r.crashes, r.at);
                print(&r.failures.iter().map(|f| f.diagnostic()).collect::<Vec<_>>());
                for l in &r.trace { println!("    {l}"); }
            }
            println!("{n} of {} hold", reports.len());
        }
    });
}

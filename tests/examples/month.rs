//! scratch
use relata_app::{App, SHIPPED, backtest::month::month, model::Timestamp};
#[tokio::main]
async fn main() {
    let root = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let start: Timestamp = "2026-11-16T06:00:00Z".parse().unwrap();
    let app = App::create(&root, Some(start)).await.unwrap();
    for w in ["assign-new-leads", "complaint-escalation", "inquiry-survey", "win-back"] {
        let file = format!("workflows/{w}.yaml");
        let (_, source) = SHIPPED.iter().find(|(name, _)| *name == file).unwrap();
        app.activate(&file, source, "test", relata_app::Running::Finish).await.unwrap();
    }
    app.live_through(month(7, start, n), |_| ()).await.unwrap();
    app.close().await;
}

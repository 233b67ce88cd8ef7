//! The link with which a customer ends the mails that they do not want.

use relata_server::Limits;
use reqwest::Method;

use crate::{
    served::{Served, read},
    surveys::{asked, company, links, mails},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_program_ends_surveys_by_one_press_and_looking_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = company(folder.path()).await;
    let anna = asked(&app, "de").await;
    let link = links(&app).await.into_iter().find(|link| link.starts_with("/u/")).unwrap();
    // The header that mail programs look for, and that it is one press.
    let mails = mails(folder.path());
    let header = format!("List-Unsubscribe: <https://desk.example.com/help{link}>\r\n");
    assert!(mails.contains(&header), "{mails}");
    assert!(mails.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{mails}");

    let served = Served::of(app, folder, Limits::default()).await;
    let wanted = async || {
        let anna = served.app.record(&anna).await.unwrap();
        ["survey_consent", "mail_consent"].map(|field| anna.field(field).to_string())
    };
    served.request(Method::HEAD, &link).send().await.unwrap();
    let (status, page) = served.look(&link).await;
    assert_eq!(status, 200);
    assert!(page.contains("keine Umfragen mehr") && page.contains("Nicht mehr senden"), "{page}");
    assert_eq!(wanted().await, ["yes", "yes"]);
    for _ in 0..2 {
        let sent = served.send(&link, &[("List-Unsubscribe", "One-Click")]).await;
        let (status, page) = read(sent).await;
        assert_eq!(status, 200);
        assert!(page.contains("Erledigt") && !page.contains("<form"), "{page}");
    }
    assert_eq!(wanted().await, ["no", "yes"]);
    let (_, page) = served.look(&link).await;
    assert!(page.contains("Erledigt"), "{page}");
    let other = if &link[20..21] == "A" { "B" } else { "A" };
    let other = format!("{}{other}{}", &link[..20], &link[21..]);
    assert_eq!(served.send(&other, &[]).await.status(), 404);
    served.stop().await;
}

use relata_store::HeldMail;

use crate::backend::*;

fn held(id: &str, seconds: i64) -> HeldMail {
    HeldMail {
        id: id.to_owned(),
        reason: "it is no mail".to_owned(),
        sender: None,
        subject: Some("Where is my order?".to_owned()),
        at: at(seconds),
    }
}

on_each_backend! {
    async fn a_mail_is_held_once_until_somebody_decides(backend) {
        let store = backend.open().await;
        for (id, seconds) in [("b", 1), ("a", 2), ("b", 3)] {
            let first = store.write(move |tx| Box::pin(async move {
                tx.held_mail_put(&held(id, seconds), "SGVsbG8=").await
            }));
            assert_eq!(first.await.unwrap(), seconds < 3);
        }
        assert_eq!(store.held_mail_list(9).await.unwrap(), [held("b", 1), held("a", 2)]);
        assert_eq!(store.held_mail_list(1).await.unwrap(), [held("b", 1)]);
        let whole = store.held_mail_fetch("b").await.unwrap();
        assert_eq!(whole, Some((held("b", 1), "SGVsbG8=".to_owned())));
        for there in [true, false] {
            let removed = store.write(|tx| Box::pin(async move { tx.held_mail_remove("b").await }));
            assert_eq!(removed.await.unwrap(), there);
        }
        assert_eq!(store.held_mail_fetch("b").await.unwrap(), None);
    }
}

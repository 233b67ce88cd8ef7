use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use expect_test::expect;
use relata_app::{App, AppError, Opening, Secret, SecretOverrides};

use super::company::Company;

#[tokio::test]
async fn a_secret_lies_in_a_file_that_others_cannot_read() {
    let company = Company::new().await;
    let app = &company.app;
    assert!(!app.set_secret("shop-webhook", &Secret::new("first")).unwrap());
    assert!(app.set_secret("shop-webhook", &Secret::new("hunter2")).unwrap());
    assert_eq!(app.secret("shop-webhook").unwrap().unwrap().expose(), "hunter2");
    let mode = |path: &str| fs::metadata(company.root.join(path)).unwrap().mode() & 0o777;
    assert_eq!(format!("{:o} {:o}", mode("secrets"), mode("secrets/shop-webhook")), "700 600");
    assert_eq!(app.secret_names().unwrap().into_iter().collect::<Vec<_>>(), ["shop-webhook"]);
    assert!(app.catalog().await.unwrap().secrets.unwrap().contains("shop-webhook"));

    app.remove_secret("shop-webhook").unwrap();
    assert!(app.secret("shop-webhook").unwrap().is_none());
    assert!(app.secrets().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused() {
    let company = Company::new().await;
    company.app.set_secret("shop-webhook", &Secret::new("hunter2")).unwrap();
    let file = company.root.join("secrets/shop-webhook");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let why = company.app.secret("shop-webhook").unwrap_err().to_string();
    assert!(why.ends_with(&format!("`chmod 600 {}`", file.display())), "{why}");
    assert!(!why.contains("hunter2"), "{why}");
    // Setting it again mends it.
    company.app.set_secret("shop-webhook", &Secret::new("hunter3")).unwrap();
    assert_eq!(company.app.secret("shop-webhook").unwrap().unwrap().expose(), "hunter3");
}

#[tokio::test]
async fn the_environment_goes_before_the_file() {
    let company = Company::new().await;
    company.app.set_secret("shop-webhook", &Secret::new("file")).unwrap();
    company.app.clone().close().await;
    let overrides = SecretOverrides::from([
        ("shop-webhook".to_owned(), Secret::new("environment")),
        ("fair".to_owned(), Secret::new("environment")),
    ]);
    let app = App::open_with(&company.root, Opening { secrets: overrides, ..Opening::default() })
        .await
        .unwrap();
    assert_eq!(app.secret("shop-webhook").unwrap().unwrap().expose(), "environment");
    let rows = app.secrets().unwrap();
    let from: Vec<(&str, &str)> = rows.iter().map(|row| (row.secret.as_str(), row.from)).collect();
    assert_eq!(from, [("fair", "environment"), ("shop-webhook", "environment")]);
    assert!(matches!(app.remove_secret("fair"), Err(AppError::Wrong(_))));
}

#[tokio::test]
async fn what_cannot_be_a_secret() {
    let company = Company::new().await;
    let app = &company.app;
    app.set_secret("shop-webhook", &Secret::new("hunter2")).unwrap();
    let long = "x".repeat(70_000);
    let mut told = Vec::new();
    for (name, secret) in [
        ("../relata.toml", "x"),
        ("shop_webhook", "x"),
        ("", "x"),
        ("fair", ""),
        ("fair", long.as_str()),
    ] {
        told.push(app.set_secret(name, &Secret::new(secret)).unwrap_err().to_string());
    }
    told.push(app.secret("../relata.toml").unwrap_err().to_string());
    told.push(app.remove_secret("shop-webhok").unwrap_err().to_string());
    expect![[r#"
        `../relata.toml` cannot name a secret; use up to 64 lower-case letters, digits and `-`, a letter first, such as shop-webhook
        `shop_webhook` cannot name a secret; use up to 64 lower-case letters, digits and `-`, a letter first, such as shop-webhook
        `` cannot name a secret; use up to 64 lower-case letters, digits and `-`, a letter first, such as shop-webhook
        the secret `fair` would be empty; `relata secret remove fair` removes it
        the secret `fair` has 70000 bytes; at most 65536 are kept
        `../relata.toml` cannot name a secret; use up to 64 lower-case letters, digits and `-`, a letter first, such as shop-webhook
        there is no secret `shop-webhok`; did you mean `shop-webhook`?"#]].assert_eq(&told.join("\n"));
    assert!(company.root.join("relata.toml").exists());
}

//! Plugins in registries: real conversations with a real registry
//! (docker-registry), and with one that means us harm.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "it is a test")]

mod hostile;
mod real;

use std::sync::Arc;

use relata_channels::{Login, Oci, OciReference};
use relata_package::{Action, Package, Parts, schemas_json};

/// A package whose component says `content`.
pub fn package(version: &str, content: &str) -> Package {
    let action = Action {
        id: "company".to_owned(),
        title: "Fill in a lead's company".to_owned(),
        summary: String::new(),
        input: serde_json::json!({ "type": "object" }),
        output: serde_json::json!({ "type": "object" }),
        reads: vec![],
        writes: vec![],
        correlation: vec![],
        exclusive: None,
        idempotent: true,
    };
    let mut component = vec![0, b'a', b's', b'm', 0x0d, 0, 1, 0];
    component.extend(content.as_bytes());
    Package::from_parts(Parts {
        manifest: format!(
            "name = \"enrich\"\nversion = \"{version}\"\ntitle = \"Fill in a lead's company\"\ncontract = \"0.1.0\"\n"
        )
        .into_bytes(),
        component,
        schemas: schemas_json(&[action]).into_bytes(),
        signature: None,
    })
    .unwrap()
}

pub fn oci(login: Option<(&str, &str)>) -> Oci {
    let login = login
        .map(|(user, password)| Login { user: user.to_owned(), password: password.to_owned() });
    Oci::new(None, login).unwrap()
}

pub fn at(port: u16, rest: &str) -> OciReference {
    format!("oci://127.0.0.1:{port}/{rest}").parse().unwrap()
}

/// A client for what is not tested here. It speaks to this machine only, and so
/// trusts nobody.
pub fn plain_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap()
}

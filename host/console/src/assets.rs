//! The files beside the pages: the style sheet, the pictures and the scripts.
//! They are part of the program, and a browser keeps them for as long as it
//! likes, since their address changes with them.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// The names of all files, and what is in them: those of `assets/`, and those
/// of npm's packages that build.rs names.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The address of each, in the order of [`FILES`].
static ADDRESSES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let address = |(name, content): &(&str, &[u8])| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        format!("/assets/{name}?v={}", &digest[..12])
    };
    FILES.iter().map(address).collect()
});

/// The address of a file, which changes with it.
pub(crate) fn address(name: &str) -> &'static str {
    let place = FILES.iter().position(|(known, _)| *known == name);
    place.and_then(|place| ADDRESSES.get(place)).map_or("", String::as_str)
}

/// `GET /assets/{file}`
pub(crate) async fn file(Path(file): Path<String>) -> Result<Response, Failure> {
    let (name, content) =
        FILES.iter().find(|(name, _)| *name == file).ok_or(Failure::NotFound)?;
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, *content).into_response())
}

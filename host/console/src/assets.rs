//! The files beside the pages: the style sheet, the pictures and the scripts.
//! They are part of the program, and a browser keeps them for as long as it
//! likes, since their address changes with them.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// A file beside the pages.
struct File {
    name: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

/// All files: those of `assets/`, our scripts with what they import, and those
/// of npm's packages that build.rs names.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The address of each, in the order of [`FILES`].
static ADDRESSES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let address = |file: &File| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(file.plain));
        format!("/assets/{}?v={}", file.name, &digest[..12])
    };
    FILES.iter().map(address).collect()
});

/// The address of a file, which changes with it.
pub(crate) fn address(name: &str) -> &'static str {
    let place = FILES.iter().position(|file| file.name == name);
    place.and_then(|place| ADDRESSES.get(place)).map_or("", String::as_str)
}

/// `GET /assets/{file}`
pub(crate) async fn file(Path(name): Path<String>, asked: HeaderMap) -> Result<Response, Failure> {
    let file = FILES.iter().find(|file| file.name == name).ok_or(Failure::NotFound)?;
    let kind = match file.name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    if takes_gzip(&asked) {
        return Ok((headers, [(header::CONTENT_ENCODING, "gzip")], file.gzip).into_response());
    }
    Ok((headers, file.plain).into_response())
}

/// Whether a browser reads gzip; all do, but not every program.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = asked.filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
    codings.any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|quality| {
            quality.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0)
        });
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        let takes = |asked: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, asked.parse().expect("a header"));
            takes_gzip(&headers)
        };
        assert!(takes("gzip, deflate, br, zstd") && takes("br;q=1.0, GZIP;q=0.5"));
        assert!(!takes("br, gzip;q=0") && !takes("identity") && !takes("x-gzipped"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn no_script_is_too_long_for_a_page() {
        for file in FILES {
            let length = file.gzip.len();
            assert!(length < 150_000, "{} has {length} bytes, compressed", file.name);
        }
    }
}

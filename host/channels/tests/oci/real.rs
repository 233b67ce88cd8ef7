//! Real conversations with a real registry.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use expect_test::{Expect, expect};
use relata_channels::OciError;
use relata_package::SecretKey;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::{at, oci, package, plain_client};

/// docker-registry in a process of its own; it ends with the value.
struct Registry {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Registry {
    /// One for everybody.
    fn open() -> Self {
        Self::start("")
    }

    /// One for `anna` with the password `t0p-secret`.
    fn closed() -> Self {
        Self::start("auth:\n  htpasswd:\n    realm: plugins\n    path: FOLDER/htpasswd\n")
    }

    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: FOLDER\nhttp:\n  addr: 127.0.0.1:0\n{more}"
        );
        std::fs::write(folder.path().join("config.yml"), config.replace("FOLDER", path)).unwrap();
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let mut child = Command::new("docker-registry")
            .args(["serve", &format!("{path}/config.yml")])
            .env_remove("OTEL_TRACES_EXPORTER")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is missing: `apt-get install docker-registry`, or `cargo xtask test`, which does that");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("the registry says where it listens").unwrap();
            if let Some((_, rest)) = line.split_once("listening on 127.0.0.1:") {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                break digits.parse().unwrap();
            }
        };
        // It stops when nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port, _folder: folder }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `anna` with the password `t0p-secret`, as `htpasswd -B` writes it.
const HTPASSWD: &str = "anna:$2y$05$abcdefghijklmnopqrstuuFwQ3zy0zcqbX6PgDNaB5mNcf.UjOYsS\n";

fn check(error: &OciError, port: u16, expected: Expect) {
    expected.assert_eq(&error.to_string().replace(&port.to_string(), "PORT"));
}

#[tokio::test]
async fn what_is_pushed_is_pulled() {
    let registry = Registry::open();
    let mut package = package("0.1.0", "a component");
    package.sign(&SecretKey::from_seed(&Zeroizing::new([7; 32])));
    let imports = ["relata:plugin/log@0.1.0".to_owned()];
    let oci = oci(None);

    // Its version is its tag where none is named.
    let to = at(registry.port, "sales/enrich");
    let pushed = oci.push(&to, &package, &imports).await.unwrap();
    assert_eq!(pushed.tag.as_deref(), Some("0.1.0"));

    let by_tag = oci.pull(&at(registry.port, "sales/enrich:0.1.0")).await.unwrap();
    assert_eq!(by_tag.from, pushed);
    assert_eq!(by_tag.package.parts(), package.parts());
    assert_eq!(by_tag.package.signer(), package.signer());
    let by_digest = oci.pull(&pushed).await.unwrap();
    assert_eq!(by_digest.package.write(), package.write());

    // Again, and elsewhere: it is the same, down to its digest.
    assert_eq!(oci.push(&to, &package, &imports).await.unwrap(), pushed);
    let elsewhere = oci.push(&at(registry.port, "other:0.1.0"), &package, &imports).await.unwrap();
    assert_eq!(elsewhere.digest, pushed.digest);
}

#[tokio::test]
async fn its_form_is_that_of_webassembly() {
    let registry = Registry::open();
    let imports = ["relata:plugin/http@0.1.0".to_owned()];
    let pushed = oci(None)
        .push(&at(registry.port, "enrich"), &package("0.1.0", "c"), &imports)
        .await
        .unwrap();
    let get = async |path: &str| {
        let url = format!("http://127.0.0.1:{}/v2/enrich/{path}", registry.port);
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let answer = plain_client().get(url).header("accept", kind).send().await.unwrap();
        serde_json::from_slice::<serde_json::Value>(&answer.bytes().await.unwrap()).unwrap()
    };
    let manifest = get(&format!("manifests/{}", pushed.digest.unwrap())).await;
    expect![[r#"
        {
          "annotations": {
            "org.opencontainers.image.description": "Fill in a lead's company",
            "org.opencontainers.image.title": "enrich",
            "org.opencontainers.image.version": "0.1.0"
          },
          "config": {
            "digest": "sha256:bd1f24cef1e4e2513d30cbc6c8b24aab1733c4d1bdfd75e43281dde62817f2bf",
            "mediaType": "application/vnd.wasm.config.v0+json",
            "size": 330
          },
          "layers": [
            {
              "digest": "sha256:c74dbf281e682db151b9d3cf612528ed976b072cf81bc80d11873cbde7544566",
              "mediaType": "application/wasm",
              "size": 9
            },
            {
              "digest": "sha256:6fac4fb7adeef395d31316af7141b967aa5136e5f2ed0dadabd20523795b4abb",
              "mediaType": "application/vnd.relata.plugin.v1.tar+gzip",
              "size": 266
            }
          ],
          "mediaType": "application/vnd.oci.image.manifest.v1+json",
          "schemaVersion": 2
        }"#]]
    .assert_eq(&format!("{manifest:#}"));
    let config = get(&format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap())).await;
    expect![[r#"
        {
          "architecture": "wasm",
          "component": {
            "exports": [
              "relata:plugin/actions@0.1.0"
            ],
            "imports": [
              "relata:plugin/http@0.1.0"
            ]
          },
          "created": "1970-01-01T00:00:00Z",
          "layerDigests": [
            "sha256:c74dbf281e682db151b9d3cf612528ed976b072cf81bc80d11873cbde7544566",
            "sha256:6fac4fb7adeef395d31316af7141b967aa5136e5f2ed0dadabd20523795b4abb"
          ],
          "os": "wasip2"
        }"#]]
    .assert_eq(&format!("{config:#}"));
}

#[tokio::test]
async fn a_version_stays_what_it_is_and_a_tag_may_move() {
    let registry = Registry::open();
    let (oci, to) = (oci(None), at(registry.port, "enrich"));
    oci.push(&to, &package("0.1.0", "one"), &[]).await.unwrap();
    let error = oci.push(&to, &package("0.1.0", "two"), &[]).await.unwrap_err();
    check(
        &error,
        registry.port,
        expect![
            "oci://127.0.0.1:PORT/enrich:0.1.0 is there already, and is another package: raise the version in plugin.toml, as others may have installed that one"
        ],
    );

    let latest = at(registry.port, "enrich:latest");
    for content in ["one", "two"] {
        oci.push(&latest, &package("0.1.0", content), &[]).await.unwrap();
        let pulled = oci.pull(&latest).await.unwrap();
        assert_eq!(pulled.package.parts(), package("0.1.0", content).parts());
    }
    // A tag has no `+`, which a version may have.
    let built = oci.push(&to, &package("0.2.0+b1", "b"), &[]).await.unwrap();
    assert_eq!(built.tag.as_deref(), Some("0.2.0_b1"));
}

#[tokio::test]
async fn what_is_not_there() {
    let registry = Registry::open();
    let nobody = oci(None);
    let error = nobody.pull(&at(registry.port, "enrich:0.1.0")).await.unwrap_err();
    check(
        &error,
        registry.port,
        expect![
            "there is no oci://127.0.0.1:PORT/enrich:0.1.0: look at the name and the version, or push it there first"
        ],
    );
    let error = nobody.pull(&at(registry.port, "enrich")).await.unwrap_err();
    check(
        &error,
        registry.port,
        expect![
            "oci://127.0.0.1:PORT/enrich does not say which version: add it, as in oci://127.0.0.1:PORT/enrich:0.1.0"
        ],
    );
    let gone = at(registry.port, "enrich:0.1.0");
    drop(registry);
    let error = oci(None).pull(&gone).await.unwrap_err();
    assert!(matches!(error, OciError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_registry_with_a_login() {
    let registry = Registry::closed();
    let to = at(registry.port, "enrich:0.1.0");
    let package = package("0.1.0", "c");
    let anna = oci(Some(("anna", "t0p-secret")));
    anna.push(&to, &package, &[]).await.unwrap();
    assert_eq!(anna.pull(&to).await.unwrap().package.parts(), package.parts());

    let nobody = oci(None);
    check(
        &nobody.pull(&to).await.unwrap_err(),
        registry.port,
        expect![
            "the registry refuses oci://127.0.0.1:PORT/enrich:0.1.0: it wants a login. RELATA_REGISTRY_USER and RELATA_REGISTRY_PASSWORD in the environment are the login"
        ],
    );
    check(
        &nobody.push(&to, &package, &[]).await.unwrap_err(),
        registry.port,
        expect![
            "the registry refuses oci://127.0.0.1:PORT/enrich:0.1.0: it wants a login. RELATA_REGISTRY_USER and RELATA_REGISTRY_PASSWORD in the environment are the login"
        ],
    );
    let wrong = oci(Some(("anna", "wrong")));
    let error = wrong.pull(&to).await.unwrap_err();
    check(
        &error,
        registry.port,
        expect![
            "the registry refuses oci://127.0.0.1:PORT/enrich:0.1.0: the login is not good for it. RELATA_REGISTRY_USER and RELATA_REGISTRY_PASSWORD in the environment are the login"
        ],
    );
    assert!(!format!("{error:?} {wrong:?}").contains("wrong\""), "a password is printed");
}

#[tokio::test]
async fn something_else_than_a_plugin() {
    let registry = Registry::open();
    // An ordinary image.
    let client = plain_client();
    let base = format!("http://127.0.0.1:{}/v2/image", registry.port);
    let blob = b"{}";
    let digest = relata_package::Digest::of(blob);
    let begun = client.post(format!("{base}/blobs/uploads/")).send().await.unwrap();
    let place = begun.headers()["location"].to_str().unwrap();
    let place = format!("{place}&digest={digest}");
    client.put(place).body(blob.to_vec()).send().await.unwrap().error_for_status().unwrap();
    let of = |kind: &str| serde_json::json!({ "mediaType": kind, "digest": digest, "size": 2 });
    let put = async |tag: &str, config: &str, layers: &[&str]| {
        let layers: Vec<_> = layers.iter().map(|kind| of(kind)).collect();
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": kind, "config": of(config), "layers": layers,
        });
        let request = client.put(format!("{base}/manifests/{tag}")).header("content-type", kind);
        request.body(manifest.to_string()).send().await.unwrap().error_for_status().unwrap();
        oci(None).pull(&at(registry.port, &format!("image:{tag}"))).await.unwrap_err()
    };
    let (wasm, tar) = ("application/wasm", "application/vnd.oci.image.layer.v1.tar+gzip");
    let error = put("image", "application/vnd.oci.image.config.v1+json", &[tar]).await;
    check(
        &error,
        registry.port,
        expect![
            "oci://127.0.0.1:PORT/image:image is not a plugin: its config is `application/vnd.oci.image.config.v1+json`, not `application/vnd.wasm.config.v0+json`; `relata plugin push` puts one there"
        ],
    );
    let config = "application/vnd.wasm.config.v0+json";
    check(
        &put("component", config, &[wasm]).await,
        registry.port,
        expect![
            "oci://127.0.0.1:PORT/image:component is not a plugin: it has no layer `application/vnd.relata.plugin.v1.tar+gzip`; `relata plugin push` puts one there"
        ],
    );
    let about = "application/vnd.relata.plugin.v1.tar+gzip";
    check(
        &put("two", config, &[wasm, about, wasm]).await,
        registry.port,
        expect![
            "oci://127.0.0.1:PORT/image:two is not a plugin: it has several layers `application/wasm`; `relata plugin push` puts one there"
        ],
    );
    check(
        &put("broken", config, &[wasm, about]).await,
        registry.port,
        expect![
            "oci://127.0.0.1:PORT/image:broken: this is no plugin package, or a broken one: it does not unpack as a gzip'd tar: unexpected end of file. Get it again, or make it again with `relata plugin pack` in the plugin's folder"
        ],
    );
}

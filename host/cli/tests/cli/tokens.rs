//! `relata token`: the secret is seen once, and never again.

use serde_json::Value as Json;

use crate::program::Program;

#[test]
fn a_token_is_made_listed_and_revoked() {
    let program = Program::company();
    assert!(program.ok("token list").starts_with("there is no token;"));
    let made = program.run("token create web-shop --scope events:write --scope runs:read");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let secret = made.stdout.trim();
    assert!(secret.starts_with("rlt_") && secret.len() == 47, "{secret}");
    assert!(made.stderr.contains("web-shop may do events:write, runs:read"), "{}", made.stderr);
    assert!(!made.stderr.contains(secret));

    let limited = program
        .ok("token create forms --scope records:write --object lead --expires 2099-01-01 --json");
    let limited: Json = serde_json::from_str(&limited).unwrap();
    assert_eq!(limited["objects"], serde_json::json!(["lead"]));
    assert!(limited["expires_at"].as_str().unwrap().starts_with("2098-12-31"), "{limited}");
    assert!(limited["secret"].as_str().unwrap().starts_with("rlt_"));

    let listed = program.ok("token list");
    for word in ["web-shop", "forms", "events:write, runs:read", "lead", "good"] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    assert!(!listed.contains("rlt_"), "{listed}");
    assert_eq!(program.ok("token revoke web-shop"), "the token web-shop was revoked\n");
    let list: Json = serde_json::from_str(&program.ok("token list --json")).unwrap();
    assert_eq!(list[0]["status"], "revoked");
}

#[test]
fn what_is_wrong_is_said() {
    let program = Program::company();
    for (line, code, said) in [
        ("token create shop --scope events:wrte", 2, "did you mean `events:write`?"),
        ("token create shop", 2, "--scope"),
        ("token create Shop --scope runs:read", 1, "`Shop` cannot name a token"),
        ("token create shop --scope runs:read --object leed", 1, "did you mean `lead`?"),
        ("token create shop --scope runs:read --expires soon", 1, "soon"),
        ("token revoke shop", 1, "there is no token `shop`"),
    ] {
        let ended = program.run(line);
        assert_eq!(ended.code, code, "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{line}: {}", ended.stderr);
    }
}

//! Why a token was refused is for who runs the server: in its log, if he asks for that.

use std::fs::{self, File};

use serde_json::{Value, json};

use super::{Server, orest};

#[test]
fn the_log_says_why_a_token_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Server::start(
        orest(folder.path())
            .env("OREST_LOG", "warn,orest::refused=debug")
            .stderr(File::create(&log).unwrap())
            .args(["serve", "--demo"]),
    );
    let demo: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("demo.json")).unwrap()).unwrap();
    let (application, token) = (&demo["applications"][0], demo["access_token"].as_str().unwrap());
    let introspect = |token: &str| server.form("/oauth2/introspect", application, &format!("token={token}"));
    let answer = introspect(token);
    let id = answer["orest"]["authorization_id"].as_i64().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(fs::read_to_string(&log).unwrap(), "", "who is let in is no refusal");

    let args = json!(["orest", 2, "admin", "orest.authorization", "action_revoke_tokens", [[id]]]);
    let body = json!({"params": {"service": "object", "method": "execute_kw", "args": args}});
    assert_eq!(server.post("/jsonrpc", &body).get("error"), None);
    assert_eq!(introspect(token), json!({"active": false}), "its holder is not told");
    assert_eq!(introspect("orat_made_up"), json!({"active": false}));
    let renewed = server.form("/oauth2/token", application, "grant_type=refresh_token&refresh_token=orrt_made_up");
    assert_eq!(renewed["error"], "invalid_grant");

    let log = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = log.lines().collect();
    let [revoked, made_up, not_renewed] = lines[..] else { panic!("{log}") };
    for (line, texts) in [
        (revoked, &[&*format!("authorization={id} "), "access_token", "the authorization is revoked"][..]),
        (made_up, &["this is no token of ours"]),
        (not_renewed, &["refresh_token", "this is no refresh token of ours"]),
    ] {
        assert!(line.contains("a token is refused") && texts.iter().all(|text| line.contains(text)), "{line}");
    }
    assert!(!log.contains(&token[5..]) && !log.contains("made_up"), "{log}");
}

use super::*;

#[test]
fn members() {
    let check = |body: &str, id: Option<&str>, params: Option<&str>| {
        let envelope = parse(body.as_bytes()).expect("is a request");
        assert_eq!((envelope.id.map(RawValue::get), envelope.params.map(RawValue::get)), (id, params), "{body}");
    };
    check("{}", None, None);
    check(r#"{"id": 1.50, "params": [ ]}"#, Some("1.50"), Some("[ ]"));
    check(r#"{"id": 1, "id": "2", "params": 1, "params": {}}"#, Some("\"2\""), Some("{}"));
    check(r#"{"i\u0064": null, "method": {"id": 5}}"#, Some("null"), None);
}

#[test]
fn what_is_no_request() {
    let check = |body: &[u8], expect| assert_eq!(parse(body).err(), Some(expect));
    check(b"", Malformed::Json);
    check(b"{", Malformed::Json);
    check(b"{}x", Malformed::Json);
    check(b"{\"a\": \"\xff\"}", Malformed::Json);
    check(b"[]", Malformed::JsonRpc);
    check(b"-1", Malformed::JsonRpc);
}

#[test]
fn the_id_is_put_back() {
    let id: &RawValue = serde_json::from_str("-1.0").expect("JSON");
    assert_eq!(
        with_id(r#"{"jsonrpc":"2.0","id":0,"result":1}"#, Some(id)).as_deref(),
        Some(r#"{"jsonrpc":"2.0","id":-1.0,"result":1}"#)
    );
    assert_eq!(
        with_id(r#"{"jsonrpc":"2.0","id":0,"result":1}"#, None).as_deref(),
        Some(r#"{"jsonrpc":"2.0","id":null,"result":1}"#)
    );
    assert_eq!(with_id("", None), None);
}

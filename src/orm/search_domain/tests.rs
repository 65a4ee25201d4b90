use serde_json::{Value, json};

use super::*;
use crate::orm::error::OdooError;

fn parse(value: &Value) -> Result<SearchDomain, OdooError> {
    SearchDomain::parse(value, &Limits::default())
}

#[test]
fn precedence() {
    let check = |value: Value, expect: Value| {
        let domain = parse(&value).expect("a good domain");
        assert_eq!(domain.to_json(), expect, "{value}");
        assert_eq!(parse(&domain.to_json()).expect("it reads back"), domain, "{value}");
    };
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| json!([name, "=", 1]));
    check(json!([]), json!([]));
    check(json!(true), json!([]));
    check(json!(false), json!([[0, "=", 1]]));
    check(json!([a, b]), json!([a, b]));
    check(json!(["&", a, b]), json!([a, b]));
    check(json!([a, "|", b, c, d]), json!([a, "|", b, c, d]));
    check(json!(["|", "|", a, b, c]), json!(["|", "|", a, b, c]));
    check(json!(["|", a, "|", b, c]), json!(["|", "|", a, b, c]));
    check(json!(["!", "|", a, b]), json!(["!", "|", a, b]));
    check(json!(["!", "!", a]), json!([a]));
    check(json!(["|", a, "&", b, c]), json!(["|", a, "&", b, c]));
    check(json!([["a", "IN", [1]], ["b", "<>", 1]]), json!([["a", "in", [1]], ["b", "!=", 1]]));
    check(json!([["a", "any", ["|", b, c]]]), json!([["a", "any", ["|", b, c]]]));
    check(json!([[true, "=", 1]]), json!([]));
}

#[test]
fn errors() {
    let check = |value: Value, expect: &str| {
        let error = parse(&value).expect_err("a bad domain");
        assert_eq!(error.to_string(), format!("builtins.{expect}"), "{value}");
    };
    let a = json!(["ref", "=", "a"]);
    check(json!("x"), "TypeError: Domain() invalid argument type for domain: 'x'");
    check(json!(null), "TypeError: Domain() invalid argument type for domain: None");
    check(json!({}), "TypeError: Domain() invalid argument type for domain: {}");
    check(json!(["|", a]), "ValueError: Domain() malformed domain ['|', ['ref', '=', 'a']]");
    check(json!([a, "&"]), "ValueError: Domain() malformed domain [['ref', '=', 'a'], '&']");
    check(json!(["!"]), "ValueError: Domain() malformed domain ['!']");
    check(json!([["ref", "="]]), "ValueError: Domain() invalid item in domain: ['ref', '=']");
    check(json!(["ref", "=", "abc"]), "ValueError: Domain() invalid item in domain: 'abc'");
    check(json!([a, true]), "ValueError: Domain() invalid item in domain: True");
    check(json!([[a]]), "ValueError: Domain() invalid item in domain: [['ref', '=', 'a']]");
    check(json!([5]), "ValueError: Domain() invalid item in domain: 5");
    check(json!([[1, "=", 0]]), "TypeError: Domain() invalid arguments: (1, '=', 0)");
    check(json!([["ref", 5, 0]]), "TypeError: Domain() invalid arguments: ('ref', 5, 0)");
    check(json!([["", "=", 1]]), "TypeError: Empty field name in condition ('', '=', 1)");
    check(json!([["ref", "foo", "abc"]]), "ValueError: Invalid operator in condition ('ref', 'foo', 'abc')");
    check(
        json!([["p", "any!", [a]]]),
        "ValueError: Domain() invalid item in domain: ['p', 'any!', [['ref', '=', 'a']]]",
    );
    check(json!([["p", "any", "x"]]), "TypeError: Domain() invalid argument type for domain: 'x'");
}

#[test]
fn bounds() {
    let a = json!(["a", "=", 1]);
    let limits = Limits { terms: 100_000, ..Limits::default() };
    let check = |items: Vec<Value>, fits: bool| {
        let answer = SearchDomain::parse(&Value::Array(items), &limits);
        assert_eq!(answer.is_ok(), fits, "{:?}", answer.err());
    };
    let repeat = |item: &str, number: usize| std::iter::repeat_n(json!(item), number);
    // chains are flat, whichever way they lean, and `!` cancels out
    check(repeat("!", 50_000).chain([a.clone()]).collect(), true);
    check(repeat("|", 40_000).chain(std::iter::repeat_n(a.clone(), 40_001)).collect(), true);
    let leaning: Vec<_> = (0..40_000).flat_map(|_| [json!("&"), a.clone()]).chain([a.clone()]).collect();
    check(leaning, true);
    // towers are not
    let tower = |levels: usize| {
        let pairs = (0..levels).flat_map(|level| [json!(if level % 2 == 0 { "&" } else { "|" }), json!(["a", "=", 1])]);
        pairs.chain([json!(["a", "=", 1])]).collect::<Vec<_>>()
    };
    check(tower(99), true);
    check(tower(100), false);
    let nots: Vec<_> = (0..99).flat_map(|_| [json!("!"), json!("&"), a.clone()]).chain([a.clone()]).collect();
    check(nots, false);
    check(vec![json!(["a.".repeat(12) + "a", "=", 1])], true);
    check(vec![json!(["a.".repeat(13) + "a", "=", 1])], false);
    let mut nested = json!([a]);
    for _ in 0..12 {
        nested = json!([["p", "any", nested]]);
    }
    check(nested.as_array().expect("a list").clone(), true);
    check(vec![json!(["p", "any", nested])], false);
    check(std::iter::repeat_n(a, 100_001).collect(), false);
    let few = Limits { values: 10, ..Limits::default() };
    assert!(
        SearchDomain::parse(&json!([["a", "in", [1, 2, 3, 4, 5]], ["a", "in", [1, 2, 3, 4, 5, 6]]]), &few).is_err()
    );
}

#[test]
fn active() {
    let check = |value: Value, expect: bool| assert_eq!(parse(&value).expect("good").mentions_active(), expect);
    check(json!([["active", "=", false]]), true);
    check(json!(["!", "|", ["a", "=", 1], ["active", "in", [true, false]]]), true);
    check(json!([["parent_id.active", "=", false]]), false);
    check(json!([["parent_id", "any", [["active", "=", false]]]]), false);
    check(json!([]), false);
}

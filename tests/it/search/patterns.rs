//! Patterns without regard to case: both databases fold letters alike, and so does the referee.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use orest::orm::like::{self, Pattern};

use crate::support::database::{Kind, TestDatabase};

#[derive(QueryableByName)]
struct Folded {
    #[diesel(sql_type = BigInt)]
    letter: i64,
    #[diesel(sql_type = Text)]
    folded: String,
}

/// Letters that Unicode 16 and 17 added: a server that is older than they are leaves them as they are.
fn is_recent(letter: char) -> bool {
    matches!(letter, '\u{1c89}' | '\u{a7cb}'..='\u{a7dc}' | '\u{10d50}'..='\u{10d65}' | '\u{16ea0}'..='\u{16eb8}')
}

#[test]
fn every_letter_loses_its_case_alike() {
    if !Kind::has_postgres() {
        return;
    }
    let database = TestDatabase::migrated(Kind::Postgres);
    let rows: Vec<Folded> = diesel::sql_query(
        "SELECT letter::bigint AS letter, orest_fold(chr(letter::int)) AS folded FROM generate_series(1, 1114111) AS letter
         WHERE letter NOT BETWEEN 55296 AND 57343 AND letter <> ascii('\\')",
    )
    .load(&mut database.connect())
    .unwrap();
    let mut differences = Vec::new();
    let mut changed = 0;
    for Folded { letter, folded } in rows {
        let letter = char::from_u32(u32::try_from(letter).unwrap()).unwrap();
        let text = letter.to_string();
        let own = like::normal(&text, true);
        changed += u32::from(own != like::normal(&text, false));
        if folded != own && !(folded == text && is_recent(letter)) {
            differences.push(format!("{letter:?}: {own:?} here, {folded:?} in PostgreSQL"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(changed > 1_400, "{changed} letters have case");
}

#[test]
fn a_letter_is_folded_the_same_wherever_it_stands() {
    if !Kind::has_postgres() {
        return;
    }
    let database = TestDatabase::migrated(Kind::Postgres);
    let mut connection = database.connect();
    let texts = [
        "ΟΔΟΣ",
        "ΟΔΟΣ.",
        "Σ",
        "ΑΣΑ",
        "οδος",
        "İSTANBUL",
        "ISTANBUL",
        "istanbul",
        "i\u{307}stanbul",
        "STRAẞE",
        "straße",
        "STRASSE",
        "ǅ",
        "ﬁ",
        "K",
        "ſ",
        "Ǆǅǆ",
        "J\u{30c}",
        "ÌÍĨ",
    ];
    let patterns =
        ["%ος", "%σ%", "%ς", "ισ", "i%", "i_%", "ı%", "stra_e", "straß%", "strasse", "ǆ", "fi", "k", "s", "j%", "ìíĩ"];
    let found = |connection: &mut orest::store::Connection, text: &str, pattern: &str| {
        let sql =
            "SELECT CASE WHEN orest_fold($1) COLLATE \"C\" LIKE $2 THEN 1 ELSE 0 END::bigint AS letter, '' AS folded";
        let row: Folded = diesel::sql_query(sql)
            .bind::<Text, _>(text.to_owned())
            .bind::<Text, _>(like::normal(pattern, true))
            .get_result(connection)
            .unwrap();
        row.letter == 1
    };
    for text in texts {
        for pattern in patterns {
            let expect = Pattern::new(pattern, true).matches(text);
            assert_eq!(found(&mut connection, text, pattern), expect, "{text} ilike {pattern}");
        }
    }
}

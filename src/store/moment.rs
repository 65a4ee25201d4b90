//! Moments, where many are read at a time: SQLite keeps them as texts, and a start with a million authorizations would wait for
//! each to be read by a format.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{Text, Timestamp as SqlTimestamp};
use diesel::sqlite::{Sqlite, SqliteValue};

use super::connection::Backend;
use super::multi::MultiRawValue;
use crate::domain::time::Timestamp;

/// A [`Timestamp`] as it is read from a row: `#[diesel(deserialize_as = Moment)]`.
#[derive(Clone, Copy, Debug, FromSqlRow)]
pub struct Moment(Timestamp);

impl From<Moment> for Timestamp {
    fn from(Moment(at): Moment) -> Self {
        at
    }
}

impl FromSql<SqlTimestamp, Backend> for Moment {
    fn from_sql(value: MultiRawValue<'_>) -> deserialize::Result<Self> {
        value.from_sql::<Self, SqlTimestamp>()
    }
}

impl FromSql<SqlTimestamp, Pg> for Moment {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<SqlTimestamp, Pg>>::from_sql(value).map(Self)
    }
}

impl FromSql<SqlTimestamp, Sqlite> for Moment {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        match quick(text.as_bytes()) {
            Some(at) => Ok(Self(at)),
            // As others may have written it: with parts of a second, or as in JSON.
            None => {
                let text = text.replacen('T', " ", 1);
                Ok(Self(NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%F %T%.f")?))
            }
        }
    }
}

/// `2026-11-22 03:51:04`, and nothing else.
fn quick(text: &[u8]) -> Option<NaiveDateTime> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', h1, h2, b':', n1, n2, b':', s1, s2] = text else {
        return None;
    };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(**digit - b'0')))
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    date.and_hms_opt(number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time;

    proptest! {
        #[test]
        fn it_is_read_as_chrono_reads_it(seconds in -62_000_000_000_i64..253_000_000_000) {
            let at = time::from_unix(seconds);
            prop_assert_eq!(quick(at.format("%F %T").to_string().as_bytes()), Some(at));
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T03:51:04",
            "2026-11-22 03:51:04.5",
            "2026-02-30 00:00:00",
            "2026-11-22 24:00:00",
            "2026-11-22 03:51:0x",
            "+026-11-22 03:51:04",
            "2026-13-01 00:00:00",
        ] {
            assert_eq!(quick(text.as_bytes()), None, "{text}");
        }
    }
}

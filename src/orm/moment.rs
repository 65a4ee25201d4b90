//! The dates and times that a search domain may name: absolute (`2026-11-20`, `2026-11-20 09:40:37`) and relative
//! (`today -1d +3H`). All in UTC.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Timelike};
use serde_json::Value;

use super::error::OdooError;
use super::python;
use crate::domain::time::Timestamp;

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A whole day.
    Day(NaiveDate),
    /// A second; fractions are cut.
    Second(Timestamp),
}

impl Moment {
    /// Reads a value; `wanted` is `date` or `datetime`, for the error text.
    ///
    /// # Errors
    /// `ValueError`, with the texts of Odoo 19.
    pub fn parse(value: &Value, wanted: &str, now: Timestamp) -> Result<Self, OdooError> {
        match value {
            Value::String(text) => parse_text(text, now),
            other => Err(OdooError::value(format!("Failed to cast {} into a {wanted}", python::repr(other)))),
        }
    }

    /// Its day.
    pub const fn date(self) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Second(at) => at.date(),
        }
    }

    /// Its first second.
    pub fn start(self) -> Timestamp {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN),
            Self::Second(at) => at,
        }
    }

    /// The first second after it; the calendar ends with the year 9999, since later ones would not sort as text.
    pub fn end(self) -> Timestamp {
        let length = match self {
            Self::Day(_) => TimeDelta::days(1),
            Self::Second(_) => TimeDelta::seconds(1),
        };
        let last = NaiveDate::from_ymd_opt(9999, 12, 31).and_then(|day| day.and_hms_opt(23, 59, 59));
        let last = last.expect("a day of the calendar");
        self.start().checked_add_signed(length).map_or(last, |end| end.min(last))
    }
}

fn parse_text(text: &str, now: Timestamp) -> Result<Moment, OdooError> {
    match split_digits(text.trim()) {
        Some(absolute) => absolute.into_moment(text),
        None => relative(text, now),
    }
}

/// The numbers of an absolute date, not yet checked.
struct Absolute<'a> {
    date: [u32; 3],
    time: Option<[u32; 3]>,
    zone: &'a str,
}

/// `YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]][zone]]`
fn split_digits(text: &str) -> Option<Absolute<'_>> {
    fn digits(text: &str, number: usize) -> Option<(u32, &str)> {
        let head = text.get(..number)?;
        if !head.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some((head.parse().ok()?, &text[number..]))
    }
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let date = [year, month, day];
    if rest.is_empty() {
        return Some(Absolute { date, time: None, zone: "" });
    }
    let (hour, rest) = digits(rest.strip_prefix([' ', 'T'])?, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2)?,
        None => (0, rest),
    };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let end = fraction.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(fraction.len());
            if end == 0 {
                return None;
            }
            &fraction[end..]
        }
        None => rest,
    };
    let is_zone = rest.is_empty() || rest == "Z" || rest.starts_with(['+', '-']);
    is_zone.then_some(Absolute { date, time: Some([hour, minute, second]), zone: rest })
}

impl Absolute<'_> {
    fn into_moment(self, text: &str) -> Result<Moment, OdooError> {
        let [year, month, day] = self.date;
        if year == 0 {
            return Err(OdooError::value("year 0 is out of range"));
        }
        if !(1..=12).contains(&month) {
            return Err(OdooError::value("month must be in 1..12"));
        }
        let year = i32::try_from(year).expect("four digits fit");
        let date = NaiveDate::from_ymd_opt(year, month, day)
            .ok_or_else(|| OdooError::value("day is out of range for month"))?;
        let Some([hour, minute, second]) = self.time else { return Ok(Moment::Day(date)) };
        for (value, end, name) in [(hour, 23, "hour"), (minute, 59, "minute"), (second, 59, "second")] {
            if value > end {
                return Err(OdooError::value(format!("{name} must be in 0..{end}")));
            }
        }
        if !self.zone.is_empty() {
            let text = python::repr_str(text);
            return Err(OdooError::value(format!("expecting only datetimes with no timezone: {text}")));
        }
        let time = NaiveTime::from_hms_opt(hour, minute, second).expect("each was checked");
        Ok(Moment::Second(date.and_time(time)))
    }
}

/// `today`, `now`, then terms such as `-1d`, `+3H`, `=1m`, `=monday`.
fn relative(text: &str, now: Timestamp) -> Result<Moment, OdooError> {
    let invalid = |term: &str| {
        let (term, text) = (python::repr_str(term), python::repr_str(text));
        OdooError::value(format!("Invalid term {term} in expression date: {text}"))
    };
    let mut terms = text.split_whitespace().peekable();
    let today = now.date().and_time(NaiveTime::MIN);
    let (mut at, mut whole_day) = match terms.peek() {
        None => return Err(invalid("")),
        Some(&"now") => (now, false),
        Some(_) => (today, true),
    };
    if matches!(terms.peek(), Some(&("now" | "today"))) {
        terms.next();
    }
    for term in terms {
        let (moved, unit_of_time) = step(at, term).ok_or_else(|| invalid(term))?;
        let moved = moved.filter(|at| (1..=9999).contains(&at.year()));
        at = moved.ok_or_else(|| OdooError::value("date value out of range"))?;
        whole_day &= !unit_of_time;
    }
    Ok(if whole_day { Moment::Day(at.date()) } else { Moment::Second(at) })
}

/// The outer `None`: no such term; the inner: out of the calendar. With it, whether the term is about the time of day.
fn step(at: Timestamp, term: &str) -> Option<(Option<Timestamp>, bool)> {
    const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let sign = term.chars().next().filter(|sign| "+-=".contains(*sign))?;
    let rest = &term[1..];
    let weekday = if rest == "week_start" { Some(0) } else { WEEKDAYS.iter().position(|day| *day == rest) };
    if let Some(weekday) = weekday {
        let today = i64::from(at.weekday().num_days_from_monday());
        let weekday = i64::try_from(weekday).expect("one of seven");
        let days = match sign {
            '+' => (weekday - today).rem_euclid(7),
            '-' => -(today - weekday).rem_euclid(7),
            _ => weekday - today,
        };
        return Some((at.checked_add_signed(TimeDelta::days(days)), false));
    }
    let unit = rest.chars().last()?;
    let number: u32 = rest[..rest.len() - unit.len_utf8()].parse().ok()?;
    let of_time = matches!(unit, 'H' | 'M' | 'S');
    let moved = match (sign, unit) {
        ('=', 'y') => at.with_year(i32::try_from(number).ok()?),
        ('=', 'm') => at.with_month(number),
        ('=', 'd') => at.with_day(number),
        ('=', 'H') => at.date().and_hms_opt(number, 0, 0),
        ('=', 'M') => at.date().and_hms_opt(at.hour(), number, 0),
        ('=', 'S') => at.with_second(number),
        ('=', _) => return None,
        (_, 'y' | 'm') => {
            let months = if unit == 'y' { number.checked_mul(12) } else { Some(number) };
            let months = months.map(Months::new);
            months.and_then(
                |months| {
                    if sign == '+' { at.checked_add_months(months) } else { at.checked_sub_months(months) }
                },
            )
        }
        (_, 'd' | 'w') => {
            let days = Days::new(u64::from(number) * if unit == 'w' { 7 } else { 1 });
            if sign == '+' { at.checked_add_days(days) } else { at.checked_sub_days(days) }
        }
        (_, 'H' | 'M' | 'S') => {
            let seconds = match unit {
                'H' => 3600,
                'M' => 60,
                _ => 1,
            };
            let length = TimeDelta::seconds(i64::from(number) * seconds);
            if sign == '+' { at.checked_add_signed(length) } else { at.checked_sub_signed(length) }
        }
        _ => return None,
    };
    Some((moved, of_time))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values() {
        let now = "2026-11-20T09:40:37".parse().expect("a moment");
        let check = |value: Value, expect: &str| {
            let text = match Moment::parse(&value, "datetime", now) {
                Ok(Moment::Day(day)) => day.to_string(),
                Ok(Moment::Second(at)) => at.to_string(),
                Err(error) => error.message,
            };
            assert_eq!(text, expect, "{value}");
        };
        check(json!("2026-11-20"), "2026-11-20");
        check(json!("2026-11-20 09:40"), "2026-11-20 09:40:00");
        check(json!("2026-11-20T09:40:37"), "2026-11-20 09:40:37");
        check(json!("2026-11-20 09:40:37.123456"), "2026-11-20 09:40:37");
        for zone in ["Z", "+00:00"] {
            let text = format!("2026-11-20 09:40:37{zone}");
            check(json!(text), &format!("expecting only datetimes with no timezone: '{text}'"));
        }
        check(json!("2024-13-01"), "month must be in 1..12");
        check(json!("2024-02-30"), "day is out of range for month");
        check(json!("2024-02-03 24:00:00"), "hour must be in 0..23");
        check(json!("garbage"), "Invalid term 'garbage' in expression date: 'garbage'");
        check(json!(""), "Invalid term '' in expression date: ''");
        check(json!("today -1é"), "Invalid term '-1é' in expression date: 'today -1é'");
        check(json!("-é"), "Invalid term '-é' in expression date: '-é'");
        check(json!(1), "Failed to cast 1 into a datetime");
        check(json!(true), "Failed to cast True into a datetime");
        check(json!("today"), "2026-11-20");
        check(json!("now"), "2026-11-20 09:40:37");
        check(json!("-1d"), "2026-11-19");
        check(json!("today -1d +3H"), "2026-11-19 03:00:00");
        check(json!("=monday"), "2026-11-16");
        check(json!("=week_start"), "2026-11-16");
        check(json!("=1d"), "2026-11-01");
        check(json!("+2w"), "2026-12-04");
        check(json!("now -1m =1d"), "2026-10-01 09:40:37");
        check(json!("+4000000000y"), "date value out of range");
        check(json!("-9999y"), "date value out of range");
    }
}

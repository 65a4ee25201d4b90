//! A search domain after its fields and values were checked: what the database and [`super::eval`] work on.
//!
//! A filter holds or does not hold for a record; there is no third answer. So [`Filter::Not`] is the set complement.

use chrono::NaiveDate;

use super::field::{Field, Model};
use crate::domain::time::Timestamp;

/// Which records of a model.
#[derive(Clone, Debug)]
pub enum Filter {
    /// All.
    All,
    /// None.
    Nothing,
    /// All but these.
    Not(Box<Self>),
    /// What is in each.
    And(Vec<Self>),
    /// What is in at least one.
    Or(Vec<Self>),
    /// The boolean field is true; no value is false.
    IsTrue(&'static Field),
    /// The value is one of these, or there is none and `or_null`.
    In {
        /// Of what.
        term: Term,
        /// These; all of the type of the term.
        values: Values,
        /// Whether no value is right too.
        or_null: bool,
    },
    /// The value is less, or more, or there is none and `or_null`. Text compares by bytes.
    Compare {
        /// Of what.
        term: Term,
        /// How.
        comparison: Comparison,
        /// Of the type of the term.
        value: Scalar,
        /// Whether no value is right too.
        or_null: bool,
    },
    /// The value as text fits the pattern of [`super::like`]; no value never does.
    Like {
        /// A field with one value.
        field: &'static Field,
        /// With `%`, `_` and `\`.
        pattern: String,
        /// Without regard to case.
        fold: bool,
    },
    /// Linked by this relational field to a record of the other model.
    Linked {
        /// many2one, one2many or many2many.
        field: &'static Field,
        /// Where it leads.
        comodel: &'static Model,
        /// To which of its records.
        to: Targets,
    },
    /// Among `roots`, or below one of them (or above, if `above`) by the field `parent` of the model. All `roots` and
    /// steps are of the filtered model itself.
    Within {
        /// The filtered model.
        model: &'static Model,
        /// Its many2one field to itself.
        parent: &'static Field,
        /// Where the walk starts.
        roots: Box<Self>,
        /// Its direction.
        above: bool,
    },
}

/// Records at the other end of a relation.
#[derive(Clone, Debug)]
pub enum Targets {
    /// Any.
    All,
    /// These, whatever they are.
    Ids(Vec<i64>),
    /// Those that fit.
    Where(Box<Filter>),
}

/// What is compared: a field, or a part of its date.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// With one value, not boolean.
    pub field: &'static Field,
    /// For dates and datetimes; the value is an integer then.
    pub part: Option<Part>,
}

impl From<&'static Field> for Term {
    fn from(field: &'static Field) -> Self {
        Self { field, part: None }
    }
}

/// A number in a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 2026
    Year,
    /// 1 to 4
    Quarter,
    /// 1 to 12
    Month,
    /// ISO 8601, 1 to 53
    IsoWeek,
    /// 1 to 366
    DayOfYear,
    /// 1 to 31
    DayOfMonth,
    /// Sunday is 0
    DayOfWeek,
    /// 0 to 23
    Hour,
    /// 0 to 59
    Minute,
    /// 0 to 59
    Second,
}

impl Part {
    /// Every part with the name that it has in a path.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Year, "year_number"),
        (Self::Quarter, "quarter_number"),
        (Self::Month, "month_number"),
        (Self::IsoWeek, "iso_week_number"),
        (Self::DayOfYear, "day_of_year"),
        (Self::DayOfMonth, "day_of_month"),
        (Self::DayOfWeek, "day_of_week"),
        (Self::Hour, "hour_number"),
        (Self::Minute, "minute_number"),
        (Self::Second, "second_number"),
    ];
}

/// How values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether a value in this place is right.
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of integer and many2one fields, and of parts of dates.
    Integers(Vec<i64>),
    /// Of char, text and selection fields.
    Texts(Vec<String>),
    /// Of date fields.
    Dates(Vec<NaiveDate>),
    /// Of datetime fields.
    Datetimes(Vec<Timestamp>),
}

impl Values {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Integers(values) => values.is_empty(),
            Self::Texts(values) => values.is_empty(),
            Self::Dates(values) => values.is_empty(),
            Self::Datetimes(values) => values.is_empty(),
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Of integer and many2one fields, and of parts of dates.
    Integer(i64),
    /// Of char, text and selection fields.
    Text(String),
    /// Of date fields.
    Date(NaiveDate),
    /// Of datetime fields.
    Datetime(Timestamp),
}

impl Filter {
    /// All but these.
    #[expect(clippy::should_implement_trait, reason = "`and` and `or` are no operators either")]
    pub fn not(self) -> Self {
        match self {
            Self::All => Self::Nothing,
            Self::Nothing => Self::All,
            Self::Not(filter) => *filter,
            filter => Self::Not(Box::new(filter)),
        }
    }

    /// What is in each.
    pub fn and(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut members = Vec::new();
        for filter in filters {
            match filter {
                Self::All => {}
                Self::Nothing => return Self::Nothing,
                Self::And(inner) => members.extend(inner),
                filter => members.push(filter),
            }
        }
        match members.len() {
            0 => Self::All,
            1 => members.remove(0),
            _ => Self::And(members),
        }
    }

    /// What is in at least one.
    pub fn or(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut members = Vec::new();
        for filter in filters {
            match filter {
                Self::Nothing => {}
                Self::All => return Self::All,
                Self::Or(inner) => members.extend(inner),
                filter => members.push(filter),
            }
        }
        match members.len() {
            0 => Self::Nothing,
            1 => members.remove(0),
            _ => Self::Or(members),
        }
    }

    /// A value among these; nothing if there are none.
    pub fn among(term: impl Into<Term>, values: Values, or_null: bool) -> Self {
        if values.is_empty() && !or_null {
            return Self::Nothing;
        }
        Self::In { term: term.into(), values, or_null }
    }
}

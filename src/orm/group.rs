//! What `read_group` and its successors ask for: by which fields, with which aggregates, in which order.
//!
//! The methods parse their arguments here, `store::group` answers, and the methods render the keys.

use serde_json::Value;

use super::error::OdooError;
use super::field::{Column, Field, Kind, Model};
use super::filter::{Comparison, Part};
use super::order::Order;
use super::python;
use super::resolve::{Related, ResolveContext, column_field, not_stored};
use super::search_domain::{Leaf, Limits, Operand, Operator, SearchDomain};

/// Keys and aggregates of one grouping.
pub const GROUP_COLUMNS_MAX: usize = 50;

/// A key: `user_id`, `create_date:month`, `create_date:year_number`.
#[derive(Clone, Debug)]
pub struct GroupBy {
    /// As it was asked for.
    pub spec: String,
    /// The field. A many2many puts a record into the group of each record that it is linked to.
    pub field: &'static Field,
    /// Of a date: how long a group is, or which number of it is the key.
    pub granularity: Option<Granularity>,
    /// Of relations: the order of the groups; of relations to many also what is seen at the other end.
    pub related: Option<Related>,
}

/// How dates are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// 60 minutes.
    Hour,
    /// A day.
    Day,
    /// From Sunday on, as in Odoo's `en_US`.
    Week,
    /// A month.
    Month,
    /// Three months.
    Quarter,
    /// A year.
    Year,
    /// A number, whatever the rest of the date is.
    Number(Part),
}

impl Granularity {
    /// Those that are a span of time, by name.
    pub const SPANS: [(Self, &'static str); 6] = [
        (Self::Hour, "hour"),
        (Self::Day, "day"),
        (Self::Week, "week"),
        (Self::Month, "month"),
        (Self::Quarter, "quarter"),
        (Self::Year, "year"),
    ];

    fn from_name(name: &str) -> Option<Self> {
        let span = Self::SPANS.iter().find(|(_, own)| *own == name).map(|(span, _)| *span);
        span.or_else(|| Part::ALL.iter().find(|(_, own)| *own == name).map(|(part, _)| Self::Number(*part)))
    }
}

impl GroupBy {
    /// Reads a key of `formatted_read_group`; a date needs a granularity.
    ///
    /// # Errors
    /// `ValueError` or `AccessError`, with the texts of Odoo 19.
    pub fn parse(spec: &str, model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        Self::parse_with(spec, None, model, context)
    }

    /// Reads a key of `read_group`, where dates are grouped by month unless it says otherwise.
    ///
    /// # Errors
    /// As [`GroupBy::parse`].
    pub fn parse_legacy(spec: &str, model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        Self::parse_with(spec, Some(Granularity::Month), model, context)
    }

    fn parse_with(
        spec: &str,
        default: Option<Granularity>,
        model: &'static Model,
        context: &ResolveContext<'_>,
    ) -> Result<Self, OdooError> {
        let (name, granularity) = spec.split_once(':').map_or((spec, None), |(name, rest)| (name, Some(rest)));
        let field = context.visible_field(model, name)?.ok_or_else(|| unknown_field(name, model, ""))?;
        let quoted = || python::repr_str(spec);
        let granularity =
            match (field.kind, granularity) {
                (Kind::Date | Kind::Datetime, Some(name)) => Some(Granularity::from_name(name).ok_or_else(|| {
                    let name = python::repr_str(name);
                    OdooError::value(format!("Granularity specification isn't correct: {name}"))
                })?),
                (Kind::Date | Kind::Datetime, None) => Some(default.ok_or_else(|| {
                    OdooError::value(format!("Granularity not set on a date(time) field: {}", quoted()))
                })?),
                (_, Some(_)) => {
                    let text = format!("Granularity set on a no-datetime field or property: {}", quoted());
                    return Err(OdooError::value(text));
                }
                (_, None) => None,
            };
        let many2many = matches!(field.kind, Kind::Many2many { .. });
        if matches!(field.kind, Kind::One2many { .. } | Kind::Binary) || (field.column == Column::None && !many2many) {
            return Err(not_stored(model, field));
        }
        let related = match field.kind {
            Kind::Many2many { .. } => Some(context.related(field)?),
            Kind::Many2one(_) => match context.comodel(field) {
                Ok(comodel) => Some(Related {
                    model: comodel,
                    to: super::filter::Targets::All,
                    order: Order::of_model(comodel, context)?,
                }),
                Err(_) => None,
            },
            _ => None,
        };
        let field = if many2many { field } else { column_field(model, field)? };
        Ok(Self { spec: spec.to_owned(), field, granularity, related })
    }
}

/// A number or list for each group: `__count`, `generation:max`.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The key under which it is given.
    pub name: String,
    /// Of what; `None`: of the records.
    pub field: Option<&'static Field>,
    /// Which.
    pub function: Function,
}

/// What is made of the values of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// How many there are.
    Count,
    /// How many different ones there are.
    CountDistinct,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Whether all are true.
    BoolAnd,
    /// Whether one is true.
    BoolOr,
    /// All of them, in the order of the records' ids.
    ArrayAgg,
    /// Each once.
    ArrayAggDistinct,
    /// The ids of the records that they name, each once.
    Recordset,
}

impl Function {
    /// Every function with its name.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Count, "count"),
        (Self::CountDistinct, "count_distinct"),
        (Self::Sum, "sum"),
        (Self::Avg, "avg"),
        (Self::Min, "min"),
        (Self::Max, "max"),
        (Self::BoolAnd, "bool_and"),
        (Self::BoolOr, "bool_or"),
        (Self::ArrayAgg, "array_agg"),
        (Self::ArrayAggDistinct, "array_agg_distinct"),
        (Self::Recordset, "recordset"),
    ];

    fn suits(self, field: &Field) -> bool {
        match self {
            Self::Sum | Self::Avg => field.kind == Kind::Integer,
            Self::BoolAnd | Self::BoolOr => field.kind == Kind::Boolean,
            Self::Min | Self::Max => !matches!(field.kind, Kind::Boolean | Kind::Binary),
            Self::Recordset => field.name == "id" || matches!(field.kind, Kind::Many2one(_)),
            Self::Count | Self::CountDistinct => true,
            Self::ArrayAgg | Self::ArrayAggDistinct => field.kind != Kind::Binary,
        }
    }
}

impl Aggregate {
    /// How many records there are.
    pub fn count() -> Self {
        Self { name: "__count".to_owned(), field: None, function: Function::Count }
    }

    /// Reads an aggregate of `formatted_read_group`: `__count` or `field:function`.
    ///
    /// # Errors
    /// `ValueError` or `AccessError`, with the texts of Odoo 19.
    pub fn parse(spec: &str, model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        if spec == "__count" {
            return Ok(Self::count());
        }
        let (name, function) = spec.split_once(':').map_or((spec, None), |(name, rest)| (name, Some(rest)));
        let quoted = python::repr_str(spec);
        let field = context.visible_field(model, name)?;
        let field = field.ok_or_else(|| unknown_field(name, model, &format!(" for {quoted}.")))?;
        let Some(function) = function else {
            let name = python::repr_str(name);
            return Err(OdooError::value(format!("Aggregate method is mandatory for {name}")));
        };
        Self::of_field(spec, spec, field, function, model)
    }

    /// Reads one of the `fields` of `read_group`: `color`, `color:max`, `mx:min(color)`. A field that is not added up by
    /// itself gives nothing.
    ///
    /// # Errors
    /// As [`Aggregate::parse`].
    pub fn parse_legacy(
        spec: &str,
        model: &'static Model,
        context: &ResolveContext<'_>,
    ) -> Result<Option<Self>, OdooError> {
        if spec == "__count" {
            return Ok(Some(Self::count()));
        }
        let (name, rest) = spec.split_once(':').map_or((spec, None), |(name, rest)| (name, Some(rest)));
        let (field_name, function) = match rest.and_then(|rest| rest.strip_suffix(')')?.split_once('(')) {
            Some((function, field_name)) => (field_name, Some(function)),
            None => (name, rest),
        };
        let field = context.visible_field(model, field_name)?;
        let field = field.ok_or_else(|| unknown_field(field_name, model, ""))?;
        match function {
            Some(function) => Self::of_field(name, spec, field, function, model).map(Some),
            None if field.kind == Kind::Integer && field.name != "id" && field.column != Column::None => {
                Ok(Some(Self { name: name.to_owned(), field: Some(field), function: Function::Sum }))
            }
            None => Ok(None),
        }
    }

    fn of_field(
        name: &str,
        spec: &str,
        field: &'static Field,
        function: &str,
        model: &'static Model,
    ) -> Result<Self, OdooError> {
        if field.is_x2many() || field.column == Column::None {
            return Err(not_stored(model, field));
        }
        let field = column_field(model, field)?;
        let known = Function::ALL.iter().find(|(_, own)| *own == function).map(|(function, _)| *function);
        let Some(known) = known.filter(|function| function.suits(field)) else {
            let (function, spec) = (python::repr_str(function), python::repr_str(spec));
            return Err(OdooError::value(format!("Invalid aggregate method {function} for {spec}.")));
        };
        Ok(Self { name: name.to_owned(), field: Some(field), function: known })
    }
}

/// Which groups are given.
#[derive(Clone, Debug)]
pub enum Having {
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
    /// The aggregate is one of these numbers.
    In(Aggregate, Vec<i64>),
    /// The aggregate is less, or more.
    Compare(Aggregate, Comparison, i64),
}

impl Having {
    /// Reads a domain over aggregates: `[["__count", ">", 1]]`.
    ///
    /// # Errors
    /// `ValueError`: not a domain, not an aggregate, not a number.
    pub fn parse(value: &Value, model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        if !python::truthy(value) {
            return Ok(Self::All);
        }
        Self::resolve(&SearchDomain::parse(value, &Limits { terms: 100, ..Limits::default() })?, model, context)
    }

    fn resolve(domain: &SearchDomain, model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        let all = |domains: &[SearchDomain]| {
            domains.iter().map(|domain| Self::resolve(domain, model, context)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match domain {
            SearchDomain::True => Self::All,
            SearchDomain::False => Self::Nothing,
            SearchDomain::Not(domain) => Self::Not(Box::new(Self::resolve(domain, model, context)?)),
            SearchDomain::And(domains) => Self::And(all(domains)?),
            SearchDomain::Or(domains) => Self::Or(all(domains)?),
            SearchDomain::Leaf(leaf) => Self::leaf(leaf, Aggregate::parse(&leaf.field, model, context)?)?,
        })
    }

    fn leaf(leaf: &Leaf, aggregate: Aggregate) -> Result<Self, OdooError> {
        let invalid = || OdooError::value(format!("Invalid having clause {leaf}"));
        let Operand::Value(value) = &leaf.value else { return Err(invalid()) };
        let number = |value: &Value| value.as_i64().ok_or_else(invalid);
        let comparison = match leaf.operator {
            Operator::Equal | Operator::In | Operator::NotEqual | Operator::NotIn => {
                let values = match value {
                    Value::Array(values) => values,
                    value => std::slice::from_ref(value),
                };
                let among = Self::In(aggregate, values.iter().map(number).collect::<Result<_, _>>()?);
                let negative = leaf.operator.negated().is_some();
                return Ok(if negative { Self::Not(Box::new(among)) } else { among });
            }
            Operator::Less => Comparison::Less,
            Operator::LessOrEqual => Comparison::LessOrEqual,
            Operator::Greater => Comparison::Greater,
            Operator::GreaterOrEqual => Comparison::GreaterOrEqual,
            _ => return Err(invalid()),
        };
        Ok(Self::Compare(aggregate, comparison, number(value)?))
    }
}

/// A term of the order of groups.
#[derive(Clone, Debug)]
pub struct GroupOrder {
    /// By what.
    pub by: GroupTerm,
    /// The greatest first.
    pub descending: bool,
    /// Where groups without a value go.
    pub nulls_first: bool,
}

/// What groups are ordered by.
#[derive(Clone, Debug)]
pub enum GroupTerm {
    /// The key at this place.
    Key(usize),
    /// An aggregate, asked for or not.
    Aggregate(Aggregate),
}

impl GroupOrder {
    /// Reads an order of keys and aggregates; nothing is the order of the keys.
    ///
    /// # Errors
    /// `UserError` for the syntax or for too many keys and aggregates, `ValueError` for what is neither.
    pub fn parse(
        value: &Value,
        by: &[GroupBy],
        aggregates: &[Aggregate],
        model: &'static Model,
        context: &ResolveContext<'_>,
    ) -> Result<Vec<Self>, OdooError> {
        if by.len() + aggregates.len() > GROUP_COLUMNS_MAX {
            return Err(OdooError::user(format!("Group by fewer than {GROUP_COLUMNS_MAX} fields and aggregates")));
        }
        let text = match value {
            Value::String(text) => text.as_str(),
            value if !python::truthy(value) => "",
            value => return Err(super::order::syntax(&python::str(value))),
        };
        if text.is_empty() {
            let keys = 0..by.len();
            return Ok(keys
                .map(|key| Self { by: GroupTerm::Key(key), descending: false, nulls_first: false })
                .collect());
        }
        let mut terms = Vec::new();
        for term in text.split(',') {
            let (name, descending, nulls_first) =
                super::order::split_term(term).ok_or_else(|| super::order::syntax(text))?;
            let key = by.iter().position(|key| key.spec == name);
            let key = key.or_else(|| by.iter().position(|key| key.spec.split(':').next() == Some(name)));
            let aggregate = aggregates.iter().find(|aggregate| aggregate.name == name);
            let by = match (aggregate, key) {
                (Some(aggregate), _) => GroupTerm::Aggregate(aggregate.clone()),
                (None, Some(key)) => GroupTerm::Key(key),
                (None, None) => GroupTerm::Aggregate(Aggregate::parse(name, model, context)?),
            };
            terms.push(Self { by, descending, nulls_first: nulls_first.unwrap_or(descending) });
        }
        Ok(terms)
    }
}

fn unknown_field(name: &str, model: &Model, rest: &str) -> OdooError {
    OdooError::value(format!("Invalid field {} on model '{}'{rest}", python::repr_str(name), model.name))
}

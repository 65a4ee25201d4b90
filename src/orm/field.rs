//! What a model is: one table of fields, from which `fields_get`, the searches, the reads, the writes,
//! the groupings, the access filter and the docs page come.
//!
//! # To add a field
//! A migration for its column, a line in the model's table under `orm/models/`. Nothing else.
//! # To add a model
//! A migration, a file under `orm/models/`, a line in [`super::registry`].

use serde_json::{Map, Value};

use crate::domain::user::Group;

use super::registry::Registry;

/// A model of the Odoo face.
pub struct Model {
    /// Its `ir.model` id: stored in actions, so never changed and never given again.
    pub id: i64,
    /// Technical name, such as `orest.authorization`.
    pub name: &'static str,
    /// What a person calls one record.
    pub label: &'static str,
    /// The default order, in Odoo's syntax.
    pub order: &'static str,
    /// The field that `name_search` looks into and `display_name` shows, unless the model has an own `display_name`.
    pub rec_name: &'static str,
    /// Where its records are.
    pub storage: Storage,
    /// Its fields, without the ones that every model has (see [`Model::fields`]).
    pub own_fields: &'static [Field],
    /// Who may do what.
    pub access: &'static [Access],
    /// Which records a member of a group sees; see [`Rule`].
    pub rules: &'static [Rule],
    /// What must not exist twice.
    pub unique: &'static [Unique],
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Where the records of a model are.
pub enum Storage {
    /// A table of the database, with a column for each [`Column::Stored`] field and, if `log_access`,
    /// `create_uid`, `create_date`, `write_uid` and `write_date`.
    Table {
        /// Its name.
        name: &'static str,
        /// Whether it has the four columns that say who and when.
        log_access: bool,
    },
    /// Made in memory from the registry itself: `ir.model`, `res.groups` and so on. Each record has an `id` and all
    /// fields, in the form of `read` (`many2one` as a bare id or `false`).
    Memory(fn(&Registry) -> Vec<Map<String, Value>>),
    /// A form that lives for a moment (Odoo's TransientModel): its values are kept in memory for its owner.
    Transient,
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Technical name.
    pub name: &'static str,
    /// Type, with what it refers to.
    pub kind: Kind,
    /// What a person calls it.
    pub label: &'static str,
    /// A sentence on it.
    pub help: &'static str,
    /// Where its value is.
    pub column: Column,
    /// Whether a value must be there.
    pub required: bool,
    /// Whether callers may set it. Unlike Odoo's, this flag binds: a write to a readonly field is refused.
    pub readonly: bool,
    /// Only members of this group see that the field exists.
    pub group: Option<Group>,
    /// The value of a new record: JSON text, such as `"true"`, `"600"` or `"\"none\""`.
    pub default: Option<&'static str>,
    /// `create` only: may be set once and never changed.
    pub create_only: bool,
    /// Whether `name_search` looks into it too.
    pub in_name_search: bool,
    /// A many2one that no foreign key holds: it may name a record that is gone.
    pub loose: bool,
}

/// The type of a field, and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number; no value reads as 0.
    Integer,
    /// A line of text.
    Char,
    /// Several lines of text.
    Text,
    /// True or false; no value reads as false.
    Boolean,
    /// A day.
    Date,
    /// A moment, to the second, UTC.
    Datetime,
    /// One of these keys, each with its label.
    Selection(&'static [(&'static str, &'static str)]),
    /// Bytes, as base64 text.
    Binary,
    /// A record of another model, by id.
    Many2one(&'static str),
    /// The records of `model` whose many2one field `inverse` names this record.
    One2many {
        /// The other model.
        model: &'static str,
        /// Its many2one field.
        inverse: &'static str,
    },
    /// Records of `model`, joined by a relation table.
    Many2many {
        /// The other model.
        model: &'static str,
        /// The relation table.
        relation: &'static str,
        /// Its column with this record's id.
        own: &'static str,
        /// Its column with the other's.
        other: &'static str,
    },
}

/// Where a field's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// In the column of the same name.
    Stored,
    /// Computed by this SQL expression, which both databases understand. `{t}` is the alias of the record's
    /// table, `{now}` the present moment. Can be searched, ordered and grouped by.
    Expression(&'static str),
    /// The key of that condition which holds, for a selection: pairs of a key and SQL as above. At most one holds for a
    /// record. They compare columns with values, so that an index can find and count the records.
    Cases(&'static [(&'static str, &'static str)]),
    /// Nowhere: relations to many, and what is written but never read (passwords). Reads as `false` or `[]` unless it is a relation.
    None,
}

/// What a group may do with a model. Rights add up; a model without a line for any of one's groups is closed.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// For its members; `None` is everybody who is signed in.
    pub group: Option<Group>,
    /// May read.
    pub read: bool,
    /// May write.
    pub write: bool,
    /// May create.
    pub create: bool,
    /// May delete.
    pub unlink: bool,
}

impl Access {
    /// All four.
    pub const fn full(group: Group) -> Self {
        Self { group: Some(group), read: true, write: true, create: true, unlink: true }
    }
    /// Reading only.
    pub const fn read(group: Group) -> Self {
        Self { group: Some(group), read: true, write: false, create: false, unlink: false }
    }
    /// Reading and deleting.
    pub const fn read_unlink(group: Group) -> Self {
        Self { group: Some(group), read: true, write: false, create: false, unlink: true }
    }
}

/// A record rule, for members of a group. As in Odoo the rules of one's groups add up (OR), so that a rule with
/// the domain `[]` for administrators lifts the one for users. `{uid}` in the domain is the caller's id.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// For its members.
    pub group: Group,
    /// What a person calls it.
    pub name: &'static str,
    /// The domain, as JSON text, for reading and for changing.
    pub domain: &'static str,
}

/// A unique index of the database and what a person is told when it refuses.
#[derive(Clone, Copy, Debug)]
pub struct Unique {
    /// The columns, as the database names them in its error: `table.column`, comma separated.
    pub columns: &'static str,
    /// The sentence.
    pub message: &'static str,
}

impl Field {
    /// A field of this kind, stored in a column, or nowhere if it is a relation to many.
    pub const fn new(name: &'static str, kind: Kind, label: &'static str) -> Self {
        let column = match kind {
            Kind::One2many { .. } | Kind::Many2many { .. } => Column::None,
            _ => Column::Stored,
        };
        Self {
            name,
            kind,
            label,
            help: "",
            column,
            required: false,
            readonly: false,
            group: None,
            default: None,
            create_only: false,
            in_name_search: false,
            loose: false,
        }
    }

    /// Adds a sentence of help.
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// Makes a value necessary.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Refuses writes from callers.
    pub const fn readonly(mut self) -> Self {
        self.readonly = true;
        self
    }

    /// Takes commands: a relation to many whose other end may be set.
    pub const fn editable(mut self) -> Self {
        self.readonly = false;
        self
    }

    /// Refuses changes after `create`.
    pub const fn create_only(mut self) -> Self {
        self.create_only = true;
        self
    }

    /// Lets `name_search` look into it too.
    pub const fn in_name_search(mut self) -> Self {
        self.in_name_search = true;
        self
    }

    /// Hides it from all but the group's members.
    pub const fn only(mut self, group: Group) -> Self {
        self.group = Some(group);
        self
    }

    /// Gives new records a value.
    pub const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// Computes it in SQL; see [`Column::Expression`].
    pub const fn expression(mut self, sql: &'static str) -> Self {
        self.column = Column::Expression(sql);
        self.readonly = true;
        self
    }

    /// Computes it in SQL; see [`Column::Cases`].
    pub const fn cases(mut self, cases: &'static [(&'static str, &'static str)]) -> Self {
        self.column = Column::Cases(cases);
        self.readonly = true;
        self
    }

    /// Lets it outlive what it names; see [`Field::loose`].
    pub const fn loose(mut self) -> Self {
        self.loose = true;
        self
    }

    /// Keeps it out of the database: written through the service, never read.
    pub const fn write_only(mut self) -> Self {
        self.column = Column::None;
        self
    }

    /// Whether it leads to many records.
    pub const fn is_x2many(&self) -> bool {
        matches!(self.kind, Kind::One2many { .. } | Kind::Many2many { .. })
    }

    /// The model that it leads to.
    pub const fn comodel(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Many2one(model) | Kind::One2many { model, .. } | Kind::Many2many { model, .. } => Some(model),
            _ => None,
        }
    }

    /// Odoo's name of the type (`ttype`).
    pub const fn ttype(&self) -> &'static str {
        match self.kind {
            Kind::Integer => "integer",
            Kind::Char => "char",
            Kind::Text => "text",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Datetime => "datetime",
            Kind::Selection(_) => "selection",
            Kind::Binary => "binary",
            Kind::Many2one(_) => "many2one",
            Kind::One2many { .. } => "one2many",
            Kind::Many2many { .. } => "many2many",
        }
    }
}

/// A whole number.
pub const fn integer(name: &'static str, label: &'static str) -> Field {
    Field::new(name, Kind::Integer, label)
}
/// A line of text.
pub const fn char(name: &'static str, label: &'static str) -> Field {
    Field::new(name, Kind::Char, label)
}
/// Several lines of text.
pub const fn text(name: &'static str, label: &'static str) -> Field {
    Field::new(name, Kind::Text, label)
}
/// True or false.
pub const fn boolean(name: &'static str, label: &'static str) -> Field {
    Field::new(name, Kind::Boolean, label)
}
/// A day.
pub const fn date(name: &'static str, label: &'static str) -> Field {
    Field::new(name, Kind::Date, label)
}
/// A moment.
pub const fn datetime(name: &'static str, label: &'static str) -> Field {
    Field::new(name, Kind::Datetime, label)
}
/// Bytes.
pub const fn binary(name: &'static str, label: &'static str) -> Field {
    Field::new(name, Kind::Binary, label)
}
/// One of some keys.
pub const fn selection(
    name: &'static str,
    label: &'static str,
    keys: &'static [(&'static str, &'static str)],
) -> Field {
    Field::new(name, Kind::Selection(keys), label)
}
/// A record of another model.
pub const fn many2one(name: &'static str, label: &'static str, model: &'static str) -> Field {
    Field::new(name, Kind::Many2one(model), label)
}
/// The records that refer to this one; to be looked at only, unless [`Field::editable`].
pub const fn one2many(name: &'static str, label: &'static str, model: &'static str, inverse: &'static str) -> Field {
    Field::new(name, Kind::One2many { model, inverse }, label).readonly()
}

/// `id` and `display_name`, which every model has. `display_name` is the `rec_name` column; a model that shows something
/// else declares its own.
const ID: Field = integer("id", "ID").readonly();
const DISPLAY_NAME: Field = char("display_name", "Display Name").readonly();
const LOG_ACCESS: [Field; 4] = [
    many2one("create_uid", "Created by", "res.users").readonly(),
    datetime("create_date", "Created on").readonly(),
    many2one("write_uid", "Last Updated by", "res.users").readonly(),
    datetime("write_date", "Last Updated on").readonly(),
];

impl Model {
    /// All fields: `id`, `display_name`, the model's own, then who and when.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let own_name = self.own_fields.iter().any(|field| field.name == "display_name");
        let log_access = match self.storage {
            Storage::Table { log_access: true, .. } => &LOG_ACCESS[..],
            _ => &[],
        };
        std::iter::once(&ID).chain((!own_name).then_some(&DISPLAY_NAME)).chain(self.own_fields).chain(log_access)
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields().find(|field| field.name == name)
    }

    /// The table that holds the records, if there is one.
    pub const fn table(&self) -> Option<&'static str> {
        match self.storage {
            Storage::Table { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether records can be archived.
    pub fn has_active(&self) -> bool {
        self.own_fields.iter().any(|field| field.name == "active")
    }
}

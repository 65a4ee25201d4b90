//! Models shaped like Odoo's `res.partner` and `res.partner.category`, on a SQLite database of their own.

use chrono::NaiveDateTime;
use diesel::connection::SimpleConnection;
use orest::orm::field::{Field, Kind, Model, Storage, boolean, char, date, integer, many2one, one2many, selection};
use orest::orm::registry::Registry;
use orest::store::connection::{Connection, DatabaseUrl};

/// A contact.
pub static PARTNER: Model = Model {
    id: 101,
    name: "res.partner",
    label: "Contact",
    order: "complete_name ASC, id DESC",
    rec_name: "complete_name",
    storage: Storage::Table { name: "res_partner", log_access: true },
    own_fields: &[
        char("name", "Name"),
        char("complete_name", "Complete Name"),
        char("ref", "Reference"),
        char("function", "Job Position"),
        char("password", "Password").write_only(),
        integer("color", "Color Index"),
        boolean("is_company", "Is a Company"),
        boolean("active", "Active"),
        date("date", "Date"),
        selection("type", "Address Type", &[("contact", "Contact"), ("invoice", "Invoice"), ("other", "Other")]),
        many2one("parent_id", "Related Company", "res.partner"),
        one2many("child_ids", "Contacts", "res.partner", "parent_id"),
        Field::new(
            "category_id",
            Kind::Many2many {
                model: "res.partner.category",
                relation: "res_partner_category_rel",
                own: "partner_id",
                other: "category_id",
            },
            "Tags",
        ),
        selection("age", "Age", &[("old", "Old"), ("new", "New")])
            .cases(&[("old", "{t}.date < {now}"), ("new", "{t}.date >= {now}")]),
    ],
    access: &[],
    rules: &[],
    unique: &[],
};

/// A tag.
pub static CATEGORY: Model = Model {
    id: 102,
    name: "res.partner.category",
    label: "Partner Tags",
    order: "name, id",
    rec_name: "complete_name",
    storage: Storage::Table { name: "res_partner_category", log_access: false },
    own_fields: &[
        char("name", "Name"),
        char("complete_name", "Complete Name"),
        boolean("active", "Active"),
        many2one("parent_id", "Category", "res.partner.category"),
    ],
    access: &[],
    rules: &[],
    unique: &[],
};

const SCHEMA: &str = "
CREATE TABLE res_partner_category (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT, complete_name TEXT, active BOOLEAN DEFAULT 1,
    parent_id INTEGER REFERENCES res_partner_category (id));
CREATE TABLE res_partner (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT, complete_name TEXT, ref TEXT, function TEXT,
    color INTEGER, is_company BOOLEAN, active BOOLEAN DEFAULT 1, date DATE, type TEXT,
    parent_id INTEGER REFERENCES res_partner (id),
    create_uid INTEGER, create_date TIMESTAMP, write_uid INTEGER, write_date TIMESTAMP);
CREATE TABLE res_partner_category_rel (
    partner_id INTEGER NOT NULL REFERENCES res_partner (id) ON DELETE CASCADE,
    category_id INTEGER NOT NULL REFERENCES res_partner_category (id) ON DELETE CASCADE,
    PRIMARY KEY (partner_id, category_id)) WITHOUT ROWID;
";

/// A database with the empty tables. It lives as long as the folder.
pub struct Fixture {
    pub connection: Connection,
    pub registry: Registry,
    _folder: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url: DatabaseUrl = format!("sqlite://{}/test.sqlite3", folder.path().display()).parse().unwrap();
        let mut connection = url.connect_writer(true).unwrap();
        connection.batch_execute("PRAGMA synchronous = OFF;").unwrap();
        connection.batch_execute(SCHEMA).unwrap();
        Self { connection, registry: Registry::of(&[&PARTNER, &CATEGORY]), _folder: folder }
    }

    /// With the rows that the golden exchanges were recorded on.
    pub fn golden() -> Self {
        let mut fixture = Self::new();
        fixture.connection.batch_execute(GOLDEN_ROWS).unwrap();
        fixture
    }

    /// The same for Odoo 14; `function` holds what was the city there.
    pub fn golden_14() -> Self {
        let mut fixture = Self::new();
        fixture.connection.batch_execute(GOLDEN_14_ROWS).unwrap();
        fixture
    }
}

/// When the golden exchanges were recorded.
pub fn now() -> NaiveDateTime {
    "2026-11-20T09:41:00".parse().unwrap()
}

const GOLDEN_ROWS: &str = "
INSERT INTO res_partner_category (id, name, complete_name, parent_id) VALUES
    (1, 'Gold', 'Gold', NULL), (2, 'Silver', 'Silver', NULL), (3, 'Sub', 'Gold / Sub', 1);
INSERT INTO res_partner
    (id, name, complete_name, ref, color, is_company, type, parent_id, active, function, create_date, write_date)
VALUES
    (14, '5', '5', NULL, 0, 0, 'contact', NULL, 1, NULL, '2026-11-20 09:30:00', '2026-11-20 09:30:00'),
    (30, 'Élodie', 'Élodie', 'abc', 0, 1, 'contact', NULL, 1, 'DS', '2026-11-20 09:40:37', '2026-11-20 09:40:37'),
    (31, 'bernard', 'Élodie, bernard', 'ABC', 5, 0, 'invoice', 30, 1, 'DS', '2026-11-20 09:40:37', '2026-11-20 09:40:37'),
    (32, 'Carl', 'Élodie, Carl', '100%', -2, 0, 'contact', 31, 1, 'DS', '2026-11-20 09:40:37', '2026-11-20 09:40:37'),
    (33, 'dora', 'dora', '100x', 0, 0, 'contact', NULL, 1, 'DS', '2026-11-20 09:40:37', '2026-11-20 09:40:37'),
    (34, 'Eve', 'Eve', '', 0, 0, 'contact', NULL, 1, 'DS', '2026-11-20 09:40:37', '2026-11-20 09:40:37'),
    (35, 'Frank', 'Frank', 'a_b', 0, 0, 'contact', NULL, 0, 'DS', '2026-11-20 09:40:37', '2026-11-20 09:40:37');
INSERT INTO res_partner_category_rel VALUES (30, 1), (31, 1), (31, 2), (34, 3);
";

const GOLDEN_14_ROWS: &str = "
INSERT INTO res_partner_category (id, name, complete_name, parent_id) VALUES (1, 'Tag A', 'Tag A', NULL), (2, 'Tag B', 'Tag A / Tag B', 1);
INSERT INTO res_partner
    (id, name, complete_name, ref, color, is_company, type, parent_id, active, function, date, create_date)
VALUES
    (7, 'Acme Corp', 'Acme Corp', 'AC-1', 1, 1, 'contact', NULL, 1, 'Springfield', '2020-01-15', '2026-11-20 10:06:00'),
    (8, 'Ana Díaz', 'Acme Corp, Ana Díaz', 'AC_2', 2, 0, 'other', 7, 1, 'Madrid', '2020-01-31', '2026-11-20 10:06:00'),
    (9, 'Bob 100%', 'Acme Corp, Bob 100%', 'AC%3', 4, 0, 'other', 8, 1, 'new york', '2020-02-01', '2026-11-20 10:06:00'),
    (11, 'zed', 'zed', NULL, 8, 0, 'contact', NULL, 1, 'New York', '2021-02-10', '2026-11-20 10:06:00'),
    (12, 'Archived Ltd', 'Archived Ltd', NULL, 0, 0, 'contact', NULL, 0, NULL, '2021-02-11', '2026-11-20 10:06:00'),
    (13, 'Multi 1', 'Multi 1', NULL, 0, 0, 'contact', NULL, 1, NULL, NULL, '2026-11-20 10:06:00'),
    (14, 'Multi 2', 'Multi 2', NULL, 0, 0, 'contact', NULL, 1, NULL, NULL, '2026-11-20 10:06:00');
INSERT INTO res_partner_category_rel VALUES (7, 1);
";

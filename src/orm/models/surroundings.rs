//! What unmodified Odoo clients look for around the records that matter: a company, a language, modules and scheduled jobs.

use serde_json::json;

use super::record;
use crate::domain::user::Group;
use crate::orm::eval::Row;
use crate::orm::field::{Access, Model, Storage, boolean, char, datetime, integer, many2one, selection};
use crate::orm::registry::Registry;

/// The one company that all users are of.
pub const COMPANY: Model = Model {
    id: 26,
    name: "res.company",
    label: "Companies",
    order: "name, id",
    rec_name: "name",
    storage: Storage::Memory(companies),
    own_fields: &[
        char("name", "Company Name").help("What a person calls it.").readonly(),
        boolean("active", "Active").help("Always on.").readonly(),
        integer("sequence", "Sequence").help("Its place among companies.").readonly(),
        many2one("parent_id", "Parent Company", "res.company").help("Always none.").readonly(),
    ],
    access: &[Access::read(Group::User)],
    rules: &[],
    unique: &[],
};

fn companies(_: &Registry) -> Vec<Row> {
    vec![record(json!({"id": 1, "name": "My Company", "active": true, "sequence": 10, "parent_id": false}))]
}

/// A language. Texts are in English.
pub const LANG: Model = Model {
    id: 27,
    name: "res.lang",
    label: "Languages",
    order: "active desc, name",
    rec_name: "name",
    storage: Storage::Memory(languages),
    own_fields: &[
        char("name", "Name").help("What a person calls it.").readonly(),
        char("code", "Locale Code").help("Language and country.").readonly().in_name_search(),
        char("iso_code", "ISO code").help("ISO 639-1.").readonly().in_name_search(),
        char("url_code", "URL Code").help("As it stands in addresses.").readonly(),
        boolean("active", "Active").help("Whether it can be chosen.").readonly(),
        selection("direction", "Direction", &[("ltr", "Left-to-Right"), ("rtl", "Right-to-Left")])
            .help("Which way it is written.")
            .readonly(),
        char("date_format", "Date Format").help("As strftime has it.").readonly(),
        char("time_format", "Time Format").help("As strftime has it.").readonly(),
        char("decimal_point", "Decimal Separator").help("Before the tenths.").readonly(),
        char("thousands_sep", "Thousands Separator").help("Between groups of digits.").readonly(),
    ],
    access: &[Access::read(Group::User)],
    rules: &[],
    unique: &[],
};

fn languages(_: &Registry) -> Vec<Row> {
    vec![record(json!({
        "id": 1,
        "name": "English (US)",
        "code": "en_US",
        "iso_code": "en",
        "url_code": "en",
        "active": true,
        "direction": "ltr",
        "date_format": "%m/%d/%Y",
        "time_format": "%H:%M:%S",
        "decimal_point": ".",
        "thousands_sep": ",",
    }))]
}

/// Odoo's modules. None can be installed here, so there is none to see.
pub const MODULE: Model = Model {
    id: 28,
    name: "ir.module.module",
    label: "Module",
    order: "name",
    rec_name: "shortdesc",
    storage: Storage::Memory(nothing),
    own_fields: &[
        char("name", "Technical Name").help("Technical name.").readonly(),
        char("shortdesc", "Module Name").help("What a person calls it.").readonly(),
        char("summary", "Summary").help("A sentence on it.").readonly(),
        char("state", "Status").help("Whether it is installed.").readonly(),
        char("installed_version", "Latest Version").help("The version that could be installed.").readonly(),
        char("latest_version", "Installed Version").help("The version that is installed.").readonly(),
        boolean("application", "Application").help("Whether it is an app.").readonly(),
    ],
    access: &[Access::read(Group::System)],
    rules: &[],
    unique: &[],
};

/// Odoo's scheduled jobs. The service keeps its house without any.
pub const CRON: Model = Model {
    id: 29,
    name: "ir.cron",
    label: "Scheduled Actions",
    order: "cron_name, id",
    rec_name: "cron_name",
    storage: Storage::Memory(nothing),
    own_fields: &[
        char("cron_name", "Name").help("What a person calls it.").readonly(),
        char("name", "Action Name").help("The same.").readonly(),
        boolean("active", "Active").help("Whether it runs.").readonly(),
        many2one("model_id", "Model", "ir.model").help("What it works on.").readonly(),
        integer("interval_number", "Interval Number").help("How many units between two runs.").readonly(),
        char("interval_type", "Interval Unit").help("Which unit.").readonly(),
        datetime("nextcall", "Next Execution Date").help("When it runs next.").readonly(),
    ],
    access: &[Access::read(Group::System)],
    rules: &[],
    unique: &[],
};

fn nothing(_: &Registry) -> Vec<Row> {
    Vec::new()
}

//! `orest.device`: where users signed in from.

use crate::domain::user::Group;
use crate::orm::field::{Access, Model, Rule, Storage, boolean, char, datetime, many2one, one2many, selection};

/// A browser or phone that a user signed in from.
pub const DEVICE: Model = Model {
    id: 5,
    name: "orest.device",
    label: "Device",
    order: "last_activity desc, id desc",
    rec_name: "name",
    storage: Storage::Table { name: "orest_device", log_access: true },
    own_fields: &[
        char("name", "Name").help("Browser and system, or what the user calls it.").required(),
        many2one("user_id", "User", "res.users").help("Who signed in.").readonly(),
        char("platform", "Platform").help("Operating system.").readonly(),
        char("browser", "Browser").help("Browser.").readonly(),
        selection("device_type", "Type", &[("computer", "Computer"), ("mobile", "Mobile")])
            .help("What it looks like.")
            .readonly(),
        char("ip_address", "IP Address").help("Where it was seen last.").readonly(),
        datetime("first_activity", "First Activity").help("When it was seen first.").readonly(),
        datetime("last_activity", "Last Activity").help("When it was seen last.").readonly(),
        boolean("revoked", "Revoked")
            .help("Its refresh tokens are refused until the user signs in anew from it.")
            .expression("({t}.revoked_at IS NOT NULL)"),
        datetime("revoked_at", "Revoked on").help("When it was revoked.").readonly(),
        one2many("authorization_ids", "Authorizations", "orest.authorization", "device_id")
            .help("Who may act from it."),
    ],
    access: &[Access { group: Some(Group::User), read: true, write: true, create: false, unlink: false }],
    rules: &[
        Rule { group: Group::OrestAdmin, name: "REST API Admin: all devices", domain: "[]" },
        Rule { group: Group::User, name: "Users: own devices", domain: r#"[["user_id", "=", "{uid}"]]"# },
    ],
    unique: &[],
};

//! The forms by which a user makes an API key: `res.users.apikeys.description`, `res.users.identitycheck` and
//! `res.users.apikeys.show`. Their records live for a moment; see [`crate::orm::transient`].

use crate::domain::user::Group;
use crate::orm::field::{Access, Model, Storage, char, datetime, selection};

/// What a new API key is to be.
pub const APIKEY_DESCRIPTION: Model = Model {
    id: 31,
    name: "res.users.apikeys.description",
    label: "API Key Description",
    order: "id",
    rec_name: "name",
    storage: Storage::Transient,
    own_fields: &[
        char("name", "Description").help("What the key is for.").required(),
        selection(
            "duration",
            "Duration",
            &[
                ("1", "1 Day"),
                ("7", "1 Week"),
                ("30", "1 Month"),
                ("90", "3 Months"),
                ("180", "6 Months"),
                ("365", "1 Year"),
                ("0", "Persistent Key"),
                ("-1", "Custom Date"),
            ],
        )
        .help("How long the key lives.")
        .required()
        .default("\"1\""),
        datetime("expiration_date", "Expiration Date").help("When it ends, if the duration is a custom date."),
    ],
    access: &[Access::full(Group::User)],
    rules: &[],
    unique: &[],
};

/// A question for the password, before something sensitive is done.
pub const IDENTITY_CHECK: Model = Model {
    id: 32,
    name: "res.users.identitycheck",
    label: "Password Check Wizard",
    order: "id",
    rec_name: "id",
    storage: Storage::Transient,
    own_fields: &[
        selection("auth_method", "Auth Method", &[("password", "Password")])
            .help("How the user proves who he is.")
            .default("\"password\""),
        char("password", "Password").help("Set only; reads as empty.").write_only(),
    ],
    access: &[Access::full(Group::User)],
    rules: &[],
    unique: &[],
};

/// The new key, shown once. It travels in the action's context: it is stored nowhere, and no field holds a secret.
pub const APIKEY_SHOW: Model = Model {
    id: 33,
    name: "res.users.apikeys.show",
    label: "Show API Key",
    order: "id",
    rec_name: "id",
    storage: Storage::Transient,
    own_fields: &[],
    access: &[Access { group: Some(Group::User), read: true, write: false, create: false, unlink: false }],
    rules: &[],
    unique: &[],
};

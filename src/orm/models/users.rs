//! `res.users` (the part that matters), `orest.identity` and `res.users.apikeys`.

use crate::domain::user::Group;
use crate::orm::field::{
    Access, Field, Kind, Model, Rule, Storage, Unique, boolean, char, datetime, many2one, one2many, selection,
};

/// A person or a service account.
pub const USERS: Model = Model {
    id: 9,
    name: "res.users",
    label: "User",
    order: "name, login",
    rec_name: "name",
    storage: Storage::Table { name: "res_users", log_access: true },
    own_fields: &[
        char("name", "Name").help("What people call him.").required(),
        char("login", "Login").help("What he signs in with.").required().in_name_search(),
        char("email", "Email").help("Where to write to him."),
        boolean("active", "Active")
            .help("A disabled user can't sign in, and nothing acts for him, until he is enabled.")
            .default("true"),
        selection("state", "Status", &[("pending", "Pending"), ("confirmed", "Confirmed")])
            .help("A pending user has registered but can't sign in yet.")
            .required()
            .default("\"confirmed\""),
        char("lang", "Language").help("The language of what he reads.").default("\"en_US\""),
        char("tz", "Timezone").help("Where he is."),
        char("password", "Password").help("Set only; reads as empty.").write_only(),
        boolean("share", "Share User").help("Whether he is an outside user.").expression(
            "(NOT EXISTS (SELECT 1 FROM res_groups_users_rel g WHERE g.uid = {t}.id AND g.gid IN (1, 4, 5, 6)))",
        ),
        many2one("company_id", "Company", "res.company").help("The one company.").expression("CAST(1 AS BIGINT)"),
        char("user_uid", "User UUID")
            .help("Names him for the Access API; it stays his, also when the data move to another database.")
            .expression(
                "(SELECT substr(f.service_uuid, 1, 24) || substr('000000000000' || {t}.id, length('000000000000' || {t}.id) - 11) \
                 FROM orest_feed f WHERE f.id = 1)",
            )
            .only(Group::OrestAdmin),
        datetime("login_date", "Latest Login").help("When he signed in last.").readonly(),
        Field::new(
            "group_ids",
            Kind::Many2many { model: "res.groups", relation: "res_groups_users_rel", own: "uid", other: "gid" },
            "Groups",
        )
        .help("What he may do.")
        .only(Group::ErpManager),
        one2many("identity_ids", "Identities", "orest.identity", "user_id").help("How he signs in.").editable(),
        one2many("device_ids", "Devices", "orest.device", "user_id").help("Where he signed in from."),
        one2many("authorization_ids", "REST API Authorizations", "orest.authorization", "user_id")
            .help("Which applications may act for him."),
        one2many("api_key_ids", "API Keys", "res.users.apikeys", "user_id").help("His keys."),
    ],
    access: &[
        Access::full(Group::ErpManager),
        Access { group: Some(Group::User), read: true, write: true, create: false, unlink: false },
        Access::read(Group::OrestAdmin),
    ],
    rules: &[
        Rule { group: Group::ErpManager, name: "Access Rights: all users", domain: "[]" },
        Rule { group: Group::OrestAdmin, name: "REST API Admin: all users", domain: "[]" },
        Rule { group: Group::User, name: "Users: themselves", domain: r#"[["id", "=", "{uid}"]]"# },
    ],
    unique: &[Unique { columns: "res_users.login", message: "You can not have two users with the same login!" }],
};

/// How a user signs in.
pub const IDENTITY: Model = Model {
    id: 10,
    name: "orest.identity",
    label: "Identity",
    order: "provider, subject",
    rec_name: "subject",
    storage: Storage::Table { name: "orest_identity", log_access: true },
    own_fields: &[
        many2one("user_id", "User", "res.users").help("Whose it is.").required(),
        char("provider", "Provider").help("The provider's type, such as local-userpass.").required(),
        char("subject", "Subject").help("Who he is for the provider.").required(),
        many2one("application_id", "Application", "orest.application")
            .help("For which application he was registered; empty: for none in particular."),
    ],
    access: &[Access::full(Group::ErpManager), Access::read(Group::User)],
    rules: &[
        Rule { group: Group::ErpManager, name: "Access Rights: all identities", domain: "[]" },
        Rule { group: Group::User, name: "Users: own identities", domain: r#"[["user_id", "=", "{uid}"]]"# },
    ],
    unique: &[Unique {
        columns: "orest_identity.provider, orest_identity.subject",
        message: "This identity belongs to a user already.",
    }],
};

/// An API key. The key itself is stored hashed and is no field; it is made by `make_key` and shown once.
pub const APIKEYS: Model = Model {
    id: 11,
    name: "res.users.apikeys",
    label: "Users API Keys",
    order: "id",
    rec_name: "name",
    storage: Storage::Table { name: "res_users_apikeys", log_access: false },
    own_fields: &[
        char("name", "Description").help("What it is for.").required().readonly(),
        many2one("user_id", "User", "res.users").help("For whom it acts.").readonly(),
        char("scope", "Scope").help("What it is good for; empty: everything.").readonly(),
        datetime("create_date", "Creation Date").help("When it was made.").readonly(),
        datetime("expiration_date", "Expiration Date").help("When it ends; empty: never.").readonly(),
    ],
    access: &[Access::read(Group::User)],
    rules: &[
        Rule { group: Group::System, name: "Administrators: all keys", domain: "[]" },
        Rule { group: Group::User, name: "Users: own keys", domain: r#"[["user_id", "=", "{uid}"]]"# },
    ],
    unique: &[],
};

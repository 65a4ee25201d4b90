//! `orest.authorization`, the record that is shown and revoked, and `orest.authorization.code`.

use crate::domain::user::Group;
use crate::orm::field::{
    Access, Model, Rule, Storage, boolean, char, datetime, integer, many2one, one2many, selection,
};

/// "This application may act for this user from this device."
///
/// It is made by the OAuth grants and ended by [`crate::service`]'s revoke; nobody writes to it.
pub const AUTHORIZATION: Model = Model {
    id: 3,
    name: "orest.authorization",
    label: "REST API Authorization",
    order: "create_date desc, id desc",
    rec_name: "display_name",
    storage: Storage::Table { name: "orest_authorization", log_access: true },
    own_fields: &[
        char("display_name", "Display Name").help("Application and user.").expression(
            "((SELECT a.name FROM orest_application a WHERE a.id = {t}.application_id) || COALESCE(' - ' || (SELECT u.name FROM res_users u WHERE u.id = {t}.user_id), ''))",
        ),
        boolean("active", "Active").help("Off: thrown in the waste bin. It was revoked then, and stays for the log.").readonly(),
        many2one("application_id", "Application", "orest.application").help("Who may act.").readonly(),
        many2one("user_id", "User", "res.users").help("For whom; nobody: the application acts in its own name.").readonly(),
        many2one("device_id", "Device", "orest.device").help("Where the user signed in from when he consented.").readonly(),
        selection("grant_type", "Grant", &[
            ("authorization_code", "Authorization code"),
            ("client_credentials", "Client credentials"),
            ("gateway", "Gateway session"),
            ("password", "Admin API session"),
        ]).help("How it came to be.").readonly(),
        char("scope", "Scopes").help("What was granted, separated by spaces.").readonly(),
        char("redirect_uri", "Application URI").help("Where the answer went.").readonly(),
        selection("state", "State", &[("live", "Live"), ("expired", "Expired"), ("revoked", "Revoked")])
            .help("Live: its tokens are accepted. Expired: its last token has ended. Revoked: taken back.")
            // as one range of orest_authorization_state_idx each
            .cases(&[
                ("live", "{t}.revoked_at IS NULL AND COALESCE({t}.expires_at, '9999-12-31 23:59:59') > {now}"),
                ("expired", "{t}.revoked_at IS NULL AND COALESCE({t}.expires_at, '9999-12-31 23:59:59') <= {now}"),
                ("revoked", "{t}.revoked_at IS NOT NULL"),
            ]),
        datetime("expires_at", "Expires on").help("When its last token ends; empty: never.").readonly(),
        datetime("last_used_at", "Last used on").help("The last time that one of its tokens was accepted, to the minute.").readonly(),
        datetime("last_refreshed_at", "Last refreshed on").help("The last time that its refresh token was exchanged.").readonly(),
        integer("generation", "Generation").help("How often its refresh token was exchanged.").readonly(),
        datetime("revoked_at", "Revoked on").help("When it was taken back.").readonly(),
        many2one("revoked_by", "Revoked by", "res.users").help("Who took it back; empty: the service itself, or its application.")
            .expression("(SELECT r.user_id FROM orest_revocation r WHERE r.id = {t}.revocation_id)"),
        many2one("revocation_id", "Revocation", "orest.revocation").help("The act that took it back.").readonly(),
        one2many("code_ids", "Authorization Codes", "orest.authorization.code", "authorization_id").help("The codes that were given for it.").only(Group::OrestAdmin),
    ],
    access: &[Access::read_unlink(Group::User)],
    rules: &[
        Rule { group: Group::OrestAdmin, name: "REST API Admin: all authorizations", domain: "[]" },
        Rule { group: Group::User, name: "Users: own authorizations", domain: r#"[["user_id", "=", "{uid}"]]"# },
    ],
    unique: &[],
};

/// A one-time code of the code grant. The code itself is stored hashed and is no field.
pub const AUTHORIZATION_CODE: Model = Model {
    id: 4,
    name: "orest.authorization.code",
    label: "REST API Authorization Code",
    order: "create_date desc, id desc",
    rec_name: "display_name",
    storage: Storage::Table { name: "orest_authorization_code", log_access: true },
    own_fields: &[
        char("display_name", "Display Name").help("Its number.").expression("('#' || {t}.id)"),
        boolean("active", "Active").help("Off: used or revoked.").readonly(),
        many2one("authorization_id", "Authorization", "orest.authorization")
            .help("What it is exchanged for.")
            .readonly(),
        char("redirect_uri", "Application URI").help("Where it was sent.").readonly(),
        datetime("expires_at", "Expires on").help("When it can no longer be exchanged.").readonly(),
        datetime("used_at", "Used on").help("When it was exchanged.").readonly(),
        datetime("purge_at", "Purged on").help("When this record goes.").readonly(),
    ],
    access: &[Access::read(Group::OrestAdmin)],
    rules: &[],
    unique: &[],
};

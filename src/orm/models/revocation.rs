//! `orest.revocation`: one act, written once.

use crate::domain::user::Group;
use crate::orm::field::{
    Access, Model, Rule, Storage, boolean, char, datetime, integer, many2one, one2many, selection, text,
};

/// Who revoked how many authorizations, when, through which door and why.
pub const REVOCATION: Model = Model {
    id: 6,
    name: "orest.revocation",
    label: "Revocation",
    order: "sequence desc",
    rec_name: "display_name",
    storage: Storage::Table { name: "orest_revocation", log_access: false },
    own_fields: &[
        char("display_name", "Display Name")
            .help("Its number in the order of commitment.")
            .expression("('#' || {t}.sequence)"),
        integer("sequence", "Sequence").help("The order in which acts were committed.").readonly(),
        selection("kind", "Kind", &[("revoke", "Revoke"), ("undo", "Undo")])
            .help("Whether it revoked, or took a revocation back.")
            .readonly(),
        many2one("undoes_id", "Undoes", "orest.revocation").help("The act that it took back.").readonly(),
        boolean("undone", "Undone")
            .help("Whether it has been taken back.")
            .expression("(EXISTS (SELECT 1 FROM orest_revocation o WHERE o.undoes_id = {t}.id))"),
        datetime("create_date", "Date").help("When.").readonly(),
        many2one("user_id", "Actor", "res.users")
            .help("Who; empty: the service itself, or an application.")
            .readonly()
            .loose(),
        char("user_login", "Login").help("His login at that time, or the client_id.").readonly(),
        char("ip_address", "IP Address").help("From where.").readonly().only(Group::OrestAdmin),
        char("channel", "Door").help("Through which door.").readonly(),
        selection(
            "initiating_entity",
            "Initiated by",
            &[("admin", "Administrator"), ("user", "User"), ("policy", "Policy"), ("system", "System")],
        )
        .help("OpenID CAEP 1.0, session-revoked.")
        .readonly(),
        text("reason_admin", "Reason").help("Why, for administrators.").readonly().only(Group::OrestAdmin),
        text("reason_user", "Reason for users").help("Why, for those whom it touches.").readonly(),
        text("selection", "Selection").help("What it was aimed at.").readonly().only(Group::OrestAdmin),
        integer("requested", "Requested").help("How many authorizations it was aimed at.").readonly(),
        integer("revoked", "Revoked").help("How many of these it revoked; for an undo, made live again.").readonly(),
        integer("already_revoked", "Already revoked").help("How many of these were revoked before.").readonly(),
        one2many("authorization_ids", "Authorizations", "orest.authorization", "revocation_id")
            .help("What it revoked, and has not been undone since."),
    ],
    access: &[Access::read(Group::User)],
    rules: &[
        Rule { group: Group::OrestAdmin, name: "REST API Admin: all revocations", domain: "[]" },
        Rule {
            group: Group::User,
            name: "Users: own acts, and what touched them",
            domain: r#"["|", ["user_id", "=", "{uid}"], ["authorization_ids.user_id", "=", "{uid}"]]"#,
        },
    ],
    unique: &[],
};

//! `orest.application` and `orest.application.uri`: who may ask for access, and where answers may go.

use crate::domain::user::Group;
use crate::orm::field::{
    Access, Model, Rule, Storage, Unique, binary, boolean, char, integer, many2one, one2many, text,
};

/// An OAuth client. `client_secret` is shown once, by `action_generate_secret`, and is no field.
pub const APPLICATION: Model = Model {
    id: 1,
    name: "orest.application",
    label: "REST API Application",
    order: "name",
    rec_name: "name",
    storage: Storage::Table { name: "orest_application", log_access: true },
    own_fields: &[
        char("name", "Name").help("What users read on the consent page.").required(),
        text("description", "Description").help("What the application does, for the administrators who come later."),
        boolean("active", "Active")
            .help("An archived application is refused everywhere, until it is unarchived.")
            .default("true"),
        binary("image", "Logo").help("Shown on the consent page; a PNG, JPEG or WebP file of 256 kB at most."),
        char("client_id", "Client ID")
            .help("The OAuth client_id; made here if left empty.")
            .create_only()
            .in_name_search(),
        char("client_app_id", "App ID")
            .help(
                "What App Services' clients and the command line call it; made here, and the same under another name.",
            )
            .readonly(),
        boolean("is_public", "Public client")
            .help("Has no secret (a browser or phone application) and must use PKCE.")
            .expression("({t}.client_secret_hash IS NULL)"),
        char("scope", "Scopes").help("All scopes that it may ask for, separated by spaces."),
        many2one("user_id", "Acts for", "res.users")
            .help("Whom tokens of the client_credentials grant act for; nobody: the application itself."),
        many2one("model_scheme_id", "Model Scheme", "orest.model.scheme")
            .help("Which models and fields it may touch; given out by introspection."),
        one2many("uri_ids", "URIs", "orest.application.uri", "application_id")
            .help("The callback addresses; compared character by character.")
            .editable(),
        integer("authorization_code_expiry", "Authorization Code Expiry")
            .help("Seconds in which a code must be exchanged.")
            .required()
            .default("600"),
        integer("authorization_code_retain", "Authorization Code Retain")
            .help("Days for which a used or expired code is kept; 0: only as long as it could be replayed.")
            .default("0"),
        integer("access_token_expiry", "Access Token Expiry").help("Seconds.").required().default("3600"),
        integer("refresh_token_expiry", "Refresh Token Expiry").help("Seconds; 0: never.").default("0"),
        one2many("authorization_ids", "Authorizations", "orest.authorization", "application_id").help("Who let it in."),
    ],
    access: &[Access::full(Group::OrestAdmin), Access::read(Group::User)],
    rules: &[
        Rule { group: Group::OrestAdmin, name: "REST API Admin: all applications", domain: "[]" },
        Rule {
            group: Group::User,
            name: "Users: applications that they let in",
            domain: r#"[["authorization_ids.user_id", "=", "{uid}"]]"#,
        },
    ],
    unique: &[
        Unique { columns: "orest_application.name", message: "An application with this name exists already." },
        Unique {
            columns: "orest_application.client_id",
            message: "An application with this client ID exists already.",
        },
        Unique {
            columns: "orest_application.client_app_id",
            message: "An application with this app ID exists already.",
        },
    ],
};

/// A callback address (RFC 6749 section 3.1.2).
pub const APPLICATION_URI: Model = Model {
    id: 2,
    name: "orest.application.uri",
    label: "REST API Application URI",
    order: "uri",
    rec_name: "uri",
    storage: Storage::Table { name: "orest_application_uri", log_access: true },
    own_fields: &[
        many2one("application_id", "Application", "orest.application").help("Whose address it is.").required(),
        char("uri", "URI")
            .help(
                "Absolute, without fragment; https, or http to the own machine, or a scheme of the application's own.",
            )
            .required(),
        text("description", "Description").help("What answers there."),
        boolean("active", "Active").help("An archived address is refused.").default("true"),
    ],
    access: &[Access::full(Group::OrestAdmin)],
    rules: &[],
    unique: &[Unique { columns: "orest_application_uri.uri", message: "This URI is registered already." }],
};

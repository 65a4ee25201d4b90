//! What goes out, by App Services' names. Moments are Unix seconds, ids 24 hexadecimal digits.

use serde::Serialize;
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::path::GROUP;
use crate::domain::identity::{API_KEY, LOCAL_USERPASS, PROVIDERS};
use crate::domain::object_id::object_id;
use crate::domain::time::unix;
use crate::service::admin_sessions::NewAdminSession;
use crate::service::app_services as service;

/// What is refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminErrorBody {
    /// For people.
    pub error: String,
    /// For programs.
    pub error_code: String,
}

/// What any call may be refused with.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes the answers")]
pub enum AdminRefusals {
    /// Refused
    #[response(status = "4XX")]
    Refused(AdminErrorBody),
    /// The database can't answer, or a node has not confirmed it
    #[response(status = 503)]
    Unavailable(AdminErrorBody),
}

/// Who signs in: by `apiKey` at `mongodb-cloud`, by `password` at `local-userpass`.
#[derive(Debug, ToSchema)]
#[allow(dead_code, non_snake_case, reason = "describes the body")]
pub struct Credentials {
    /// His login.
    username: String,
    /// An API key of his, of scope `rpc` or of none.
    apiKey: Option<String>,
    /// His password.
    password: Option<String>,
}

/// A session that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct Login {
    /// To be presented with each call.
    pub access_token: String,
    /// For the next access token.
    pub refresh_token: String,
    /// Who signed in.
    pub user_id: String,
    /// From where.
    pub device_id: String,
}

impl From<NewAdminSession> for Login {
    fn from(session: NewAdminSession) -> Self {
        Self {
            access_token: session.access.reveal().to_owned(),
            refresh_token: session.refresh.reveal().to_owned(),
            user_id: object_id(session.user.id.0),
            device_id: object_id(session.device.0),
        }
    }
}

/// Another access token.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessToken {
    /// To be presented with each call.
    pub access_token: String,
}

/// Who has signed in, and in which project he may do what.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    /// Who.
    pub user_id: String,
    /// How he signs in.
    pub identities: Vec<Identity>,
    /// How to call and reach him.
    pub data: UserData,
    /// Always `normal`.
    #[serde(rename = "type")]
    pub user_type: &'static str,
    /// One: there is one project.
    pub roles: Vec<Role>,
}

/// What somebody may do in a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct Role {
    /// Which project.
    pub group_id: String,
    /// `GROUP_OWNER`, or `GROUP_READ_ONLY` for who may read and revoke, but not change users.
    pub role_name: &'static str,
}

impl Profile {
    /// Of the caller; `manages`: whether he may change users.
    pub fn of(user: &service::AppUser, manages: bool) -> Self {
        let role_name = if manages { "GROUP_OWNER" } else { "GROUP_READ_ONLY" };
        Self {
            user_id: object_id(user.id.0),
            identities: identities(user),
            data: UserData::of(user),
            user_type: "normal",
            roles: vec![Role { group_id: object_id(GROUP), role_name }],
        }
    }
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
pub struct App {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// How people call it in scripts.
    pub client_app_id: String,
    /// What users read.
    pub name: String,
    /// The project.
    pub group_id: String,
    /// Always [`PRODUCT`].
    pub product: &'static str,
    /// When its record last changed.
    pub last_modified: i64,
}

/// The product that every application is listed under, and under no other.
pub const PRODUCT: &str = "atlas";
/// The products that clients ask for.
pub const PRODUCTS: [&str; 5] = ["standard", PRODUCT, "data-api", "device-sync", "charts"];

impl From<service::App> for App {
    fn from(app: service::App) -> Self {
        Self {
            id: object_id(app.id.0),
            client_app_id: app.client_app_id,
            name: app.name,
            group_id: object_id(GROUP),
            product: PRODUCT,
            last_modified: unix(app.changed_at),
        }
    }
}

/// One of an application's users.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    /// His id.
    #[serde(rename = "_id")]
    pub id: String,
    /// `server` for who signs in with a key, else `normal`.
    #[serde(rename = "type")]
    pub user_type: &'static str,
    /// How he signs in.
    pub identities: Vec<Identity>,
    /// How to call and reach him.
    pub data: UserData,
    /// Whether he can't sign in.
    pub disabled: bool,
    /// When he was made.
    pub creation_date: i64,
    /// When he signed in last; 0: never.
    pub last_authentication_date: i64,
}

/// A user to be made.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body")]
pub struct NewUser {
    /// What he signs in with, and where to write to him.
    email: String,
    /// His password.
    password: String,
}

/// Which users are listed, and in which order.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query")]
pub struct UserListQuery {
    /// `enabled` or `disabled`; both if it is left out.
    status: Option<String>,
    /// Types of providers, separated by commas: those with an identity of one of them.
    provider_types: Option<String>,
    /// The `_id` of users, separated by commas, 50 at most: those of them who are the app's, pending or not. An addition of
    /// this service's.
    ids: Option<String>,
    /// The `_id` of the last user of the page before.
    after: Option<String>,
    /// `_id`, `creation_date` or `last_authentication_date`.
    sort: Option<String>,
    /// The last first.
    desc: Option<bool>,
}

/// How to call and reach a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserData {
    /// His e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What people call him.
    pub name: String,
}

impl UserData {
    fn of(user: &service::AppUser) -> Self {
        Self { email: user.address().map(str::to_owned), name: user.name.clone() }
    }
}

/// How a user signs in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// The provider's type.
    pub provider_type: String,
    /// The provider's id.
    pub provider_id: String,
    /// Who he is for the provider.
    pub provider_data: ProviderData,
}

/// Who a user is for a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderData {
    /// By password: what he signs in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// By key: what the key is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Else: the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

impl From<service::AppUser> for User {
    fn from(user: service::AppUser) -> Self {
        Self {
            id: object_id(user.id.0),
            user_type: if user.is_server() { "server" } else { "normal" },
            identities: identities(&user),
            data: UserData::of(&user),
            disabled: !user.active,
            creation_date: unix(user.created_at),
            last_authentication_date: user.signed_in_at.map_or(0, unix),
        }
    }
}

fn identities(user: &service::AppUser) -> Vec<Identity> {
    let one = |identity: &service::Identity| {
        let subject = || Some(identity.subject.clone());
        let place = PROVIDERS.iter().position(|own| *own == identity.provider);
        let nothing = ProviderData { email: None, name: None, subject: None };
        Identity {
            id: object_id(identity.id),
            provider_type: identity.provider.clone(),
            provider_id: object_id(place.map_or(0, |place| i64::try_from(place + 1).unwrap_or(0))),
            provider_data: match identity.provider.as_str() {
                LOCAL_USERPASS => ProviderData { email: subject(), ..nothing },
                API_KEY => ProviderData { name: Some(user.name.clone()), ..nothing },
                _ => ProviderData { subject: subject(), ..nothing },
            },
        }
    };
    user.identities.iter().map(one).collect()
}

/// Where a user signed in from.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// For people: "Firefox on Linux".
    pub name: String,
    /// Operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// Where it was seen last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// When it was seen first.
    pub first_activity: i64,
    /// When it was seen last.
    pub last_activity: i64,
    /// Whether its refresh tokens are refused until he signs in anew from it.
    pub revoked: bool,
}

impl From<service::AppDevice> for Device {
    fn from(device: service::AppDevice) -> Self {
        Self {
            id: object_id(device.id),
            name: device.name,
            platform: device.platform,
            browser: device.browser,
            ip_address: device.ip_address,
            first_activity: unix(device.first_activity),
            last_activity: unix(device.last_activity),
            revoked: device.revoked_at.is_some(),
        }
    }
}

/// A key to be made.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body")]
pub struct NewApiKey {
    /// What it is for.
    name: String,
}

/// A key of an application.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKey {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whether it is refused.
    pub disabled: bool,
    /// The key itself: when it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl From<service::AppKey> for ApiKey {
    fn from(key: service::AppKey) -> Self {
        Self { id: object_id(key.id), name: key.name, disabled: !key.active, key: None }
    }
}

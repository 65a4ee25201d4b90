//! Applications, their users and their keys, as the App Services Admin API has them.
//!
//! A user is one of an application's if he has ever let it in or was registered for it. Reading them, and ending what acts for
//! one, is for members of "REST API Admin"; changing users is in [`super::records`], with the rights of any other door.

use super::records::RecordError;
use super::revoke::RevokeOptions;
use super::{Context, Error, Service};
use crate::domain::application::client_app_id;
use crate::domain::identity::{API_KEY, LOCAL_USERPASS};
use crate::domain::ids::{ApplicationId, UserId};
use crate::domain::selection::Selection;
use crate::domain::time::Timestamp;
use crate::limits;
use crate::orm::error::OdooError;
use crate::service::admin_sessions::ADMIN_API;
use crate::store::app_services::{self, AppRow, IdentityRow, UserRow};
use crate::store::{Connection, StoreError, Tx};

pub use crate::store::app_services::{DeviceRow as AppDevice, KeyRow as AppKey, UserOrder, UserQuery};

/// Why it was not done, or what is not there.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No such application.
    #[error("the app does not exist")]
    App,
    /// None of its users.
    #[error("the user does not exist, or is none of this app's")]
    User,
    /// None of its keys.
    #[error("the API key does not exist, or is none of this app's")]
    Key,
    /// The user behind whom a page begins is gone, and in this order it can't be said who comes next.
    #[error("the user behind whom the page begins is gone: begin anew, or sort by _id")]
    After,
    /// Somebody has this login.
    #[error("the name '{0}' is in use already")]
    NameInUse(String),
    /// As other doors say it.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        Self::Record(error.into())
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        Self::Record(error.into())
    }
}

impl From<OdooError> for AppError {
    fn from(error: OdooError) -> Self {
        Self::Record(error.into())
    }
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its row.
    pub id: ApplicationId,
    /// What users read.
    pub name: String,
    /// How App Services' clients call it.
    pub client_app_id: String,
    /// When its record last changed.
    pub changed_at: Timestamp,
}

/// One of an application's users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppUser {
    /// His row.
    pub id: UserId,
    /// What people call him.
    pub name: String,
    /// What he signs in with.
    pub login: String,
    /// Where to write to him.
    pub email: Option<String>,
    /// Whether he is enabled.
    pub active: bool,
    /// Whether he has registered and is not confirmed.
    pub pending: bool,
    /// When he was made.
    pub created_at: Timestamp,
    /// When he signed in last.
    pub signed_in_at: Option<Timestamp>,
    /// How he signs in, here or anywhere.
    pub identities: Vec<Identity>,
}

/// How a user signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its row.
    pub id: i64,
    /// The provider's type.
    pub provider: String,
    /// Who he is for the provider.
    pub subject: String,
}

impl AppUser {
    /// Whether he is a program that signs in with a key.
    pub fn is_server(&self) -> bool {
        self.identities.iter().any(|identity| identity.provider == API_KEY)
    }

    /// His e-mail address: the one of his record, or else his login if that is how he signs in.
    pub fn address(&self) -> Option<&str> {
        let own = self.email.as_deref().filter(|email| !email.is_empty());
        let by_password = || self.identities.iter().any(|identity| identity.provider == LOCAL_USERPASS);
        own.or_else(|| by_password().then_some(self.login.as_str()))
    }

    pub(super) fn of(row: UserRow, identities: Vec<Identity>) -> Self {
        Self {
            id: UserId(row.id),
            name: row.name,
            login: row.login,
            email: row.email,
            active: row.active,
            pending: row.state == "pending",
            created_at: row.create_date,
            signed_in_at: row.login_date,
            identities,
        }
    }
}

impl Identity {
    fn of(row: IdentityRow) -> Self {
        Self { id: row.id, provider: row.provider, subject: row.subject }
    }
}

/// Everything here is for administrators of the oREST records; who may change users is asked beside it.
pub(super) fn check_administrator(context: &Context) -> Result<(), Error> {
    if context.actor.is_orest_admin() {
        return Ok(());
    }
    Err(Error::Forbidden("only members of the group REST API Admin may do this".to_owned()))
}

/// The application, which must be there. Administrators' own sessions at the Admin API are no app's.
pub(super) fn find_app(connection: &mut Connection, id: ApplicationId) -> Result<AppRow, AppError> {
    let found = app_services::find_app(connection, id)?.filter(|row| row.client_id != ADMIN_API.client_id);
    found.ok_or(AppError::App)
}

/// The user, who must be one of the application's.
pub(super) fn find_user(connection: &mut Connection, app: ApplicationId, id: UserId) -> Result<UserRow, AppError> {
    find_app(connection, app)?;
    app_services::find_user(connection, app, id)?.ok_or(AppError::User)
}

/// The key, which must be one of the application's.
pub(super) fn find_key(connection: &mut Connection, app: ApplicationId, id: i64) -> Result<AppKey, AppError> {
    find_app(connection, app)?;
    app_services::find_key(connection, app, id)?.ok_or(AppError::Key)
}

/// The application's only pending user whom this e-mail address names.
pub(super) fn find_pending(connection: &mut Connection, app: ApplicationId, email: &str) -> Result<UserId, AppError> {
    find_app(connection, app)?;
    match app_services::list_pending_by_email(connection, app, email)?.as_slice() {
        [id] => Ok(*id),
        [] => Err(AppError::User),
        many => {
            let message = format!("{} pending users have the address '{email}': name one by his id", many.len());
            Err(Error::invalid("email", message).into())
        }
    }
}

/// That this is one of the application's pending users still, and has this e-mail address.
pub(super) fn check_pending(
    connection: &mut Connection,
    app: ApplicationId,
    id: UserId,
    email: &str,
) -> Result<(), AppError> {
    let row = find_user(connection, app, id)?;
    let has_it = row.login == email || row.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email));
    if row.state == "pending" && has_it { Ok(()) } else { Err(AppError::User) }
}

/// With how each signs in.
fn complete(
    connection: &mut Connection,
    app: Option<ApplicationId>,
    rows: Vec<UserRow>,
) -> Result<Vec<AppUser>, StoreError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let identities = app_services::list_identities(connection, app, &ids)?;
    let users = rows.into_iter().map(|row| {
        let own = identities.iter().filter(|identity| identity.user_id == row.id).cloned();
        let own = own.map(Identity::of).collect();
        AppUser::of(row, own)
    });
    Ok(users.collect())
}

impl Service {
    /// The applications that are not archived, in the order in which they were made.
    pub async fn apps(&self, context: &Context) -> Result<Vec<App>, AppError> {
        check_administrator(context)?;
        let rows = self.store.read(app_services::list_apps).await?;
        let rows = rows.into_iter().filter(|row| row.client_id != ADMIN_API.client_id);
        self.named(rows.collect()).await
    }

    /// An application.
    ///
    /// # Errors
    /// [`AppError::App`]: there is none, or it is archived.
    pub async fn app(&self, context: &Context, id: ApplicationId) -> Result<App, AppError> {
        check_administrator(context)?;
        let row = self.store.read(move |connection| find_app(connection, id)).await?;
        self.named(vec![row]).await?.pop().ok_or(AppError::App)
    }

    /// One page of an application's users.
    ///
    /// # Errors
    /// [`AppError::After`]
    pub async fn app_users(
        &self,
        context: &Context,
        app: ApplicationId,
        query: UserQuery,
    ) -> Result<Vec<AppUser>, AppError> {
        check_administrator(context)?;
        self.store
            .read(move |connection| {
                find_app(connection, app)?;
                let rows = app_services::list_users(connection, app, &query)?.ok_or(AppError::After)?;
                Ok(complete(connection, Some(app), rows)?)
            })
            .await
    }

    /// One of an application's users, pending or not.
    ///
    /// # Errors
    /// [`AppError::User`]
    pub async fn app_user(&self, context: &Context, app: ApplicationId, id: UserId) -> Result<AppUser, AppError> {
        check_administrator(context)?;
        let found = self.store.read(move |connection| {
            let row = find_user(connection, app, id)?;
            Ok::<_, AppError>(complete(connection, Some(app), vec![row])?)
        });
        found.await?.pop().ok_or(AppError::User)
    }

    /// Where one of an application's users signed in from.
    pub async fn app_user_devices(
        &self,
        context: &Context,
        app: ApplicationId,
        id: UserId,
    ) -> Result<Vec<AppDevice>, AppError> {
        check_administrator(context)?;
        self.store
            .read(move |connection| {
                find_user(connection, app, id)?;
                Ok(app_services::list_devices(connection, id, limits::APP_DEVICES_MAX)?)
            })
            .await
    }

    /// The keys of an application, in the order in which they were made.
    pub async fn app_keys(&self, context: &Context, app: ApplicationId) -> Result<Vec<AppKey>, AppError> {
        check_administrator(context)?;
        self.store
            .read(move |connection| {
                find_app(connection, app)?;
                Ok(app_services::list_keys(connection, app)?)
            })
            .await
    }

    /// A key of an application.
    ///
    /// # Errors
    /// [`AppError::Key`]
    pub async fn app_key(&self, context: &Context, app: ApplicationId, id: i64) -> Result<AppKey, AppError> {
        check_administrator(context)?;
        self.store.read(move |connection| find_key(connection, app, id)).await
    }

    /// Revokes all that lets an application act for one of its users, in one act. He may let it in anew.
    ///
    /// # Errors
    /// [`Error::Unconfirmed`]: it is done, and a node may not know yet.
    pub async fn log_out_app_user(&self, context: &Context, app: ApplicationId, id: UserId) -> Result<(), AppError> {
        check_administrator(context)?;
        self.store.read(move |connection| find_user(connection, app, id)).await?;
        let selection = Selection::UserOfApplication(id, app);
        let receipt = self.revoke(context, selection, RevokeOptions::default()).await?;
        Ok(self.check_confirmed(&receipt)?)
    }

    /// What is known of the caller himself, for his profile.
    ///
    /// # Errors
    /// [`AppError::User`]: he is no user.
    pub async fn own_profile(&self, context: &Context) -> Result<AppUser, AppError> {
        let id = context.actor.user.ok_or(AppError::User)?;
        let found = self.store.read(move |connection| {
            let row = app_services::find_row(connection, id)?.ok_or(AppError::User)?;
            Ok::<_, AppError>(complete(connection, None, vec![row])?)
        });
        found.await?.pop().ok_or(AppError::User)
    }

    /// Gives a `client_app_id` to each application that has none: those of older versions, and the built-in ones.
    pub async fn ensure_client_app_ids(&self) -> Result<(), Error> {
        let service = self.clone();
        self.write(move |tx| {
            for (id, name) in app_services::list_without_client_app_id(tx.connection)? {
                let made = service.new_client_app_id_in(tx, &name)?;
                app_services::set_client_app_id(tx.connection, id, &made)?;
            }
            Ok(())
        })
        .await
    }

    /// A `client_app_id` that no application has.
    pub(super) fn new_client_app_id_in(&self, tx: &mut Tx<'_>, name: &str) -> Result<String, StoreError> {
        loop {
            let made = client_app_id(name, self.entropy.as_ref());
            if !app_services::has_client_app_id(tx.connection, &made)? {
                return Ok(made);
            }
        }
    }

    /// Each with its `client_app_id`, which is made now where there is none.
    async fn named(&self, mut rows: Vec<AppRow>) -> Result<Vec<App>, AppError> {
        if rows.iter().any(|row| row.client_app_id.is_none()) {
            self.ensure_client_app_ids().await?;
            let again = move |connection: &mut Connection| {
                let found = rows.iter().map(|row| app_services::find_app(connection, ApplicationId(row.id)));
                found.filter_map(Result::transpose).collect::<Result<Vec<_>, StoreError>>()
            };
            rows = self.store.read(again).await?;
        }
        let app = |row: AppRow| App {
            id: ApplicationId(row.id),
            name: row.name,
            client_app_id: row.client_app_id.unwrap_or_default(),
            changed_at: row.write_date,
        };
        Ok(rows.into_iter().map(app).collect())
    }
}

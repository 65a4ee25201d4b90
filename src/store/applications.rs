//! Applications and their callback addresses.

use std::time::Duration;

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::dialect;
use super::error::StoreError;
use super::schema::{orest_application as application, orest_application_uri as uri};
use super::schema::{orest_model_configuration as configuration, orest_model_scheme as scheme};
use crate::domain::application::{Application, Lifetimes};
use crate::domain::ids::{ApplicationId, UserId};
use crate::domain::scope::Scope;
use crate::domain::secret::SecretHash;
use crate::domain::time::Timestamp;

#[derive(Queryable, Selectable)]
#[diesel(table_name = application, check_for_backend(Backend))]
struct Row {
    id: i64,
    name: String,
    active: bool,
    client_id: String,
    client_secret_hash: Option<String>,
    scope: String,
    user_id: Option<i64>,
    model_scheme_id: Option<i64>,
    authorization_code_expiry: i64,
    authorization_code_retain: i64,
    access_token_expiry: i64,
    refresh_token_expiry: i64,
}

impl TryFrom<Row> for Application {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "orest_application", column, id: row.id };
        let seconds = |value: i64, column| u64::try_from(value).map(Duration::from_secs).map_err(|_| corrupt(column));
        let lifetimes = Lifetimes {
            authorization_code: seconds(row.authorization_code_expiry, "authorization_code_expiry")?,
            code_retain: seconds(row.authorization_code_retain, "authorization_code_retain")? * 86_400,
            access_token: seconds(row.access_token_expiry, "access_token_expiry")?,
            refresh_token: match row.refresh_token_expiry {
                0 => None,
                value => Some(seconds(value, "refresh_token_expiry")?),
            },
        };
        Ok(Self {
            id: ApplicationId(row.id),
            scope: Scope::parse(&row.scope).map_err(|_| corrupt("scope"))?,
            name: row.name,
            client_id: row.client_id,
            secret_hash: row.client_secret_hash.map(SecretHash::from_stored),
            active: row.active,
            acts_for: row.user_id.map(UserId),
            model_scheme: row.model_scheme_id,
            lifetimes,
        })
    }
}

/// The application of this row.
pub fn find(connection: &mut Connection, id: ApplicationId) -> Result<Option<Application>, StoreError> {
    let row = application::table.find(id.0).select(Row::as_select()).first(connection).optional()?;
    row.map(Application::try_from).transpose()
}

/// The application of this `client_id`, archived or not.
pub fn find_by_client_id(connection: &mut Connection, client_id: &str) -> Result<Option<Application>, StoreError> {
    if !dialect::is_storable(client_id) {
        return Ok(None);
    }
    let row = application::table
        .filter(application::client_id.eq(client_id))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(Application::try_from).transpose()
}

/// All applications, at most `limit`; those whose rows make no sense are left out, so that the others can be used.
pub fn list(connection: &mut Connection, limit: i64) -> Result<Vec<Application>, StoreError> {
    let rows = application::table.order(application::id).limit(limit).select(Row::as_select()).load(connection)?;
    Ok(rows.into_iter().filter_map(|row| Application::try_from(row).ok()).collect())
}

/// The model schemes that applications have, at most `limit`.
pub fn list_model_schemes(connection: &mut Connection, limit: i64) -> Result<Vec<(i64, ModelScheme)>, StoreError> {
    let ids: Vec<i64> = scheme::table.order(scheme::id).limit(limit).select(scheme::id).load(connection)?;
    let mut schemes = Vec::new();
    for id in ids {
        schemes.extend(find_model_scheme(connection, id)?.map(|scheme| (id, scheme)));
    }
    Ok(schemes)
}

/// Stores the hash of a new secret; `None` makes the client public.
pub fn set_secret(
    connection: &mut Connection,
    id: ApplicationId,
    hash: Option<&SecretHash>,
) -> Result<usize, StoreError> {
    let hash = hash.map(SecretHash::as_str);
    Ok(diesel::update(application::table.find(id.0))
        .set(application::client_secret_hash.eq(hash))
        .execute(connection)?)
}

/// Whether this is one of its callback addresses: the same characters, not archived.
pub fn has_redirect_uri(connection: &mut Connection, id: ApplicationId, text: &str) -> Result<bool, StoreError> {
    if !dialect::is_storable(text) {
        return Ok(false);
    }
    let found = uri::table
        .filter(uri::application_id.eq(id.0).and(uri::uri.eq(text)).and(uri::active.eq(true)))
        .select(uri::id)
        .first::<i64>(connection)
        .optional()?;
    Ok(found.is_some())
}

/// Its callback addresses that are not archived, by row.
pub fn list_redirect_uris(connection: &mut Connection, id: ApplicationId) -> Result<Vec<String>, StoreError> {
    Ok(uri::table
        .filter(uri::application_id.eq(id.0).and(uri::active.eq(true)))
        .order(uri::id)
        .select(uri::uri)
        .load(connection)?)
}

/// Its logo.
pub fn find_image(connection: &mut Connection, id: ApplicationId) -> Result<Option<Vec<u8>>, StoreError> {
    let found: Option<Option<Vec<u8>>> =
        application::table.find(id.0).select(application::image).first(connection).optional()?;
    Ok(found.flatten())
}

/// A model scheme: which models and fields an application may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelScheme {
    /// Its name.
    pub name: String,
    /// `none`, `blacklist` or `whitelist`.
    pub model_limit: String,
    /// Model, field limit, field names.
    pub models: Vec<(String, String, Vec<String>)>,
}

/// The model scheme of this row.
pub fn find_model_scheme(connection: &mut Connection, id: i64) -> Result<Option<ModelScheme>, StoreError> {
    let found: Option<(String, String)> =
        scheme::table.find(id).select((scheme::name, scheme::model_limit)).first(connection).optional()?;
    let Some((name, model_limit)) = found else { return Ok(None) };
    let rows: Vec<(String, String, Option<String>)> = configuration::table
        .filter(configuration::scheme_id.eq(id))
        .order(configuration::model)
        .select((configuration::model, configuration::field_limit, configuration::field_names))
        .load(connection)?;
    let split = |names: Option<String>| {
        let names = names.unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let models = rows.into_iter().map(|(model, limit, names)| (model, limit, split(names))).collect();
    Ok(Some(ModelScheme { name, model_limit, models }))
}

/// Whether an application has this name.
pub fn has_name(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    let found: i64 = application::table.filter(application::name.eq(name)).count().get_result(connection)?;
    Ok(found > 0)
}

/// Sets how long its tokens live.
pub fn set_lifetimes(
    connection: &mut Connection,
    id: ApplicationId,
    access_token: Duration,
    refresh_token: Duration,
) -> Result<(), StoreError> {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    diesel::update(application::table.find(id.0))
        .set((
            application::access_token_expiry.eq(seconds(access_token)),
            application::refresh_token_expiry.eq(seconds(refresh_token)),
        ))
        .execute(connection)?;
    Ok(())
}

/// A new application.
#[derive(Clone, Debug)]
pub struct NewApplication<'a> {
    /// What users read.
    pub name: &'a str,
    /// What it does.
    pub description: &'a str,
    /// Its `client_id`.
    pub client_id: &'a str,
    /// Of its secret; `None`: a public client.
    pub secret_hash: Option<&'a SecretHash>,
    /// All that it may ask for.
    pub scope: &'a Scope,
    /// Whom client_credentials tokens act for.
    pub acts_for: Option<UserId>,
    /// Where answers may go.
    pub redirect_uris: &'a [&'a str],
}

/// Adds an application with its addresses; the durations are the defaults.
pub fn insert(
    connection: &mut Connection,
    new: &NewApplication<'_>,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<ApplicationId, StoreError> {
    let by = by.map(|by| by.0);
    let id: i64 = diesel::insert_into(application::table)
        .values((
            application::name.eq(new.name),
            application::description.eq(new.description),
            application::client_id.eq(new.client_id),
            application::client_secret_hash.eq(new.secret_hash.map(SecretHash::as_str)),
            application::scope.eq(new.scope.to_string()),
            application::user_id.eq(new.acts_for.map(|user| user.0)),
            application::create_uid.eq(by),
            application::create_date.eq(at),
            application::write_uid.eq(by),
            application::write_date.eq(at),
        ))
        .returning(application::id)
        .get_result(connection)?;
    for address in new.redirect_uris {
        diesel::insert_into(uri::table)
            .values((
                uri::application_id.eq(id),
                uri::uri.eq(address),
                uri::create_uid.eq(by),
                uri::create_date.eq(at),
                uri::write_uid.eq(by),
                uri::write_date.eq(at),
            ))
            .execute(connection)?;
    }
    Ok(ApplicationId(id))
}

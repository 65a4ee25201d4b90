//! Moves everything from one database into another, empty one: `orest transfer`.
//!
//! Rows travel as JSON arrays, a batch at a time, in the order of their keys; both databases are read and written by the same
//! statements. From the first row to the last check a row of `orest_transfer` stands in the target, and no [`super::Store`]
//! opens what has one: a target is either whole or not served. Whoever begins again, begins from the start.
//!
//! # To add a table or a column
//! A line in [`TABLES`], behind what it refers to. A test holds the list against the migrations.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::connection::{Claim, ClaimError, Connection, DatabaseUrl};
use super::dialect::{self, Kind};
use super::error::StoreError;
use super::migrations;
use super::nodes;
use super::schema::orest_transfer as transfer;
use super::sql::{Sql, SqlValue};
use crate::domain::time::Timestamp;
use Kind::{Bool, Bytes, Integer, Moment, Text as Chars};

/// Rows that are read and written at a time …
const BATCH: usize = 4_000;
/// … and of a table with bytes in it: each row may have hundreds of kilobytes.
const BATCH_WITH_BYTES: usize = 50;

/// A node that has not renewed its lease for so long has stopped without a word.
const SILENCE_SECONDS: i64 = 60;

/// A table that is moved.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How many of the first columns are its key; all of them are numbers.
    pub key: usize,
    /// The columns that refer to other rows of the same table.
    pub own: &'static [&'static str],
    /// Whether the database gives its ids, and never one twice.
    pub counts: bool,
    /// Its columns.
    pub columns: &'static [(&'static str, Kind)],
}

/// What is of the moment: which processes run, what they have told each other, whose password was wrong a minute ago.
pub const OF_THE_MOMENT: &[&str] = &["orest_change", "orest_node", "orest_password_failure", "orest_transfer"];

/// Columns that each database has for itself: by its tag nodes tell one history of the feed from another.
pub const OF_THE_DATABASE: &[(&str, &str)] = &[("orest_feed", "tag")];

/// All that is moved, each table behind those that it refers to.
#[rustfmt::skip]
pub const TABLES: &[Table] = &[
    Table {
        name: "res_users",
        key: 1,
        own: &["create_uid", "write_uid"],
        counts: true,
        columns: &[("id", Integer), ("login", Chars), ("name", Chars), ("email", Chars), ("lang", Chars), ("tz", Chars), ("active", Bool), ("state", Chars), ("password", Chars), ("login_date", Moment), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment), ("password_version", Integer), ("odoo_create_date", Moment), ("synced_as_of", Integer)],
    },
    Table {
        name: "res_groups_users_rel",
        key: 2,
        own: &[],
        counts: false,
        columns: &[("uid", Integer), ("gid", Integer)],
    },
    Table {
        name: "orest_device",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("user_id", Integer), ("name", Chars), ("platform", Chars), ("browser", Chars), ("device_type", Chars), ("ip_address", Chars), ("cookie_hash", Chars), ("first_activity", Moment), ("last_activity", Moment), ("revoked_at", Moment), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "orest_model_scheme",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("name", Chars), ("description", Chars), ("active", Bool), ("model_limit", Chars), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "orest_model_configuration",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("scheme_id", Integer), ("model", Chars), ("field_limit", Chars), ("field_names", Chars), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "orest_application",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("name", Chars), ("description", Chars), ("active", Bool), ("image", Bytes), ("client_id", Chars), ("client_app_id", Chars), ("client_secret_hash", Chars), ("scope", Chars), ("user_id", Integer), ("model_scheme_id", Integer), ("authorization_code_expiry", Integer), ("authorization_code_retain", Integer), ("access_token_expiry", Integer), ("refresh_token_expiry", Integer), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "orest_identity",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("user_id", Integer), ("provider", Chars), ("subject", Chars), ("application_id", Integer), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "orest_application_uri",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("application_id", Integer), ("uri", Chars), ("description", Chars), ("active", Bool), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "orest_revocation",
        key: 1,
        own: &["undoes_id"],
        counts: true,
        columns: &[("id", Integer), ("sequence", Integer), ("kind", Chars), ("undoes_id", Integer), ("create_date", Moment), ("user_id", Integer), ("user_login", Chars), ("ip_address", Chars), ("channel", Chars), ("initiating_entity", Chars), ("reason_admin", Chars), ("reason_user", Chars), ("selection", Chars), ("requested", Integer), ("revoked", Integer), ("already_revoked", Integer), ("hides", Bool), ("authorization_ids", Bytes), ("already_ids", Bytes)],
    },
    Table {
        name: "orest_authorization",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("active", Bool), ("application_id", Integer), ("user_id", Integer), ("device_id", Integer), ("grant_type", Chars), ("scope", Chars), ("redirect_uri", Chars), ("generation", Integer), ("last_refreshed_at", Moment), ("last_used_at", Moment), ("expires_at", Moment), ("revoked_at", Moment), ("revocation_id", Integer), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "orest_authorization_code",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("active", Bool), ("authorization_id", Integer), ("code_hash", Chars), ("redirect_uri", Chars), ("redirect_uri_sent", Bool), ("code_challenge", Chars), ("expires_at", Moment), ("used_at", Moment), ("purge_at", Moment), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "res_users_apikeys",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("user_id", Integer), ("name", Chars), ("scope", Chars), ("key_hash", Chars), ("expiration_date", Moment), ("create_date", Moment)],
    },
    Table {
        name: "web_session",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("sid_hash", Chars), ("user_id", Integer), ("device_id", Integer), ("create_date", Moment), ("last_activity", Moment), ("identity_checked_at", Moment)],
    },
    Table {
        name: "ir_act_server",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("name", Chars), ("model_id", Integer), ("state", Chars), ("code", Chars), ("sequence", Integer), ("binding_model_id", Integer), ("binding_type", Chars), ("binding_view_types", Chars), ("xml_id", Chars), ("create_uid", Integer), ("create_date", Moment), ("write_uid", Integer), ("write_date", Moment)],
    },
    Table {
        name: "ir_act_server_group_rel",
        key: 2,
        own: &[],
        counts: false,
        columns: &[("act_id", Integer), ("gid", Integer)],
    },
    Table {
        name: "orest_pairing",
        key: 1,
        own: &[],
        counts: false,
        columns: &[("id", Integer), ("odoo_url", Chars), ("credential_hash", Chars), ("database_uuid", Chars), ("previous_database_uuid", Chars), ("last_seen_at", Moment), ("module_version", Chars), ("last_sync_at", Moment), ("create_date", Moment)],
    },
    Table {
        name: "orest_sign_in_ticket",
        key: 1,
        own: &[],
        counts: true,
        columns: &[("id", Integer), ("ticket_hash", Chars), ("user_id", Integer), ("application_id", Integer), ("purpose", Chars), ("query", Chars), ("browser_hash", Chars), ("expires_at", Moment)],
    },
    Table {
        name: "orest_form",
        key: 1,
        own: &[],
        counts: false,
        columns: &[("id", Integer), ("model", Chars), ("user_id", Integer), ("form_values", Chars), ("session_id", Integer), ("pending_method", Chars), ("pending_ids", Chars), ("password_proof", Chars), ("create_date", Moment)],
    },
    Table {
        name: "orest_sealing_key",
        key: 1,
        own: &[],
        counts: false,
        columns: &[("id", Integer), ("check_value", Chars), ("seals", Bool), ("create_date", Moment), ("retired_at", Moment)],
    },
    Table {
        name: "orest_feed",
        key: 1,
        own: &[],
        counts: false,
        columns: &[("id", Integer), ("sequence", Integer), ("filled_sequence", Integer), ("service_uuid", Chars)],
    },];

/// Why nothing was moved, or why it is not finished.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A database does not do as it is told.
    #[error("{database}: {error}")]
    Store {
        /// Which, without a password.
        database: String,
        /// What it says.
        error: StoreError,
    },
    /// The same on both sides.
    #[error("this is the same database twice")]
    Same,
    /// There is no such file.
    #[error("{0} does not exist")]
    Missing(String),
    /// A server runs on it.
    #[error("{database} is in use ({cause}): stop the server first")]
    InUse {
        /// Which, without a password.
        database: String,
        /// What says so.
        cause: String,
    },
    /// It would be mixed with what is there.
    #[error("{database} is not empty: {table} has {rows} rows. Give an empty database")]
    NotEmpty {
        /// Which, without a password.
        database: String,
        /// The first table that has any.
        table: &'static str,
        /// How many.
        rows: i64,
    },
    /// Another transfer has not ended.
    #[error(
        "{database} holds an unfinished transfer from {source_database}: finish that one, or give an empty database"
    )]
    Another {
        /// Which, without a password.
        database: String,
        /// Where that one came from.
        source_database: String,
    },
    /// A text that PostgreSQL can't hold.
    #[error("{table} {key}: {column} has a NUL character, which PostgreSQL can't store: change it and begin again")]
    Nul {
        /// The table.
        table: &'static str,
        /// The row.
        key: String,
        /// The column.
        column: &'static str,
    },
    /// Something was written to the source after it was read.
    #[error(
        "{0} was written to while it was moved, and what was written then is missing from the target: stop whatever uses it, and \
         begin again"
    )]
    Moved(String),
    /// What was read back is not what was written.
    #[error(
        "{table}: {source_rows} rows with the checksum {source_sum} became {target_rows} with {target_sum}. Begin again"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows of the source.
        source_rows: u64,
        /// Their checksum.
        source_sum: String,
        /// Rows of the target.
        target_rows: u64,
        /// Their checksum.
        target_sum: String,
    },
}

/// How many rows a table has, and a checksum over all their values: the same on both databases, in the order of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many rows.
    pub rows: u64,
    /// SHA-256, in hexadecimal digits.
    pub checksum: String,
}

struct Summing {
    rows: u64,
    digest: Sha256,
}

impl Summing {
    fn new() -> Self {
        Self { rows: 0, digest: Sha256::new() }
    }

    fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        for value in row {
            // Each value says what it is and where it ends.
            match value {
                Value::Null => self.digest.update(b"n"),
                Value::Bool(value) => self.digest.update(if *value { b"t" } else { b"f" }),
                Value::Number(number) => {
                    self.digest.update(b"i");
                    self.digest.update(number.as_i64().unwrap_or_default().to_be_bytes());
                }
                other => {
                    let text = other.as_str().unwrap_or_default();
                    self.digest.update(b"s");
                    self.digest.update((text.len() as u64).to_be_bytes());
                    self.digest.update(text);
                }
            }
        }
    }

    fn end(self) -> Sum {
        Sum { rows: self.rows, checksum: self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// A transfer that has begun.
pub struct Transfer {
    source: Side,
    target: Side,
    /// Whether the target held a part of this transfer already.
    pub again: bool,
    /// Rows that are read and written at a time.
    pub batch: usize,
    /// What the source was written by last.
    written: String,
}

struct Side {
    name: String,
    connection: Connection,
    /// Whether texts may hold NUL.
    nul: bool,
    _claim: Claim,
}

impl Side {
    fn run<T>(&mut self, work: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, TransferError> {
        work(&mut self.connection).map_err(|error| TransferError::Store { database: self.name.clone(), error })
    }

    fn open(url: &DatabaseUrl, create: bool) -> Result<Self, TransferError> {
        let name = url.to_string();
        if !create && url.path().is_some_and(|path| !path.exists()) {
            return Err(TransferError::Missing(name));
        }
        let claim = url.claim().map_err(|error| match error {
            ClaimError::Taken { .. } => TransferError::InUse { database: name.clone(), cause: error.to_string() },
            ClaimError::Io { .. } => {
                TransferError::Store { database: name.clone(), error: StoreError::Unavailable(error.to_string()) }
            }
        })?;
        let connection = if create { connect(url) } else { connect_source(url) };
        let connection = connection.map_err(|error| TransferError::Store { database: name.clone(), error })?;
        let mut this = Self { name, connection, nul: url.path().is_some(), _claim: claim };
        this.refuse_if_served()?;
        Ok(this)
    }

    /// Nodes of a server's database claim nothing; they renew their leases.
    fn refuse_if_served(&mut self) -> Result<(), TransferError> {
        if matches!(self.connection, Connection::Sqlite(_)) {
            return Ok(());
        }
        match self.run(|connection| nodes::find_renewed_within(connection, SILENCE_SECONDS))? {
            None => Ok(()),
            Some(node) => {
                let cause = format!("the node {node} renewed its lease less than {SILENCE_SECONDS} s ago");
                Err(TransferError::InUse { database: self.name.clone(), cause })
            }
        }
    }
}

/// A source is only read: what runs on it may be of an earlier version.
fn connect_source(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    drop(migrations::check(url)?);
    url.connect_migrator()
}

/// Brings the database to this version's schema. The connection may take its time.
fn connect(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    drop(migrations::run(url)?);
    let mut connection = url.connect_migrator()?;
    dialect::look_after_references_later(&mut connection)?;
    Ok(connection)
}

impl Transfer {
    /// Brings the target to this version's schema, and marks it as unfinished. Of a transfer between the same two
    /// that was interrupted everything is removed first.
    ///
    /// # Errors
    /// A server runs on one of them, the target is not empty, or the source is of an earlier version.
    pub fn begin(from: &DatabaseUrl, to: &DatabaseUrl, at: Timestamp) -> Result<Self, TransferError> {
        if from == to {
            return Err(TransferError::Same);
        }
        let (mut source, mut target) = (Side::open(from, false)?, Side::open(to, true)?);
        if !target.run(|connection| Ok(dialect::claim_for_transfer(connection)?))? {
            let cause = "another transfer fills it".to_owned();
            return Err(TransferError::InUse { database: target.name, cause });
        }
        if let Some(unfinished) = source.run(unfinished)? {
            return Err(TransferError::Another { database: source.name, source_database: unfinished });
        }
        // All is read as of one moment; if another command writes meanwhile, that is noticed in the end.
        let written = source.run(|connection| Ok(dialect::last_write(connection)?))?;
        source.run(|connection| Ok(dialect::begin_snapshot(connection)?))?;
        let again = match target.run(unfinished)? {
            Some(from) if from != source.name => {
                return Err(TransferError::Another { database: target.name, source_database: from });
            }
            Some(_) => true,
            None => false,
        };
        let mut this = Self { source, target, again, batch: BATCH, written };
        if again {
            this.clear()?;
        } else {
            this.mark(at)?;
        }
        Ok(this)
    }

    /// How many rows a table of the source has.
    pub fn count(&mut self, table: &Table) -> Result<u64, TransferError> {
        let rows = self.source.run(|connection| count(connection, table))?;
        Ok(rows.unsigned_abs())
    }

    fn mark(&mut self, at: Timestamp) -> Result<(), TransferError> {
        for table in TABLES {
            let rows = self.target.run(|connection| {
                // It comes with the schema, and is empty as long as it says so.
                if table.name == "orest_feed" { feed_sequence(connection) } else { count(connection, table) }
            })?;
            if rows > 0 {
                return Err(TransferError::NotEmpty { database: self.target.name.clone(), table: table.name, rows });
            }
        }
        let source = self.source.name.clone();
        self.target.run(|connection| {
            let row = (transfer::id.eq(1), transfer::source.eq(source), transfer::create_date.eq(at));
            diesel::insert_into(transfer::table).values(row).execute(connection)?;
            let mut sql = Sql::new();
            sql.text("DELETE FROM ").identifier("orest_feed");
            sql.execute(connection)?;
            Ok(())
        })
    }

    fn clear(&mut self) -> Result<(), TransferError> {
        for table in TABLES.iter().rev() {
            self.target.run(|connection| Ok(dialect::empty_table(table.name).execute(connection).map(|_| ())?))?;
        }
        Ok(())
    }

    /// Copies a table, and gives the sum of what was read. Calls `progress` with the rows so far.
    pub fn copy(&mut self, table: &'static Table, progress: &mut dyn FnMut(u64)) -> Result<Sum, TransferError> {
        let mut sum = Summing::new();
        let mut forward = Vec::new();
        let (mut after, batch) = (None, self.batch);
        loop {
            let mut rows = self.source.run(|connection| read(connection, table, after.as_deref(), batch))?;
            let Some(last) = rows.last() else { break };
            let key = key_of(table, last);
            rows.iter().for_each(|row| sum.add(row));
            if !self.target.nul {
                check_nul(table, &rows)?;
            }
            take_forward(table, &mut rows, &mut forward);
            self.target.run(|connection| {
                dialect::insert_json(table.name, table.columns, json(rows)).execute(connection)?;
                Ok(())
            })?;
            after = Some(key);
            progress(sum.rows);
        }
        for (column, pairs) in group_forward(table, forward) {
            for batch in pairs.chunks(batch) {
                let pairs = json(batch.to_vec());
                self.target.run(|connection| {
                    dialect::set_by_json(table.name, column, pairs).execute(connection)?;
                    Ok(())
                })?;
            }
        }
        if table.counts {
            // Not the highest id that there is: tokens may be out there that name one that there was.
            let given = self.source.run(|connection| Ok(dialect::last_given_id(connection, table.name)?))?;
            if let Some(given) = given {
                self.target.run(|connection| Ok(dialect::set_last_given_id(connection, table.name, given)?))?;
            }
        }
        Ok(sum.end())
    }

    /// Reads a table back and compares it with what was read from the source.
    ///
    /// # Errors
    /// [`TransferError::Differs`]
    pub fn verify(
        &mut self,
        table: &'static Table,
        expected: &Sum,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), TransferError> {
        let mut sum = Summing::new();
        let (mut after, batch) = (None, self.batch);
        loop {
            let rows = self.target.run(|connection| read(connection, table, after.as_deref(), batch))?;
            let Some(last) = rows.last() else { break };
            after = Some(key_of(table, last));
            rows.iter().for_each(|row| sum.add(row));
            progress(sum.rows);
        }
        let found = sum.end();
        if found == *expected {
            return Ok(());
        }
        Err(TransferError::Differs {
            table: table.name,
            source_rows: expected.rows,
            source_sum: expected.checksum.get(..12).unwrap_or_default().to_owned(),
            target_rows: found.rows,
            target_sum: found.checksum.get(..12).unwrap_or_default().to_owned(),
        })
    }

    /// Lets the target be served.
    ///
    /// # Errors
    /// [`TransferError::Moved`]: the source has something that the target lacks.
    pub fn finish(mut self) -> Result<(), TransferError> {
        let written = self.source.run(|connection| {
            connection.batch_execute("ROLLBACK")?;
            Ok(dialect::last_write(connection)?)
        })?;
        self.source.refuse_if_served()?;
        if written != self.written {
            return Err(TransferError::Moved(self.source.name));
        }
        self.target.run(|connection| {
            let broken = dialect::count_broken_references(connection)?;
            if broken > 0 {
                return Err(StoreError::Backend(format!("{broken} references lead to rows that don't exist")));
            }
            dialect::gather_statistics(connection)?;
            diesel::delete(transfer::table).execute(connection)?;
            Ok(())
        })
    }
}

/// The source of a transfer into this database that has not ended.
pub fn unfinished(connection: &mut Connection) -> Result<Option<String>, StoreError> {
    Ok(transfer::table.select(transfer::source).first(connection).optional()?)
}

fn count(connection: &mut Connection, table: &Table) -> Result<i64, StoreError> {
    let mut sql = Sql::new();
    sql.text("SELECT COUNT(*) FROM ").identifier(table.name);
    Ok(sql.returning::<BigInt>().get_result(connection)?)
}

fn feed_sequence(connection: &mut Connection) -> Result<i64, StoreError> {
    use super::schema::orest_feed as feed;
    Ok(feed::table.select(feed::sequence).first(connection).optional()?.unwrap_or(0))
}

/// The next rows by key.
fn read(
    connection: &mut Connection,
    table: &Table,
    after: Option<&[i64]>,
    batch: usize,
) -> Result<Vec<Vec<Value>>, StoreError> {
    let key = &table.columns[..table.key];
    let names = |sql: &mut Sql| {
        for (index, (name, _)) in key.iter().enumerate() {
            sql.text(if index == 0 { "" } else { ", " }).identifier(name);
        }
    };
    let mut sql = Sql::new();
    sql.text("SELECT ");
    dialect::json_array(&mut sql, |sql| {
        for (index, (name, kind)) in table.columns.iter().enumerate() {
            sql.text(if index == 0 { "" } else { ", " });
            dialect::json_value(sql, name, *kind);
        }
    });
    sql.text(" FROM ").identifier(table.name);
    if let Some(after) = after {
        sql.text(" WHERE (");
        names(&mut sql);
        sql.text(") > (");
        for (index, value) in after.iter().enumerate() {
            sql.text(if index == 0 { "" } else { ", " }).value(SqlValue::Integer(*value));
        }
        sql.text(")");
    }
    sql.text(" ORDER BY ");
    names(&mut sql);
    let has_bytes = table.columns.iter().any(|(_, kind)| *kind == Bytes);
    let most = if has_bytes { batch.min(BATCH_WITH_BYTES) } else { batch };
    sql.text(" LIMIT ").value(SqlValue::Integer(i64::try_from(most).unwrap_or(i64::MAX)));
    let rows: Vec<String> = sql.returning::<Text>().load(connection)?;
    rows.iter().map(|row| parse(table, row)).collect()
}

/// A row in the same form whichever database it comes from.
fn parse(table: &Table, row: &str) -> Result<Vec<Value>, StoreError> {
    let corrupt = |column, id| StoreError::Corrupt { table: table.name, column, id };
    let mut values: Vec<Value> = serde_json::from_str(row).map_err(|_| corrupt("*", 0))?;
    let id = values.first().and_then(Value::as_i64).unwrap_or_default();
    for (value, (column, kind)) in values.iter_mut().zip(table.columns) {
        match (kind, &mut *value) {
            (_, Value::Null) | (Integer, Value::Number(_)) | (Chars | Moment, Value::String(_)) => {}
            (Bool, Value::Bool(_)) => {}
            (Bool, Value::Number(number)) => *value = Value::Bool(number.as_i64() != Some(0)),
            (Bytes, Value::String(hex)) => hex.make_ascii_lowercase(),
            _ => return Err(corrupt(column, id)),
        }
    }
    Ok(values)
}

fn key_of(table: &Table, row: &[Value]) -> Vec<i64> {
    row[..table.key].iter().filter_map(Value::as_i64).collect()
}

fn json(rows: Vec<Vec<Value>>) -> String {
    Value::Array(rows.into_iter().map(Value::Array).collect()).to_string()
}

fn check_nul(table: &'static Table, rows: &[Vec<Value>]) -> Result<(), TransferError> {
    for row in rows {
        for (value, (column, _)) in row.iter().zip(table.columns) {
            if value.as_str().is_some_and(|text| text.contains('\0')) {
                let key = key_of(table, row).iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
                return Err(TransferError::Nul { table: table.name, key, column });
            }
        }
    }
    Ok(())
}

/// Takes out what refers to rows of the same table that come later: the place of the column, the row, and the value.
fn take_forward(table: &Table, rows: &mut [Vec<Value>], forward: &mut Vec<(usize, i64, i64)>) {
    let Some(last) = rows.last().and_then(|row| row[0].as_i64()) else { return };
    for column in table.own {
        let place = table.columns.iter().position(|(name, _)| name == column).expect("a test reads the list");
        for row in &mut *rows {
            if let (Some(id), Some(other)) = (row[0].as_i64(), row[place].as_i64().filter(|other| *other > last)) {
                forward.push((place, id, other));
                row[place] = Value::Null;
            }
        }
    }
}

fn group_forward(
    table: &'static Table,
    forward: Vec<(usize, i64, i64)>,
) -> impl Iterator<Item = (&'static str, Vec<Vec<Value>>)> {
    let mut by_column = std::collections::BTreeMap::<usize, Vec<Vec<Value>>>::new();
    for (place, id, other) in forward {
        by_column.entry(place).or_default().push(vec![id.into(), other.into()]);
    }
    by_column.into_iter().map(|(place, pairs)| (table.columns[place].0, pairs))
}

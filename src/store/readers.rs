//! The connections that read: made when they are needed, kept while they are good.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::{Connection, DatabaseUrl};
use super::error::StoreError;

/// Those that nobody uses at the moment. Their number is bounded by who may ask for one.
#[derive(Clone)]
pub(super) struct Readers {
    url: DatabaseUrl,
    idle: Arc<Mutex<Vec<Connection>>>,
    /// How long one query may take, if not as long as usual.
    within: Option<Duration>,
}

impl Readers {
    pub(super) fn new(url: DatabaseUrl) -> Self {
        Self { url, idle: Arc::default(), within: None }
    }

    pub(super) fn within(url: DatabaseUrl, within: Duration) -> Self {
        Self { within: Some(within), ..Self::new(url) }
    }

    /// One that is there, or a new one. One that was lost while nobody used it, because the server was restarted, is none.
    pub(super) fn take(&self) -> Result<Connection, StoreError> {
        loop {
            // The one that was used last: its statements are prepared and its pages are at hand.
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut connection) = idle else { return self.connect() };
            if !connection.is_lost() {
                return Ok(connection);
            }
        }
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let mut connection = self.url.connect_reader()?;
        if let (Some(within), Connection::Postgres(connection)) = (self.within, &mut connection) {
            connection.answer_within(within)?;
        }
        Ok(connection)
    }

    pub(super) fn give_back(&self, mut connection: Connection) {
        if !connection.is_lost() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

//! What a person answers in the paired Odoo, and how it gets here (`docs/adr/0010`).
//!
//! While paired, people sign in and consent in Odoo. The browser is sent there with the request and a hash of a cookie of
//! ours; Odoo asks what to show, and tells the answer; for that it gets a ticket, which the browser brings back. A ticket is
//! good once, for [`limits::TICKET_LIFETIME`], and in the browser that began. So nobody can bring his own answer into
//! somebody else's browser, nor somebody else's into his.

use std::net::IpAddr;

use super::authorize::{AuthorizationRequest, Refused};
use super::devices::DeviceDescription;
use super::issue::{Consent, GrantError};
use super::pairing::{SUPERUSER, check_from_odoo, not_paired};
use super::revoke::to_set;
use super::sessions::open_session_in;
use super::sign_in::SignedIn;
use super::{Context, Error, Service};
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::local_path::local_path;
use crate::domain::params::Params;
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::ticket::Purpose;
use crate::domain::time::{Timestamp, unix};
use crate::limits;
use crate::store::tickets::{self, NewTicket};
use crate::store::{Connection, StoreError, Tx, authorizations, devices, pairing};

pub use crate::store::tickets::Ticket;

/// What a browser came to Odoo with.
#[derive(Debug)]
pub struct Brought {
    /// What it is about.
    pub what: What,
    /// Of the cookie of the browser that began.
    browser: SecretHash,
}

/// What the person is to answer.
#[derive(Debug)]
pub enum What {
    /// Whether he lets an application in.
    Consent(Box<AuthorizationRequest>),
    /// Nothing: he signs in here, and is led on to this path.
    SignIn(String),
}

/// The browser that brings a ticket.
#[derive(Clone, Debug)]
pub struct Browser {
    /// Its device's cookie, if it has one.
    pub device: Option<String>,
    /// What it says of itself.
    pub description: DeviceDescription,
    /// From where.
    pub address: Option<IpAddr>,
}

impl Service {
    /// Reads what a browser came to Odoo with, and checks it as if it had come here.
    ///
    /// # Errors
    /// [`Refused::Failed`] with [`Error::Forbidden`] to anybody but the paired Odoo.
    pub async fn read_brought(&self, context: &Context, query: &str) -> Result<Brought, Refused> {
        const UNREADABLE: Refused = Refused::Page("It can't be read. Go back to where you came from and start again.");
        check_from_odoo(context)?;
        // What parts a parameter for some readers and not for others is never there in what we send.
        if query.len() > limits::FORM_BYTES_MAX || query.contains(';') {
            return Err(UNREADABLE);
        }
        let params = Params::parse(query.as_bytes()).map_err(|_| UNREADABLE)?;
        if params.is_repeated("purpose") || params.is_repeated("browser") || params.is_repeated("redirect") {
            return Err(UNREADABLE);
        }
        let browser = params.get("browser").filter(|text| is_hash(text)).ok_or(UNREADABLE)?;
        let browser = SecretHash::from_stored(browser.to_owned());
        let what = match params.get("purpose").map(Purpose::parse) {
            None | Some(Some(Purpose::Consent)) => What::Consent(Box::new(self.check_request(&params).await?)),
            Some(Some(Purpose::SignIn)) => {
                let path = params.get("redirect").unwrap_or("/");
                What::SignIn(local_path(path).ok_or(UNREADABLE)?.to_owned())
            }
            Some(None) => return Err(UNREADABLE),
        };
        Ok(Brought { what, browser })
    }

    /// Whether who comes by way of Odoo must sign in there anew: since he did, a device or a gateway session of his was revoked,
    /// or nobody knows when he did. A browser that is still signed in to Odoo would otherwise get in at once, and as another
    /// device.
    pub async fn must_sign_in_anew(&self, user: UserId, signed_in_at: Option<Timestamp>) -> Result<bool, Error> {
        // What was revoked a moment ago counts too.
        self.filled().await?;
        let must = move |connection: &mut Connection| Ok(!has_signed_in_since(connection, user, signed_in_at)?);
        self.store.read(must).await
    }

    /// The same inside the transaction that relies on it. A gateway session whose end is not filled in yet has ended now.
    fn must_sign_in_anew_in(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        signed_in_at: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let unfilled = to_set(authorizations::list_unrevoked_gateway_ids(tx.connection, user)?);
        let ends_now = !self.split(tx, &unfilled)?.1.is_empty();
        Ok(ends_now || !has_signed_in_since(tx.connection, user, signed_in_at)?)
    }

    /// Notes that a user said yes in Odoo. Gives the ticket that his browser must bring; `None`: he must sign in to Odoo anew
    /// first ([`Self::must_sign_in_anew`]).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: he may not act; [`Error::Forbidden`] to anybody but the paired Odoo.
    pub async fn approve(
        &self,
        context: &Context,
        user: UserId,
        signed_in_at: Option<Timestamp>,
        brought: Brought,
    ) -> Result<Option<Secret>, Error> {
        check_from_odoo(context)?;
        // What was revoked before he signed in must not look as if it ended now.
        self.filled().await?;
        let ticket = Secret::generate(self.entropy.as_ref(), "ortk_", 32);
        let (hash, expires_at) = (ticket.hash(), self.now() + limits::TICKET_LIFETIME);
        let service = self.clone();
        self.write(move |tx| {
            pairing::find(tx.connection)?.ok_or_else(not_paired)?;
            let found = crate::store::users::find(tx.connection, user)?;
            if user == SUPERUSER || !found.is_some_and(|user| user.from_odoo && user.may_act()) {
                return Err(Error::Unauthenticated);
            }
            if service.must_sign_in_anew_in(tx, user, signed_in_at)? {
                return Ok(None);
            }
            let (purpose, application, query) = match brought.what {
                What::Consent(request) => (Purpose::Consent, Some(request.application.id), request.query()),
                What::SignIn(path) => (Purpose::SignIn, None, path),
            };
            let new = NewTicket {
                hash: &hash,
                user,
                application,
                purpose,
                query: &query,
                browser: &brought.browser,
                expires_at,
            };
            tickets::insert(tx.connection, &new)?;
            Ok(Some(ticket))
        })
        .await
    }

    /// The ticket that a browser brings, with its cookie; `None`: there is none, it has ended, or it is another browser's. It
    /// is still to be taken.
    pub async fn ticket(&self, ticket: &str, cookie: &str) -> Result<Option<Ticket>, Error> {
        let hash = SecretHash::of(ticket);
        let found = self.store.read(move |connection| tickets::find(connection, &hash)).await?;
        Ok(found.filter(|ticket| self.is_good(ticket) && ticket.browser.matches(cookie)))
    }

    fn is_good(&self, ticket: &Ticket) -> bool {
        unix(ticket.expires_at) > unix(self.now())
    }

    /// Takes a ticket and lets the application in that it is for. Gives the code, and a cookie for the device if it is new.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: by the time of the transaction the ticket has been taken, or its user may not act.
    pub async fn consent_by_ticket(
        &self,
        ticket: Ticket,
        consent: Consent,
        browser: Browser,
    ) -> Result<(Secret, Option<Secret>), GrantError> {
        let service = self.clone();
        self.write(move |tx| {
            service.take_in(tx, &ticket, Purpose::Consent)?;
            let (device, fresh) = service.device_in(tx, ticket.user, &browser)?;
            let consent = Consent { device: Some(device), session: None, ..consent };
            Ok((service.consent_in(tx, ticket.user, &consent)?, fresh))
        })
        .await
    }

    /// Takes a ticket and signs its user in. Gives the session's id, and a cookie for the device if it is new.
    ///
    /// # Errors
    /// As [`Self::consent_by_ticket`].
    pub async fn sign_in_by_ticket(&self, ticket: Ticket, browser: Browser) -> Result<(Secret, Option<Secret>), Error> {
        let user = self.user(ticket.user).await?.ok_or(Error::Unauthenticated)?;
        let sid = Secret::generate(self.entropy.as_ref(), "", 42);
        let (hash, now, service) = (sid.hash(), self.now(), self.clone());
        let fresh = self
            .write(move |tx| {
                service.take_in(tx, &ticket, Purpose::SignIn)?;
                let (device, fresh) = service.device_in(tx, ticket.user, &browser)?;
                open_session_in(tx, &SignedIn::by_ticket(user), &hash, Some(device), now)?;
                Ok::<_, Error>(fresh)
            })
            .await?;
        Ok((sid, fresh))
    }

    /// Takes a ticket out: what fails after it in the transaction puts it back.
    fn take_in(&self, tx: &mut Tx<'_>, ticket: &Ticket, purpose: Purpose) -> Result<(), Error> {
        pairing::find(tx.connection)?.ok_or_else(not_paired)?;
        if ticket.purpose == purpose && self.is_good(ticket) && tickets::delete(tx.connection, ticket.id)? {
            Ok(())
        } else {
            Err(Error::Unauthenticated)
        }
    }

    /// The device of this browser. One that was revoked stays so, and the browser counts as another from now on.
    fn device_in(&self, tx: &mut Tx<'_>, user: UserId, browser: &Browser) -> Result<(DeviceId, Option<Secret>), Error> {
        let (mut hash, mut fresh) = self.device_cookie(browser.device.as_deref());
        if devices::find_revoked_by_cookie(tx.connection, user, &hash)? == Some(true) {
            (hash, fresh) = self.device_cookie(None);
        }
        let device = self.note_device_in(tx, user, &hash, &browser.description, browser.address)?;
        Ok((device, fresh))
    }
}

/// Whether he has signed in since a device or a gateway session of his was revoked last, if ever one was.
fn has_signed_in_since(
    connection: &mut Connection,
    user: UserId,
    signed_in_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let device = devices::find_last_revoked_at(connection, user)?;
    let revoked_at = device.max(authorizations::find_gateway_revoked_at(connection, user)?);
    Ok(match (revoked_at, signed_in_at) {
        (None, _) => true,
        (Some(revoked), Some(signed_in)) => unix(signed_in) > unix(revoked),
        (Some(_), None) => false,
    })
}

/// SHA-256 in lower-case hexadecimal digits.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

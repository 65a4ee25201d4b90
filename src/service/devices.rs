//! Devices: where somebody signed in from, known by a cookie whose hash is stored.

use std::net::IpAddr;

use super::{Error, Service};
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::secret::{Secret, SecretHash};
use crate::store::changes::Change;
use crate::store::devices::{self, Seen};
use crate::store::{StoreError, Tx};

/// What a browser says of itself.
#[derive(Clone, Debug)]
pub struct DeviceDescription {
    /// For people: "Firefox on Linux".
    pub name: String,
    /// Operating system.
    pub platform: String,
    /// Browser.
    pub browser: String,
    /// A phone or tablet.
    pub mobile: bool,
}

impl Service {
    /// Notes where a user signed in from. Gives the device, and a cookie for it if it had none that is of the right form.
    pub async fn note_device(
        &self,
        user: UserId,
        cookie: Option<&str>,
        description: DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<(DeviceId, Option<Secret>), Error> {
        let (hash, fresh) = self.device_cookie(cookie);
        let service = self.clone();
        let work =
            move |tx: &mut Tx<'_>| Ok::<_, Error>(service.note_device_in(tx, user, &hash, &description, address)?);
        Ok((self.write(work).await?, fresh))
    }

    /// What is stored of a device's cookie, and a new one if it has none that is of the right form.
    pub(super) fn device_cookie(&self, cookie: Option<&str>) -> (SecretHash, Option<Secret>) {
        let well_formed = |cookie: &&str| cookie.len() == 64 && cookie.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(cookie) = cookie.filter(well_formed) {
            return (SecretHash::of(cookie), None);
        }
        let fresh = Secret::generate(self.entropy.as_ref(), "", 32);
        (fresh.hash(), Some(fresh))
    }

    pub(super) fn note_device_in(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        cookie: &SecretHash,
        description: &DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<DeviceId, StoreError> {
        let seen = Seen {
            user,
            cookie,
            name: &description.name,
            platform: &description.platform,
            browser: &description.browser,
            device_type: if description.mobile { "mobile" } else { "computer" },
            address: address.map(|address| address.to_string()),
        };
        let was_revoked = devices::find_revoked_by_cookie(tx.connection, user, cookie)? == Some(true);
        let id = devices::upsert(tx.connection, &seen, self.now())?;
        // Signing in anew lifts the device's revocation; what was revoked of it stays so.
        if was_revoked {
            tx.announce(Change::Device(id))?;
        }
        Ok(id)
    }
}

//! Every bound in one place. None is a setting until somebody needs it to be.

use std::time::Duration;

/// Bytes of a request's body. Odoo's own default is 128 MiB; the largest honest request here is 100,000 ids.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Bytes of a form sent to an OAuth endpoint.
pub const FORM_BYTES_MAX: usize = 64 << 10;
/// Bytes of a request to the Access API.
pub const ACCESS_BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of a body at the Admin API, which anybody may send to sign in.
pub const ADMIN_BODY_BYTES_MAX: usize = 64 << 10;
/// Positional arguments of a method, where a text stands for its letters.
pub const ARGUMENTS_MAX: usize = 64;
/// Parameters of such a form, or of a query.
pub const FORM_PARAMS_MAX: usize = 200;
/// Nesting of JSON. `serde_json` stops at 128 by itself; this is its number, for the tests.
pub const JSON_DEPTH_MAX: usize = 128;
/// Terms of a search domain.
pub const DOMAIN_TERMS_MAX: usize = 10_000;
/// Nesting of a search domain: operators above a term, and domains in `any`.
pub const DOMAIN_DEPTH_MAX: usize = 100;
/// Characters of a pattern that texts are searched for.
pub const PATTERN_CHARS_MAX: usize = 1_000;
/// Ids of one selection.
pub const SELECTION_IDS_MAX: usize = 1_000_000;
/// Users and applications that a preview names.
pub const PREVIEW_ROWS_MAX: usize = 20;
/// Characters of a reason.
pub const REASON_CHARS_MAX: usize = 1_000;
/// Bytes of a logo.
pub const LOGO_BYTES_MAX: usize = 256 << 10;
/// Seconds in which a code must be exchanged; the database says the same.
pub const CODE_SECONDS_MAX: i64 = 3_600;
/// Days for which a used code is kept.
pub const CODE_RETAIN_DAYS_MAX: i64 = 3_650;
/// Seconds that an access token lives.
pub const ACCESS_TOKEN_SECONDS_MAX: i64 = 365 * 24 * 3_600;
/// Characters of a password that is checked or set.
pub const PASSWORD_CHARS_MAX: usize = 1_024;
/// How long a request may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take until a request's headers are there, also between two requests.
pub const HEADERS_TIMEOUT: Duration = Duration::from_secs(75);
/// How long an administrator may take back an act.
pub const UNDO_WINDOW: Duration = Duration::from_secs(15 * 60);
/// How long the last refresh token but one is answered with the current pair instead of being taken for stolen: a client
/// whose network broke asks again with the token that it still has.
pub const REFRESH_GRACE: Duration = Duration::from_secs(30);
/// Passwords that are hashed at a time: each takes 19 MiB and a core.
pub const PASSWORD_HASHES_MAX: usize = 4;
/// Authorizations of one act that other nodes apply as soon as they hear of it, on the task that hears. Of a larger one they
/// read.
pub const ANNOUNCED_MAX: u64 = 10_000;
/// Acts that are applied on a node and not reported there, because who acted could not be read.
pub const UNREPORTED_MAX: usize = 1_024;
/// After so many wrong passwords of one user from one address (Odoo's `base.login_cooldown_after`) …
pub const LOGIN_FAILURES_MAX: u32 = 10;
/// … or so many from one address, whoever's, and so many API keys that are none …
pub const ADDRESS_FAILURES_MAX: u32 = 50;
/// … none is tried from there for this long (`base.login_cooldown_duration`).
pub const LOGIN_COOLDOWN: Duration = Duration::from_secs(60);
/// A web session ends after this long without a call (Odoo's `sessions.max_inactivity_seconds`).
pub const SESSION_INACTIVITY: Duration = Duration::from_secs(7 * 24 * 3600);
/// A gateway session is good for this long, unless the application "Gateway" says otherwise; then the browser gets the next
/// one, for which its user must still be signed in.
pub const GATEWAY_SESSION: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a proof of identity is good for sensitive acts in the same session.
pub const IDENTITY_CHECK: Duration = Duration::from_secs(600);
/// How long an API key of somebody who is no administrator may live.
pub const API_KEY_DAYS_MAX: i64 = 90;
/// API keys of one user, as long as more are made by means of one.
pub const PROGRAMMATIC_API_KEYS_MAX: i64 = 10;
/// Users on one page of the App Services Admin API; its clients count on this number.
pub const APP_USERS_PAGE: i64 = 50;
/// Devices that it lists of a user.
pub const APP_DEVICES_MAX: i64 = 100;
/// Characters of the name of a key that is made there.
pub const APP_KEY_NAME_CHARS_MAX: usize = 100;
/// Bytes of an e-mail address (RFC 5321 section 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;
/// How long an access token of its administrators lives …
pub const ADMIN_ACCESS_TOKEN: Duration = Duration::from_secs(30 * 60);
/// … and a refresh token, as long as nobody has set it otherwise.
pub const ADMIN_REFRESH_TOKEN: Duration = Duration::from_secs(60 * 24 * 3600);
/// How long what Odoo has answered for a person may take on its way through his browser.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(60);
/// Half-filled forms of one user …
pub const TRANSIENTS_PER_USER_MAX: usize = 20;
/// … how long each is kept …
pub const TRANSIENT_AGE: Duration = Duration::from_secs(3600);
/// … and the characters of a text in it.
pub const TRANSIENT_CHARS_MAX: usize = 1_024;
/// Records of another model, at most, by whose order a page is gone through: more, and it is cheaper to sort.
pub const RANKED_MAX: u64 = 10_000;
/// How far down such a page may end to be found with all that is before it.
pub const NEAR_PAGE: u64 = 1_000;
/// The largest id of an authorization: sets of them are bitmaps of 32 bits.
pub const AUTHORIZATION_ID_MAX: u32 = u32::MAX;
/// Authorizations whose slots are made at a time: 2 MB of them.
pub const LIVE_BLOCK: usize = 1 << 16;
/// Users that are kept in memory, with some 200 bytes each. A check that needs another one reads him, and the one that came first goes.
pub const LIVE_USERS_MAX: usize = 100_000;
/// Applications, and as many model schemes, that are kept in memory.
pub const LIVE_APPLICATIONS_MAX: usize = 10_000;
/// How long a node waits for another one that changes the schema.
pub const MIGRATION_WAIT: Duration = Duration::from_secs(600);
/// How far the clocks of several nodes may be apart where one judges by another's.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Rows that are read at a time when the live state is loaded …
pub const LOAD_BATCH: i64 = 2_000;
/// … and connections that do so with authorizations. Users and devices are read beside them by the others of [`READERS`], which
/// answer between two batches.
pub const LOADERS: u32 = 2;
/// Ids that one statement names by itself: SQLite takes 32,766 values.
pub const IDS_IN_A_STATEMENT: usize = 10_000;
/// Rows that one batch behind a revocation fills in.
pub const FILL_BATCH: usize = 2_000;
/// Writes that share one commit.
pub const WRITE_GROUP_MAX: usize = 256;
/// Connections that read.
pub const READERS: usize = 4;
/// How precise `last_used_at` is.
pub const LAST_USED_PRECISION: Duration = Duration::from_secs(60);
/// Authorizations of which one transaction notes when they were last used.
pub const USED_BATCH: usize = 500;
/// WebSockets and HTTP calls of our own RPC namespace at a time.
pub const RPC_CONNECTIONS_MAX: u32 = 1_000;
/// Subscriptions of one WebSocket.
pub const RPC_SUBSCRIPTIONS_MAX: u32 = 16;
/// Calls in one batch of our own RPC namespace.
pub const RPC_BATCH_MAX: u32 = 100;
/// Ids that a subscriber is given as a list; more come as a bitmap.
pub const RPC_IDS_MAX: u64 = 1_000;
/// How long a check waits for the database where it must be asked.
pub const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node's line to the database may wait for one answer before another line is opened.
pub const LINK_PATIENCE_MAX: Duration = Duration::from_secs(2);

//! How a user signs in: the providers' types, by App Services' names.

/// By a password that is kept here; the subject is the login.
pub const LOCAL_USERPASS: &str = "local-userpass";
/// By an API key; the subject is the key's id.
pub const API_KEY: &str = "api-key";

/// Every type there is, in the order in which lists show them.
pub const PROVIDERS: [&str; 8] = [
    LOCAL_USERPASS,
    API_KEY,
    "oauth2-facebook",
    "oauth2-google",
    "anon-user",
    "custom-token",
    "oauth2-apple",
    "custom-function",
];

//! Tickets: what the paired Odoo has answered for a person, on its way to us through his browser.

/// What a ticket is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The person lets an application in.
    Consent,
    /// The person signs in here.
    SignIn,
}

impl Purpose {
    /// As stored, and as the parameter `purpose` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::SignIn => "sign_in",
        }
    }

    /// The purpose of this text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Consent, Self::SignIn].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

//! Questions. They are put on a terminal alone: without one a command refuses rather than wait for an answer.

use std::fmt::Display;
use std::io::IsTerminal as _;

use inquire::ui::RenderConfig;
use inquire::{Confirm, InquireError, MultiSelect, Password, PasswordDisplayMode, Select, Text};

use super::failure::Failure;

/// Rows of a choice that are shown at a time.
const PAGE: usize = 15;

/// How a command asks.
#[derive(Clone, Copy, Debug)]
pub struct Prompt {
    yes: bool,
    terminal: bool,
}

impl Prompt {
    /// `yes`: what needs no more than a yes has it. Questions are written to standard error, so that what is printed can go
    /// elsewhere.
    pub fn new(yes: bool, styled: bool) -> Self {
        if !styled {
            inquire::set_global_render_config(RenderConfig::empty());
        }
        Self { yes, terminal: std::io::stdin().is_terminal() && std::io::stderr().is_terminal() }
    }

    /// Whether `--yes` was given.
    pub const fn says_yes(&self) -> bool {
        self.yes
    }

    /// Whether there is somebody to ask.
    pub const fn can_ask(&self) -> bool {
        self.terminal
    }

    /// A line of text; `option` is what could have been given instead.
    pub fn text(&self, message: &str, option: &str) -> Result<String, Failure> {
        self.or_refuse(option)?;
        Text::new(message).prompt().map_err(answer)
    }

    /// A text that nobody sees.
    pub fn password(&self, message: &str, option: &str) -> Result<String, Failure> {
        self.or_refuse(option)?;
        let prompt = Password::new(message).with_display_mode(PasswordDisplayMode::Masked);
        prompt.without_confirmation().prompt().map_err(answer)
    }

    /// A new password, twice.
    pub fn new_password(&self, message: &str, option: &str) -> Result<String, Failure> {
        self.or_refuse(option)?;
        Password::new(message).with_display_mode(PasswordDisplayMode::Masked).prompt().map_err(answer)
    }

    /// One of several.
    pub fn choose<T: Display>(&self, message: &str, options: Vec<T>, option: &str) -> Result<T, Failure> {
        self.or_refuse(option)?;
        Select::new(message, options).with_page_size(PAGE).prompt().map_err(answer)
    }

    /// Any of several, none too.
    pub fn choose_many<T: Display>(&self, message: &str, options: Vec<T>, option: &str) -> Result<Vec<T>, Failure> {
        self.or_refuse(option)?;
        MultiSelect::new(message, options)
            .with_page_size(PAGE)
            // Hundreds may be chosen: how many says more than all their names.
            .with_formatter(&|chosen| match chosen {
                [one] => one.to_string(),
                many => format!("{} chosen", many.len()),
            })
            .prompt()
            .map_err(answer)
    }

    /// Yes or no; yes with `--yes`.
    pub fn confirm(&self, message: &str) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        self.or_refuse("--yes")?;
        Confirm::new(message).with_default(false).prompt().map_err(answer)
    }

    fn or_refuse(&self, option: &str) -> Result<(), Failure> {
        if self.terminal {
            return Ok(());
        }
        Err(Failure::Usage(format!("there is no terminal to ask on: give {option}")))
    }
}

fn answer(error: InquireError) -> Failure {
    match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Failure::Other("interrupted, and nothing was done".to_owned())
        }
        InquireError::NotTTY
        | InquireError::InvalidConfiguration(_)
        | InquireError::IO(_)
        | InquireError::Custom(_) => Failure::Other(error.to_string()),
    }
}

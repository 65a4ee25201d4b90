//! What is printed: lines for people, or one JSON object a line; to standard output and standard error, or to a file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::failure::Failure;
use super::table::Table;
use crate::domain::time::{Clock as _, SystemClock};

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Format {
    /// Of the option; the empty text is the default, as scripts write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("unsupported value, use one of [json] instead".to_owned()),
        }
    }
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Where a command prints, and how.
#[derive(Debug, Default)]
pub struct Output {
    format: Format,
    styled: bool,
    target: Option<File>,
}

impl Output {
    /// As the options say.
    ///
    /// # Errors
    /// If the file can't be written to.
    pub fn open(format: Option<Format>, target: Option<&Path>, disable_colors: bool) -> Result<Self, Failure> {
        let format = format.unwrap_or_default();
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            file.map_err(|error| Failure::Other(format!("failed to open target file: {}: {error}", path.display())))
        };
        let target = target.map(open).transpose()?;
        let wanted = !disable_colors && format == Format::Text && target.is_none();
        let said_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let styled = wanted && !said_no && !dumb && std::io::stdout().is_terminal();
        Ok(Self { format, styled, target })
    }

    /// Whether letters may be bold and coloured.
    pub const fn styled(&self) -> bool {
        self.styled
    }

    /// Whether somebody looks at it as it appears.
    pub fn is_watched(&self) -> bool {
        self.format == Format::Text && self.target.is_none() && std::io::stderr().is_terminal()
    }

    /// A line.
    pub fn info(&self, message: &str) {
        self.message(Level::Info, message);
    }

    /// A line about what is not as it should be.
    pub fn warn(&self, message: &str) {
        self.message(Level::Warn, message);
    }

    /// A line about what failed; the command may go on.
    pub fn error(&self, message: &str) {
        match self.format {
            Format::Text => self.write(Level::Error, &printable(message)),
            Format::Json => self.json(Level::Error, [("err", message.into())]),
        }
    }

    /// A line with a document under it.
    pub fn document(&self, message: &str, document: &Value) {
        match self.format {
            Format::Text => {
                let document = format!("{document:#}");
                let lines: Vec<_> = [message].into_iter().chain(document.lines()).map(printable).collect();
                self.write(Level::Info, &lines.join("\n"));
            }
            Format::Json => self.json(Level::Info, [("message", message.into()), ("doc", document.clone())]),
        }
    }

    /// What may be done next: for people alone.
    pub fn hint(&self, message: &str) {
        if self.format == Format::Text {
            self.info(message);
        }
    }

    /// All about one thing: for people line by line, in JSON as a document.
    pub fn details(&self, title: &str, lines: &[(&str, String)], document: &Value) {
        match self.format {
            Format::Text => {
                let width = lines.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
                let line = |(name, text): &(&str, String)| {
                    format!("  {name}{}  {}", " ".repeat(width - name.width()), printable(text))
                };
                let lines: Vec<_> = std::iter::once(printable(title)).chain(lines.iter().map(line)).collect();
                self.write(Level::Info, &lines.join("\n"));
            }
            Format::Json => self.document(title, document),
        }
    }

    /// A line, which in JSON has a document too.
    pub fn summary(&self, message: &str, document: &Value) {
        match self.format {
            Format::Text => self.info(message),
            Format::Json => self.document(message, document),
        }
    }

    /// A table.
    pub fn table(&self, table: &Table) {
        match self.format {
            Format::Text => self.write(Level::Info, &table.render(self.styled)),
            Format::Json => {
                // In the order of their names, as maps are written in the language that scripts had this from.
                let row = |row: &Vec<String>| {
                    let cells: BTreeMap<_, _> = table.headers.iter().zip(row).collect();
                    json!(cells)
                };
                let data: Vec<_> = table.rows.iter().map(row).collect();
                let members = [
                    ("message", table.title.as_str().into()),
                    ("data", data.into()),
                    ("headers", json!(table.headers)),
                ];
                self.json(Level::Info, members);
            }
        }
    }

    /// Why a command failed, and what may help; the exit code of that.
    pub fn failure(&self, display: &str, failure: &Failure) -> ExitCode {
        self.error(&format!("{display} failed: {failure}"));
        if let Some(suggestion) = failure.suggestion() {
            match self.format {
                Format::Text => self.write(Level::Error, &format!("Try instead: {suggestion}")),
                Format::Json => {
                    let members = [("message", "Try instead".into()), ("data", json!([suggestion]))];
                    self.json(Level::Debug, members);
                }
            }
        }
        ExitCode::from(failure.code())
    }

    fn message(&self, level: Level, message: &str) {
        match self.format {
            Format::Text => self.write(level, &printable(message)),
            Format::Json => self.json(level, [("message", message.into())]),
        }
    }

    fn json<const N: usize>(&self, level: Level, members: [(&str, Value); N]) {
        let mut line = Map::new();
        let time = SystemClock.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        line.insert("time".to_owned(), time.into());
        line.insert("level".to_owned(), level.as_str().into());
        line.extend(members.map(|(name, value)| (name.to_owned(), value)));
        self.write(level, &escaped(&Value::Object(line).to_string()));
    }

    /// Whoever has stopped reading, such as `head`, has seen enough: that is no error.
    fn write(&self, level: Level, text: &str) {
        let text = format!("{text}\n");
        let _ = match (self.target.as_ref(), level) {
            (Some(mut file), _) => file.write_all(text.as_bytes()),
            (None, Level::Error) => std::io::stderr().write_all(text.as_bytes()),
            (None, Level::Debug | Level::Info | Level::Warn) => std::io::stdout().write_all(text.as_bytes()),
        };
    }
}

/// What others have named is shown on a terminal: nothing that would move about on it, or turn the order of letters round.
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if moves(letter) { '\u{fffd}' } else { letter }).collect()
}

/// A line of JSON is read on terminals too: the same letters, escaped. They stand within its texts alone.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if moves(letter) {
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        } else {
            text.push(letter);
        }
    }
    text
}

/// Also U+0080 to U+009F: some terminals take them for the beginning of a sequence. All of them need four digits at most.
fn moves(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As they are read, so they were written.
    #[test]
    fn lines_of_json_move_nothing_either() {
        let name = "a\u{9b}2J\u{7f}\u{85}\u{1b}[0m\u{202e}é\u{feff}\"\\";
        let line = escaped(&json!({ name: name }).to_string());
        let text = r#"a\u009b2J\u007f\u0085\u001b[0m\u202eé\ufeff\"\\"#;
        assert_eq!(line, format!(r#"{{"{text}":"{text}"}}"#));
        assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON"), json!({ name: name }));
        assert_eq!(printable(name).chars().filter(|letter| *letter == '\u{fffd}').count(), 6);
    }
}

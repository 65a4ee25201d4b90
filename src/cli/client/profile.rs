//! A profile: where a server is, who one is there, and the session. A YAML file for its owner alone.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// Whether figures on use may be sent. None ever are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Telemetry {
    /// As scripts set it.
    On,
    /// As scripts set it.
    Off,
}

/// What is kept between commands.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Where the server is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who one is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// His API key, if he wanted it kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// The session's: for half an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// The session's: brings a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What `--telemetry` said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
    /// The file.
    #[serde(skip)]
    pub(super) path: PathBuf,
}

/// No secret of it.
impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Profile").field("path", &self.path).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Profile {
    /// The profile of this name; an empty one if there is no such file.
    ///
    /// # Errors
    /// If the name is no name of a file, or the file can't be read, is nobody's business but others can read it, or is no
    /// profile.
    pub fn load(name: &str) -> Result<Self, Failure> {
        let path = folder()?.join(file_name(name)?);
        Self::read(&path)
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let refused = |error: &dyn fmt::Display| Failure::Other(format!("failed to read profile {shown}: {error}"));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), ..Self::default() });
            }
            Err(error) => return Err(refused(&error)),
        };
        let mode = fs::metadata(path).map_err(|error| refused(&error))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let advice = format!("others may read it (mode {mode:03o}): run chmod 600 {shown}, and orest login");
            return Err(refused(&advice));
        }
        // What is wrong with it is not said with a piece of it.
        let parsed: Self = if text.trim().is_empty() {
            Self::default()
        } else {
            serde_saphyr::from_str(&text)
                .map_err(|_| refused(&"it is no YAML of a profile: remove it, and orest login"))?
        };
        Ok(Self { path: path.to_owned(), ..parsed })
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If the folder or the file can't be written.
    pub fn save(&self) -> Result<(), Failure> {
        let shown = self.path.display();
        let refused = |error: &dyn fmt::Display| Failure::Other(format!("failed to write profile {shown}: {error}"));
        // A line for each, however long: people and scripts look into it.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let text = serde_saphyr::to_string_with_options(self, options).map_err(|error| refused(&error))?;
        let folder = self.path.parent().ok_or_else(|| refused(&"it has no folder"))?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| refused(&error))?;
        let new = self.path.with_extension(format!("yaml.{}", std::process::id()));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.map_err(|error| refused(&error))
    }

    /// Forgets the session and the key; keeps where and who.
    pub fn forget_credentials(&mut self) {
        self.api_key = None;
        self.access_token = None;
        self.refresh_token = None;
    }
}

fn folder() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let folder = folder.map(|folder| folder.join("orest"));
    folder.ok_or_else(|| Failure::Other("no home folder for profiles: set HOME or XDG_CONFIG_HOME".to_owned()))
}

fn file_name(name: &str) -> Result<String, Failure> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(plain) {
        return Err(Failure::Usage(
            "--profile takes letters, digits, '-', '_', '.' and '@', and does not begin with '.'".to_owned(),
        ));
    }
    Ok(format!("{name}.yaml"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_read_back_as_it_was_written_and_is_its_owner_s_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/default.yaml");
        let awkward = "a: b #'\"\\ {x}\n- ~";
        let profile = Profile {
            url: Some("https://orest.example.com".to_owned()),
            username: Some("no".to_owned()),
            api_key: Some("0123".to_owned()),
            access_token: Some(awkward.to_owned()),
            refresh_token: Some("orrt_".repeat(40)),
            telemetry: Some(Telemetry::Off),
            path: path.clone(),
        };
        profile.save().expect("is written");
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().expect("one")).expect("is there").permissions().mode() & 0o777, 0o700);
        let text = fs::read_to_string(&path).expect("is text");
        assert_eq!(text.lines().count(), 6, "{text}");
        let back = Profile::read(&path).expect("is read");
        assert_eq!(
            (&back.url, &back.username, &back.api_key, &back.access_token, &back.refresh_token, back.telemetry),
            (
                &profile.url,
                &profile.username,
                &profile.api_key,
                &Some(awkward.to_owned()),
                &profile.refresh_token,
                Some(Telemetry::Off)
            )
        );
        assert!(!format!("{back:?}").contains("0123"));
        let files: Vec<_> = fs::read_dir(path.parent().expect("one")).expect("is there").collect();
        assert_eq!(files.len(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_others_can_read_or_is_no_profile_is_refused_without_a_word_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("default.yaml");
        fs::write(&path, "access_token: [hidden").expect("is written");
        let refused = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("is mine");
            let said = Profile::read(&path).expect_err("is refused").to_string();
            assert!(!said.contains("hidden"), "{said}");
            said
        };
        assert!(refused(0o640).contains("chmod 600"));
        assert!(refused(0o600).contains("no YAML of a profile"));
    }

    #[test]
    fn names_lead_nowhere_else() {
        for (name, fine) in
            [("default", true), ("ci-2.prod", true), ("../x", false), ("a/b", false), ("", false), (".x", false)]
        {
            assert_eq!(file_name(name).is_ok(), fine, "{name}");
        }
    }
}

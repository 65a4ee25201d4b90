//! The file of sealing keys: beside the database, never in it, readable by its owner alone.
//!
//! One key a line: number, 64 hexadecimal digits, and when it was made. Which of them are in force, and which one seals, the
//! database says, for all nodes: see [`crate::service::keys`]. The file is replaced as a whole, by renaming, so that a
//! running service never sees half of it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::domain::time::{Entropy, Timestamp};
use crate::domain::token::{EmptyKeyRing, KeyId, KeyRing, SealingKey};

const HEADER: &str = "# Sealing keys of orest. Whoever reads this file can make tokens. Keep it, and back it up apart from the database.\n";

/// The file.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

/// Why the keys can't be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Others could read it.
    #[error(
        "{path}: others can read this file (mode {mode:03o}); run chmod 600 on it, and rotate the keys if anybody did"
    )]
    Permissions {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A line that is no key.
    #[error("{path}: line {line} is no key")]
    Line {
        /// The file.
        path: String,
        /// Which.
        line: usize,
    },
    /// No key at all.
    #[error("{path}: {error}")]
    Empty {
        /// The file.
        path: String,
        /// That.
        error: EmptyKeyRing,
    },
    /// No number is left.
    #[error("{path}: 65,535 keys are enough; retire old ones")]
    Full {
        /// The file.
        path: String,
    },
    /// Without it there would be none.
    #[error("{path}: key {id} is the only one; rotate first")]
    Only {
        /// The file.
        path: String,
        /// Which.
        id: u16,
    },
}

/// A key as the file has it. `Debug` leaves the key out.
struct Line {
    id: u16,
    hex: String,
    made: String,
}

impl KeyFile {
    /// The file in a data folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("sealing-keys") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn io(&self, error: std::io::Error) -> KeyFileError {
        KeyFileError::Io { path: self.path.display().to_string(), error }
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Makes the file, with one key of this number.
    pub fn create(&self, id: u16, entropy: &dyn Entropy, now: Timestamp) -> Result<KeyRing, KeyFileError> {
        self.write(&[new_line(id, entropy, now)])?;
        self.load()
    }

    /// The keys.
    pub fn load(&self) -> Result<KeyRing, KeyFileError> {
        let keys = self
            .lines()?
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let bytes = decode(&line.hex).ok_or_else(|| self.bad_line(index + 1))?;
                Ok(SealingKey::new(KeyId(line.id), &bytes))
            })
            .collect::<Result<_, KeyFileError>>()?;
        KeyRing::new(keys).map_err(|error| KeyFileError::Empty { path: self.path.display().to_string(), error })
    }

    /// When it was changed last, to notice a rotation.
    pub fn changed_at(&self) -> Option<SystemTime> {
        fs::metadata(&self.path).and_then(|file| file.modified()).ok()
    }

    /// Numbers and dates of the keys.
    pub fn list(&self) -> Result<Vec<(u16, String)>, KeyFileError> {
        Ok(self.lines()?.into_iter().map(|line| (line.id, line.made)).collect())
    }

    /// Adds a key, of a number above all here and above `highest`, which was given elsewhere. Gives it.
    pub fn add(&self, highest: u16, entropy: &dyn Entropy, now: Timestamp) -> Result<SealingKey, KeyFileError> {
        let mut lines = self.lines()?;
        let highest = lines.iter().map(|line| line.id).fold(highest, u16::max);
        let id = highest.checked_add(1).ok_or_else(|| KeyFileError::Full { path: self.path.display().to_string() })?;
        let line = new_line(id, entropy, now);
        let key = SealingKey::new(KeyId(id), &decode(&line.hex).ok_or_else(|| self.bad_line(lines.len() + 1))?);
        lines.push(line);
        self.write(&lines)?;
        Ok(key)
    }

    /// Removes a key from the file; says whether it was there.
    pub fn remove(&self, id: u16) -> Result<bool, KeyFileError> {
        let mut lines = self.lines()?;
        let before = lines.len();
        lines.retain(|line| line.id != id);
        if lines.len() == before {
            return Ok(false);
        }
        if lines.is_empty() {
            return Err(KeyFileError::Only { path: self.path.display().to_string(), id });
        }
        self.write(&lines)?;
        Ok(true)
    }

    fn lines(&self) -> Result<Vec<Line>, KeyFileError> {
        let mode = fs::metadata(&self.path).map_err(|error| self.io(error))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Permissions { path: self.path.display().to_string(), mode });
        }
        let text = fs::read_to_string(&self.path).map_err(|error| self.io(error))?;
        text.lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
            .map(|(index, line)| {
                let mut parts = line.splitn(3, ' ');
                let parsed = (|| {
                    let id = parts.next()?.parse().ok()?;
                    let hex = parts.next().filter(|hex| decode(hex).is_some())?.to_owned();
                    Some(Line { id, hex, made: parts.next().unwrap_or_default().to_owned() })
                })();
                parsed.ok_or_else(|| self.bad_line(index + 1))
            })
            .collect()
    }

    fn bad_line(&self, line: usize) -> KeyFileError {
        KeyFileError::Line { path: self.path.display().to_string(), line }
    }

    fn write(&self, lines: &[Line]) -> Result<(), KeyFileError> {
        let new = self.path.with_extension("new");
        let _ = fs::remove_file(&new);
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(HEADER.as_bytes())?;
            for line in lines {
                writeln!(file, "{} {} {}", line.id, line.hex, line.made)?;
            }
            file.sync_all()?;
            fs::rename(&new, &self.path)?;
            // The name too must survive a power cut: without the key every token is dead.
            self.path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
        };
        write().map_err(|error| self.io(error))
    }
}

fn new_line(id: u16, entropy: &dyn Entropy, now: Timestamp) -> Line {
    let mut key = [0; 32];
    entropy.fill(&mut key);
    Line {
        id,
        hex: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        made: now.format("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

fn decode(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{SystemEntropy, from_unix};

    #[test]
    fn keys_come_and_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeyFile::in_folder(folder.path());
        let now = from_unix(1_800_000_000);
        assert!(!file.exists());
        file.create(1, &SystemEntropy, now).expect("made");
        let mode = fs::metadata(file.path()).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(matches!(file.remove(1), Err(KeyFileError::Only { id: 1, .. })));
        let added = file.add(1, &SystemEntropy, now).expect("added");
        assert_eq!(added.id(), KeyId(2));
        let ring = file.load().expect("read");
        assert_eq!(ring.ids().collect::<Vec<_>>(), [KeyId(1), KeyId(2)]);
        assert_eq!(ring.keys()[1].check_value(), added.check_value());
        assert!(!file.remove(9).expect("read"), "none of that number");
        assert!(file.remove(1).expect("removed"));
        assert_eq!(file.list().expect("read"), [(2, "2027-01-15 08:00:00".to_owned())]);
        assert_eq!(file.add(7, &SystemEntropy, now).expect("added").id(), KeyId(8), "others were given elsewhere");
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeyFile::in_folder(folder.path());
        file.create(1, &SystemEntropy, from_unix(0)).expect("made");
        let good = fs::read_to_string(file.path()).expect("read");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).expect("set");
        assert!(matches!(file.load(), Err(KeyFileError::Permissions { mode: 0o644, .. })));
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).expect("set");
        for bad in ["1 abc now\n".to_owned(), "x".to_owned(), good.replace("1 ", "99999999 "), String::new()] {
            fs::write(file.path(), &bad).expect("written");
            let error = file.load().expect_err("must be refused").to_string();
            assert!(!error.contains("abc"), "the key must not be shown: {error}");
        }
    }
}

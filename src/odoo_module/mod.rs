//! The Odoo module, which travels in this binary: one source, written out for the series that somebody runs.
//!
//! Python decides at run time, in the module's `compat.py`; what can't is done by [`dialect`]. The source is in
//! `odoo_addon/orest`, in the dialect of [`Series::NEWEST`].

pub mod dialect;
#[cfg_attr(not(debug_assertions), allow(dead_code, reason = "a release build's list was made by build.rs"))]
mod tree;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fmt, fs, io};

/// The module's technical name, and so its folder's.
pub const NAME: &str = "orest";

/// The file that makes a folder an Odoo module.
const MANIFEST: &str = "__manifest__.py";

/// How the manifest begins in a folder that [`write()`] made: what may be replaced.
const MARK: &str = "# Written by `orest odoo-module`";

/// An Odoo series that the module is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series(u8);

impl Series {
    /// All of them, oldest first.
    pub const ALL: &[Self] = &[Self(14), Self(17), Self(18), Self(19)];
    /// Whose dialect the source is written in.
    pub const NEWEST: Self = Self(19);
    /// The last one that calls a list view a tree.
    const LAST_WITH_TREE: Self = Self(17);
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.0", self.0)
    }
}

impl FromStr for Series {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = || Self::ALL.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Self::ALL
            .iter()
            .copied()
            .find(|series| series.to_string() == text)
            .ok_or_else(|| format!("the module is made for {}", all()))
    }
}

/// Why the module was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something else at its place.
    #[error(
        "{} is there already and was not written by this command: move it away, or choose another --output",
        .0.display()
    )]
    Occupied(PathBuf),
    /// The source is wrong: a mistake of ours.
    #[error("{}/{file}:{line}: {problem}", tree::FOLDER)]
    Source {
        /// Which file, in the module.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The disk says no.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What it said.
        cause: io::Error,
    },
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The module's folder.
    pub folder: PathBuf,
    /// How many files.
    pub files: usize,
    /// The module's version.
    pub version: String,
    /// Whether an older one was there.
    pub replaced: bool,
}

#[cfg(not(debug_assertions))]
fn source() -> io::Result<Vec<(String, Cow<'static, [u8]>)>> {
    static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/odoo_module.rs"));
    Ok(FILES.iter().map(|(path, content)| ((*path).to_owned(), Cow::Borrowed(*content))).collect())
}

#[cfg(debug_assertions)]
fn source() -> io::Result<Vec<(String, Cow<'static, [u8]>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(tree::FOLDER);
    let read = |path: String| Ok((path.clone(), Cow::Owned(fs::read(folder.join(path))?)));
    tree::files(&folder)?.into_iter().map(read).collect()
}

/// The module's files for a series, by path.
pub fn files(series: Series) -> Result<Vec<(String, Vec<u8>)>, WriteError> {
    let source = source().map_err(|cause| WriteError::Disk { path: tree::FOLDER.into(), cause })?;
    source.into_iter().map(|(path, content)| convert(path, &content, series)).collect()
}

fn convert(path: String, content: &[u8], series: Series) -> Result<(String, Vec<u8>), WriteError> {
    let is_manifest = path == MANIFEST;
    if !is_manifest && !path.ends_with(".xml") {
        return Ok((path, content.to_vec()));
    }
    let wrong = |line, problem| WriteError::Source { file: path.clone(), line, problem };
    let text = std::str::from_utf8(content).map_err(|_| wrong(1, "it is no UTF-8".to_owned()))?;
    let converted = if is_manifest {
        let mark = format!("{MARK} (orest {}) for Odoo {series}; the next time replaces it.\n", crate::VERSION);
        dialect::manifest(text, series).map(|text| mark + &text)
    } else {
        dialect::xml(text, series)
    };
    let converted = converted.map_err(|problem| wrong(problem.line, problem.text))?;
    Ok((path, converted.into_bytes()))
}

/// The module's version for a series.
pub fn version(series: Series) -> Result<String, WriteError> {
    Ok(version_in(&files(series)?))
}

fn version_in(files: &[(String, Vec<u8>)]) -> String {
    let manifest = files.iter().find(|(path, _)| path == MANIFEST);
    let manifest = manifest.map(|(_, manifest)| String::from_utf8_lossy(manifest)).unwrap_or_default();
    dialect::version(&manifest).map(|(_, version)| version.to_owned()).unwrap_or_default()
}

/// Writes the module to `output/orest`. An older one that was written so is replaced as a whole; anything else stays.
pub fn write(series: Series, output: &Path) -> Result<Written, WriteError> {
    let files = files(series)?;
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |cause| WriteError::Disk { path, cause }
    };
    fs::create_dir_all(output).map_err(disk(output))?;
    let output = fs::canonicalize(output).map_err(disk(output))?;
    let folder = output.join(NAME);
    // A link is refused too: what it leads to may be somebody's work.
    let replaced = match fs::symlink_metadata(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(cause) => return Err(WriteError::Disk { path: folder, cause }),
        Ok(there) if there.is_dir() && is_ours(&folder) => true,
        Ok(_) => return Err(WriteError::Occupied(folder)),
    };
    // Made beside it and put there whole: Odoo never finds half a module.
    let [new, old] = ["new", "old"].map(|what| output.join(format!(".{NAME}-{what}-{}", std::process::id())));
    let made = write_files(&new, &files).and_then(|()| {
        if replaced {
            fs::rename(&folder, &old).map_err(disk(&folder))?;
        }
        fs::rename(&new, &folder).map_err(disk(&folder)).inspect_err(|_| {
            let _ = fs::rename(&old, &folder);
        })
    });
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&new);
        return Err(error);
    }
    if replaced {
        fs::remove_dir_all(&old).map_err(disk(&old))?;
    }
    Ok(Written { folder, files: files.len(), version: version_in(&files), replaced })
}

fn is_ours(folder: &Path) -> bool {
    fs::read_to_string(folder.join(MANIFEST)).is_ok_and(|manifest| manifest.starts_with(MARK))
}

fn write_files(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), WriteError> {
    for (path, content) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .map_err(|cause| WriteError::Disk { path, cause })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_series_that_it_is_made_for() {
        for series in Series::ALL {
            assert_eq!(series.to_string().parse(), Ok(*series));
        }
        for wrong in ["15.0", "18", "v18.0", "", "019.0"] {
            assert_eq!(wrong.parse::<Series>(), Err("the module is made for 14.0, 17.0, 18.0, 19.0".to_owned()));
        }
    }

    #[test]
    fn what_python_and_editors_leave_behind_stays_out() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [
            "__pycache__/a.pyc",
            "models/__pycache__/b.pyc",
            "models/a.pyc",
            ".git/config",
            "a.py~",
            "a.py",
            "views/a.xml",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("has one")).expect("makes it");
            fs::write(path, "").expect("writes it");
        }
        assert_eq!(tree::files(folder.path()).expect("reads"), ["a.py", "views/a.xml"]);
    }

    #[test]
    fn replaces_what_it_wrote_and_nothing_else() {
        let place = tempfile::tempdir().expect("a folder");
        let output = place.path().join("new/addons");
        let folder = output.join("orest");
        let first = write(Series(18), &output).expect("writes");
        assert!(!first.replaced && first.files > 0);
        fs::write(folder.join("stale.py"), "").expect("writes");
        let second = write(Series(14), &output).expect("replaces");
        assert!(second.replaced && !folder.join("stale.py").exists());
        assert_eq!(second.version, "14.0.1.0.0");
        let left: Vec<_> = fs::read_dir(&output).expect("reads").collect();
        assert_eq!(left.len(), 1, "{left:?}");

        let refused = |output: &Path| match write(Series(18), output) {
            Err(WriteError::Occupied(_)) => {}
            other => panic!("{other:?}"),
        };
        // Somebody's module of the same name, our own source, a file, a link.
        fs::write(folder.join(MANIFEST), "{'name': 'orest'}").expect("writes");
        fs::write(folder.join("precious.py"), "").expect("writes");
        refused(&output);
        assert!(folder.join("precious.py").exists());
        refused(&Path::new(env!("CARGO_MANIFEST_DIR")).join("odoo_addon"));
        let [file, link] = ["file", "link"].map(|name| place.path().join(name));
        for output in [&file, &link] {
            fs::create_dir(output).expect("makes it");
        }
        fs::write(file.join("orest"), "").expect("writes");
        refused(&file);
        let elsewhere = place.path().join("elsewhere");
        write(Series(18), &elsewhere).expect("writes");
        std::os::unix::fs::symlink(elsewhere.join("orest"), link.join("orest")).expect("links");
        refused(&link);
    }
}

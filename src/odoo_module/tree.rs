// What belongs to the module's folder: read by the program in a debug build, by `build.rs` for a release build.

use std::path::Path;
use std::{fs, io};

/// Where the module is in the repository.
pub const FOLDER: &str = "odoo_addon/orest";

/// The module's files below `folder`, with `/` in their paths, in order.
pub fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| io::Error::other(format!("{name:?} is no UTF-8")))?;
        if is_left_over(&name) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// What Python, editors and version control leave behind is no part of the module.
pub fn is_left_over(name: &str) -> bool {
    const ENDINGS: &[&str] = &[".pyc", ".pyo", "~", ".orig", ".rej", ".swp"];
    name == "__pycache__" || name.starts_with('.') || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

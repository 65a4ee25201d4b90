//! Puts the Odoo module into a release binary; a debug one reads it from disk, so that its authors need not compile.

#[path = "src/odoo_module/tree.rs"]
mod tree;

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/odoo_module/tree.rs");
    if env::var_os("CARGO_CFG_DEBUG_ASSERTIONS").is_some() {
        return Ok(());
    }
    let variable = |name| env::var_os(name).ok_or_else(|| io::Error::other(format!("cargo sets {name}")));
    let (here, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let module = Path::new(&here).join(tree::FOLDER);
    // A folder stands for all that is in it: a new file is noticed, a changed one too (as by `include_bytes!`).
    println!("cargo::rerun-if-changed={}", tree::FOLDER);
    let mut list = String::from("&[\n");
    for path in tree::files(&module)? {
        writeln!(list, "({path:?}, include_bytes!({:?})),", module.join(&path)).map_err(io::Error::other)?;
    }
    list.push(']');
    fs::write(Path::new(&out).join("odoo_module.rs"), list)
}

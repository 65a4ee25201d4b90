//! `orest odoo-module`: the module for somebody's Odoo.

use std::path::PathBuf;

use clap::Args;

use crate::odoo_module::{NAME, Series, write};

/// Write the Odoo module for your Odoo series.
#[derive(Args)]
pub struct OdooModule {
    /// Your Odoo's series: 14.0, 17.0, 18.0 or 19.0
    #[arg(long, value_name = "SERIES")]
    series: Series,
    /// The folder that gets it, as a folder "orest": one of Odoo's addons folders
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

impl OdooModule {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let written = write(self.series, &self.output)?;
        let addons = written.folder.parent().unwrap_or(&written.folder).display();
        let did = if written.replaced { "replaced" } else { "written" };
        println!(
            "The Odoo module {NAME} {} is {did}: {} ({} files).",
            written.version,
            written.folder.display(),
            written.files
        );
        println!("\nNext:");
        if written.replaced {
            println!("  1. Restart Odoo, and bring its database up to date:");
            println!("       odoo -d DATABASE -u {NAME} --stop-after-init");
        } else {
            println!("  1. Let Odoo find it: addons_path in its configuration file must name");
            println!("       {addons}");
            println!("  2. Install it, in Odoo's Apps (Update Apps List first), or with");
            println!("       odoo -d DATABASE -i {NAME} --stop-after-init");
            println!("  3. Pair the two, on the machine where orest runs:");
            println!("       orest pair --odoo-url https://YOUR-ODOO");
            println!("     and give what it prints to Odoo: Settings > General Settings > oREST.");
        }
        Ok(())
    }
}

//! `orest odoo-module`: the module for somebody's Odoo.

use std::path::PathBuf;

use clap::Args;

use super::say;
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
        let (version, folder, files) = (&written.version, written.folder.display(), written.files);
        say(format_args!("The Odoo module {NAME} {version} is {did}: {folder} ({files} files)."));
        say("\nNext:");
        if written.replaced {
            say("  1. Restart Odoo, and bring its database up to date:");
            say(format_args!("       odoo -d DATABASE -u {NAME} --stop-after-init"));
        } else {
            say("  1. Let Odoo find it: addons_path in its configuration file must name");
            say(format_args!("       {addons}"));
            say("  2. Install it, in Odoo's Apps (Update Apps List first), or with");
            say(format_args!("       odoo -d DATABASE -i {NAME} --stop-after-init"));
            say("  3. Pair the two, on the machine where orest runs:");
            say("       orest pair --odoo-url https://YOUR-ODOO");
            say("     and give what it prints to Odoo: Settings > General Settings > oREST.");
        }
        Ok(())
    }
}

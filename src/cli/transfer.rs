//! `orest transfer`: from one database into another.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;
use crate::domain::time::{Clock as _, SystemClock};
use crate::store::DatabaseUrl;
use crate::store::transfer::{TABLES, Transfer};

/// Move everything from one database into another, empty one; tokens go on working.
#[derive(Args)]
#[command(after_help = "\
Step by step:
  1. start the server with this version once, then stop it (of several, each)
  2. orest transfer --from sqlite:///var/lib/orest/orest.sqlite3 --to postgres://orest@db.example.com/orest
  3. start the server with OREST_DATABASE_URL set to what --to was; its data folder, with the file sealing-keys, stays
The source is only read. Whatever interrupts it, run it again: it begins from the start. Until it has ended and each table has
been compared, `orest serve` refuses the target. It works in both directions.")]
pub struct TransferCommand {
    /// Where everything is, such as sqlite:///var/lib/orest/orest.sqlite3
    #[arg(long, value_name = "URL", env = "OREST_TRANSFER_FROM", hide_env_values = true)]
    from: String,
    /// Where it goes, such as postgres://orest@db.example.com/orest; it must be empty. With a password in it, set the variable
    #[arg(long, value_name = "URL", env = "OREST_TRANSFER_TO", hide_env_values = true)]
    to: String,
}

impl TransferCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let began = Instant::now();
        // Not by clap, which would show what it can't read, with its password.
        let from: DatabaseUrl = self.from.parse().context("--from")?;
        let to: DatabaseUrl = self.to.parse().context("--to")?;
        let mut transfer = Transfer::begin(&from, &to, SystemClock.now())?;
        if transfer.again {
            say("The target holds a transfer from there that has not ended: it was emptied, and begins anew.");
        }
        let mut sums = Vec::new();
        for table in TABLES {
            let rows = transfer.count(table)?;
            let bar = bar("copying", table.name, rows)?;
            sums.push(transfer.copy(table, &mut |done| bar.set_position(done))?);
            bar.finish_and_clear();
        }
        let mut all = 0;
        for (table, sum) in TABLES.iter().zip(&sums) {
            let bar = bar("comparing", table.name, sum.rows)?;
            transfer.verify(table, sum, &mut |done| bar.set_position(done))?;
            bar.finish_and_clear();
            all += sum.rows;
            let checksum = sum.checksum.get(..12).unwrap_or_default();
            say(format_args!("  {:<26} {:>12} rows  {checksum}", table.name, HumanCount(sum.rows).to_string()));
        }
        transfer.finish()?;
        let seconds = began.elapsed().as_secs_f64();
        say(format_args!("{} rows moved and compared in {seconds:.1} s.", HumanCount(all)));
        say(
            "Now start the server with OREST_DATABASE_URL set to the new database. Keep the file sealing-keys where it is.",
        );
        Ok(())
    }
}

fn bar(what: &'static str, table: &'static str, rows: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(
        "{prefix:>9} {msg:<26} {bar:30} {human_pos}/{human_len} rows, {per_sec}, {eta} left",
    )?;
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        // Whoever keeps the output wants to know how far it got.
        say(format_args!("{what} {table}, {} rows", HumanCount(rows)));
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(rows), target).with_style(style).with_prefix(what).with_message(table);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

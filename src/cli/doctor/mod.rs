//! `orest doctor`: what is wrong, for an operator at three in the morning. One line a check, with what to do. It changes
//! nothing and makes no file.

mod server;

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::web::{Answer, Web, printable};
use super::{Place, say};
use crate::config::keys::KeyFile;
use crate::config::{Config, Layer};
use crate::domain::time::{Clock as _, SystemClock, Timestamp, unix};
use crate::odoo_module::Series;
use crate::service::pairing::Pairing;
use crate::store::StoreError;
use crate::store::inspect::{Content, Inspection, inspect};
use crate::store::sealing_keys::KeyRow;

/// Bytes below which somebody should make room: the file beside the database that is written first grows to some of that …
const SPACE_LOW: u64 = 512 << 20;
/// … and below which the next write may fail.
const SPACE_NONE: u64 = 16 << 20;
/// Seconds that two clocks may be apart …
const CLOCK_FINE: i64 = 30;
/// … and from which on things fail: tickets and codes live for minutes.
const CLOCK_WRONG: i64 = 300;
/// Seconds after which somebody should ask why Odoo is silent: its scheduled job comes every day at least.
const SILENCE: i64 = 26 * 3600;

/// Look at the settings, the data, the server, and the Odoo that it is paired with; run it as the user who runs the server.
#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    place: Place,
    /// How many seconds to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut report = Report::default();
        match self.place.config(Layer::default()) {
            Ok(config) => {
                examine(&mut report, &config, &Web::for_doctor(Duration::from_secs(self.timeout)), SystemClock.now())
            }
            Err(error) => report.fail("settings", format!("{error:#}"), "correct them"),
        }
        let Report { checks, warnings, failures } = report;
        let noun = if checks == 1 { "check" } else { "checks" };
        let counts = format!("{checks} {noun}: {failures} failed, {warnings} with a warning");
        if failures > 0 {
            anyhow::bail!("{counts}");
        }
        say(format_args!("{counts}."));
        Ok(())
    }
}

/// Prints each line as soon as it is known: some take seconds.
#[derive(Default)]
struct Report {
    checks: u32,
    warnings: u32,
    failures: u32,
}

impl Report {
    fn line(&mut self, verdict: &str, what: &str, text: impl Display) {
        self.checks += 1;
        say(format_args!("{verdict:<5} {what:<14} {text}"));
    }

    fn ok(&mut self, what: &str, text: impl Display) {
        self.line("ok", what, text);
    }

    /// It works, but not as it should.
    fn warn(&mut self, what: &str, text: impl Display, advice: impl Display) {
        self.warnings += 1;
        self.line("warn", what, format!("{text}: {advice}"));
    }

    fn fail(&mut self, what: &str, text: impl Display, advice: impl Display) {
        self.failures += 1;
        self.line("FAIL", what, format!("{text}: {advice}"));
    }
}

fn examine(report: &mut Report, config: &Config, web: &Web, now: Timestamp) {
    if !data_folder(report, config) {
        return;
    }
    let content = database(report, config);
    if let Some(file) = config.database.path() {
        space(report, file.parent().unwrap_or(&config.data_dir));
    }
    sealing_keys(report, config, content.as_ref());
    let server = server::server(report, config, content.as_ref());
    if let Some(server) = &server {
        server::base_url(report, config, web, server);
    }
    let pairing = content.as_ref().and_then(|content| content.pairing.as_ref());
    let odoo = pairing.and_then(|pairing| odoo(report, web, pairing));
    clock(report, now, content.as_ref().and_then(|content| content.latest), odoo.as_ref());
    let Some(content) = &content else { return };
    match &content.pairing {
        None => report.ok("pairing", "none; to pair with an Odoo: orest pair --odoo-url https://odoo.example.com"),
        Some(pairing) => {
            credential(report, pairing, now);
            if let Some(server) = &server {
                hosts(report, &server.base_url, &pairing.odoo_url);
            }
        }
    }
    users(report, content, now);
}

/// Says whether there is one: without it there is nothing to be seen.
fn data_folder(report: &mut Report, config: &Config) -> bool {
    const WHAT: &str = "data folder";
    let path = config.data_dir.display();
    let folder = match fs::metadata(&config.data_dir) {
        Ok(folder) => folder,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.fail(WHAT, format!("{path} does not exist"), "give --data-dir as `orest serve` has it");
            return false;
        }
        Err(error) => {
            report.fail(WHAT, format!("{path}: {error}"), "run this as the user who runs the server");
            return false;
        }
    };
    let mode = folder.permissions().mode() & 0o777;
    let us = fs::metadata("/proc/self").ok().map(|own| own.uid());
    if !folder.is_dir() {
        report.fail(WHAT, format!("{path} is no folder"), "give --data-dir as `orest serve` has it");
    } else if mode & 0o022 != 0 {
        report.fail(WHAT, format!("others may change {path} (mode {mode:03o})"), format!("run chmod 700 {path}"));
    } else if mode & 0o077 != 0 {
        report.warn(WHAT, format!("others may look into {path} (mode {mode:03o})"), format!("run chmod 700 {path}"));
    } else if us.is_some_and(|us| us != folder.uid()) {
        let text = format!("{path} belongs to user {}, who isn't you", folder.uid());
        report.warn(WHAT, text, "run this, and the server, as that user, who else might not read what you have made");
    } else {
        report.ok(WHAT, format!("{path}, for its owner alone"));
    }
    folder.is_dir()
}

fn database(report: &mut Report, config: &Config) -> Option<Content> {
    const WHAT: &str = "database";
    let file = config.database.path();
    if let Some(path) = file
        && !database_file(report, path)
    {
        return None;
    }
    let place = file.map_or_else(|| config.database.to_string(), |path| path.display().to_string());
    match inspect(&config.database) {
        Ok(found) => {
            schema(report, &place, &found);
            found.content
        }
        Err(StoreError::Unavailable(cause)) if file.is_none() => {
            // The cause names the server.
            report.fail(WHAT, cause, "look at the server, at the network, and at the URL's user and password");
            None
        }
        Err(StoreError::Unavailable(cause)) if !cause.contains("not a database") => {
            report.fail(WHAT, format!("{place}: {cause}"), "look at its permissions and at the disk");
            None
        }
        Err(error) => {
            let advice = if file.is_some() {
                "if it was made by orest, it is damaged: put your last copy back"
            } else {
                "start `orest serve` with this URL, which makes its tables, or correct the URL"
            };
            report.fail(WHAT, format!("{place}: {error}"), advice);
            None
        }
    }
}

/// Says whether there is one.
fn database_file(report: &mut Report, path: &Path) -> bool {
    const WHAT: &str = "database";
    let shown = path.display();
    let mode = match fs::metadata(path) {
        Ok(file) => file.permissions().mode() & 0o777,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let advice = "start `orest serve`, which makes it, or give --database-url and --data-dir as it has them";
            report.fail(WHAT, format!("{shown} does not exist"), advice);
            return false;
        }
        Err(error) => {
            report.fail(WHAT, format!("{shown}: {error}"), "run this as the user who runs the server");
            return false;
        }
    };
    if mode & 0o077 != 0 {
        report.fail(WHAT, format!("others may read {shown} (mode {mode:03o})"), format!("run chmod 600 {shown}"));
    }
    true
}

/// How much room there is where the database grows.
fn space(report: &mut Report, folder: &Path) {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return };
    // What is kept for root is not for the server.
    room(report, disk.f_bavail.saturating_mul(disk.f_frsize), folder);
}

fn room(report: &mut Report, free: u64, folder: &Path) {
    const WHAT: &str = "free space";
    let text = format!("{} at {}", size(free), folder.display());
    match free {
        ..SPACE_NONE => report.fail(WHAT, text, "make room: what can't be written is refused; no restart is needed"),
        SPACE_NONE..SPACE_LOW => report.warn(WHAT, text, "make room before it is full: writes fail then, checks go on"),
        _ => report.ok(WHAT, text),
    }
}

fn schema(report: &mut Report, path: &impl Display, found: &Inspection) {
    const WHAT: &str = "database";
    if found.line.as_ref().is_some_and(|line| !line.encrypted && !line.local) {
        let advice = "let the server have a certificate, and add ?sslmode=verify-full to the URL";
        report.warn(WHAT, format!("what goes to {path} and back can be read on the way"), advice);
    }
    if found.line.as_ref().is_some_and(|line| line.open_to_all) {
        let text = format!("every role of the server may connect to {path}, and hear there which numbers change");
        report.warn(
            WHAT,
            text,
            "run REVOKE CONNECT ON DATABASE … FROM PUBLIC, and GRANT it to the role of orest alone",
        );
    }
    if let Some(damage) = &found.damage {
        report.fail(
            WHAT,
            format!("{path} is damaged ({})", printable(damage)),
            "stop the server, keep the file, put your last copy back, and rotate and retire the sealing keys",
        );
    } else if found.ahead {
        report.fail(
            WHAT,
            format!("{path} was made by a newer orest"),
            "run that version, or put your copy from before back",
        );
    } else if let Some(source) = &found.unfinished {
        let text = format!("{path} holds a transfer from {} that has not ended", printable(source));
        report.fail(WHAT, text, "run `orest transfer` again, with the same --from and --to");
    } else if found.behind > 0 {
        let steps = if found.behind == 1 { "step" } else { "steps" };
        let text = format!("{path} is {} {steps} behind this version", found.behind);
        report.warn(WHAT, text, "restart `orest serve` with this version, which brings it up to date");
    } else {
        let looked = match &found.line {
            Some(line) => format!("on PostgreSQL {}", printable(&line.version)),
            None if found.looked_through => "whole".to_owned(),
            None => "too large to be looked through for damage".to_owned(),
        };
        report.ok(WHAT, format!("{path}, {}, of this version, {looked}", size(found.bytes)));
    }
}

fn sealing_keys(report: &mut Report, config: &Config, content: Option<&Content>) {
    const WHAT: &str = "sealing keys";
    let file = KeyFile::in_folder(&config.data_dir);
    let path = file.path().display();
    if matches!(file.path().try_exists(), Ok(false)) {
        let advice = "copy it from another node or from your backup; without it every token is dead";
        return report.fail(WHAT, format!("{path} does not exist"), advice);
    }
    let held = match file.load() {
        Ok(held) => held,
        // Its text says what to do where there is more to do than to put the file right.
        Err(error) => return report.fail(WHAT, error, "put it right, or put your copy of it back"),
    };
    let known: Vec<_> = content.map(|content| content.sealing_keys.as_slice()).unwrap_or_default().iter().collect();
    let in_force: Vec<_> = known.iter().filter(|row| row.retired_at.is_none()).collect();
    if in_force.is_empty() {
        return report.ok(WHAT, format!("{path}, {} of them", held.keys().len()));
    }
    let here =
        |row: &KeyRow| held.keys().iter().any(|key| key.id() == row.key.id && key.check_value() == row.key.check);
    let lacks = |seals: bool| {
        let lacks = in_force.iter().filter(|row| row.key.seals == seals && !here(row));
        lacks.map(|row| row.key.id.0.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (in_use, on_its_way) = (lacks(true), lacks(false));
    let advice = "copy the file from a node that has them, with mode 600; see `orest keys list`";
    if !in_use.is_empty() {
        return report.fail(WHAT, format!("{path} lacks what tokens are sealed with: {in_use}"), advice);
    }
    if !on_its_way.is_empty() {
        return report.warn(WHAT, format!("{path} lacks what is in force: {on_its_way}"), advice);
    }
    let sealing = in_force.iter().filter(|row| row.key.seals).map(|row| row.key.id.0).max().unwrap_or_default();
    let others = in_force.len() - 1;
    report.ok(WHAT, format!("{path}, key {sealing} seals, {others} other{} open", if others == 1 { "" } else { "s" }));
}

/// Looks at the paired Odoo; gives its answer.
fn odoo(report: &mut Report, web: &Web, pairing: &Pairing) -> Option<Answer> {
    const WHAT: &str = "Odoo";
    let url = &pairing.odoo_url;
    let answer = match web.call(&format!("{url}/web/webclient/version_info")) {
        Ok(answer) => answer,
        Err(silence) => {
            report.fail(WHAT, format!("{url}: {}", silence.cause), silence.advice);
            return None;
        }
    };
    let version = answer.json.as_ref().and_then(|json| json["result"]["server_version"].as_str());
    let Some(version) = version.map(printable) else {
        let advice = if answer.location.is_some() {
            "pair with the address to which it leads: orest pair --odoo-url"
        } else {
            "if that is the wrong address, pair anew: orest pair --odoo-url"
        };
        report.fail(WHAT, format!("no Odoo answers at {url} ({})", answer.describe()), advice);
        return None;
    };
    // This service speaks Odoo's language too, and its own address is easily given for Odoo's.
    let own = web.get(&format!("{url}/ready")).ok().and_then(|answer| answer.json);
    if own.is_some_and(|json| json["service"] == "orest") {
        report.fail(WHAT, format!("an orest answers at {url}"), "pair with Odoo's own address: orest pair --odoo-url");
        return None;
    }
    // "saas~17.4" and "18.0+e" begin otherwise or end otherwise.
    let series = Series::ALL.iter().find(|series| version.starts_with(&series.to_string()));
    let known = Series::ALL.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if series.is_some() {
        report.ok(WHAT, format!("{url}, {version}"));
    } else {
        report.warn(WHAT, format!("{url} is {version}"), format!("the module is made for {known}"));
    }
    module(report, web, pairing, series.copied());
    Some(answer)
}

fn module(report: &mut Report, web: &Web, pairing: &Pairing, series: Option<Series>) {
    const WHAT: &str = "Odoo module";
    let url = format!("{}/orest/status", pairing.odoo_url);
    let answer = match web.get(&url) {
        Ok(answer) => answer,
        Err(silence) => return report.fail(WHAT, format!("{url}: {}", silence.cause), silence.advice),
    };
    let text = |name: &str| answer.json.as_ref().and_then(|json| json[name].as_str());
    let (Some("orest"), Some(version)) = (text("module"), text("version").map(printable)) else {
        let advice =
            "install it (orest odoo-module writes it); with several databases, Odoo must know which by dbfilter or -d";
        return report.fail(WHAT, format!("it doesn't answer at {url} ({})", answer.describe()), advice);
    };
    let Some(series) = series else { return report.ok(WHAT, version) };
    let ours = crate::odoo_module::version(series).unwrap_or_default();
    if !version.starts_with(&format!("{series}.")) {
        let advice = format!("write the one for {series}: orest odoo-module --series {series} --output DIR");
        report.fail(WHAT, format!("{version} is there, which is for another series"), advice);
    } else if version != ours {
        let advice = format!("orest odoo-module --series {series} --output DIR, restart Odoo, update the module");
        report.warn(WHAT, format!("{version} is there, {ours} belongs to this service"), advice);
    } else {
        report.ok(WHAT, version);
    }
}

/// This machine's clock, against what is noted in the database and against Odoo's.
fn clock(report: &mut Report, now: Timestamp, latest: Option<Timestamp>, odoo: Option<&Answer>) {
    const WHAT: &str = "clock";
    const ADVICE: &str = "set it right, and let NTP keep it: timedatectl";
    if let Some(latest) = latest.filter(|latest| unix(*latest) - unix(now) > CLOCK_FINE) {
        return report.fail(WHAT, format!("it is {now} UTC, but something was noted at {latest} UTC"), ADVICE);
    }
    let Some(odoo) = odoo.and_then(|answer| answer.date) else { return report.ok(WHAT, format!("{now} UTC")) };
    let apart = (unix(now) - unix(odoo)).abs();
    let text = format!("it is {now} UTC here and {odoo} UTC at Odoo");
    if apart > CLOCK_WRONG {
        report.fail(WHAT, text, "set the wrong one right, and let NTP keep both: timedatectl");
    } else if apart > CLOCK_FINE {
        report.warn(WHAT, text, "set the wrong one right, and let NTP keep both: timedatectl");
    } else {
        report.ok(WHAT, format!("{now} UTC, as at Odoo"));
    }
}

/// Whether Odoo has the credential and uses it.
fn credential(report: &mut Report, pairing: &Pairing, now: Timestamp) {
    const WHAT: &str = "pairing";
    const ENTER: &str = "enter address and credential in Odoo (Settings > General Settings > oREST) and press Test Connection; \
                         a lost credential: orest pair --odoo-url";
    let made = format!("made {}", ago(pairing.created_at, now));
    match (pairing.last_seen_at, &pairing.database_uuid) {
        (None, _) => report.fail(WHAT, format!("{made}, but Odoo has never called with its credential"), ENTER),
        (Some(seen), None) => {
            let text = format!("Odoo called {}, but no database is bound yet", ago(seen, now));
            report.warn(WHAT, text, "press Test Connection in Odoo (Settings > General Settings > oREST)");
        }
        (Some(seen), Some(_)) if unix(now) - unix(seen) > SILENCE => {
            let advice = "see whether Odoo's scheduled jobs run, and press Test Connection in its settings";
            report.warn(WHAT, format!("Odoo called last {}", ago(seen, now)), advice);
        }
        (Some(seen), Some(database)) => {
            report.ok(WHAT, format!("database {}, Odoo called {}", printable(database), ago(seen, now)));
        }
    }
}

/// Browsers tell hosts apart, not ports, when they send cookies; both servers have one called `session_id`.
fn hosts(report: &mut Report, base_url: &str, odoo_url: &str) {
    let [ours, odoos] = [base_url, odoo_url].map(|url| url::Url::parse(url).ok());
    let (Some(ours), Some(odoos)) = (ours, odoos) else { return };
    if ours.host() == odoos.host() {
        report.warn(
            "host names",
            format!("this service and Odoo are both at {}", ours.host_str().unwrap_or_default()),
            "signing in to one signs out of the other, so give each a name of its own",
        );
    }
    if odoos.scheme() == "http" && !is_loopback(&odoos) {
        let advice = "set TLS up there and pair anew: orest pair --odoo-url https://…";
        report.warn(
            "Odoo address",
            format!("{odoo_url} is not https, so whoever listens can take what is sent"),
            advice,
        );
    }
}

fn users(report: &mut Report, content: &Content, now: Timestamp) {
    const WHAT: &str = "users";
    let count = content.users;
    let Some(pairing) = &content.pairing else {
        if content.administrators == 0 {
            return report.fail(
                WHAT,
                format!("{count}, and no administrator who may act"),
                "enable one, or put a copy back",
            );
        }
        return report.ok(WHAT, format!("{count}, administrators {}", content.administrators));
    };
    const SYNCHRONISE: &str = "press Synchronise Users in Odoo (Settings > General Settings > oREST), and see whether its \
                               scheduled job runs";
    match pairing.last_sync_at {
        None => report.warn(WHAT, format!("{count}, never compared with Odoo's"), SYNCHRONISE),
        Some(at) if unix(now) - unix(at) > SILENCE => {
            report.warn(WHAT, format!("{count}, compared with Odoo's {}", ago(at, now)), SYNCHRONISE);
        }
        Some(at) => report.ok(WHAT, format!("{count}, compared with Odoo's {}", ago(at, now))),
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// "5 minutes ago".
fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = unix(now) - unix(at);
    let (count, unit) = match seconds {
        ..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// "4.2 MB".
fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        ..1_000_000 => format!("{} kB", tenths(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(1_000_000)),
        _ => format!("{} GB", tenths(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::from_unix;

    #[test]
    fn ages_and_sizes() {
        let now = from_unix(1_800_000_000);
        for (seconds, expect) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (7_200, "2 hours ago"),
            (86_400, "1 day ago"),
            (8_640_000, "100 days ago"),
        ] {
            assert_eq!(ago(from_unix(1_800_000_000 - seconds), now), expect);
        }
        for (bytes, expect) in [(0, "0.0 kB"), (4_250_000, "4.2 MB"), (1_000_000_000, "1.0 GB")] {
            assert_eq!(size(bytes), expect);
        }
    }

    #[test]
    fn a_disk_that_fills() {
        for (free, warnings, failures) in [
            (0, 0, 1),
            (SPACE_NONE - 1, 0, 1),
            (SPACE_NONE, 1, 0),
            (SPACE_LOW - 1, 1, 0),
            (SPACE_LOW, 0, 0),
            (u64::MAX, 0, 0),
        ] {
            let mut report = Report::default();
            room(&mut report, free, Path::new("/var/lib/orest"));
            assert_eq!((report.checks, report.warnings, report.failures), (1, warnings, failures), "{free}");
        }
    }

    #[test]
    fn what_is_here() {
        for (url, expect) in [
            ("http://localhost:8070", true),
            ("http://127.0.0.2", true),
            ("http://[::1]:1", true),
            ("https://auth.example.com", false),
            ("http://192.0.2.1", false),
        ] {
            assert_eq!(is_loopback(&url::Url::parse(url).expect("an address")), expect, "{url}");
        }
    }
}

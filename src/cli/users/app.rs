//! Which application is meant.

use std::fmt;

use clap::Args;

use crate::cli::client::admin_api::{AdminApi, App};
use crate::cli::client::failure::Failure;
use crate::cli::client::output::printable;
use crate::cli::client::prompt::Prompt;

/// Which application.
#[derive(Args)]
pub struct AppChoice {
    /// The application, by its client app id such as eggcorn-abcde, or how that begins
    #[arg(long, short, value_name = "ID")]
    app: Option<String>,
    /// The project that it belongs to; here there is one
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Products of App Services, for scripts that name them
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide = true)]
    product: Vec<String>,
}

/// As it is shown in a choice.
struct Choice(App);

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", printable(&self.0.client_app_id), printable(&self.0.group_id))
    }
}

impl AppChoice {
    /// Finds it, and asks where more than one is meant.
    ///
    /// # Errors
    /// If there is none, or several and nobody to ask.
    pub fn resolve(&self, api: &mut AdminApi<'_>, prompt: &Prompt) -> Result<App, Failure> {
        let wanted = match &self.app {
            Some(wanted) => wanted.clone(),
            None => prompt.text("App ID or Name", "--app")?,
        };
        let groups = match &self.project {
            Some(project) => vec![project.clone()],
            None => api.groups()?,
        };
        let mut apps = Vec::new();
        for group in &groups {
            apps.extend(api.apps(group, &self.product)?);
        }
        let mut found = matching(apps, wanted.trim());
        match found.len() {
            0 if wanted.is_empty() => Err(Failure::Other("failed to find app".to_owned())),
            0 => Err(Failure::Other(format!("failed to find app '{wanted}'"))),
            1 => Ok(found.remove(0)),
            _ if prompt.says_yes() || !prompt.can_ask() => {
                let ids: Vec<_> = found.iter().map(|app| app.client_app_id.as_str()).collect();
                let which = if wanted.is_empty() { String::new() } else { format!(" begin with '{wanted}'") };
                Err(Failure::Other(format!("several apps{which}: {}; give --app one", ids.join(", "))))
            }
            _ => {
                let choices = found.into_iter().map(Choice).collect();
                prompt.choose("Select App", choices, "--app").map(|choice| choice.0)
            }
        }
    }
}

/// Those whose client app id begins so, whatever the case; the one that is called so, or has this id, alone.
fn matching(mut apps: Vec<App>, wanted: &str) -> Vec<App> {
    let lower = wanted.to_lowercase();
    let exact = apps.iter().position(|app| app.client_app_id.to_lowercase() == lower || app.id == wanted);
    if let Some(exact) = exact {
        return vec![apps.swap_remove(exact)];
    }
    apps.retain(|app| app.client_app_id.to_lowercase().starts_with(&lower));
    apps.sort_by(|one, other| one.client_app_id.cmp(&other.client_app_id));
    apps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_match_whatever_their_case() {
        let apps = || {
            ["sales-abcde", "sales-dashboard-fghij", "mail-klmno", "mail"].map(|name| App {
                id: format!("id-{name}"),
                client_app_id: name.to_owned(),
                group_id: "g".to_owned(),
            })
        };
        for (wanted, expect) in [
            ("sales", vec!["sales-abcde", "sales-dashboard-fghij"]),
            ("SALES-D", vec!["sales-dashboard-fghij"]),
            ("mail", vec!["mail"]),
            ("mail-", vec!["mail-klmno"]),
            ("id-sales-abcde", vec!["sales-abcde"]),
            ("ales", vec![]),
            ("", vec!["mail", "mail-klmno", "sales-abcde", "sales-dashboard-fghij"]),
        ] {
            let found = matching(apps().to_vec(), wanted);
            let names: Vec<_> = found.iter().map(|app| app.client_app_id.as_str()).collect();
            assert_eq!(names, expect, "{wanted}");
        }
    }
}

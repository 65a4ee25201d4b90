//! `orest users create`.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::app::AppChoice;
use crate::cli::client::admin_api::AdminApi;
use crate::cli::client::failure::Failure;
use crate::cli::client::prompt::Prompt;
use crate::cli::client::{Client, Outcome, typed};

/// Whom to create; what is left out is asked for.
#[derive(Args)]
pub struct Create {
    #[command(flatten)]
    app: AppChoice,
    /// What to create
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    kind: Option<Kind>,
    /// What the new API key is for
    #[arg(long, conflicts_with_all = ["email", "password"])]
    name: Option<String>,
    /// The new user's e-mail address, which is his login
    #[arg(long)]
    email: Option<String>,
    /// The new user's password. Whoever lists processes sees it here; the environment or the question hides it
    #[arg(long, env = "OREST_NEW_USER_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    ApiKey,
    Email,
}

enum New {
    ApiKey { name: String },
    Email { email: String, password: String },
}

impl Create {
    pub(super) fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        let mut session = client.session()?;
        let mut api = AdminApi::new(&mut session);
        let app = self.app.resolve(&mut api, &client.prompt)?;
        let because = |what: &'static str| {
            move |failure: Failure| match failure {
                Failure::Refused { status, code, message } => {
                    Failure::Refused { status, code, message: format!("failed to create {what}: {message}") }
                }
                other => other,
            }
        };
        match self.ask(&client.prompt)? {
            New::ApiKey { name } => {
                let made = api.create_api_key(&app, &name).map_err(because("API Key"))?;
                let document = json!({"id": made.id, "enabled": !made.disabled, "name": made.name, "key": made.key});
                client.output.document("Successfully created API Key", &document);
            }
            New::Email { email, password } => {
                let made = api.create_user(&app, &email, &password).map_err(because("user"))?;
                let email = made.data.get("email").cloned().unwrap_or(Value::Null);
                let document = json!({"id": made.id, "enabled": !made.disabled, "email": email, "type": made.kind});
                client.output.document("Successfully created user", &document);
            }
        }
        Ok(Outcome::Done)
    }

    fn ask(&self, prompt: &Prompt) -> Result<New, Failure> {
        let kind = match (self.kind, &self.name, &self.email) {
            (_, Some(_), _) => Kind::ApiKey,
            (_, None, Some(_)) => Kind::Email,
            (Some(kind), None, None) => kind,
            (None, None, None) => {
                let options = [Kind::ApiKey, Kind::Email].map(|kind| typed(&kind)).to_vec();
                let question = "Which auth provider type are you creating a user for?";
                if prompt.choose(question, options, "--type")? == typed(&Kind::ApiKey) {
                    Kind::ApiKey
                } else {
                    Kind::Email
                }
            }
        };
        let given = |value: &Option<String>, ask: &dyn Fn() -> Result<String, Failure>| match value {
            Some(value) => Ok(value.clone()),
            None => ask(),
        };
        Ok(match kind {
            Kind::ApiKey => New::ApiKey { name: given(&self.name, &|| prompt.text("API Key Name", "--name"))? },
            Kind::Email => New::Email {
                email: given(&self.email, &|| prompt.text("New Email", "--email"))?,
                password: given(&self.password, &|| prompt.new_password("New Password", "--password"))?,
            },
        })
    }
}

//! One call of a method of a model: who calls, with which arguments, and how they are bound to names.
//!
//! # To add a method
//! A handler under [`super::methods`], a line in that file's `METHODS`. Its parameters are what `/doc-bearer` shows, what
//! `/json/2` takes by name, and what the error texts speak of.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::{Exception, OdooError};
use super::field::Model;
use super::registry::Registry;
use crate::service::sessions::Session;
use crate::service::{Context, Service};

/// The Odoo face of a service. Cloning it is cheap.
#[derive(Clone)]
pub struct Orm {
    /// What does it.
    pub service: Service,
    /// What there is.
    pub registry: Arc<Registry>,
    /// Where the service is reached from outside, without a slash at the end.
    pub base_url: Arc<str>,
}

impl Orm {
    /// These models over a service.
    pub fn new(service: Service, registry: Registry) -> Self {
        let base_url = "http://127.0.0.1:8070".into();
        Self { service, registry: Arc::new(registry), base_url }
    }

    /// The same, reached at another address.
    pub fn reached_at(self, base_url: &str) -> Self {
        Self { base_url: base_url.into(), ..self }
    }
}

/// Who calls a method, and from where.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who, from where, through which door.
    pub context: Context,
    /// His id, as Odoo's error texts have it.
    pub uid: i64,
    /// The web session, on the doors that have one. Methods that ask for a proof of identity need it.
    pub session: Option<Session>,
}

/// What a handler works with.
pub struct Env<'a> {
    /// The models and the service.
    pub orm: &'a Orm,
    /// Who calls.
    pub caller: &'a Caller,
    /// The call's own `context`: `lang`, `active_test`, `active_ids`, `default_…`.
    pub context: Map<String, Value>,
}

/// What a handler gives.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, OdooError>> + Send + 'a>>;

/// Does what a method does.
pub type Handler = for<'a> fn(&'a Env<'a>, &'static Model, Arguments) -> Answer<'a>;

/// A method that can be called from outside.
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// The Python class that error texts name: `BaseModel.search() missing 1 required …`.
    pub class: &'static str,
    /// Its parameters, without the ids.
    pub params: &'static [Param],
    /// Whether it takes no ids (`@api.model`).
    pub api_model: bool,
    /// The models that have it; empty: every model.
    pub models: &'static [&'static str],
    /// What does it.
    pub handler: Handler,
    /// A sentence on it.
    pub doc: &'static str,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it is when it is not given, as JSON text; `None`: it must be given.
    pub default: Option<&'static str>,
    /// Other names that older series use.
    pub aliases: &'static [&'static str],
}

impl Param {
    /// One that must be given.
    pub const fn required(name: &'static str) -> Self {
        Self { name, default: None, aliases: &[] }
    }
    /// One that may be left out.
    pub const fn optional(name: &'static str, default: &'static str) -> Self {
        Self { name, default: Some(default), aliases: &[] }
    }
    /// The same under older names.
    pub const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// The arguments of a call, bound to the parameters' names.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// The records, for a method that takes ids; as given: a number, a list, `false` or `null`.
    pub ids: Value,
    values: Map<String, Value>,
}

impl Arguments {
    /// The value of a parameter: what was given, or its default.
    pub fn get(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or(&Value::Null)
    }

    /// Takes the value of a parameter.
    pub fn take(&mut self, name: &str) -> Value {
        self.values.remove(name).unwrap_or_default()
    }
}

impl Method {
    /// Whether a model has it.
    pub fn belongs_to(&self, model: &Model) -> bool {
        self.models.is_empty() || self.models.contains(&model.name)
    }

    /// Binds arguments to parameters, with Python's own words when they do not fit.
    fn bind(&self, mut args: Vec<Value>, mut kwargs: Map<String, Value>) -> Result<Arguments, OdooError> {
        let title = format!("{}.{}()", self.class, self.name);
        let mut ids = Value::Null;
        if !self.api_model {
            if let Some(named) = kwargs.remove("ids") {
                ids = named;
            } else if args.is_empty() {
                return Err(OdooError::new(Exception::IndexError, "list index out of range"));
            } else {
                ids = args.remove(0);
            }
        }
        if args.len() > self.params.len() {
            let (most, given) = (self.params.len() + 1, args.len() + 1);
            let required = self.params.iter().filter(|param| param.default.is_none()).count() + 1;
            let takes = if required < most { format!("from {required} to {most}") } else { most.to_string() };
            let noun = if most == 1 { "argument" } else { "arguments" };
            return Err(OdooError::type_error(format!(
                "{title} takes {takes} positional {noun} but {given} were given"
            )));
        }
        let mut values = Map::new();
        let positional = args.len();
        for (param, value) in self.params.iter().zip(args) {
            values.insert(param.name.to_owned(), value);
        }
        for (index, param) in self.params.iter().enumerate() {
            for name in std::iter::once(&param.name).chain(param.aliases) {
                let Some(value) = kwargs.remove(*name) else { continue };
                if index < positional {
                    return Err(OdooError::type_error(format!("{title} got multiple values for argument '{name}'")));
                }
                values.insert(param.name.to_owned(), value);
            }
        }
        if let Some((unknown, _)) = kwargs.into_iter().next() {
            return Err(OdooError::type_error(format!("{title} got an unexpected keyword argument '{unknown}'")));
        }
        let missing: Vec<_> = self
            .params
            .iter()
            .filter(|param| param.default.is_none() && !values.contains_key(param.name))
            .map(|param| param.name)
            .collect();
        if !missing.is_empty() {
            return Err(OdooError::missing_arguments(&title, &missing));
        }
        for param in self.params {
            if let Some(default) = param.default
                && !values.contains_key(param.name)
            {
                let value = serde_json::from_str(default).expect("defaults are JSON: a test reads them all");
                values.insert(param.name.to_owned(), value);
            }
        }
        Ok(Arguments { ids, values })
    }
}

impl Orm {
    /// Calls a method as Odoo's `call_kw` does.
    ///
    /// # Errors
    /// [`Exception::NotFound`] for a model that is not served: each door has its own words for that.
    pub async fn call_kw(
        &self,
        caller: &Caller,
        model: &str,
        method: &str,
        args: Vec<Value>,
        mut kwargs: Map<String, Value>,
    ) -> Result<Value, OdooError> {
        let model = self
            .registry
            .get(model)
            .ok_or_else(|| OdooError::new(Exception::NotFound, format!("the model '{model}' does not exist")))?;
        let method = self.method(model, method)?;
        let context = match kwargs.remove("context") {
            None | Some(Value::Null | Value::Bool(false)) => Map::new(),
            Some(Value::Object(context)) => context,
            Some(Value::String(_)) => {
                return Err(OdooError::value("dictionary update sequence element #0 has length 1; 2 is required"));
            }
            Some(other) => {
                return Err(OdooError::type_error(format!("context must be a mapping, not {other}")));
            }
        };
        let arguments = method.bind(args, kwargs)?;
        let env = Env { orm: self, caller, context };
        (method.handler)(&env, model, arguments).await
    }

    /// The method of a model, if it may be called from outside.
    pub fn method(&self, model: &Model, name: &str) -> Result<&'static Method, OdooError> {
        let found = super::methods::all().find(|method| method.name == name && method.belongs_to(model));
        if let Some(method) = found {
            return Ok(method);
        }
        if name.starts_with('_') || super::methods::PRIVATE.contains(&name) {
            let message = format!("Private methods (such as '{}.{name}') cannot be called remotely.", model.name);
            return Err(OdooError::access(message));
        }
        Err(OdooError::new(Exception::AttributeError, format!("The method '{}.{name}' does not exist", model.name)))
    }
}

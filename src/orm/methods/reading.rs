//! `search`, `read` and their kin.

use serde_json::{Value, json};

use crate::orm::arguments::{domain, ids};
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::OdooError;
use crate::orm::field::Model;
use crate::orm::order::{parse_limit, parse_offset};
use crate::orm::python;
use crate::orm::read::Load;
use crate::orm::rights::{self, Operation};
use crate::orm::search_domain::{Limits, SearchDomain};

const OFFSET: Param = Param::optional("offset", "0");
const LIMIT: Param = Param::optional("limit", "null");
const ORDER: Param = Param::optional("order", "null");
const LOAD: Param = Param::optional("load", "\"_classic_read\"");

/// The methods of this file.
pub const METHODS: &[Method] = &[
    Method {
        name: "search",
        class: "BaseModel",
        params: &[Param::required("domain"), OFFSET, LIMIT, ORDER],
        api_model: true,
        models: &[],
        handler: search,
        doc: "The ids of the records in a domain.",
    },
    Method {
        name: "search_count",
        class: "BaseModel",
        params: &[Param::required("domain"), LIMIT],
        api_model: true,
        models: &[],
        handler: search_count,
        doc: "How many records there are in a domain; counting stops at the limit.",
    },
    Method {
        name: "search_read",
        class: "BaseModel",
        params: &[Param::optional("domain", "null"), Param::optional("fields", "null"), OFFSET, LIMIT, ORDER, LOAD],
        api_model: true,
        models: &[],
        handler: search_read,
        doc: "The values of the records in a domain.",
    },
    Method {
        name: "read",
        class: "BaseModel",
        params: &[Param::optional("fields", "null"), LOAD],
        api_model: false,
        models: &[],
        handler: read,
        doc: "The values of records; what does not exist is left out.",
    },
    Method {
        name: "name_search",
        class: "BaseModel",
        params: &[
            Param::optional("name", "\"\""),
            Param::optional("domain", "null").or(&["args"]),
            Param::optional("operator", "\"ilike\""),
            Param::optional("limit", "100"),
        ],
        api_model: true,
        models: &[],
        handler: name_search,
        doc: "Ids and names of the records with such a name.",
    },
    Method {
        name: "name_get",
        class: "BaseModel",
        params: &[],
        api_model: false,
        models: &[],
        handler: name_get,
        doc: "Ids and names of records, as until series 17; read display_name instead.",
    },
    Method {
        name: "exists",
        class: "BaseModel",
        params: &[],
        api_model: false,
        models: &[],
        handler: exists,
        doc: "Which of the records exist, as until series 18.",
    },
];

fn search<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let domain = SearchDomain::parse(arguments.get("domain"), &Limits::default())?;
        Ok(find(env, model, &domain, &arguments).await?.into())
    })
}

async fn find(
    env: &Env<'_>,
    model: &'static Model,
    domain: &SearchDomain,
    arguments: &Arguments,
) -> Result<Vec<i64>, OdooError> {
    let (offset, limit) = (parse_offset(arguments.get("offset"))?, parse_limit(arguments.get("limit"))?);
    env.search(model, domain, arguments.get("order"), offset, limit).await
}

fn search_count<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let domain = SearchDomain::parse(arguments.get("domain"), &Limits::default())?;
        Ok(env.count(model, &domain, parse_limit(arguments.get("limit"))?).await?.into())
    })
}

fn search_read<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let fields = env.fields(model, arguments.get("fields"))?;
        let domain = domain(arguments.get("domain"))?;
        let found = find(env, model, &domain, &arguments).await?;
        Ok(json!(env.fetch(model, found, &fields, Load::from_value(arguments.get("load"))).await?))
    })
}

fn read<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let fields = env.fields(model, arguments.get("fields"))?;
        let load = Load::from_value(arguments.get("load"));
        Ok(json!(env.read(model, ids(&arguments.ids)?, &fields, load).await?))
    })
}

fn name_search<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let found = find_by_name(env, model, &arguments).await?;
        pairs(env, model, found).await
    })
}

/// The records whose name, or another of the fields that are searched for names, fits.
pub(super) async fn find_by_name(
    env: &Env<'_>,
    model: &'static Model,
    arguments: &Arguments,
) -> Result<Vec<i64>, OdooError> {
    rights::check_model(env.actor(), model, Operation::Read)?;
    let (name, operator) = (arguments.get("name"), arguments.get("operator"));
    let operator = operator.as_str().unwrap_or("ilike");
    let mut domain = domain(arguments.get("domain"))?;
    // an empty name fits every record
    if python::truthy(name) || !operator.ends_with("like") {
        let names = model.fields().filter(|field| field.in_name_search && rights::sees(env.actor(), field));
        let fields = std::iter::once("display_name").chain(names.map(|field| field.name));
        let terms: Vec<_> = fields.map(|field| json!([field, operator, name])).collect();
        let connective = if operator.starts_with("not") || operator == "!=" { "&" } else { "|" };
        let named = (1..terms.len()).map(|_| json!(connective)).chain(terms.iter().cloned()).collect();
        domain = SearchDomain::parse(&named, &Limits::default())?.and(domain);
    }
    env.search(model, &domain, &Value::Null, 0, parse_limit(arguments.get("limit"))?).await
}

fn name_get<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let ids = ids(&arguments.ids)?;
        let existing = env.check_records(model, &ids, Operation::Read).await?;
        let missing = ids.iter().find(|id| !existing.contains(id));
        if let Some(id) = missing {
            return Err(OdooError::missing(model.name, *id, env.caller.uid));
        }
        pairs(env, model, ids).await
    })
}

fn exists<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let ids = ids(&arguments.ids)?;
        let existing = env.check_records(model, &ids, Operation::Read).await?;
        Ok(ids.into_iter().filter(|id| existing.contains(id)).collect())
    })
}

/// `[[id, name], …]`
async fn pairs(env: &Env<'_>, model: &'static Model, ids: Vec<i64>) -> Result<Value, OdooError> {
    let names = env.names(model, ids.clone()).await?;
    Ok(ids.into_iter().filter_map(|id| Some(json!([id, names.get(&id)?]))).collect())
}

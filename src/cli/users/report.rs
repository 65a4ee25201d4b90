//! One table for each provider type.

use std::collections::BTreeMap;

use super::provider::Section;
use crate::cli::client::admin_api::User;
use crate::cli::client::table::Table;

/// Tables of users, in the order of the provider types; `cells` fills the columns behind the user's own.
pub fn tables<'a, T>(
    rows: impl IntoIterator<Item = T>,
    user: impl Fn(&T) -> &'a User,
    headers: [&'static str; 2],
    cells: impl Fn(&T) -> [String; 2],
) -> Vec<Table> {
    let mut sections: BTreeMap<Section, Vec<Vec<String>>> = BTreeMap::new();
    for row in rows {
        let user = user(&row);
        let section = Section::of(user);
        let own = section.header().map(|_| section.name(user).to_owned());
        let own = own.into_iter().chain([user.id.clone(), user.kind.clone()]).chain(cells(&row)).collect();
        sections.entry(section).or_default().push(own);
    }
    let table = |(section, rows): (Section, Vec<Vec<String>>)| Table {
        title: format!("Provider type: {}", section.display()),
        headers: section.header().into_iter().chain(["ID", "Type"]).chain(headers).collect(),
        rows,
    };
    sections.into_iter().map(table).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(id: &str, providers: &[&str]) -> User {
        let identities: Vec<_> = providers.iter().map(|name| json!({"provider_type": name})).collect();
        let data = json!({"email": format!("{id}@test.com"), "name": format!("name of {id}")});
        serde_json::from_value(json!({"_id": id, "type": "normal", "identities": identities, "data": data}))
            .expect("a user")
    }

    #[test]
    fn each_user_is_in_one_table_and_the_tables_are_in_order() {
        let users = [
            user("a", &["anon-user"]),
            user("b", &["oauth2-google", "local-userpass"]),
            user("c", &[]),
            user("d", &["api-key"]),
            user("e", &["saml"]),
            user("f", &["local-userpass"]),
        ];
        let tables = tables(&users, |user| user, ["Enabled", "Details"], |_| ["true".to_owned(), String::new()]);
        let shown: Vec<_> = tables
            .iter()
            .map(|table| (table.title.as_str(), table.headers[0], table.rows.iter().map(|row| &*row[0]).collect()))
            .collect::<Vec<(_, _, Vec<_>)>>();
        let expect = [
            ("Provider type: User/Password", "Email", vec!["b@test.com", "f@test.com"]),
            ("Provider type: ApiKey", "Name", vec!["name of d"]),
            ("Provider type: Anonymous", "ID", vec!["a"]),
            ("Provider type: saml", "Name", vec!["name of e"]),
            ("Provider type: None", "Name", vec!["name of c"]),
        ];
        assert_eq!(shown, expect);
        assert_eq!(tables[0].headers, ["Email", "ID", "Type", "Enabled", "Details"]);
        assert!(tables.iter().all(|table| table.rows.iter().all(|row| row.len() == table.headers.len())));
    }

    #[test]
    fn the_eight_provider_types_have_their_names_and_their_order() {
        let types = [
            ("local-userpass", "User/Password", "Email"),
            ("api-key", "ApiKey", "Name"),
            ("oauth2-facebook", "Facebook", "ID"),
            ("oauth2-google", "Google", "ID"),
            ("anon-user", "Anonymous", "ID"),
            ("custom-token", "Custom JWT", "ID"),
            ("oauth2-apple", "Apple", "ID"),
            ("custom-function", "Custom Function", "ID"),
        ];
        let users: Vec<User> = types.iter().rev().map(|(name, ..)| user(name, &[name])).collect();
        let shown: Vec<_> = tables(&users, |user| user, ["Enabled", "Details"], |_| [String::new(), String::new()])
            .iter()
            .map(|table| (table.title.clone(), table.headers[0]))
            .collect();
        assert_eq!(shown, types.map(|(_, title, header)| (format!("Provider type: {title}"), header)));
    }

    #[test]
    fn choices_say_who_is_who() {
        assert_eq!(Section::choice(&user("a", &["local-userpass"])), "User/Password - a@test.com - a");
        assert_eq!(Section::choice(&user("b", &["api-key"])), "ApiKey - name of b - b");
        assert_eq!(Section::choice(&user("c", &["anon-user"])), "Anonymous - c");
        assert_eq!(Section::choice(&user("d", &[])), "None - name of d - d");
    }
}

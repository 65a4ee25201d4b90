//! `res.groups`: the groups are fixed, see [`Group`].

use serde_json::json;

use super::record;
use crate::domain::user::Group;
use crate::orm::eval::Row;
use crate::orm::field::{Access, Field, Kind, Model, Storage, boolean, char};
use crate::orm::registry::Registry;

/// A group of users.
pub const GROUPS: Model = Model {
    id: 25,
    name: "res.groups",
    label: "Access Groups",
    order: "name, id",
    rec_name: "name",
    storage: Storage::Memory(groups),
    own_fields: &[
        char("name", "Name").help("What a person calls it.").readonly(),
        char("full_name", "Group Name").help("The same.").readonly(),
        boolean("share", "Share Group").help("Whether its members are outside users.").readonly(),
        Field::new(
            "implied_ids",
            Kind::Many2many { model: "res.groups", relation: "res_groups_implied_rel", own: "gid", other: "hid" },
            "Inherits",
        )
        .help("The groups that its members are members of too.")
        .readonly(),
    ],
    access: &[Access::read(Group::User)],
    rules: &[],
    unique: &[],
};

fn groups(_: &Registry) -> Vec<Row> {
    let rows = Group::ALL.into_iter().map(|group| {
        let implied: Vec<_> = group.implied().iter().map(|group| group.id()).collect();
        record(json!({
            "id": group.id(),
            "name": group.label(),
            "full_name": group.label(),
            "share": matches!(group, Group::Portal | Group::Public),
            "implied_ids": implied,
        }))
    });
    rows.collect()
}

//! `orest.pairing`: what the module in the paired Odoo calls. It has methods and no records.

use crate::domain::user::Group;
use crate::orm::field::{Access, Model, Storage};

/// The pairing with an Odoo. Its methods are for the pairing's credential alone.
pub const PAIRING: Model = Model {
    id: 34,
    name: "orest.pairing",
    label: "Pairing with Odoo",
    order: "id",
    rec_name: "display_name",
    storage: Storage::Memory(|_| Vec::new()),
    own_fields: &[],
    access: &[Access::read(Group::System)],
    rules: &[],
    unique: &[],
};

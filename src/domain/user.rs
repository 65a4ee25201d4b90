//! Users, their groups, and what a group may do by itself.

use super::ids::UserId;

/// A group of users, by Odoo's external id. The numbers are the `res.groups` ids that we serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Group {
    /// `base.group_user`: internal users.
    User = 1,
    /// `base.group_portal`: outside users, who see nothing here.
    Portal = 2,
    /// `base.group_public`: visitors, who see nothing here.
    Public = 3,
    /// `base.group_erp_manager`: "Access Rights", may manage users.
    ErpManager = 4,
    /// `base.group_system`: administrators.
    System = 5,
    /// `orest.group_orest_admin`: "REST API Admin", may do all on the oREST records.
    OrestAdmin = 6,
    /// `base.group_no_one`: technical features.
    NoOne = 7,
    /// `base.group_allow_export`: may export.
    AllowExport = 8,
}

impl Group {
    /// Every group, in the order of its id.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Portal,
        Self::Public,
        Self::ErpManager,
        Self::System,
        Self::OrestAdmin,
        Self::NoOne,
        Self::AllowExport,
    ];

    /// The `res.groups` id.
    pub const fn id(self) -> i64 {
        self as i64
    }

    /// The group of a `res.groups` id.
    pub fn from_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.id() == id)
    }

    /// Odoo's external id.
    pub const fn xmlid(self) -> &'static str {
        match self {
            Self::User => "base.group_user",
            Self::Portal => "base.group_portal",
            Self::Public => "base.group_public",
            Self::ErpManager => "base.group_erp_manager",
            Self::System => "base.group_system",
            Self::OrestAdmin => "orest.group_orest_admin",
            Self::NoOne => "base.group_no_one",
            Self::AllowExport => "base.group_allow_export",
        }
    }

    /// The name that a person reads, as Odoo 19 has it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::User => "Role / User",
            Self::Portal => "Role / Portal",
            Self::Public => "Role / Public",
            Self::ErpManager => "Access Rights",
            Self::System => "Role / Administrator",
            Self::OrestAdmin => "REST API Admin",
            Self::NoOne => "Technical Features",
            Self::AllowExport => "Allowed Export",
        }
    }

    /// The groups that a member of this one is a member of too, without itself.
    pub const fn implied(self) -> &'static [Self] {
        match self {
            Self::System => &[Self::ErpManager, Self::User, Self::OrestAdmin, Self::NoOne, Self::AllowExport],
            Self::ErpManager => &[Self::User, Self::AllowExport],
            Self::OrestAdmin => &[Self::User],
            _ => &[],
        }
    }
}

/// A set of groups, closed under implication when made with [`GroupSet::closure`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSet(u16);

impl GroupSet {
    /// The set of these and of all that they imply.
    pub fn closure(groups: impl IntoIterator<Item = Group>) -> Self {
        let mut set = Self::default();
        for group in groups {
            set.0 |= 1 << group as u8;
            for implied in group.implied() {
                set.0 |= 1 << *implied as u8;
            }
        }
        set
    }

    /// Whether the group is in the set.
    pub const fn contains(self, group: Group) -> bool {
        self.0 & (1 << group as u8) != 0
    }

    /// The members, by id.
    pub fn iter(self) -> impl Iterator<Item = Group> {
        Group::ALL.into_iter().filter(move |group| self.contains(*group))
    }
}

/// Who acts: a user with his groups, or the service itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user; `None` for the service itself and for callers that are no user.
    pub user: Option<UserId>,
    /// What to write in the log beside the id.
    pub login: String,
    /// What he may do.
    pub groups: GroupSet,
}

impl Actor {
    /// The service itself: policies such as refresh reuse, start-up, the local command line.
    pub fn system() -> Self {
        Self { user: None, login: "__system__".to_owned(), groups: GroupSet::closure([Group::System]) }
    }

    /// The paired Odoo in nobody's name: it has no right to any record.
    pub fn odoo() -> Self {
        Self { user: None, login: "__system__".to_owned(), groups: GroupSet::default() }
    }

    /// An application that acts in its own name: may only touch what it holds the token of.
    pub fn application(client_id: &str) -> Self {
        Self { user: None, login: client_id.to_owned(), groups: GroupSet::default() }
    }

    /// Whether he may see and revoke everybody's authorizations.
    pub const fn is_orest_admin(&self) -> bool {
        self.groups.contains(Group::OrestAdmin)
    }

    /// Whether he is an administrator.
    pub const fn is_system(&self) -> bool {
        self.groups.contains(Group::System)
    }
}

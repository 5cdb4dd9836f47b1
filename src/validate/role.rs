//! IAM roles.

use super::Arn;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    settings::Settings,
};

/// An IAM role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    /// The full ARN.
    pub arn: String,
    /// The last part of its name.
    pub name: String,
}

/// Validates a role given as an ARN or a name; a name needs the account of the settings.
pub(crate) fn validate_role(
    raw: Option<&str>,
    _settings: &Settings,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Option<Role> {
    let raw = raw?;
    let _arn = Arn::parse(raw);
    None
}

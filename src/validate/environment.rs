//! Environment variables and environment files.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// The environment of a container, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Names and values in the order of the definition, each name once.
    pub variables: Vec<(String, String)>,
}

/// Validates `environment` and `environmentFiles`.
pub(crate) fn validate_environment(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Environment {
    Environment::default()
}

//! User, capabilities, ulimits, sysctls and the other limits of a container's processes.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// The security settings and Linux parameters of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Whether the container runs privileged.
    pub privileged: bool,
}

/// Validates `user`, `privileged`, `linuxParameters`, `ulimits`, `systemControls` and `dockerSecurityOptions`.
pub(crate) fn validate_security(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Security {
    Security::default()
}

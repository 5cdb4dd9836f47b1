//! References to Secrets Manager and SSM.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// A variable whose value comes from a secret store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    /// The variable's name.
    pub name: String,
    /// Where its value is.
    pub reference: SecretReference,
}

/// A place in Secrets Manager or the SSM parameter store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The key in the store.
    pub key: String,
}

/// Credentials for a private registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSecret {
    /// `credentialsParameter`: the ARN or name of the secret.
    pub credentials_parameter: String,
}

/// Validates `secrets`.
pub(crate) fn validate_secrets(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Vec<SecretVariable> {
    Vec::new()
}

/// Validates `repositoryCredentials`.
pub(crate) fn validate_pull_secret(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Option<PullSecret> {
    None
}

//! Service Connect and service registries.

/// `serviceConnectConfiguration`, if enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceConnect {
    /// The Cloud Map namespace's name.
    pub namespace: Option<String>,
}

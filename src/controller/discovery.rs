//! What the cluster has: its version and its add-ons.

use std::collections::BTreeSet;

use kube::Client;

use super::child_kind::{ADDON_GROUPS, ALL, ChildKind};
use crate::settings::{Addon, NEWEST_KUBERNETES_MINOR, OLDEST_KUBERNETES_MINOR};

/// What the cluster has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// Its add-ons.
    pub addons: BTreeSet<Addon>,
    /// The API groups and their versions that it serves.
    served: BTreeSet<(String, String)>,
}

impl Cluster {
    /// Asks the API server.
    ///
    /// # Errors
    ///
    /// When the request fails.
    pub(super) async fn discover(client: &Client) -> Result<Self, kube::Error> {
        let groups = client.list_api_groups().await?.groups;
        let served = groups.iter().flat_map(|group| {
            let versions = group.versions.iter();
            versions.map(|version| (group.name.clone(), version.version.clone()))
        });
        let has = |name: &str| groups.iter().any(|group| group.name == name);
        Ok(Self {
            addons: ADDON_GROUPS
                .iter()
                .filter(|(_, group)| has(group))
                .map(|(addon, _)| *addon)
                .collect(),
            served: served.collect(),
        })
    }

    /// The kinds that may be made in it.
    #[must_use]
    pub(super) fn kinds(&self) -> Vec<&'static ChildKind> {
        let is_served = |kind: &&ChildKind| {
            kind.built_in
                || self
                    .served
                    .contains(&(kind.group.to_owned(), kind.version.to_owned()))
        };
        ALL.iter().filter(is_served).collect()
    }
}

/// The minor version of the cluster, as near as this operator knows one.
///
/// # Errors
///
/// When the request fails.
pub(super) async fn kubernetes_minor(client: &Client) -> Result<u32, kube::Error> {
    let version = client.apiserver_version().await?;
    // Some clusters say `36+`.
    let digits: String = version
        .minor
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let minor = digits.parse().unwrap_or(OLDEST_KUBERNETES_MINOR);
    if !(OLDEST_KUBERNETES_MINOR..=NEWEST_KUBERNETES_MINOR).contains(&minor) {
        tracing::warn!(
            version = version.git_version,
            "this version of Kubernetes is not supported: 1.{OLDEST_KUBERNETES_MINOR} to 1.{NEWEST_KUBERNETES_MINOR} are"
        );
    }
    Ok(minor.clamp(OLDEST_KUBERNETES_MINOR, NEWEST_KUBERNETES_MINOR))
}

//! The kinds of objects that the operator creates.

use std::fmt;

use crate::settings::Addon;

/// A kind of object that a translation may return, and where the API serves it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChildKind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version that we write.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The plural name in URLs.
    pub plural: &'static str,
    /// Whether its objects are namespaced.
    pub namespaced: bool,
    /// Whether the API always serves it, and not only with an add-on.
    pub built_in: bool,
}

impl fmt::Display for ChildKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl ChildKind {
    /// Returns group and version, as in `apiVersion`.
    #[must_use]
    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Returns the kind of an object with this `apiVersion` and `kind`; `None` for kinds that no translation returns.
    #[must_use]
    pub(crate) fn of(api_version: &str, kind: &str) -> Option<&'static Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        ALL.iter()
            .chain([&POD])
            .find(|known| known.kind == kind && known.group == group && known.version == version)
    }
}

/// The pods of standalone tasks. They have a separate cache, because each is created once and then only watched.
pub(crate) static POD: ChildKind = core("Pod", "pods");

/// What makes tokens for private registries of ECR. External Secrets can be installed without its definition.
pub(crate) const ECR_TOKEN: ChildKind = addon(
    "generators.external-secrets.io",
    "v1alpha1",
    "ECRAuthorizationToken",
    "ecrauthorizationtokens",
);

/// Every other kind that a translation returns here. Secrets are not among them: they hold environment files, which
/// only the offline command accepts.
pub(crate) static ALL: &[ChildKind] = &[
    core("ServiceAccount", "serviceaccounts"),
    core("PersistentVolumeClaim", "persistentvolumeclaims"),
    core("ConfigMap", "configmaps"),
    core("Service", "services"),
    cluster(core("PersistentVolume", "persistentvolumes")),
    cluster(built_in(
        "storage.k8s.io",
        "v1",
        "StorageClass",
        "storageclasses",
    )),
    built_in("apps", "v1", "Deployment", "deployments"),
    built_in("apps", "v1", "DaemonSet", "daemonsets"),
    built_in("networking.k8s.io", "v1", "Ingress", "ingresses"),
    built_in(
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        "networkpolicies",
    ),
    built_in(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    ),
    built_in(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
    ),
    addon(
        "external-secrets.io",
        "v1",
        "ExternalSecret",
        "externalsecrets",
    ),
    addon("external-secrets.io", "v1", "SecretStore", "secretstores"),
    ECR_TOKEN,
    addon("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
    addon(
        "elbv2.k8s.aws",
        "v1beta1",
        "TargetGroupBinding",
        "targetgroupbindings",
    ),
    addon(
        "eks.amazonaws.com",
        "v1",
        "TargetGroupBinding",
        "targetgroupbindings",
    ),
    addon(
        "vpcresources.k8s.aws",
        "v1beta1",
        "SecurityGroupPolicy",
        "securitygrouppolicies",
    ),
    addon(
        "eks.services.k8s.aws",
        "v1alpha1",
        "PodIdentityAssociation",
        "podidentityassociations",
    ),
    addon(
        "snapshot.storage.k8s.io",
        "v1",
        "VolumeSnapshot",
        "volumesnapshots",
    ),
    cluster(addon(
        "snapshot.storage.k8s.io",
        "v1",
        "VolumeSnapshotContent",
        "volumesnapshotcontents",
    )),
];

/// The add-ons, and the API group that identifies each of them
/// (<https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>).
pub(crate) const ADDON_GROUPS: &[(Addon, &str)] = &[
    (Addon::AwsLoadBalancerController, "elbv2.k8s.aws"),
    (Addon::EksAutoMode, "eks.amazonaws.com"),
    (Addon::ExternalSecrets, "external-secrets.io"),
    (Addon::Keda, "keda.sh"),
    (Addon::SecurityGroupsForPods, "vpcresources.k8s.aws"),
    (Addon::AckEks, "eks.services.k8s.aws"),
];

const fn built_in(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> ChildKind {
    ChildKind {
        group,
        version,
        kind,
        plural,
        namespaced: true,
        built_in: true,
    }
}

const fn core(kind: &'static str, plural: &'static str) -> ChildKind {
    built_in("", "v1", kind, plural)
}

pub(crate) const fn addon(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> ChildKind {
    ChildKind {
        built_in: false,
        ..built_in(group, version, kind, plural)
    }
}

pub(crate) const fn cluster(kind: ChildKind) -> ChildKind {
    ChildKind {
        namespaced: false,
        ..kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_what_its_objects_say() {
        let deployment = ChildKind::of("apps/v1", "Deployment").expect("it is known");
        assert_eq!(deployment.plural, "deployments");
        let service = ChildKind::of("v1", "Service").expect("it is known");
        assert_eq!(service.group, "");
        assert_eq!(ChildKind::of("v1", "Secret"), None);
        assert_eq!(ChildKind::of("v1", "Node"), None);
        assert_eq!(ChildKind::of("apps/v2", "Deployment"), None);
    }

    #[test]
    fn each_kind_is_there_once() {
        for kind in ALL {
            let same = ALL
                .iter()
                .filter(|other| (other.group, other.plural) == (kind.group, kind.plural));
            assert_eq!(same.count(), 1, "{kind}");
        }
    }
}

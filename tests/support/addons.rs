//! The kinds of the add-ons.

use ecs_operator_testbed::Cluster;
use serde_json::json;

/// A kind: group, version, kind and plural.
pub type Kind = (&'static str, &'static str, &'static str, &'static str);

/// The kinds of the add-ons of a cluster on AWS.
pub const ADDONS: &[Kind] = &[
    (
        "elbv2.k8s.aws",
        "v1beta1",
        "TargetGroupBinding",
        "targetgroupbindings",
    ),
    (
        "external-secrets.io",
        "v1",
        "ExternalSecret",
        "externalsecrets",
    ),
    ("external-secrets.io", "v1", "SecretStore", "secretstores"),
    ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
    (
        "keda.sh",
        "v1alpha1",
        "TriggerAuthentication",
        "triggerauthentications",
    ),
    (
        "vpcresources.k8s.aws",
        "v1beta1",
        "SecurityGroupPolicy",
        "securitygrouppolicies",
    ),
];

/// The kind by which EKS Auto Mode is known.
pub const AUTO_MODE: Kind = (
    "eks.amazonaws.com",
    "v1",
    "TargetGroupBinding",
    "targetgroupbindings",
);

/// EKS by ACK.
pub const ACK_EKS: Kind = (
    "eks.services.k8s.aws",
    "v1alpha1",
    "PodIdentityAssociation",
    "podidentityassociations",
);

/// Snapshots of volumes.
pub const SNAPSHOTS: [Kind; 2] = [
    (
        "snapshot.storage.k8s.io",
        "v1",
        "VolumeSnapshot",
        "volumesnapshots",
    ),
    (
        "snapshot.storage.k8s.io",
        "v1",
        "VolumeSnapshotContent",
        "volumesnapshotcontents",
    ),
];

fn scope(plural: &str) -> &'static str {
    match plural {
        "volumesnapshotcontents" => "Cluster",
        _ => "Namespaced",
    }
}

/// Installs kinds of add-ons, which take any object: their controllers are not here.
pub async fn install_addons(cluster: &Cluster, kinds: &[Kind]) {
    let folder = cluster.folder().join("addons");
    // What was installed before is not installed again.
    let _none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (group, version, kind, plural) in kinds {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{plural}.{group}"),
                // Groups of Kubernetes ask for it.
                "annotations": {"api-approved.kubernetes.io": "unapproved, it takes any object"},
            },
            "spec": {
                "group": group,
                "scope": scope(plural),
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{
                    "name": version,
                    "served": true,
                    "storage": true,
                    "schema": {"openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": true,
                    }},
                }],
            },
        });
        let file = folder.join(format!("{plural}.{group}.json"));
        std::fs::write(file, definition.to_string()).unwrap();
    }
    cluster.install_crds(folder).await.unwrap();
}

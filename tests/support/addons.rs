//! The kinds of the add-ons.

use ecs_operator_testbed::{Cluster, until};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::LIMIT;

/// A kind: group, version, kind and plural.
pub type Kind = (&'static str, &'static str, &'static str, &'static str);

/// The kinds of the add-ons in an AWS cluster.
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
    (
        "generators.external-secrets.io",
        "v1alpha1",
        "ECRAuthorizationToken",
        "ecrauthorizationtokens",
    ),
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

/// The kind by which the operator detects EKS Auto Mode.
pub const AUTO_MODE: Kind = (
    "eks.amazonaws.com",
    "v1",
    "TargetGroupBinding",
    "targetgroupbindings",
);

/// The kind of the ACK controller for EKS.
pub const ACK_EKS: Kind = (
    "eks.services.k8s.aws",
    "v1alpha1",
    "PodIdentityAssociation",
    "podidentityassociations",
);

/// The kinds of volume snapshots.
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
        "kwoknodeclasses" | "nodeclaims" | "nodeoverlays" | "volumesnapshotcontents" => "Cluster",
        _ => "Namespaced",
    }
}

/// Returns the definition of a kind that takes any object.
pub fn definition((group, version, kind, plural): &Kind) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            // Groups of Kubernetes require it.
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
    })
}

/// Installs kinds of add-ons in a cluster for which there is only a client, and waits until they are served.
pub async fn serve_addons(client: &Client, kinds: &[Kind]) -> anyhow::Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for kind in kinds {
        let (group, _, _, plural) = kind;
        let name = format!("{plural}.{group}");
        let params = PatchParams::apply("test").force();
        let patch = Patch::Apply(definition(kind));
        definitions.patch(&name, &params, &patch).await?;
        until(&format!("{name} to be served"), LIMIT, async || {
            let status = definitions.get(&name).await?.status.unwrap_or_default();
            let mut conditions = status.conditions.into_iter().flatten();
            let served = conditions.any(|it| it.type_ == "Established" && it.status == "True");
            Ok(served.then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Installs kinds of add-ons, which accept any object: their controllers do not run here.
pub async fn install_addons(cluster: &Cluster, kinds: &[Kind]) {
    let folder = cluster.folder().join("addons");
    // Kinds that are already installed are not installed again.
    let _none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for kind in kinds {
        let definition = definition(kind);
        let (group, _, _, plural) = kind;
        let file = folder.join(format!("{plural}.{group}.json"));
        std::fs::write(file, definition.to_string()).unwrap();
    }
    cluster.install_crds(folder).await.unwrap();
}

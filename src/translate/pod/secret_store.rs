//! The stores that External Secrets reads from.

use serde_json::{Value, json};

use super::Draft;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::{Iam, SecretStore},
    translate::{Context, CustomObject, Object, identity, kname, names::hex_digest},
    validate::{Role, SecretService},
};

/// The group and version of the External Secrets Operator.
pub(super) const API_VERSION: &str = "external-secrets.io/v1";
/// The maximum length of a region in a name; AWS's longest has 14 characters.
pub(super) const REGION_LENGTH: usize = 40;

/// A reference to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoreReference {
    kind: &'static str,
    name: String,
}

impl StoreReference {
    /// Returns the value of `secretStoreRef` and `storeRef`.
    pub(super) fn to_value(&self) -> Value {
        json!({ "kind": self.kind, "name": self.name })
    }
}

/// Returns the store for `service` in `region`. It acts as the execution role and is added to the pod's objects;
/// without an execution role, or if the settings require it, it is a ClusterSecretStore.
pub(super) fn store(
    cx: &Context<'_>,
    service: SecretService,
    region: &str,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) -> StoreReference {
    let (short, long) = match service {
        SecretService::SecretsManager => ("sm", "SecretsManager"),
        SecretService::ParameterStore => ("ssm", "ParameterStore"),
    };
    let base = format!("ecs-{short}-{}", kname(region, REGION_LENGTH));
    let role = match cx.settings.secret_store {
        SecretStore::PerExecutionRole => cx.task_definition.execution_role.as_ref(),
        SecretStore::Cluster => None,
    };
    let Some(role) = role else {
        if cx.settings.secret_store == SecretStore::PerExecutionRole {
            let path = FieldPath::root(Subject::TaskDefinition).field("executionRoleArn");
            let message = Message::ClusterSecretStoreNeeded {
                name: base.clone(),
                service: long.to_owned(),
                region: region.to_owned(),
            };
            notes.report(path, message);
        }
        return StoreReference {
            kind: "ClusterSecretStore",
            name: base,
        };
    };
    let name = format!("{base}-{}", hex_digest(&role.arn, 8));
    let aws = json!({ "service": long, "region": region });
    let aws = acting_as(cx, role, aws, draft, notes);
    draft.objects.push(Object::Custom(CustomObject {
        api_version: API_VERSION,
        kind: "SecretStore",
        metadata: cx.shared_metadata(&name, "secret-store"),
        spec: json!({ "provider": { "aws": aws } }),
    }));
    StoreReference {
        kind: "SecretStore",
        name,
    }
}

/// Returns the provider of a store or the spec of a generator, with the role that External Secrets acts as. It can use the
/// service account of the role only with IRSA; otherwise it assumes the role with its own identity.
#[allow(
    clippy::indexing_slicing,
    reason = "assigning to a missing member of a JSON object adds it"
)]
pub(super) fn acting_as(
    cx: &Context<'_>,
    role: &Role,
    mut spec: Value,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) -> Value {
    let path = FieldPath::root(Subject::TaskDefinition).field("executionRoleArn");
    match cx.settings.iam {
        Iam::Irsa => {
            let name = identity::service_account(cx, role, &path, &mut draft.objects, notes);
            spec["auth"] = json!({ "jwt": { "serviceAccountRef": { "name": name } } });
        }
        Iam::PodIdentity | Iam::None => {
            let principal = "the role of the External Secrets Operator".to_owned();
            identity::report_trust(role, "sts:AssumeRole", principal, &path, notes);
            spec["role"] = json!(role.arn);
        }
    }
    spec
}

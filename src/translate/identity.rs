//! IAM roles as service accounts.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;
use serde_json::json;

use super::{Context, CustomObject, Manifests, Object, kname, names::hex_digest};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    settings::{Addon, EKS_ROLE, Iam},
    validate::{Role, has_placeholder},
};

/// The maximum length of a role in the name of its service account: 63 characters without `-` and eight digits.
const ROLE_LENGTH: usize = 54;

/// Adds the service account of `role` to `objects`, with the other objects of its identity, and returns its name. All
/// workloads of the namespace with that role share it. `path` is the field that specifies the role.
pub(crate) fn service_account(
    cx: &Context<'_>,
    role: &Role,
    path: &FieldPath,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) -> String {
    let name = service_account_name(role);
    let mut metadata = cx.shared_metadata(&name, "iam-role");
    match cx.settings.iam {
        Iam::Irsa => {
            let role_arn = (EKS_ROLE.to_owned(), role.arn.clone());
            metadata.annotations = Some(BTreeMap::from([role_arn]));
        }
        Iam::PodIdentity => associate(cx, role, &name, path, objects, notes),
        // Validation rejects roles in this case.
        Iam::None => {}
    }
    if role.is_account_open {
        let value = role.name.clone();
        notes.report(path.clone(), Message::RoleAccountUnknown { value });
    }
    trust_policy(cx, role, &name, path, notes);
    objects.push(Object::ServiceAccount(ServiceAccount {
        metadata,
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }));
    name
}

fn service_account_name(role: &Role) -> String {
    let base = kname(&format!("ecs-{}", role.name), ROLE_LENGTH);
    format!("{base}-{}", hex_digest(&role.arn, 8))
}

/// Reports once per role and document what its trust policy must allow.
fn trust_policy(
    cx: &Context<'_>,
    role: &Role,
    name: &str,
    path: &FieldPath,
    notes: &mut Diagnostics,
) {
    let namespace = &cx.settings.namespace;
    let (actions, principal) = match cx.settings.iam {
        Iam::PodIdentity => (
            "sts:AssumeRole and sts:TagSession",
            "pods.eks.amazonaws.com".to_owned(),
        ),
        Iam::Irsa | Iam::None => (
            "sts:AssumeRoleWithWebIdentity",
            // The name is made of the whole ARN.
            if has_placeholder(&role.arn) {
                "the service account, whose name is known when the placeholders of the ARN are filled"
                    .to_owned()
            } else {
                format!("system:serviceaccount:{namespace}:{name}")
            },
        ),
    };
    report_trust(role, actions, principal, path, notes);
}

/// Reports what the trust policy of `role` must allow, unless it is already reported.
pub(crate) fn report_trust(
    role: &Role,
    actions: &str,
    principal: String,
    path: &FieldPath,
    notes: &mut Diagnostics,
) {
    let message = Message::TrustPolicyMustAllowCluster {
        role: role.name.clone(),
        actions: actions.to_owned(),
        principal,
    };
    if !notes.iter().any(|finding| finding.message == message) {
        notes.report(path.clone(), message);
    }
}

/// Creates the Pod Identity association if the ACK controller for EKS is installed; otherwise a note has the command.
fn associate(
    cx: &Context<'_>,
    role: &Role,
    name: &str,
    path: &FieldPath,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    let cluster = cx.settings.eks_cluster_name.as_deref();
    let namespace = &cx.settings.namespace;
    if let Some(cluster) = cluster
        && cx.settings.has(Addon::AckEks)
    {
        objects.push(Object::Custom(CustomObject {
            api_version: "eks.services.k8s.aws/v1alpha1",
            kind: "PodIdentityAssociation",
            metadata: cx.shared_metadata(name, "iam-role"),
            spec: json!({
                "clusterName": cluster,
                "namespace": namespace,
                "serviceAccount": name,
                "roleARN": role.arn,
            }),
        }));
        return;
    }
    let message = Message::PodIdentityAssociationMissing {
        cluster: cluster.unwrap_or("...").to_owned(),
        ns: namespace.clone(),
        sa: name.to_owned(),
        arn: role.arn.clone(),
    };
    if !notes.iter().any(|finding| finding.message == message) {
        notes.report(path.clone(), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::testing::{Scenario, assert_object, yaml};

    const ARN: &str = "arn:aws:iam::123456789012:role/web-task-role";
    const NAME: &str = "ecs-web-task-role-bef44bda";

    fn with_role(role: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", {role}
                "containerDefinitions": [{{"name": "web", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1", "memory": 64}}]}}"#
        ))
    }

    fn task_role() -> Scenario {
        with_role(&format!(r#""taskRoleArn": "{ARN}","#))
    }

    #[test]
    fn a_task_role_becomes_a_service_account() {
        let outcome = task_role().run();
        assert_object(
            outcome.object("ServiceAccount", NAME),
            "
apiVersion: v1
kind: ServiceAccount
metadata:
  name: ecs-web-task-role-bef44bda
  annotations:
    eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/web-task-role
  labels:
    app.kubernetes.io/managed-by: ecs-operator
automountServiceAccountToken: false
",
        );
        assert_eq!(outcome.pod_spec()["serviceAccountName"], NAME);
        assert_eq!(outcome.pod_spec()["automountServiceAccountToken"], false);
        assert!(!outcome.has("InstanceRoleReachable"));
        assert!(!outcome.has("ExecutionRoleNotUsedForImagePull"));
        assert!(outcome.messages().contains(&
            "taskRoleArn: TrustPolicyMustAllowCluster: the trust policy of web-task-role must allow the cluster; allow sts:AssumeRoleWithWebIdentity for system:serviceaccount:default:ecs-web-task-role-bef44bda, in addition to what ECS needs while it still runs tasks with the role".to_owned()
        ), "{:?}", outcome.messages());
    }

    #[test]
    fn pod_identity_associates_the_role() {
        let scenario = task_role().settings(|s| s.iam = Iam::PodIdentity);
        let outcome = scenario.clone().run();
        let account = outcome.object("ServiceAccount", NAME);
        assert!(account["metadata"]["annotations"].is_null());
        let message = "taskRoleArn: PodIdentityAssociationMissing: the service account ecs-web-task-role-bef44bda has no AWS role until a Pod Identity association exists; create it: aws eks create-pod-identity-association --cluster-name ... --namespace default --service-account ecs-web-task-role-bef44bda --role-arn arn:aws:iam::123456789012:role/web-task-role";
        assert!(outcome.messages().contains(&message.to_owned()));

        let named = scenario.settings(|s| s.eks_cluster_name = Some("prod".to_owned()));
        let message = message.replace("--cluster-name ...", "--cluster-name prod");
        assert!(named.clone().run().messages().contains(&message));

        let outcome = named
            .settings(|s| {
                s.addons.insert(Addon::AckEks);
            })
            .run();
        assert!(!outcome.has("PodIdentityAssociationMissing"));
        let association = outcome.object("PodIdentityAssociation", NAME);
        assert_eq!(association["apiVersion"], "eks.services.k8s.aws/v1alpha1");
        assert_eq!(
            association["spec"],
            yaml(&format!(
                "{{clusterName: prod, namespace: default, serviceAccount: {NAME}, roleARN: '{ARN}'}}"
            ))
        );
    }

    #[test]
    fn without_a_task_role_the_node_role_is_reachable_and_pulls() {
        let execution = r#""executionRoleArn": "arn:aws:iam::123456789012:role/exec","#;
        let outcome = with_role(execution).run();
        assert!(outcome.objects_of("ServiceAccount").is_empty());
        let notes = outcome.messages();
        for expected in [
            "executionRoleArn: ExecutionRoleNotUsedForImagePull: 123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1 is pulled with the role of the node, not with the execution role; allow that role to pull from the repository",
            "taskRoleArn: InstanceRoleReachable: a task without a task role may reach the role of its node; set taskRoleArn, or block access to the instance metadata service",
        ] {
            assert!(notes.contains(&expected.to_owned()), "{notes:?}");
        }
        let fargate = with_role(
            r#""requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512","#,
        );
        assert!(!fargate.run().has("InstanceRoleReachable"));
    }

    #[test]
    fn names_of_service_accounts_fit_and_are_per_role() {
        let role = |arn: &str| Role {
            arn: arn.to_owned(),
            name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
            is_account_open: false,
        };
        for (arn, expected) in [
            (
                "arn:aws:iam::123456789012:role/web-task-role",
                "ecs-web-task-role-bef44bda",
            ),
            (
                "arn:aws:iam::123456789012:role/web-exec",
                "ecs-web-exec-bde6af5a",
            ),
        ] {
            assert_eq!(service_account_name(&role(arn)), expected);
        }
        let other_path = service_account_name(&role("arn:aws:iam::123456789012:role/a/web-exec"));
        assert_ne!(other_path, "ecs-web-exec-bde6af5a");
        let long = service_account_name(&role(&format!("arn:aws:iam::1:role/{}", "R".repeat(64))));
        assert_eq!(long.len(), 63);
        let placeholder = service_account_name(&role("<role_arn>"));
        assert!(placeholder.starts_with("ecs--role-arn-"), "{placeholder}");
    }
}

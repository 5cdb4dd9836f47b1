//! Deployment settings that a document has in a separate place, as AWS responses and CloudFormation do.

use super::{
    request::Reader,
    sink::{Sink, Trail},
    tree::{Node, Value},
};
use crate::diagnostic::Message;

impl Reader<'_> {
    /// Replaces CloudFormation's `ForceNewDeployment` object with its text. The object contains whether to force a
    /// deployment, and a text that forces the next one when it changes.
    pub(super) fn unwrap_force_new_deployment(&self, body: &mut Node<'_>, sink: &mut Sink) {
        let Some(mut member) = body.take("ForceNewDeployment") else {
            return;
        };
        let function = |key: &str| key == "Ref" || key.starts_with("Fn::");
        if let Some(members) = member.value.members()
            && !members.iter().any(|member| function(&member.key))
        {
            let enabled = member.value.take("EnableForceNewDeployment");
            member.value.take("ForceNewDeploymentNonce");
            let root = self.root.field("forceNewDeployment");
            let inner = Reader {
                root: root.clone(),
                ..*self
            };
            inner.beside(&member.value, &[], sink);
            let complete = member.value.members().is_none_or(<[_]>::is_empty);
            member.value.value = match enabled {
                Some(enabled) => enabled.value.value,
                None => Value::Null,
            };
            if complete && matches!(member.value.value, Value::Null) {
                let name = "EnableForceNewDeployment".to_owned();
                sink.reject(Trail::Root(&root), Message::RequiredField { name });
            }
        }
        if let Value::Object(members) = &mut body.value {
            members.push(member);
        }
    }
}

/// Moves the settings that `DescribeServices` returns only inside the primary deployment to the service.
pub(super) fn lift_primary_deployment(body: &mut Node<'_>) {
    let Some(deployments) = body.get("deployments").and_then(Node::elements) else {
        return;
    };
    let primary = deployments
        .iter()
        .find(|deployment| deployment.get("status").and_then(Node::text) == Some("PRIMARY"));
    let Some(primary) = primary.cloned() else {
        return;
    };
    let mut primary = primary;
    for name in [
        "serviceConnectConfiguration",
        "volumeConfigurations",
        "vpcLatticeConfigurations",
    ] {
        if body.get(name).is_none()
            && let Some(member) = primary.take(name)
            && let Value::Object(members) = &mut body.value
        {
            members.push(member);
        }
    }
}

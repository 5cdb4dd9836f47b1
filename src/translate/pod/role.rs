//! The task role as the pod's service account, and the role that pulls the images.

use super::{Draft, ecr};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    image::is_private_ecr,
    translate::{Context, identity},
};

/// Adds this feature's part to the pod.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let root = FieldPath::root(Subject::TaskDefinition);
    let path = root.field("taskRoleArn");
    match &cx.task_definition.task_role {
        Some(role) => {
            let name = identity::service_account(cx, role, &path, &mut draft.objects, notes);
            draft.spec.service_account_name = Some(name);
        }
        // On Fargate, no task can use a node's role.
        None if cx.task_definition.fargate => {}
        None => notes.report(path, Message::InstanceRoleReachable),
    }
    if cx.task_definition.execution_role.is_some()
        && !ecr::are_pulled_with_execution_role(cx)
        && let Some(image) = private_images(cx)
    {
        let path = root.field("executionRoleArn");
        let role = if cx.task_definition.eks_fargate {
            "the pod execution role of the Fargate profile"
        } else {
            "the role of the node"
        };
        let role = role.to_owned();
        notes.report(
            path,
            Message::ExecutionRoleNotUsedForImagePull { image, role },
        );
    }
}

/// Returns the first image in a private ECR registry, and the number of other such images.
fn private_images(cx: &Context<'_>) -> Option<String> {
    let mut images: Vec<_> = cx
        .task_definition
        .containers
        .iter()
        .map(|container| container.image.as_str())
        .filter(|image| is_private_ecr(image))
        .collect();
    images.sort_unstable();
    images.dedup();
    let first = *images.first()?;
    Some(match images.len() {
        1 => first.to_owned(),
        count => format!("{first} and {} more", count - 1),
    })
}

//! The policies of task roles. They stay in AWS with the role, and a note names them for whoever makes a role for pods.

use std::collections::BTreeSet;

use super::{super::tree::Node, resource::Resource, stack::Stack};
use crate::diagnostic::Message;

/// The types that attach a policy to roles.
const POLICIES: &[&str] = &[
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
];

/// Names the policies of the task role that a task definition refers to.
pub(super) fn say_policies<'t, 'a>(task_definition: &Resource<'t, 'a>, stack: &mut Stack<'t, 'a>) {
    let Some(role) = task_definition.property("TaskRoleArn") else {
        return;
    };
    let ids = stack.referring(|stack| {
        stack.node(role, &task_definition.scope);
    });
    for id in ids {
        let Some(role) = stack
            .resource(&id)
            .filter(|it| it.type_ == "AWS::IAM::Role")
        else {
            continue;
        };
        let policies = policies(&role, stack);
        if !policies.is_empty() {
            let policies = policies.join(", ");
            let message = Message::RolePoliciesStay { role: id, policies };
            stack.say(role.key_span, message);
        }
    }
}

/// Returns the policies of a role: ARNs of managed ones, and the names or logical IDs of others.
fn policies<'t, 'a>(role: &Resource<'t, 'a>, stack: &mut Stack<'t, 'a>) -> Vec<String> {
    let mut found = Vec::new();
    let evaluated = |property: &str, stack: &mut Stack<'t, 'a>| {
        let node = role.property(property)?;
        stack.node(node, &role.scope)
    };
    let managed = evaluated("ManagedPolicyArns", stack);
    let managed = managed
        .as_ref()
        .and_then(Node::elements)
        .unwrap_or_default();
    found.extend(managed.iter().filter_map(Node::scalar).map(str::to_owned));
    let inline = evaluated("Policies", stack);
    let inline = inline.as_ref().and_then(Node::elements).unwrap_or_default();
    let names = inline
        .iter()
        .filter_map(|it| it.get("PolicyName")?.scalar());
    found.extend(names.map(str::to_owned));
    for resource in &*stack.resources() {
        if !POLICIES.contains(&&*resource.type_) {
            continue;
        }
        let mut to = BTreeSet::new();
        for property in ["RoleName", "Roles"] {
            let Some(roles) = resource.property(property) else {
                continue;
            };
            to.extend(stack.referring(|stack| {
                stack.node(roles, &resource.scope);
            }));
        }
        if to.contains(&*role.id) {
            found.push(resource.id.to_string());
        }
    }
    found
}

//! Resolves a whole template of CloudFormation into its resources that are converted.
//!
//! Functions are evaluated as CloudFormation does. What only a deployment knows becomes a placeholder of the same name,
//! which `--set` fills: a parameter without a value, and the attribute of a resource. What can be said of a resource
//! without a deployment is said: the family of a task definition, the ARN of a role that has a name.
//!
//! Only the resources that are converted are evaluated, and what they refer to, so that a function elsewhere that cannot
//! be evaluated rejects nothing.

mod condition;
mod dynamic_reference;
mod for_each;
mod function;
mod name;
mod parameter;
mod reference;
mod resource;
mod scope;
mod stack;
mod sub;
mod target_group;

use std::{borrow::Cow, collections::BTreeMap};

use self::{resource::Resource, stack::Stack};
use super::{
    expand::{Expanded, counted},
    text::Span,
    tree::{Member, Node, Value},
    values::Values,
};
use crate::diagnostic::Message;

/// Whether this is a whole template, or only its resources by their names.
pub(super) fn is_template(root: &Node<'_>) -> bool {
    let resources = root.get("Resources").and_then(Node::members);
    let is_resource = |member: &Member<'_>| {
        let kind = member.value.get("Type").and_then(Node::text);
        kind.is_some_and(|kind| kind.starts_with("AWS::"))
    };
    root.get("AWSTemplateFormatVersion").is_some()
        || resources.is_some()
        || root
            .members()
            .is_some_and(|members| !members.is_empty() && members.iter().all(is_resource))
}

/// Whether a document that is no whole template has functions.
pub(super) fn has_functions(node: &Node<'_>) -> bool {
    match &node.value {
        Value::Object(members) => match members.as_slice() {
            [only] if function::is_function(&only.key) => true,
            members => members.iter().any(|it| has_functions(&it.value)),
        },
        Value::List(elements) => elements.iter().any(has_functions),
        _ => false,
    }
}

/// Returns a document that is a part of a template, with its functions evaluated. What they refer to is not there, so
/// that placeholders stand for it.
pub(super) fn expand_part<'a>(root: &Node<'a>, name: &str, values: &Values) -> Expanded<'a> {
    let mut stack = Stack::of_part(root, name, values);
    let document = stack.node(root, &scope::Scope::default());
    stack.finish(root.span, document.into_iter().collect())
}

/// Returns the resources of a template that are converted. `name` is that of the file, after which the stack is named.
pub(super) fn expand<'a>(root: &Node<'a>, name: &str, values: &Values) -> Expanded<'a> {
    let mut stack = Stack::new(root, name, values);
    let mut resources = Vec::new();
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    for resource in &*stack.resources() {
        if !resource.is_converted(&mut stack) {
            *unread.entry(resource.type_.to_string()).or_default() += 1;
        } else if let Some(node) = evaluated(&mut stack, resource) {
            resources.push(node);
        }
    }
    if !unread.is_empty() {
        let types = counted(&unread);
        let message = if resources.is_empty() {
            Message::NothingToConvert {
                what: "template".to_owned(),
                types,
            }
        } else {
            Message::ResourcesNotRead {
                what: "template".to_owned(),
                types,
            }
        };
        stack.say(root.span, message);
    }
    stack.finish(root.span, resources)
}

/// Returns a resource with everything in it evaluated.
fn evaluated<'t, 'a>(stack: &mut Stack<'t, 'a>, resource: &Resource<'t, 'a>) -> Option<Node<'a>> {
    let properties = resource.node.member("Properties");
    let condition = resource.node.member("Condition");
    let at = condition.map_or(resource.node.span, |it| it.value.span);
    let mut value = match (resource.holds(stack), properties) {
        (Err(failure), _) => failure.at(at),
        (Ok(_), Some(member)) => stack.node(&member.value, &resource.scope)?,
        (Ok(_), None) => Node {
            value: Value::Object(Vec::new()),
            span: resource.node.span,
        },
    };
    resource.add_name(&mut value, stack);
    if resource.type_ == "AWS::ECS::TaskDefinition" {
        dynamic_reference::move_to_secrets(&mut value, stack);
    }
    let key_span = properties.map_or(resource.node.span, |member| member.key_span);
    let text = |text: &Cow<'a, str>| Node {
        value: Value::String(text.clone()),
        span: resource.key_span,
    };
    let mut members = vec![
        member("Type", resource.key_span, text(&resource.type_)),
        member("Properties", key_span, value),
    ];
    if resource.type_ == "AWS::ECS::Service" {
        members.extend(target_group::metadata(stack, resource));
    }
    Some(Node {
        value: Value::Object(members),
        span: resource.node.span,
    })
}

fn member<'a>(key: &'static str, key_span: Span, value: Node<'a>) -> Member<'a> {
    Member {
        key: key.into(),
        key_span,
        value,
    }
}

#[cfg(test)]
mod tests;

//! Resolves a whole template of CloudFormation into its resources that are converted.
//!
//! Functions are evaluated as CloudFormation does. What only a deployment knows becomes a placeholder of the same name,
//! which `--set` fills: a parameter without a value, and the attribute of a resource. What can be said of a resource
//! without a deployment is said: the family of a task definition, the ARN of a role that has a name.
//!
//! Only the resources that are converted are evaluated, and what they refer to, so that a function elsewhere that cannot
//! be evaluated rejects nothing.

mod carried;
mod cidr;
mod cluster;
mod condition;
mod dynamic_reference;
mod export;
mod family;
mod for_each;
mod function;
mod index;
mod name;
mod nested;
mod parameter;
mod reference;
mod resource;
mod role;
mod scope;
mod stack;
mod sub;
mod target_group;
mod templates;
mod transform;

use std::{borrow::Cow, collections::BTreeMap};

pub(in crate::source) use self::templates::Folder;
pub(crate) use self::templates::Templates;
use self::{index::Around, nested::Nested, resource::Resource, stack::Stack};
use super::{
    expand::{Expanded, counted},
    family::Revision,
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
    let around = Around::default();
    let mut stack = Stack::of_part(root, name, values, &around);
    let document = stack.node(root, &scope::Scope::default());
    stack.finish(root.span, document.into_iter().collect())
}

/// Returns the resources of a template that are converted. `name` is that of the file, after which the stack is named. One
/// that others nest gives those of each nested stack.
pub(super) fn expand<'a>(root: &Node<'a>, name: &str, values: &Values) -> Expanded<'a> {
    let index = values.templates.index(values);
    let place = values.templates.place(name);
    let of_others = |place| {
        let nested = index.nested(&place, root.span);
        nested.or_else(|| index.left_out(&place, root.span))
    };
    if let Some(nested) = place.and_then(of_others) {
        return nested;
    }
    let mut stack = Stack::new(root, name, values, &index.around);
    stack.is_own = values.templates.has_several() && index.exports_of(name);
    let resources = documents(&mut stack);
    stack.finish(root.span, resources)
}

/// Returns the resources of a stack that are converted, also those of nested stacks whose templates are no files of the
/// input.
fn documents<'a>(stack: &mut Stack<'_, 'a>) -> Vec<Node<'a>> {
    transform::say_macros(stack);
    let revisions = family::revisions(stack);
    stack.leave_out();
    let nests = stack.all_resources().iter().any(nested::is_stack);
    let mut has_more = stack.is_own || nests && stack.values.templates.has_several();
    // What is wrong with its nested stacks is said also if there is nothing else in it.
    stack.is_own |= nests;
    let mut resources = Vec::new();
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    for resource in &*stack.resources() {
        if nested::is_stack(resource) && nest(stack, resource, &mut resources) {
            has_more = true;
        } else if !resource.is_converted(stack) {
            *unread.entry(resource.type_.to_string()).or_default() += 1;
        } else if revisions.get(&*resource.id) != Some(&Revision::LeftOut)
            && let Some(node) = evaluated(stack, resource)
        {
            resources.push(node);
        }
    }
    if !unread.is_empty() {
        let types = counted(&unread);
        let what = "template".to_owned();
        let message = if resources.is_empty() && !has_more {
            Message::NothingToConvert { what, types }
        } else {
            Message::ResourcesNotRead { what, types }
        };
        stack.say(stack.root.span, message);
    }
    resources
}

/// Adds the documents of a nested stack, unless its template gives them itself. Returns whether its template is at hand.
fn nest<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    resource: &Resource<'t, 'a>,
    documents: &mut Vec<Node<'a>>,
) -> bool {
    let child = match stack.child(resource) {
        Ok(Nested::Read(child)) => child,
        Ok(Nested::NotRead(why)) => {
            let name = stack.qualified(&resource.id);
            stack.say(resource.key_span, Message::NestedStackNotRead { name, why });
            return false;
        }
        Ok(Nested::Failed(why)) => {
            stack.say(resource.key_span, why);
            return true;
        }
        Err(failure) => {
            stack.say(resource.key_span, failure.message());
            return true;
        }
    };
    stack.take_names(&child.expanded.names);
    if child.input.is_none() {
        documents.extend(child.documents_at(resource.key_span));
        for (_, message) in &child.expanded.findings {
            stack.say(resource.key_span, message.clone());
        }
    }
    true
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
        role::say_policies(resource, stack);
    }
    let is_service = resource.type_ == "AWS::ECS::Service";
    cluster::add_strategies(resource, &mut value, stack);
    let metadata = is_service.then(|| target_group::metadata(stack, &value));
    let key_span = properties.map_or(resource.node.span, |member| member.key_span);
    let text = |text: &Cow<'a, str>| Node {
        value: Value::String(text.clone()),
        span: resource.key_span,
    };
    let mut members = vec![
        member("Type", resource.key_span, text(&resource.type_)),
        member("Properties", key_span, value),
    ];
    members.extend(metadata.flatten());
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

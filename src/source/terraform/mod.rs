//! Reads what Terraform plans and what it has made: the resources that are converted become documents.
//!
//! `terraform show -json` prints a plan or a state (<https://developer.hashicorp.com/terraform/internals/json-format>),
//! and `terraform.tfstate` is a state as Terraform stores it. A plan leaves out what only AWS says. What an argument
//! refers to tells it from the rest: the family of a task definition and the ARN of a role that has a name are known,
//! and everything else becomes a placeholder of the same name, which `--set` fills.

mod address;
mod attribute;
mod cluster;
mod collect;
pub(super) mod configuration;
mod configured;
mod container;
mod family;
mod known;
mod map;
mod named;
mod place;
mod plan;
mod property;
mod reference;
mod resource;
mod rule;
mod table;
mod target_group;

use std::collections::BTreeMap;

pub(super) use self::configured::expand_file;
use self::{
    attribute::Attribute,
    plan::Plan,
    property::Mapping,
    resource::Resource,
    table::{SCALES_ECS, Type},
};
use super::{
    expand::{Expanded, counted},
    family::{Finding, Revision},
    text::Span,
    tree::{Member, Node, Value},
    values::Values,
};
use crate::diagnostic::Message;

/// What a text of Terraform is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Document {
    /// A plan, as `terraform show -json` prints it.
    Plan,
    /// A state, as `terraform show -json` prints it.
    State,
    /// A state, as Terraform stores it.
    Stored,
}

impl Document {
    fn of(root: &Node<'_>) -> Option<Self> {
        let is_object = |key| root.get(key).is_some_and(|it| it.members().is_some());
        let is_list = |key| root.get(key).is_some_and(|it| it.elements().is_some());
        let is_of_terraform = root.get("terraform_version").is_some();
        let is_printed = root.get("format_version").is_some();
        if is_object("planned_values") {
            Some(Self::Plan)
        } else if is_printed && (is_object("values") || is_of_terraform) {
            Some(Self::State)
        } else {
            (is_of_terraform && is_list("resources")).then_some(Self::Stored)
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::State | Self::Stored => "state",
        }
    }
}

/// Whether this is a plan or a state of Terraform.
pub(super) fn is_state_or_plan(root: &Node<'_>) -> bool {
    Document::of(root).is_some()
}

/// Returns the resources of a plan or a state that are converted.
pub(super) fn expand<'a>(root: &Node<'a>, values: &Values) -> Expanded<'a> {
    let document = Document::of(root).unwrap_or(Document::State);
    let mut plan = Plan::new(root, document, values);
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    let documents = documents(&mut plan, &|_| true, &mut unread);
    say_unread(
        &mut plan,
        document,
        root.span,
        &unread,
        documents.is_empty(),
    );
    plan.finish(root.span, documents)
}

/// Returns the documents of the resources that `is_own` accepts by their numbers, and counts the types of the others
/// that are not converted.
fn documents<'a>(
    plan: &mut Plan<'_, 'a>,
    is_own: &dyn Fn(usize) -> bool,
    unread: &mut BTreeMap<String, usize>,
) -> Vec<Node<'a>> {
    let mut documents = Vec::new();
    let (revisions, findings) = family::revisions(plan);
    plan.revisions = revisions;
    for Finding { id, span, message } in findings {
        if plan.find(&id).is_some_and(is_own) {
            plan.say(span, message);
        }
    }
    let rules = rule::join(plan);
    for (index, resource) in plan.resources().iter().enumerate() {
        let is_left_out = plan.revisions.get(&resource.address) == Some(&Revision::LeftOut);
        if is_left_out || !is_own(index) {
            continue;
        }
        let converted = match &*resource.type_ {
            rule::RULE | rule::TARGET => rules.document(plan, index, resource),
            _ => converted(plan, resource),
        };
        match converted {
            Converted::Document(node) => documents.push(node),
            Converted::Joined => {}
            Converted::No => *unread.entry(resource.type_.clone()).or_default() += 1,
        }
    }
    documents
}

/// What becomes of a resource.
enum Converted<'a> {
    Document(Node<'a>),
    /// It is a part of another document.
    Joined,
    No,
}

/// Returns the document that a resource becomes by itself.
fn converted<'t, 'a>(plan: &mut Plan<'t, 'a>, resource: &Resource<'t, 'a>) -> Converted<'a> {
    let Some(kind) = Type::named(&resource.type_) else {
        return Converted::No;
    };
    let attributes = plan.attributes(resource);
    if !is_of_ecs(plan, resource, attributes) {
        return Converted::No;
    }
    let mut properties = Mapping::new(plan, resource, kind).properties(attributes);
    if let Some(Revision::Renamed(name)) = plan.revisions.get(&resource.address) {
        rename(&mut properties, name);
    }
    add_name(&mut properties, kind, resource);
    match &*resource.type_ {
        "aws_appautoscaling_policy" => add_policy_type(&mut properties, resource),
        "aws_ecs_service" => add_count(&mut properties, resource),
        _ => {}
    }
    cluster::add_strategies(plan, kind.api, resource, &[resource], &mut properties);
    let mut document = document(resource, properties);
    if resource.type_ == "aws_ecs_service"
        && let Some(metadata) = target_group::metadata(plan, resource)
        && let Value::Object(members) = &mut document.value
    {
        members.push(metadata);
    }
    Converted::Document(document)
}

/// Sets the family of a task definition whose own another one keeps.
fn rename(properties: &mut Node<'_>, family: &str) {
    let Value::Object(members) = &mut properties.value else {
        return;
    };
    for member in members.iter_mut().filter(|it| it.key == "Family") {
        member.value.value = Value::String(family.to_owned().into());
    }
}

/// Whether a resource of a type that is converted has to do with ECS.
fn is_of_ecs<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    resource: &Resource<'t, 'a>,
    attributes: Attribute<'t, 'a>,
) -> bool {
    let has = |path: &[&str]| attributes.at(path).is_given();
    match &*resource.type_ {
        name if SCALES_ECS.contains(&name) => {
            let namespace = attributes.member("service_namespace");
            namespace.text().is_none_or(|namespace| namespace == "ecs")
        }
        "aws_cloudwatch_metric_alarm" => {
            let actions = attributes.member("alarm_actions");
            let actions = plan.all_texts(resource, actions, "alarm_actions");
            actions
                .iter()
                .any(|arn| arn.contains(":scalingPolicy:") && arn.contains("/ecs/"))
        }
        "aws_scheduler_schedule" => has(&["target", "ecs_parameters"]),
        "aws_pipes_pipe" => has(&["target_parameters", "ecs_task_parameters"]),
        _ => true,
    }
}

/// Adds a name to what has none: Terraform makes one up when it applies the plan.
fn add_name(properties: &mut Node<'_>, kind: &Type, resource: &Resource<'_, '_>) {
    if let Some(property) = kind.name {
        add_missing(properties, property, resource);
    }
}

/// Adds the count of a service that has none, which is 0 for Terraform and not 1
/// (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_service>).
fn add_count(properties: &mut Node<'_>, resource: &Resource<'_, '_>) {
    let strategy = properties.get("SchedulingStrategy").and_then(Node::text);
    if strategy != Some("DAEMON") {
        add_default(
            properties,
            "DesiredCount",
            Value::Number("0".into()),
            resource,
        );
    }
}

/// Adds the type of a scaling policy that has none, which is step scaling for Terraform
/// (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/appautoscaling_policy>).
fn add_policy_type(properties: &mut Node<'_>, resource: &Resource<'_, '_>) {
    let type_ = Value::String("StepScaling".into());
    add_default(properties, "PolicyType", type_, resource);
}

/// Adds a property that is missing and has a default of Terraform.
fn add_default<'a>(
    properties: &mut Node<'a>,
    name: &'static str,
    value: Value<'a>,
    resource: &Resource<'_, '_>,
) {
    if properties.get(name).is_some() {
        return;
    }
    if let Value::Object(members) = &mut properties.value {
        let span = resource.span;
        members.push(member(name, span, Node { value, span }));
    }
}

/// Adds a property with the name of the resource, if there is none.
fn add_missing(properties: &mut Node<'_>, property: &str, resource: &Resource<'_, '_>) {
    let Value::Object(members) = &mut properties.value else {
        return;
    };
    if members.iter().all(|member| member.key != property) {
        let name = string(resource.made_name(), resource.span);
        members.push(member(property, resource.span, name));
    }
}

/// Returns the document of a resource.
fn document<'a>(resource: &Resource<'_, '_>, properties: Node<'a>) -> Node<'a> {
    let type_ = string(resource.type_.clone(), resource.span);
    let members = vec![
        member("Type", resource.span, type_),
        member("Properties", resource.span, properties),
    ];
    Node {
        value: Value::Object(members),
        span: resource.span,
    }
}

fn say_unread(
    plan: &mut Plan<'_, '_>,
    document: Document,
    span: Span,
    unread: &BTreeMap<String, usize>,
    is_all: bool,
) {
    // A state is that of a configuration.
    let what = if is_all {
        document.name()
    } else {
        "Terraform configuration"
    };
    say_types(plan, span, what, unread, is_all);
}

/// Names the types that are not converted.
fn say_types(
    plan: &mut Plan<'_, '_>,
    span: Span,
    what: &str,
    unread: &BTreeMap<String, usize>,
    is_all: bool,
) {
    let mut types = counted(unread);
    let what = what.to_owned();
    if is_all {
        if types.is_empty() {
            "it has no resources".clone_into(&mut types);
        }
        plan.say(span, Message::NothingToConvert { what, types });
    } else if !unread.is_empty() {
        plan.say(span, Message::ResourcesNotRead { what, types });
    }
}

fn member<'a>(key: &str, key_span: Span, value: Node<'a>) -> Member<'a> {
    Member {
        key: key.to_owned().into(),
        key_span,
        value,
    }
}

fn string<'a>(text: impl Into<String>, span: Span) -> Node<'a> {
    let value = Value::String(text.into().into());
    Node { value, span }
}

#[cfg(test)]
mod tests;

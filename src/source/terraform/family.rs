//! Task definitions of one family: which of them the resources run, and which of them anything refers to. Terraform
//! registers each as a revision
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_task_definition>).

use std::collections::BTreeSet;

use super::{
    super::{
        family::{Candidate, Families, Finding, Revision, Revisions},
        tree::Node,
    },
    address::{Step, placeholder_name, steps},
    plan::Plan,
    reference::Referent,
    resource::Resource,
};

pub(super) const TASK_DEFINITION: &str = "aws_ecs_task_definition";

/// The deepest calls of modules whose expressions are searched.
const DEEPEST: usize = 32;

/// Where resources name the task definition that they run.
const RUNNERS: &[(&str, &[&str])] = &[
    (
        "aws_cloudwatch_event_target",
        &["ecs_target", "task_definition_arn"],
    ),
    ("aws_ecs_service", &["task_definition"]),
    (
        "aws_pipes_pipe",
        &[
            "target_parameters",
            "ecs_task_parameters",
            "task_definition_arn",
        ],
    ),
    (
        "aws_scheduler_schedule",
        &["target", "ecs_parameters", "task_definition_arn"],
    ),
];

/// Whether resources of a type run task definitions, so that what they refer to is followed and not only searched.
pub(super) fn runs(type_: &str) -> bool {
    RUNNERS.iter().any(|(name, _)| *name == type_)
}

/// The blocks of task definitions that anything refers to, by the names of the calls of their modules and their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Mentions(BTreeSet<(Vec<String>, String)>);

impl Mentions {
    pub(super) fn add(&mut self, calls: &[Step], name: &str) {
        self.0.insert((names(calls), name.to_owned()));
    }

    fn has(&self, resource: &Resource<'_, '_>) -> bool {
        let own = (names(&resource.module), resource.name.clone());
        self.0.contains(&own)
    }
}

fn names(calls: &[Step]) -> Vec<String> {
    calls.iter().map(|call| call.name.clone()).collect()
}

/// Returns the task definitions that do not keep their families, by their addresses, and what there is to say of it.
pub(super) fn revisions(plan: &mut Plan<'_, '_>) -> (Revisions, Vec<Finding>) {
    let all = plan.resources();
    let mut families = Families::default();
    for resource in all.iter().filter(|it| it.type_ == TASK_DEFINITION) {
        let before = plan.opened();
        let family = plan.argument(resource, "family");
        plan.forget(before);
        let candidate = Candidate {
            id: resource.address.clone(),
            suffixes: [resource.made_name(), plain(&resource.address)],
            span: resource.span,
        };
        families.add(family.unwrap_or_else(|| resource.made_name()), candidate);
    }
    if !families.are_shared() {
        return (Revisions::new(), Vec::new());
    }
    let mut run = BTreeSet::new();
    for resource in all.iter() {
        run.extend(plan.run_by(resource));
    }
    let mentions = plan.mentions();
    let mentioned = all.iter().filter(|it| it.type_ == TASK_DEFINITION);
    let mentioned = mentioned.filter(|it| mentions.has(it));
    let mentioned = mentioned.map(|it| it.address.clone()).collect();
    families.revisions(&run, &mentioned)
}

/// Returns an address as a part of a name.
fn plain(address: &str) -> String {
    let parts = address.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

impl<'t, 'a> Plan<'t, 'a> {
    /// Returns the family of a task definition as its document has it.
    pub(super) fn family(&mut self, resource: &Resource<'t, 'a>) -> Option<String> {
        match self.revisions.get(&resource.address) {
            Some(Revision::Renamed(name)) => Some(name.clone()),
            _ => self.argument(resource, "family"),
        }
    }

    /// Returns the addresses of the task definitions that a resource runs.
    fn run_by(&mut self, resource: &Resource<'t, 'a>) -> Vec<String> {
        let Some((_, path)) = RUNNERS.iter().find(|(type_, _)| *type_ == resource.type_) else {
            return Vec::new();
        };
        let argument = self.attributes(resource).at(path);
        let resources = self.resources();
        let is = |it: &&Resource<'_, '_>| it.type_ == TASK_DEFINITION;
        if let Some(text) = argument.text().filter(|_| !argument.is_unknown()) {
            let named = resources.iter().filter(is).find(|it| is_revision(it, text));
            return named.map(|it| it.address.clone()).into_iter().collect();
        }
        let referents = self.referents(resource, argument).into_iter();
        let referred = referents.filter_map(|it| match it {
            Referent::Resource { index, .. } => resources.get(index),
            _ => None,
        });
        referred.filter(is).map(|it| it.address.clone()).collect()
    }

    /// Returns what anything but what runs tasks refers to.
    fn mentions(&self) -> Mentions {
        if let Some(mentions) = &self.mentioned {
            return mentions.clone();
        }
        let mut mentions = Mentions::default();
        if let Some(module) = self.configuration {
            of_module(module, &mut Vec::new(), &mut mentions);
        }
        mentions
    }
}

/// Whether a text names a task definition, and no other revision of it.
pub(super) fn is_revision(definition: &Resource<'_, '_>, text: &str) -> bool {
    let is = |name: &str| definition.text(name) == Some(text);
    let revision = definition.values.and_then(|it| it.get("revision"));
    let revision = revision.and_then(Node::scalar);
    let is_short = match (definition.text("family"), revision) {
        (Some(family), Some(revision)) => text == format!("{family}:{revision}"),
        _ => false,
    };
    // A configuration puts it together of what only an apply tells.
    let open = placeholder_name(&definition.address);
    let is_open = definition
        .text("family")
        .is_some_and(|family| text == format!("{family}:${{{open}.revision}}"));
    is("arn") || is("arn_without_revision") || is_short || is_open
}

/// Adds what the expressions of a module in the configuration of a plan refer to, and those of the modules that it calls.
fn of_module(module: &Node<'_>, calls: &mut Vec<Step>, mentions: &mut Mentions) {
    let resources = module.get("resources").and_then(Node::elements);
    for resource in resources.unwrap_or_default() {
        let type_ = resource.get("type").and_then(Node::text);
        if !type_.is_some_and(|it| runs(it) || it == TASK_DEFINITION) {
            references(resource.get("expressions"), calls, mentions);
        }
    }
    references(module.get("outputs"), calls, mentions);
    let called = module.get("module_calls").and_then(Node::members);
    for call in called.unwrap_or_default() {
        references(call.value.get("expressions"), calls, mentions);
        if let Some(inner) = call.value.get("module").filter(|_| calls.len() < DEEPEST) {
            calls.push(Step {
                name: call.key.to_string(),
                key: None,
            });
            of_module(inner, calls, mentions);
            calls.pop();
        }
    }
}

/// Adds the references in expressions. The depth is that of the text.
fn references(node: Option<&Node<'_>>, calls: &[Step], mentions: &mut Mentions) {
    let Some(node) = node else {
        return;
    };
    for element in node.elements().unwrap_or_default() {
        if let Some([type_, name, ..]) = element.text().map(steps).as_deref()
            && type_.name == TASK_DEFINITION
        {
            mentions.add(calls, &name.name);
        }
        references(Some(element), calls, mentions);
    }
    for member in node.members().unwrap_or_default() {
        // The order of the making is no use.
        if member.key != "depends_on" {
            references(Some(&member.value), calls, mentions);
        }
    }
}

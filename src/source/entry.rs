//! The data that is kept of each document between the two readings: its position and the names that link it to others.

use std::borrow::Cow;

use super::{
    alarm::Links,
    app_runner::OWN_CONFIGURATION,
    kind::{Envelope, Form, Found, Kind, Spelling, Step, starts_tasks},
    placeholder::{Fill, filled, placeholders},
    reference::{Reference, ServiceName, app_runner_service_name, short_name},
    spelling::value_of,
    text::Span,
    tree::{Node, Value},
};
use crate::ecs;

/// The member of an App Runner service that names its auto scaling configuration.
pub(super) const CONFIGURATION: &str = "AutoScalingConfigurationArn";
/// What has that member in the answer of a describe call.
pub(super) const CONFIGURATION_SUMMARY: &str = "AutoScalingConfigurationSummary";

/// A document without its contents, small enough to keep one for each of a hundred thousand documents.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The number of its file.
    origin: u32,
    /// The part of the file that yields the document when it is parsed alone, from its first byte to the one after it.
    slice: (u32, u32),
    pub(super) form: Form,
    /// The family, the service's name, or the custom resource's name of a task.
    pub(super) name: Option<Box<str>>,
    /// What most documents do not have: a task definition is mostly alone in its file and names no other document.
    rest: Option<Box<Rest>>,
}

/// What few documents have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rest {
    /// The path from the root of the slice to the document.
    pub(super) steps: Box<[Step]>,
    /// The `metadata.namespace` of a custom resource.
    pub(super) namespace: Option<Box<str>>,
    /// The number of a registered task definition.
    pub(super) revision: Option<u64>,
    /// The cluster of a service, or the event bus of a rule.
    pub(super) cluster: Option<Box<str>>,
    pub(super) target: Target,
    /// The targets of a rule that start tasks: the index of each, and the task definition that it runs.
    pub(super) targets: Box<[(u32, Target)]>,
    /// What alarms and policies find each other by.
    pub(super) links: Option<Box<Links>>,
}

/// The document that another one needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Target {
    /// The document names none.
    #[default]
    Absent,
    /// The document names one in a way that cannot be resolved: an intrinsic function, a placeholder.
    Unclear,
    /// The task definition that a service or a task runs.
    TaskDefinition(Reference),
    /// The auto scaling configuration of an App Runner service.
    AutoScalingConfiguration(Reference),
    /// The service that a scaling request scales.
    Service(ServiceName),
}

impl Entry {
    /// Creates the entry of a document that is a text of its own and names no other document.
    pub(super) fn alone(slice: Span, form: Form, name: Option<&str>) -> Self {
        Self {
            origin: 0,
            slice: short(slice),
            form,
            name: name.map(Into::into),
            rest: None,
        }
    }

    /// Returns the number of its file.
    pub(super) const fn origin(&self) -> usize {
        self.origin as usize
    }

    /// Returns the part of the file that yields the document when it is parsed alone.
    pub(super) const fn slice(&self) -> Span {
        Span::new(self.slice.0 as usize, self.slice.1 as usize)
    }

    /// Sets that part.
    pub(super) fn set_slice(&mut self, slice: Span) {
        self.slice = short(slice);
    }

    pub(super) fn steps(&self) -> &[Step] {
        self.rest.as_deref().map_or(&[], |rest| &rest.steps)
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.rest.as_deref()?.namespace.as_deref()
    }

    pub(super) fn revision(&self) -> Option<u64> {
        self.rest.as_deref()?.revision
    }

    pub(super) fn cluster(&self) -> Option<&str> {
        self.rest.as_deref()?.cluster.as_deref()
    }

    pub(super) fn target(&self) -> &Target {
        let rest = self.rest.as_deref();
        rest.map_or(&Target::Absent, |rest| &rest.target)
    }

    /// Returns the targets of a rule that start tasks.
    pub(super) fn targets(&self) -> &[(u32, Target)] {
        self.rest.as_deref().map_or(&[], |rest| &rest.targets)
    }

    /// Returns what alarms and policies find each other by.
    pub(super) fn links(&self) -> Option<&Links> {
        self.rest.as_deref()?.links.as_deref()
    }

    pub(super) fn rest_mut(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    /// Sets the target of a scheduled action inside a scalable target to that of the scalable target; `scaled` is the
    /// target of the last one.
    pub(super) fn inherit(&mut self, scaled: &mut Option<Target>) {
        match self.form.kind() {
            Kind::ScalableTarget => *scaled = Some(self.target().clone()),
            Kind::ScheduledAction
                if *self.target() == Target::Absent
                    && self.form.spelling == Spelling::CloudFormation =>
            {
                if let Some(scaled) = scaled {
                    self.rest_mut().target = scaled.clone();
                }
            }
            _ => {}
        }
    }

    /// Creates the entry of a document that was found in the tree `root`.
    pub(super) fn new(
        origin: usize,
        root: &Node<'_>,
        found: &Found,
        form: Form,
        stem: &str,
        fill: &Fill,
    ) -> Option<Self> {
        let document = follow(root, &found.steps)?;
        let keys = Keys {
            body: body(document, &form),
            spelling: form.spelling,
            fill,
        };
        let metadata = |key: &str| {
            let text = document.get("metadata")?.get(key)?.text()?;
            let is_given = form.envelope == Envelope::Resource && !text.is_empty();
            is_given.then(|| Box::from(&*filled(Cow::Borrowed(text), fill)))
        };
        let own_name = match form.kind {
            Kind::TaskDefinition if form.envelope == Envelope::ContainerList => {
                Some(Box::from(stem))
            }
            // CloudFormation generates a family if there is none.
            Kind::TaskDefinition
                if form.spelling == Spelling::CloudFormation && keys.node("family").is_none() =>
            {
                Some(Box::from(stem))
            }
            Kind::TaskDefinition => keys.text("family").map(Box::from),
            Kind::Service => keys
                .text("serviceName")
                .or_else(|| keys.text("service"))
                .map(|name| Box::from(short_name(&name))),
            Kind::CapacityProvider => keys.text("name").map(Box::from),
            Kind::Alarm => keys.text("AlarmName").map(Box::from),
            Kind::Schedule | Kind::Rule | Kind::Pipe => keys.text("Name").map(Box::from),
            Kind::RuleTargets => keys.text("Rule").map(Box::from),
            Kind::AppRunnerService => keys.text("ServiceName").map(Box::from).or_else(|| {
                let arn = keys.text("ServiceArn")?;
                app_runner_service_name(&arn).map(Box::from)
            }),
            Kind::AutoScalingConfiguration => {
                keys.text("AutoScalingConfigurationName").map(Box::from)
            }
            _ => None,
        };
        let rest = Rest {
            steps: Box::default(),
            namespace: metadata("namespace"),
            revision: match form.kind {
                Kind::TaskDefinition => keys.revision(),
                Kind::AutoScalingConfiguration => keys.number("AutoScalingConfigurationRevision"),
                _ => None,
            },
            cluster: keys.place(form.kind).map(|it| Box::from(short_name(&it))),
            target: keys.target(form.kind),
            targets: keys.targets(form.kind),
            links: keys.body.and_then(|body| Links::of(body, &form, fill)),
        };
        Some(Self {
            origin: u32_of(origin),
            slice: short(found.span),
            form,
            name: own_name.or_else(|| metadata("name")),
            rest: (rest != Rest::default()).then(|| Box::new(rest)),
        })
    }
}

/// Returns a number in half of its memory. No input comes near the highest one: files have a limit of 256 MiB, and each
/// document takes more than a byte.
fn u32_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn short(span: Span) -> (u32, u32) {
    (u32_of(span.start), u32_of(span.end))
}

/// Returns the node at the end of `steps`.
pub(super) fn follow<'n, 'a>(root: &'n Node<'a>, steps: &[Step]) -> Option<&'n Node<'a>> {
    steps.iter().try_fold(root, |node, step| match step {
        Step::Member(key) => node.get(key),
        Step::Element(index) => node.elements()?.get(*index),
    })
}

/// Returns the request inside its envelope.
pub(super) fn body<'n, 'a>(document: &'n Node<'a>, form: &Form) -> Option<&'n Node<'a>> {
    match form.envelope.member() {
        Some(member) => document.get(member),
        None => Some(document),
    }
}

/// The members that link documents.
struct Keys<'n, 'a> {
    body: Option<&'n Node<'a>>,
    spelling: Spelling,
    fill: &'n Fill,
}

impl<'n> Keys<'n, '_> {
    fn node(&self, key: &str) -> Option<&'n Node<'n>> {
        value_of(self.body?, key, self.spelling)
    }

    /// Returns the value at the end of a path of members.
    fn inside(&self, keys: &[&str]) -> Option<&'n Node<'n>> {
        let step = |node, key: &&str| value_of(node, key, self.spelling);
        keys.iter().try_fold(self.body?, step)
    }

    fn text(&self, key: &str) -> Option<Cow<'n, str>> {
        let text = self.node(key)?.text()?;
        (!text.is_empty()).then(|| filled(Cow::Borrowed(text), self.fill))
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.node(key).and_then(|node| match &node.value {
            Value::Number(text) | Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    fn revision(&self) -> Option<u64> {
        let number = self.number("revision");
        number.or_else(|| Reference::parse(&self.text("taskDefinitionArn")?).revision)
    }

    /// Returns the task definition that a target names, unless it comes from an event.
    fn definition(&self, node: Option<&Node<'_>>) -> Target {
        let Some(node) = node else {
            return Target::Absent;
        };
        match node.text() {
            None if matches!(node.value, Value::Null) => Target::Absent,
            None => Target::Unclear,
            Some(text) => {
                let text = filled(Cow::Borrowed(text), self.fill);
                if text.is_empty() || text.starts_with("$.") {
                    Target::Absent
                } else {
                    Target::TaskDefinition(Reference::parse(&text))
                }
            }
        }
    }

    /// Returns the cluster, or the event bus of a rule or of its targets.
    fn place(&self, kind: Kind) -> Option<Cow<'n, str>> {
        if matches!(kind, Kind::Rule | Kind::RuleTargets) {
            let bus = self.text("EventBusName");
            return Some(bus.unwrap_or(Cow::Borrowed(ecs::Rule::DEFAULT_EVENT_BUS_NAME)));
        }
        self.text("cluster").or_else(|| self.text("clusterArn"))
    }

    fn targets(&self, kind: Kind) -> Box<[(u32, Target)]> {
        let has_targets = matches!(kind, Kind::Rule | Kind::RuleTargets);
        let list = self.node("Targets").filter(|_| has_targets);
        let targets = list.and_then(Node::elements).unwrap_or_default().iter();
        let starting = targets
            .enumerate()
            .filter(|(_, target)| starts_tasks(target, self.spelling));
        let found = starting.map(|(index, target)| {
            let parameters = value_of(target, "EcsParameters", self.spelling);
            let definition =
                parameters.and_then(|it| value_of(it, "TaskDefinitionArn", self.spelling));
            (u32_of(index), self.definition(definition))
        });
        found.collect()
    }

    fn target(&self, kind: Kind) -> Target {
        let key = match kind {
            Kind::TaskDefinition
            | Kind::Cluster
            | Kind::CapacityProvider
            | Kind::Alarm
            | Kind::AutoScalingConfiguration
            | Kind::Rule
            | Kind::RuleTargets => return Target::Absent,
            Kind::AppRunnerService => CONFIGURATION,
            Kind::Pipe => {
                let path = ["TargetParameters", "EcsTaskParameters", "TaskDefinitionArn"];
                return self.definition(self.inside(&path));
            }
            Kind::Service | Kind::Task => "taskDefinition",
            Kind::Schedule => "TaskDefinitionArn",
            Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction => {
                if self.node("ResourceId").is_some() {
                    "ResourceId"
                } else {
                    "ScalingTargetId"
                }
            }
        };
        if kind == Kind::AppRunnerService && self.node(OWN_CONFIGURATION).is_some() {
            // It has the configuration itself.
            return Target::Absent;
        }
        let node = match kind {
            Kind::Schedule => self.inside(&["Target", "EcsParameters", key]),
            Kind::AppRunnerService => self
                .node(key)
                .or_else(|| self.inside(&[CONFIGURATION_SUMMARY, key])),
            _ => self.node(key),
        };
        let Some(node) = node else {
            return Target::Absent;
        };
        let Some(text) = node.text() else {
            return if matches!(node.value, Value::Null) {
                Target::Absent
            } else {
                Target::Unclear
            };
        };
        let text = filled(Cow::Borrowed(text), self.fill);
        if text.is_empty() {
            Target::Absent
        } else if kind == Kind::AppRunnerService {
            let reference = Reference::of_auto_scaling_configuration(&text);
            reference.map_or(Target::Unclear, Target::AutoScalingConfiguration)
        } else if matches!(kind, Kind::Service | Kind::Task | Kind::Schedule) {
            Target::TaskDefinition(Reference::parse(&text))
        } else {
            match ServiceName::of_resource_id(&text) {
                Some(name) => Target::Service(name),
                None if placeholders(&text).next().is_some() => Target::Unclear,
                None => Target::Absent,
            }
        }
    }
}

//! Loads the unit of a plan with its requests. This reads each of its documents again.

use std::sync::Arc;

use super::{
    catalog::Texts,
    document::Document,
    entry::{Entry, follow},
    home::Home,
    kind::Kind,
    link::{Choice, Plan, Role},
    read::Problem,
    registration,
    request::{Reader, Request},
    syntax::parse_one,
    text::SourceText,
    tree::Node,
    unit::{Content, Unit},
    values::Values,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::{AppRunnerInput, ConnectHosts, ServiceInput, TaskDefinitionInput, TaskInput},
};

/// Reads the documents of one unit.
pub(super) struct Loader<'c> {
    entries: &'c [Entry],
    texts: &'c mut Texts,
    values: &'c Values,
    pub(super) documents: Vec<Document>,
    pub(super) diagnostics: Diagnostics,
    left_out: Vec<FieldPath>,
    /// Whether the last document is a request as sent to AWS.
    is_request: bool,
}

/// Reads the unit of a plan.
///
/// # Errors
///
/// Returns an error if a file can no longer be read, or its content has changed.
pub(super) fn load(
    plan: &Plan,
    entries: &[Entry],
    texts: &mut Texts,
    values: &Values,
) -> Result<Unit, Problem> {
    let mut loader = Loader {
        entries,
        texts,
        values,
        documents: Vec::with_capacity(2),
        diagnostics: Diagnostics::new(),
        left_out: Vec::new(),
        is_request: false,
    };
    let content = match plan.role {
        Role::Service => loader.service(plan)?,
        Role::Task => loader.task(plan)?,
        Role::Schedule => loader.schedule(plan)?,
        Role::AppRunnerService => loader.app_runner(plan)?,
        Role::AutoScalingConfiguration => {
            loader.auto_scaling_configuration(plan.lead())?;
            Content::Nothing
        }
        Role::Rule(target) => loader.rule(plan, target as usize)?,
        Role::RuleWithoutTargets => {
            loader.rule_without_targets(plan.lead())?;
            Content::Nothing
        }
        Role::RuleTargets => {
            loader.rule_targets(plan.lead())?;
            Content::Nothing
        }
        Role::Pipe => loader.pipe(plan)?,
        Role::CapacityProvider => {
            let root = FieldPath::root(Subject::CapacityProvider);
            let request = loader.read(plan.lead(), root, |reader, node| {
                reader.capacity_provider(node)
            })?;
            Content::CapacityProvider(Box::new(request))
        }
        Role::Assumed | Role::Withheld => loader.assumed(plan)?,
        Role::Unused => {
            loader.task_definition(plan.lead(), None)?;
            // None of it is used, so its contents do not matter.
            loader.diagnostics = Diagnostics::new();
            Content::Nothing
        }
        Role::Orphan => {
            loader.scaling(plan, &mut crd::ServiceExtensions::default())?;
            Content::Nothing
        }
    };
    loader.findings(plan);
    Ok(Unit {
        content,
        documents: loader.documents,
        diagnostics: loader.diagnostics,
        left_out: loader.left_out,
        shares: plan.shares,
    })
}

impl<'c> Loader<'c> {
    fn service(&mut self, plan: &Plan) -> Result<Content, Problem> {
        let family = plan.task_definition().and_then(|choice| self.name(choice));
        let mut extensions = crd::ServiceExtensions::default();
        let root = FieldPath::root(Subject::Service);
        let mut request = self.read(plan.lead(), root, |reader, node| {
            let (request, own) = reader.service(node, family);
            extensions = own;
            request
        })?;
        if self.is_request {
            registration::check_service(&request, &mut self.diagnostics);
        }
        let content = match plan.task_definition() {
            Some(choice) => {
                let task_definition = self.task_definition(choice.entry, choice.revision)?;
                if request.task_definition.is_none() {
                    request.task_definition = family.map(str::to_owned);
                }
                self.scaling(plan, &mut extensions)?;
                Content::Service(Box::new(ServiceInput {
                    request,
                    extensions,
                    task_definition,
                    connect_hosts: ConnectHosts::new(),
                }))
            }
            None => {
                self.scaling(plan, &mut extensions)?;
                Content::Nothing
            }
        };
        Ok(content)
    }

    fn task(&mut self, plan: &Plan) -> Result<Content, Problem> {
        let root = FieldPath::root(Subject::Task);
        let mut extensions = crd::TaskExtensions::default();
        let mut request = self.read(plan.lead(), root, |reader, node| {
            let (request, found) = reader.task(node);
            extensions = found;
            request
        })?;
        let Some(choice) = plan.task_definition() else {
            return Ok(Content::Nothing);
        };
        let family = self.name(choice);
        if request.task_definition.is_none() {
            request.task_definition = family.map(str::to_owned);
        }
        let own = self.entries.get(plan.lead());
        let own = own.and_then(|entry| entry.name.as_deref());
        let name = own.or(family).unwrap_or_default();
        Ok(Content::Task(Box::new(TaskInput {
            name: name.to_owned(),
            uid: None,
            request,
            extensions,
            task_definition: self.task_definition(choice.entry, choice.revision)?,
        })))
    }

    fn app_runner(&mut self, plan: &Plan) -> Result<Content, Problem> {
        let root = FieldPath::root(Subject::AppRunnerService);
        let configuration = plan.scaling().first().copied();
        let mut extensions = crd::AppRunnerExtensions::default();
        let request = self.read(plan.lead(), root, |reader, node| {
            let (request, own) = reader.app_runner_service(node, configuration.is_some());
            extensions = own;
            request
        })?;
        // How it is scaled is not known, so that only its errors are reported.
        let unknown = plan.findings().iter();
        self.left_out.extend(unknown.map(|it| it.path.clone()));
        let auto_scaling = configuration.map(|index| self.auto_scaling_configuration(index));
        Ok(Content::AppRunner(Box::new(AppRunnerInput {
            request,
            auto_scaling: auto_scaling.transpose()?,
            extensions,
        })))
    }

    fn auto_scaling_configuration(
        &mut self,
        index: usize,
    ) -> Result<ecs::AutoScalingConfiguration, Problem> {
        let root = FieldPath::root(Subject::AutoScalingConfiguration);
        self.read(index, root, |reader, node| {
            reader.auto_scaling_configuration(node)
        })
    }

    /// Returns a service of one task, named after the family.
    fn assumed(&mut self, plan: &Plan) -> Result<Content, Problem> {
        let revision = self.entries.get(plan.lead()).and_then(Entry::revision);
        let task_definition = self.task_definition(plan.lead(), revision)?;
        let mut extensions = crd::ServiceExtensions::default();
        self.scaling(plan, &mut extensions)?;
        let name = task_definition.request.family.clone();
        let path = FieldPath::root(Subject::TaskDefinition);
        let message = {
            let name = name.clone().unwrap_or_default();
            match plan.role {
                Role::Withheld => Message::TaskDefinitionNotRun { name },
                _ => Message::ServiceAssumed { name },
            }
        };
        self.diagnostics.report(path, message);
        Ok(Content::Service(Box::new(ServiceInput {
            request: ecs::Service {
                service_name: name.clone(),
                task_definition: name,
                desired_count: Some(1),
                ..ecs::Service::default()
            },
            extensions,
            task_definition,
            connect_hosts: ConnectHosts::new(),
        })))
    }

    pub(super) fn task_definition(
        &mut self,
        index: usize,
        revision: Option<u64>,
    ) -> Result<TaskDefinitionInput, Problem> {
        let root = FieldPath::root(Subject::TaskDefinition);
        let mut extensions = crd::TaskDefinitionExtensions::default();
        let request = self.read(index, root, |reader, node| {
            let (request, found) = reader.task_definition(node);
            extensions = found;
            request
        })?;
        if self.is_request {
            registration::check_task_definition(&request, &self.left_out, &mut self.diagnostics);
        }
        Ok(TaskDefinitionInput {
            request,
            extensions,
            revision,
        })
    }

    /// Adds the scaling documents to the scaling settings of the service itself.
    fn scaling(
        &mut self,
        plan: &Plan,
        extensions: &mut crd::ServiceExtensions,
    ) -> Result<(), Problem> {
        if plan.scaling().is_empty() {
            return Ok(());
        }
        let scaling = extensions.auto_scaling.get_or_insert_default();
        let root = FieldPath::root(Subject::AutoScaling);
        for index in plan.scaling().iter().copied() {
            match self.entries.get(index).map(|entry| entry.form.kind()) {
                Some(Kind::ScalableTarget) => {
                    let path = root.field("scalableTarget");
                    let target = self.read(index, path.clone(), |reader, node| {
                        reader.scalable_target(node)
                    })?;
                    if scaling.scalable_target.is_some() && plan.role != Role::Orphan {
                        let message = Message::DuplicateDocument {
                            kind: Kind::ScalableTarget.name().to_owned(),
                            name: target.resource_id.unwrap_or_default(),
                            place: self.lead_place(),
                        };
                        self.diagnostics.report(path, message);
                    } else {
                        scaling.scalable_target = Some(target);
                    }
                }
                Some(Kind::ScalingPolicy) => {
                    let path = root.field("scalingPolicies");
                    let path = path.index(scaling.scaling_policies.len());
                    let policy =
                        self.read(index, path, |reader, node| reader.scaling_policy(node))?;
                    scaling.scaling_policies.push(policy);
                }
                Some(Kind::Alarm) => {
                    let path = root.field("alarms").index(scaling.alarms.len());
                    let alarm = self.read(index, path, |reader, node| reader.alarm(node))?;
                    scaling.alarms.push(alarm);
                }
                Some(Kind::ScheduledAction) => {
                    let path = root.field("scheduledActions");
                    let path = path.index(scaling.scheduled_actions.len());
                    let action =
                        self.read(index, path, |reader, node| reader.scheduled_action(node))?;
                    scaling.scheduled_actions.push(action);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads one document of the unit.
    pub(super) fn read<T>(
        &mut self,
        index: usize,
        root: FieldPath,
        request: impl FnOnce(&Reader<'_>, Node<'_>) -> Request<T>,
    ) -> Result<T, Problem> {
        let Some(entry) = self.entries.get(index) else {
            return Err(changed(SourceText::new("", "")));
        };
        let source = self.texts.get(entry.origin())?;
        let reader = Reader {
            entry,
            fill: &self.values.fill,
            images: &self.values.images,
            root,
        };
        let tree = self.texts.tree(entry)?;
        let node = match &tree {
            Some(tree) => follow(tree, entry.steps()).cloned(),
            None if entry.steps().is_empty() => {
                let parsed = parse_one(source.name(), source.slice(entry.slice()));
                parsed.ok().flatten()
            }
            None => None,
        };
        let Some(node) = node else {
            return Err(changed(source));
        };
        let home = Home::of(&node, &entry.form, &self.values.fill);
        let tree = tree.unwrap_or_else(|| Arc::new(node.skeleton()));
        let request = request(&reader, node);
        let mut document = Document::new(source, entry, tree);
        document.home = home;
        document.annotations = request.annotations;
        self.documents.push(document);
        self.is_request = registration::is_request(entry, request.described);
        self.diagnostics.append(request.diagnostics);
        self.left_out.extend(request.left_out);
        Ok(request.body)
    }

    /// Returns the file and line of the document that the unit represents.
    fn lead_place(&self) -> String {
        self.documents.first().map_or_else(String::new, |document| {
            let source = document.source();
            let line = source.position(document.span().start).line;
            format!("{}:{line}", source.name())
        })
    }

    fn name(&self, choice: Choice) -> Option<&'c str> {
        self.entries.get(choice.entry)?.name.as_deref()
    }

    /// Reports the findings of the linking, unless they are already reported or follow from a reported one.
    fn findings(&mut self, plan: &Plan) {
        let errors = self.diagnostics.has_errors();
        for finding in plan.findings() {
            let known = self
                .diagnostics
                .iter()
                .any(|known| known.path == finding.path && known.message == finding.message);
            if !known && !(finding.consequence && errors) {
                self.diagnostics
                    .report(finding.path.clone(), finding.message.clone());
            }
        }
    }
}

fn changed(source: SourceText) -> Problem {
    Problem {
        source,
        span: None,
        message: Message::UnreadableFile {
            error: "it changed while it was read".to_owned(),
        },
    }
}

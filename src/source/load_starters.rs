//! Loads what starts tasks: schedules, rules and pipes.

use std::collections::BTreeMap;

use super::{
    envelope::set,
    link::Plan,
    load::Loader,
    read::Problem,
    request::Request,
    schedule::{AlsoOfRule, AlsoOfSchedule},
    tree::{Node, Value},
    unit::Content,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    input::{PipeInput, RuleInput, ScheduleInput},
};

/// The member of a rule that has its targets.
const TARGETS: &str = "Targets";

/// Returns what is wrong with the other members of a document that has the targets of a rule.
fn beside_targets(document: &Node<'_>, root: &FieldPath) -> Diagnostics {
    let mut findings = Diagnostics::new();
    for member in document.members().unwrap_or_default() {
        let message = match &*member.key {
            // The linking has read them.
            "Rule" | "EventBusName" => continue,
            "NextToken" if matches!(member.value.value, Value::Null) => continue,
            "NextToken" => Message::InvalidValue {
                value: "NextToken".to_owned(),
                allowed: "means that more targets follow: get them with --next-token, and make one list of them"
                    .to_owned(),
            },
            name => Message::UnknownField {
                name: name.to_owned(),
                advice: "remove it".to_owned(),
            },
        };
        findings.report(root.field(member.key.to_string()), message);
    }
    findings
}

impl Loader<'_> {
    pub(super) fn schedule(&mut self, plan: &Plan) -> Result<Content, Problem> {
        let root = FieldPath::root(Subject::Schedule);
        let mut also = AlsoOfSchedule::default();
        let request = self.read(plan.lead(), root, |reader, node| {
            let (request, found) = reader.schedule(node);
            also = found;
            request
        })?;
        let Some(choice) = plan.task_definition() else {
            return Ok(Content::Nothing);
        };
        Ok(Content::Schedule(Box::new(ScheduleInput {
            request,
            overrides: also.overrides,
            extensions: also.extensions,
            task_definition: self.task_definition(choice.entry, choice.revision)?,
        })))
    }

    pub(super) fn rule(&mut self, plan: &Plan, target: usize) -> Result<Content, Problem> {
        let root = FieldPath::root(Subject::Rule);
        let list = plan.scaling().first();
        let targets = list.map(|list| self.rule_targets(*list)).transpose()?;
        let mut also = AlsoOfRule::default();
        let request = self.read(plan.lead(), root, |reader, mut node| {
            if let Some(targets) = targets.flatten() {
                set(&mut node, TARGETS, targets.value);
            }
            let (request, found) = reader.rule(node, target);
            also = found;
            request
        })?;
        // The unit represents the rule.
        self.documents.rotate_right(1);
        let choice = plan.task_definition();
        let task_definition =
            choice.map(|choice| self.task_definition(choice.entry, choice.revision));
        Ok(Content::Rule(Box::new(RuleInput {
            request,
            target,
            overrides: also.overrides,
            extensions: also.extensions,
            task_definition: task_definition.transpose()?,
        })))
    }

    /// Returns the list in a document that has only the targets of a rule. What is wrong with it is found in its rule.
    pub(super) fn rule_targets(&mut self, index: usize) -> Result<Option<Node<'static>>, Problem> {
        let root = FieldPath::root(Subject::Rule);
        self.read(index, root.clone(), |_, mut node| {
            let list = node.take(TARGETS);
            Request {
                body: list.map(|list| list.value.into_owned()),
                diagnostics: beside_targets(&node, &root),
                left_out: Vec::new(),
                annotations: BTreeMap::new(),
                described: false,
            }
        })
    }

    /// Reads a rule of which no target that starts tasks is known.
    pub(super) fn rule_without_targets(&mut self, index: usize) -> Result<(), Problem> {
        let root = FieldPath::root(Subject::Rule);
        let rule = self.read(index, root.clone(), |reader, node| {
            reader.rule_with_targets(node).0
        })?;
        if rule.targets.is_empty() {
            let name = rule.name.unwrap_or_default();
            self.diagnostics
                .report(root, Message::RuleWithoutTargets { name });
        }
        Ok(())
    }

    pub(super) fn pipe(&mut self, plan: &Plan) -> Result<Content, Problem> {
        let root = FieldPath::root(Subject::Pipe);
        let mut extensions = crd::PipeExtensions::default();
        let request = self.read(plan.lead(), root, |reader, node| {
            let (request, found) = reader.pipe(node);
            extensions = found;
            request
        })?;
        let choice = plan.task_definition();
        let task_definition =
            choice.map(|choice| self.task_definition(choice.entry, choice.revision));
        Ok(Content::Pipe(Box::new(PipeInput {
            request,
            extensions,
            task_definition: task_definition.transpose()?,
        })))
    }
}

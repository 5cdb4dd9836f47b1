//! Loads what starts tasks: schedules, rules and pipes.

use std::collections::BTreeMap;

use super::{
    envelope::set,
    link::Plan,
    load::Loader,
    read::Problem,
    request::Request,
    schedule::{AlsoOfRule, AlsoOfSchedule},
    tree::Node,
    unit::Content,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Subject},
    input::{PipeInput, RuleInput, ScheduleInput},
};

/// The member of a rule that has its targets.
const TARGETS: &str = "Targets";

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
        if request.targets.is_empty() {
            return Ok(Content::Nothing);
        }
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
        self.read(index, root, |_, mut node| Request {
            body: node.take(TARGETS).map(|list| list.value.into_owned()),
            diagnostics: Diagnostics::new(),
            left_out: Vec::new(),
            annotations: BTreeMap::new(),
            described: false,
        })
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

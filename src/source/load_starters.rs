//! Loads what starts tasks: schedules, rules and pipes.

use super::{
    link::Plan,
    load::Loader,
    read::Problem,
    schedule::{AlsoOfRule, AlsoOfSchedule},
    unit::Content,
};
use crate::{
    crd,
    diagnostic::{FieldPath, Subject},
    input::{PipeInput, RuleInput, ScheduleInput},
};

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
        let mut also = AlsoOfRule::default();
        let request = self.read(plan.lead(), root, |reader, node| {
            let (request, found) = reader.rule(node, target);
            also = found;
            request
        })?;
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

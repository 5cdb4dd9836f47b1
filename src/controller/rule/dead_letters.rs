//! The messages for the dead-letter queues of targets.

use kube::ResourceExt as _;

use super::{happened::Happened, start::Work, task::rule_arn};
use crate::{
    controller::dead_letters::{self, DeadLetter, GivenUp, Giver},
    crd::EcsRule,
    diagnostic::Subject,
    validate::RuleTarget,
};

impl Work<'_> {
    /// Has an event sent that a target has given up, to its queue, if it has one
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html>).
    pub(super) fn send(
        &self,
        (target, name): (&RuleTarget, &str),
        happened: &Happened,
        given_up: &GivenUp<'_>,
    ) {
        let Some(queue) = &target.dead_letters else {
            return;
        };
        let settings = self.cx.settings(&self.rule.namespace().unwrap_or_default());
        let cluster = target.task.request.cluster.as_deref().unwrap_or_default();
        let event = happened.event.value.to_string();
        let mut letter = DeadLetter::new(name.to_owned(), &event, cluster, given_up);
        let arn = rule_arn(self.accepted, target, &settings);
        letter.attributes.insert("RULE_ARN", arn);
        dead_letters::send(self.cx, self.rule, &giver(self.rule, queue), letter);
    }
}

/// Returns whose the dead letters are that go to a queue.
pub(super) fn giver<'g>(rule: &'g EcsRule, queue: &'g str) -> Giver<'g> {
    Giver {
        subject: Subject::Rule,
        spec: &rule.spec,
        queue,
    }
}

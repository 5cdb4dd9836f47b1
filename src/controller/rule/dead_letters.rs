//! The messages for the dead-letter queues of targets.

use kube::ResourceExt as _;

use super::{fetch::Accepted, happened::Happened, start::Work, task::rule_arn};
use crate::{
    controller::{
        context::Context,
        dead_letters::{self, DeadLetter, GivenUp, Giver, is_sent},
    },
    crd::{EcsRule, RuleStatus},
    diagnostic::{Reason, Subject},
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

/// Removes the warnings that no message is sent, if one would be to each of the queues.
pub(super) fn remove_warnings(
    cx: &Context,
    rule: &EcsRule,
    before: &RuleStatus,
    accepted: &mut Accepted,
) {
    let namespace = rule.namespace().unwrap_or_default();
    let targets = accepted.rule.targets.iter();
    let mut queues = targets.filter_map(|target| target.dead_letters.as_deref());
    if queues.all(|queue| is_sent(cx, &namespace, &giver(rule, queue), &before.warnings)) {
        let unused = Reason::DeadLetterQueueUnused.name();
        accepted.warnings.retain(|it| it.reason != unused);
    }
}

fn giver<'g>(rule: &'g EcsRule, queue: &'g str) -> Giver<'g> {
    Giver {
        subject: Subject::Rule,
        spec: &rule.spec,
        queue,
    }
}

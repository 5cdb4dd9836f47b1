//! Reads `spec.autoScaling` of an EcsService.

use super::{
    request::{Reader, drop_alarms_of_aws},
    sink::{Sink, Trail},
    tree::{Node, Value},
};
use crate::{
    crd,
    diagnostic::{FieldPath, Message, Subject},
    fields::Api,
};

const SCALER: &str = "scaler";

impl Reader<'_> {
    /// Reads `spec.autoScaling`: the requests, each in its own shape.
    pub(super) fn auto_scaling(
        &self,
        mut node: Node<'_>,
        sink: &mut Sink,
    ) -> Option<crd::AutoScaling> {
        let root = FieldPath::root(Subject::AutoScaling);
        let trail = Trail::Root(&root);
        let target = node.take("scalableTarget");
        let mut policies = node.take("scalingPolicies");
        let alarms = node.take("alarms");
        let actions = node.take("scheduledActions");
        let scaler = node.take(SCALER);
        let policies_mut = policies.as_mut().map(|member| &mut member.value.value);
        if let Some(Value::List(policies)) = policies_mut {
            for policy in policies {
                drop_alarms_of_aws(policy, sink);
            }
        }
        let mut walk = self.walk(Api::ScalableTarget, sink);
        if walk.is_absent(&node) {
            return None;
        }
        if node.members().is_none() {
            walk.expected(&node, "an object", trail);
            return None;
        }
        let target = target.and_then(|member| {
            let trail = Trail::Field(&trail, "scalableTarget");
            walk.node(member.value, Api::ScalableTarget.tree(), trail)
        });
        let policies = policies.and_then(|member| {
            let trail = Trail::Field(&trail, "scalingPolicies");
            walk.api = Api::ScalingPolicy;
            walk.elements(member.value, Api::ScalingPolicy.tree(), trail)
        });
        let alarms = alarms.and_then(|member| {
            let trail = Trail::Field(&trail, "alarms");
            walk.api = Api::MetricAlarm;
            walk.elements(member.value, Api::MetricAlarm.tree(), trail)
        });
        let actions = actions.and_then(|member| {
            let trail = Trail::Field(&trail, "scheduledActions");
            walk.api = Api::ScheduledAction;
            walk.elements(member.value, Api::ScheduledAction.tree(), trail)
        });
        let rest = Reader {
            root: root.clone(),
            ..*self
        };
        rest.beside(&node, &[], sink);
        let scaler = scaler.filter(|member| !matches!(member.value.value, Value::Null));
        let scaler = scaler.and_then(|member| rest.scaler(&member.value, sink));
        Some(crd::AutoScaling {
            scalable_target: target.map(|node| rest.fit(Some(node), sink)),
            scaling_policies: rest.fit(policies, sink),
            alarms: rest.fit(alarms, sink),
            scheduled_actions: rest.fit(actions, sink),
            scaler,
        })
    }

    /// Reads who runs the policies.
    fn scaler(&self, node: &Node<'_>, sink: &mut Sink) -> Option<crd::Scaler> {
        match node.text() {
            Some("operator") => Some(crd::Scaler::Operator),
            found => {
                let message = Message::InvalidValue {
                    value: found.unwrap_or("something else than a text").to_owned(),
                    allowed: "must be operator, or absent".to_owned(),
                };
                let root = Trail::Root(&self.root);
                sink.reject(Trail::Field(&root, SCALER), message);
                None
            }
        }
    }
}

//! What alarms and scaling policies find each other by.

use std::borrow::Cow;

use super::{
    kind::{Envelope, Form, Kind},
    placeholder::{Fill, filled},
    reference::ServiceName,
    spelling::value_of,
    tree::Node,
};
use crate::validate::AlarmAction;

/// The policies that a document names or has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Those that an alarm triggers.
    Actions(Box<[PolicyName]>),
    /// Those of a scaling request or of the `autoScaling` of a service.
    Policies(Box<[PolicyAlarms]>),
}

/// A policy as the action of an alarm names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PolicyName {
    /// The service that it scales, which its ARN names.
    pub(super) service: Option<ServiceName>,
    pub(super) name: Box<str>,
}

/// A policy, and the alarms that AWS says trigger it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PolicyAlarms {
    pub(super) name: Box<str>,
    pub(super) alarms: Box<[Box<str>]>,
}

impl Links {
    /// Returns the links of a document; `None` if it has none.
    pub(super) fn of(body: &Node<'_>, form: &Form, fill: &Fill) -> Option<Box<Self>> {
        let read = Read { form, fill };
        let links = match form.kind {
            Kind::Alarm => Self::Actions(read.actions(body)),
            Kind::ScalingPolicy => Self::Policies(read.policy(body).into_iter().collect()),
            Kind::Service if form.envelope == Envelope::Resource => {
                let policies = body.get("autoScaling")?.get("scalingPolicies")?;
                let policies = policies.elements()?.iter();
                Self::Policies(policies.filter_map(|it| read.policy(it)).collect())
            }
            _ => return None,
        };
        Some(Box::new(links))
    }
}

/// Reads the links of a document.
struct Read<'r> {
    form: &'r Form,
    fill: &'r Fill,
}

impl Read<'_> {
    fn member<'n>(&self, node: &'n Node<'n>, key: &str) -> Option<&'n Node<'n>> {
        value_of(node, key, self.form.spelling)
    }

    fn text<'n>(&self, node: &'n Node<'n>) -> Option<Cow<'n, str>> {
        let text = node.text().filter(|text| !text.is_empty())?;
        Some(filled(Cow::Borrowed(text), self.fill))
    }

    fn actions(&self, alarm: &Node<'_>) -> Box<[PolicyName]> {
        let actions = self.member(alarm, "AlarmActions").and_then(Node::elements);
        let actions = actions.unwrap_or_default().iter();
        let texts = actions.filter_map(|action| self.text(action));
        texts
            .filter_map(|text| match AlarmAction::of(&text) {
                AlarmAction::Policy(policy) => Some(PolicyName {
                    service: policy.resource_id.and_then(ServiceName::of_resource_id),
                    name: policy.name.into(),
                }),
                AlarmAction::Other => None,
            })
            .collect()
    }

    fn policy(&self, policy: &Node<'_>) -> Option<PolicyAlarms> {
        let name = self.text(self.member(policy, "PolicyName")?)?;
        let alarms = self.member(policy, "Alarms").and_then(Node::elements);
        let alarms = alarms.unwrap_or_default().iter();
        let names = alarms.filter_map(|alarm| self.text(self.member(alarm, "AlarmName")?));
        Some(PolicyAlarms {
            name: (*name).into(),
            alarms: names.map(|name| (*name).into()).collect(),
        })
    }
}

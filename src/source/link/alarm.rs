//! Finds the services of alarms: those whose policies they trigger.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        alarm::{Links, PolicyName},
        entry::Entry,
        kind::Kind,
        reference::ServiceName,
    },
    Linker,
    plan::{Finding, Plan},
    scaling::Services,
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// The plans of the services that have policies, by the names of these and of their alarms.
#[derive(Debug, Default)]
struct Policies<'e> {
    by_name: BTreeMap<&'e str, BTreeSet<usize>>,
    by_alarm: BTreeMap<&'e str, BTreeSet<usize>>,
}

impl<'e> Policies<'e> {
    fn add(&mut self, entry: &'e Entry, plan: usize) {
        let Some(Links::Policies(policies)) = entry.links() else {
            return;
        };
        for policy in policies {
            self.by_name.entry(&policy.name).or_default().insert(plan);
            for alarm in &policy.alarms {
                self.by_alarm.entry(alarm).or_default().insert(plan);
            }
        }
    }
}

impl<'e> Linker<'e> {
    /// Adds each alarm to the services whose policies it triggers. One that triggers none of them stands alone.
    pub(super) fn plan_alarms(&mut self, services: &Services<'e>) {
        if self.of_kind(Kind::Alarm).next().is_none() {
            return;
        }
        let policies = self.policies(services);
        let mut orphans = Vec::new();
        for (index, entry) in self.of_kind(Kind::Alarm) {
            let mut plans = BTreeSet::new();
            let mut why = None;
            if let Some(Links::Actions(actions)) = entry.links() {
                for action in actions {
                    match triggered(action, services, &policies) {
                        Ok(plan) => {
                            plans.insert(plan);
                        }
                        Err(reason) => why = why.or(Some(reason)),
                    }
                }
            }
            let name = entry.name.as_deref().unwrap_or_default();
            plans.extend(policies.by_alarm.get(name).into_iter().flatten());
            for plan in &plans {
                if let Some(plan) = self.links.plans.get_mut(*plan) {
                    plan.scale(index);
                }
            }
            if plans.is_empty() {
                orphans.push(orphan(index, name, why));
            }
        }
        self.links.plans.extend(orphans);
    }

    /// Returns the policies of the services.
    fn policies(&self, services: &Services<'e>) -> Policies<'e> {
        let mut policies = Policies::default();
        for (_, entry) in self.of_kind(Kind::ScalingPolicy) {
            if let Some(plan) = services.scaled_by(entry) {
                policies.add(entry, plan);
            }
        }
        for (number, plan) in self.links.plans.iter().enumerate() {
            if let Some(entry) = self.entry(plan.lead()).filter(|it| is_service(it)) {
                policies.add(entry, number);
            }
        }
        policies
    }
}

fn is_service(entry: &Entry) -> bool {
    entry.form.kind() == Kind::Service
}

/// Returns the plan of the service whose policy an action names, or why there is none.
fn triggered(
    action: &PolicyName,
    services: &Services<'_>,
    policies: &Policies<'_>,
) -> Result<usize, String> {
    let PolicyName { service, name } = action;
    let plans = policies.by_name.get(&**name);
    let mut plans = plans.into_iter().flatten().copied();
    if let Some(service) = service {
        let named = services.named(service);
        let ServiceName { name: service, .. } = service;
        let plan = named.ok_or_else(|| format!("no service {service} is among the documents"))?;
        return plans
            .find(|it| *it == plan)
            .ok_or_else(|| format!("service {service} has no policy {name}"));
    }
    match (plans.next(), plans.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("no service has a policy {name}")),
        (Some(_), Some(_)) => Err(format!("several services have a policy {name}")),
    }
}

/// Explains why an alarm triggers nothing.
fn orphan(index: usize, name: &str, why: Option<String>) -> Plan {
    let alarm = FieldPath::root(Subject::AutoScaling).field("alarms");
    let mut plan = Plan::orphan(index);
    plan.scale(index);
    plan.report(Finding {
        path: alarm.index(0).field("AlarmActions"),
        message: match (name.to_owned(), why) {
            (name, Some(why)) => Message::AlarmWithoutPolicy { name, why },
            (name, None) => Message::AlarmNotOfScaling { name },
        },
        consequence: true,
    });
    plan
}

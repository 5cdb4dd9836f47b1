//! Finds the service of each scaling request.

use std::collections::BTreeMap;

use super::{
    super::{
        entry::{Entry, Target},
        kind::Kind,
        reference::ServiceName,
    },
    Linker,
    plan::{Duplicate, Finding, Plan},
};
use crate::diagnostic::{FieldPath, Message, Subject};

impl Linker<'_> {
    pub(super) fn plan_scaling(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut orphans: BTreeMap<(String, usize), Plan> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let scaling = matches!(
                entry.form.kind(),
                Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction
            );
            if !scaling {
                continue;
            }
            let service = self.scaled_service(entry);
            let plan = service.and_then(|service| self.links.plans.get_mut(service));
            let Some(plan) = plan else {
                let group = match &entry.target {
                    Target::Service(service) => (service.name.to_string(), 0),
                    _ => (String::new(), index),
                };
                let plan = orphans.entry(group).or_insert_with(|| Plan::orphan(index));
                plan.scaling.push(index);
                let position = self.position(plan, entry.form.kind());
                plan.findings.push(orphan_finding(entry, position));
                continue;
            };
            let target = |index: &usize| {
                let entry = self.entries.get(*index);
                entry.is_some_and(|entry| entry.form.kind() == Kind::ScalableTarget)
            };
            let twin = plan.scaling.iter().copied().find(target);
            match twin {
                Some(twin) if entry.form.kind() == Kind::ScalableTarget => {
                    if !same(twin, index) {
                        self.links.duplicates.push(Duplicate {
                            document: index,
                            first: twin,
                            kind: Kind::ScalableTarget,
                            name: match &entry.target {
                                Target::Service(service) => service.name.to_string(),
                                _ => String::new(),
                            },
                        });
                    }
                }
                _ => plan.scaling.push(index),
            }
        }
        self.links.plans.extend(orphans.into_values());
    }

    /// How many scaling documents of a kind the plan has before its last one.
    fn position(&self, plan: &Plan, kind: Kind) -> usize {
        let of_kind = |index: &&usize| {
            let entry = self.entries.get(**index);
            entry.is_some_and(|entry| entry.form.kind() == kind)
        };
        plan.scaling
            .iter()
            .filter(of_kind)
            .count()
            .saturating_sub(1)
    }

    /// The plan of the service that a scaling request names, or of the only service if it names none.
    fn scaled_service(&self, entry: &Entry) -> Option<usize> {
        match &entry.target {
            Target::Service(ServiceName { cluster, name }) => {
                let plans = self.services.get(&**name)?;
                let in_cluster = plans.iter().copied().find(|plan| {
                    let plan = self.links.plans.get(*plan);
                    let lead = plan.and_then(|plan| self.entry(plan.lead));
                    lead.is_some_and(|lead| lead.cluster.is_some() && lead.cluster == *cluster)
                });
                in_cluster.or_else(|| plans.first().copied())
            }
            _ => {
                let mut plans = self.services.values().flatten().copied();
                let only = plans.next()?;
                plans.next().is_none().then_some(only)
            }
        }
    }
}

/// Why a scaling request, the one at `position` among its kind, scales nothing.
fn orphan_finding(entry: &Entry, position: usize) -> Finding {
    let root = FieldPath::root(Subject::AutoScaling);
    let document = match entry.form.kind() {
        Kind::ScalingPolicy => root.field("scalingPolicies").index(position),
        Kind::ScheduledAction => root.field("scheduledActions").index(position),
        _ => root.field("scalableTarget"),
    };
    let message = match &entry.target {
        Target::Service(service) => Message::OrphanScaling {
            name: service.name.to_string(),
        },
        Target::Unclear => Message::OrphanScaling {
            name: "of this ResourceId".to_owned(),
        },
        _ => Message::RequiredField {
            name: "ResourceId".to_owned(),
        },
    };
    Finding {
        path: document.field("ResourceId"),
        message,
        consequence: entry.target == Target::Unclear,
    }
}

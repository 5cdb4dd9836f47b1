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

/// The plans of services.
struct Services<'e> {
    /// The names and numbers, sorted.
    by_name: Vec<(&'e str, usize)>,
    /// The first one of each name in each cluster.
    by_cluster: BTreeMap<(&'e str, &'e str), usize>,
}

impl Services<'_> {
    /// Returns the plan of the service that a scaling request names, or of the only service if it names none.
    fn scaled_by(&self, entry: &Entry) -> Option<usize> {
        let Target::Service(ServiceName { cluster, name }) = entry.target() else {
            let [(_, only)] = *self.by_name else {
                return None;
            };
            return Some(only);
        };
        let in_cluster = cluster
            .as_deref()
            .and_then(|cluster| self.by_cluster.get(&(&**name, cluster)));
        in_cluster.copied().or_else(|| {
            let first = self.by_name.partition_point(|(other, _)| *other < &**name);
            let (found, plan) = self.by_name.get(first)?;
            (*found == &**name).then_some(*plan)
        })
    }
}

impl<'e> Linker<'e> {
    pub(super) fn plan_scaling(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let is_scaling = |entry: &Entry| {
            matches!(
                entry.form.kind(),
                Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction
            )
        };
        if !self.entries.iter().any(is_scaling) {
            return;
        }
        let mut orphans: BTreeMap<(String, usize), (Plan, Counts)> = BTreeMap::new();
        let mut targets = BTreeMap::new();
        let services = self.services_in_clusters();
        for (index, entry) in self.entries.iter().enumerate() {
            if !is_scaling(entry) {
                continue;
            }
            let service = services.scaled_by(entry);
            let plan = service.and_then(|service| {
                let plan = self.links.plans.get_mut(service)?;
                Some((service, plan))
            });
            let Some((service, plan)) = plan else {
                let group = match entry.target() {
                    Target::Service(service) => (service.name.to_string(), 0),
                    _ => (String::new(), index),
                };
                let (plan, counts) = orphans
                    .entry(group)
                    .or_insert_with(|| (Plan::orphan(index), Counts::default()));
                plan.scale(index);
                let position = counts.next(entry.form.kind());
                plan.report(orphan_finding(entry, position));
                continue;
            };
            if entry.form.kind() != Kind::ScalableTarget {
                plan.scale(index);
                continue;
            }
            match targets.get(&service).copied() {
                Some(twin) => {
                    if !same(twin, index) {
                        self.links.duplicates.push(Duplicate {
                            document: index,
                            first: twin,
                            kind: Kind::ScalableTarget,
                            name: match entry.target() {
                                Target::Service(service) => service.name.to_string(),
                                _ => String::new(),
                            },
                        });
                    }
                }
                None => {
                    targets.insert(service, index);
                    plan.scale(index);
                }
            }
        }
        let orphans = orphans.into_values().map(|(plan, _)| plan);
        self.links.plans.extend(orphans);
    }

    fn services_in_clusters(&self) -> Services<'e> {
        let by_name = self.services();
        let mut by_cluster = BTreeMap::new();
        for (name, plan) in &by_name {
            let lead = self.links.plans.get(*plan);
            let lead = lead.and_then(|plan| self.entry(plan.lead));
            if let Some(cluster) = lead.and_then(|lead| lead.cluster()) {
                by_cluster.entry((*name, cluster)).or_insert(*plan);
            }
        }
        Services {
            by_name,
            by_cluster,
        }
    }
}

/// The number of scaling documents of a plan, for each kind that is stored in a list.
#[derive(Debug, Default)]
struct Counts {
    policies: usize,
    actions: usize,
}

impl Counts {
    /// Returns the position of another document of a kind.
    const fn next(&mut self, kind: Kind) -> usize {
        let count = match kind {
            Kind::ScalingPolicy => &mut self.policies,
            Kind::ScheduledAction => &mut self.actions,
            _ => return 0,
        };
        *count += 1;
        *count - 1
    }
}

/// Explains why a scaling request, the one at `position` among its kind, scales nothing.
fn orphan_finding(entry: &Entry, position: usize) -> Finding {
    let root = FieldPath::root(Subject::AutoScaling);
    let document = match entry.form.kind() {
        Kind::ScalingPolicy => root.field("scalingPolicies").index(position),
        Kind::ScheduledAction => root.field("scheduledActions").index(position),
        _ => root.field("scalableTarget"),
    };
    let message = match entry.target() {
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
        consequence: *entry.target() == Target::Unclear,
    }
}

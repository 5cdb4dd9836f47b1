//! Tells apart the `RunTask` requests of one task definition, which have no names.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Linker,
    plan::{Finding, Role},
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// How many of the different requests before it a request is compared with. Comparing reads both documents again.
const COMPARED: usize = 8;

impl Linker<'_> {
    /// Numbers the requests that differ from the first one of their task definition. A request that is repeated is
    /// dropped: whether the file was copied or the tasks shall run twice is not known, and a task that runs twice may do
    /// harm.
    pub(super) fn number_tasks(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut requests: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (number, plan) in self.links.plans.iter().enumerate() {
            let Some(entry) = self.entry(plan.lead) else {
                continue;
            };
            if plan.role == Role::Task
                && entry.name.is_none()
                && let Some(choice) = plan.task_definition()
            {
                let family = self.service_name_of(choice);
                let place = (entry.namespace(), family);
                requests.entry(place).or_default().push(number);
            }
        }
        requests.retain(|_, plans| plans.len() > 1);
        let groups: Vec<Vec<usize>> = requests.into_values().collect();
        let mut dropped = BTreeSet::new();
        for plans in groups {
            let mut distinct: Vec<usize> = Vec::new();
            for number in plans {
                let Some(lead) = self.links.plans.get(number).map(|plan| plan.lead) else {
                    continue;
                };
                let lead_of = |plan: &usize| self.links.plans.get(*plan).map(|plan| plan.lead);
                let earlier = distinct.iter().rev().take(COMPARED);
                let twin = earlier
                    .copied()
                    .find(|other| lead_of(other).is_some_and(|other| same(other, lead)));
                let Some(twin) = twin else {
                    distinct.push(number);
                    if let Some(plan) = self.links.plans.get_mut(number) {
                        plan.count_as(distinct.len());
                    }
                    continue;
                };
                dropped.insert(lead);
                if let Some(plan) = self.links.plans.get_mut(twin) {
                    plan.report(Finding {
                        path: FieldPath::root(Subject::Task).field("count"),
                        message: Message::TaskRequestRepeated,
                        consequence: false,
                    });
                }
            }
        }
        let plans = &mut self.links.plans;
        plans.retain(|plan| !dropped.contains(&plan.lead));
    }
}

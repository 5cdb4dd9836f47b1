//! Plans what starts tasks by events: the targets of rules, and pipes.

use std::collections::BTreeSet;

use super::{
    super::{entry::Target, kind::Kind},
    Linker, Plan, Role,
};
use crate::diagnostic::{FieldPath, Subject};

impl Linker<'_> {
    /// Plans each target of a rule that starts tasks, and each pipe.
    pub(super) fn plan_rules_and_pipes(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        self.plan_pipes();
        self.plan_rules(same);
    }

    fn plan_pipes(&mut self) {
        for (index, entry) in self.of_kind(Kind::Pipe) {
            let path = FieldPath::root(Subject::Pipe).field("TargetParameters");
            let path = path.field("EcsTaskParameters").field("TaskDefinitionArn");
            self.plan_target(Plan::new(index, Role::Pipe), entry.target(), &path);
        }
    }

    /// Plans each of the targets of a rule that start tasks. `list` is the document that has them, if it is another one.
    pub(super) fn plan_targets(&mut self, rule: usize, list: Option<usize>) {
        let Some(entry) = self.entry(list.unwrap_or(rule)) else {
            return;
        };
        let is_shared = entry.targets().len() > 1;
        for (number, target) in entry.targets() {
            let path = FieldPath::root(Subject::Rule).field("Targets");
            let path = path.index(*number as usize).field("EcsParameters");
            let mut plan = Plan::new(rule, Role::Rule(*number));
            plan.shares = is_shared;
            if let Some(list) = list {
                plan.scale(list);
            }
            self.plan_target(plan, target, &path.field("TaskDefinitionArn"));
        }
    }

    /// Plans a target that runs a task definition, unless an event names it.
    fn plan_target(&mut self, mut plan: Plan, target: &Target, path: &FieldPath) {
        if *target != Target::Absent
            && let Some(entry) = self.entry(plan.lead())
        {
            let mut findings = Vec::new();
            if let Some(choice) = self.choose(entry, target, path, &mut findings) {
                self.run.insert(choice.entry);
                plan.run(choice);
            }
            for finding in findings {
                plan.report(finding);
            }
        }
        self.links.plans.push(plan);
    }

    /// Finds the plans whose task definition another one runs too.
    pub(super) fn find_shared(&mut self) {
        let plans = self.links.plans.iter();
        let mut run: Vec<usize> = plans
            .filter_map(|plan| Some(plan.task_definition()?.entry))
            .collect();
        run.sort_unstable();
        let shared: BTreeSet<usize> = run
            .windows(2)
            .filter_map(|pair| (pair.first() == pair.last()).then_some(*pair.first()?))
            .collect();
        for plan in &mut self.links.plans {
            let choice = plan.task_definition();
            plan.shares |= choice.is_some_and(|choice| shared.contains(&choice.entry));
        }
    }
}

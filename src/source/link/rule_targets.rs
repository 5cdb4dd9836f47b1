//! Finds the targets of rules that are in documents of their own: `PutTargets` names its rule, and the answer of
//! `ListTargetsByRule` does not.

use super::{
    super::kind::{Envelope, Kind},
    Linker, Plan, Role,
    plan::Finding,
};
use crate::diagnostic::{FieldPath, Message, Subject};

impl Linker<'_> {
    /// Plans each rule, with the targets that it has or that another document has.
    pub(super) fn plan_rules(&mut self) {
        let lists: Vec<usize> = self
            .of_kind(Kind::RuleTargets)
            .map(|(index, _)| index)
            .collect();
        let (with, without): (Vec<usize>, Vec<usize>) = self
            .of_kind(Kind::Rule)
            .map(|(index, _)| index)
            .partition(|index| self.has_targets(*index));
        for rule in with {
            self.plan_targets(rule, None);
        }
        let open = without.iter().copied();
        let open: Vec<usize> = open.filter(|rule| self.is_request(*rule)).collect();
        let owners: Vec<Option<usize>> = lists
            .iter()
            .map(|list| self.rule_of(*list, &open, &lists))
            .collect();
        for (list, owner) in lists.iter().zip(&owners) {
            let is_only = owners.iter().filter(|other| *other == owner).count() == 1;
            match owner {
                Some(rule) if is_only => self.plan_targets(*rule, Some(*list)),
                _ => self.report(*list, Role::RuleTargets, Message::TargetsWithoutRule),
            }
        }
        for rule in without {
            if !owners.contains(&Some(rule)) {
                let (_, name) = self.key(rule);
                let name = name.to_owned();
                self.report(rule, Role::Rule(0), Message::RuleWithoutTargets { name });
            }
        }
    }

    /// Whether a rule can have targets in another document.
    fn is_request(&self, index: usize) -> bool {
        let entry = self.entry(index);
        entry.is_some_and(|entry| entry.form.envelope == Envelope::Bare)
    }

    fn has_targets(&self, index: usize) -> bool {
        self.entry(index)
            .is_some_and(|entry| !entry.targets().is_empty())
    }

    /// Returns the rule that a list of targets belongs to: the one that it names; or, if it names none, the only one in
    /// its file, or else in its folder, or else in the whole input, that no list names.
    fn rule_of(&self, list: usize, rules: &[usize], lists: &[usize]) -> Option<usize> {
        let name = |index: usize| self.entry(index).and_then(|entry| entry.name.as_deref());
        if let Some(named) = name(list) {
            return only(rules.iter().filter(|rule| name(**rule) == Some(named)));
        }
        let is_named = |rule: &usize| lists.iter().any(|list| name(*list) == name(*rule));
        let free: Vec<usize> = rules.iter().copied().filter(|it| !is_named(it)).collect();
        let origin = |index: usize| self.entry(index).map(|entry| entry.origin());
        let folders = (self.folders)();
        let folder = |index: usize| origin(index).and_then(|origin| folders.get(origin));
        let mut in_file = free
            .iter()
            .filter(|it| origin(**it) == origin(list))
            .peekable();
        let mut in_folder = free
            .iter()
            .filter(|it| folder(**it) == folder(list))
            .peekable();
        if in_file.peek().is_some() {
            only(in_file)
        } else if in_folder.peek().is_some() {
            only(in_folder)
        } else {
            only(free.iter())
        }
    }

    fn report(&mut self, index: usize, role: Role, message: Message) {
        let mut plan = Plan::new(index, role);
        plan.report(Finding {
            path: FieldPath::root(Subject::Rule),
            message,
            consequence: false,
        });
        self.links.plans.push(plan);
    }
}

/// Returns the only one; `None` if there are several, or none.
fn only<'i>(mut of: impl Iterator<Item = &'i usize>) -> Option<usize> {
    let first = of.next()?;
    of.next().is_none().then_some(*first)
}

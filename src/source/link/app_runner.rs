//! Finds the auto scaling configuration of each App Runner service.

use std::collections::BTreeSet;

use super::{
    super::{
        entry::{CONFIGURATION, Target},
        kind::{Kind, Spelling},
        reference::Reference,
    },
    Linker,
    plan::{Duplicate, Finding, Plan, Role, revision_name},
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// The configuration that each account has, with the defaults of the API.
pub(in crate::source) const DEFAULT: &str = "DefaultConfiguration";

impl Linker<'_> {
    pub(super) fn plan_app_runner(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let configurations = self.configurations(same);
        let mut used = BTreeSet::new();
        let services = self.of_kind(Kind::AppRunnerService);
        let mut plans = Vec::new();
        for (index, entry) in services {
            let mut plan = Plan::new(index, Role::AppRunnerService);
            let (found, name) = match entry.target() {
                Target::AutoScalingConfiguration(reference) => {
                    let found = self.configuration(&configurations, reference);
                    let is_known = found.is_some() || &*reference.family == DEFAULT;
                    let name = revision_name(&reference.family, reference.revision);
                    (found, (!is_known).then_some(name))
                }
                Target::Unclear => match configurations[..] {
                    [only] => (Some(only), None),
                    _ => (None, Some("this configuration".to_owned())),
                },
                _ => (None, None),
            };
            if let Some(configuration) = found {
                used.insert(configuration);
                plan.scale(configuration);
            }
            // A function of CloudFormation is rejected by the reader.
            let is_function = *entry.target() == Target::Unclear
                && entry.form.spelling == Spelling::CloudFormation;
            if let Some(value) = name.filter(|_| !is_function) {
                plan.report(Finding {
                    path: FieldPath::root(Subject::AppRunnerService).field(CONFIGURATION),
                    message: Message::AutoScalingConfigurationUnknown { value },
                    consequence: false,
                });
            }
            plans.push(plan);
        }
        for index in configurations {
            if !used.contains(&index) {
                plans.push(self.unused_configuration(index));
            }
        }
        self.links.plans.extend(plans);
    }

    fn unused_configuration(&self, index: usize) -> Plan {
        let mut plan = Plan::new(index, Role::AutoScalingConfiguration);
        let (_, name) = self.key(index);
        plan.report(Finding {
            path: FieldPath::root(Subject::AutoScalingConfiguration),
            message: Message::AutoScalingConfigurationUnused {
                name: revision_name(name, self.revision(index)),
            },
            consequence: true,
        });
        plan
    }

    /// Returns the configurations, each once; another one with the same name and revision is a duplicate.
    fn configurations(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) -> Vec<usize> {
        let all: Vec<usize> = self
            .of_kind(Kind::AutoScalingConfiguration)
            .map(|(index, _)| index)
            .collect();
        let mut kept: Vec<usize> = Vec::with_capacity(all.len());
        for index in all {
            let key = |index: usize| (self.key(index), self.revision(index));
            let Some(first) = kept.iter().copied().find(|it| key(*it) == key(index)) else {
                kept.push(index);
                continue;
            };
            if !same(first, index) {
                let (_, name) = self.key(index);
                self.links.duplicates.push(Duplicate {
                    document: index,
                    first,
                    kind: Kind::AutoScalingConfiguration,
                    name: revision_name(name, self.revision(index)),
                });
            }
        }
        kept
    }

    /// Returns the configuration of a name. A request does not know its revision, so that it may be any; without a
    /// revision in the reference, the newest counts, and a request is newer than what exists.
    fn configuration(&self, all: &[usize], wanted: &Reference) -> Option<usize> {
        let named = all.iter().copied();
        let named = named.filter(|index| self.key(*index).1 == &*wanted.family);
        let exact = |index: &usize| self.revision(*index) == wanted.revision;
        let unnumbered = |index: &usize| self.revision(*index).is_none();
        match wanted.revision {
            Some(_) => {
                let mut named = named.clone().filter(exact).chain(named.filter(unnumbered));
                named.next()
            }
            None => named.max_by_key(|index| {
                let revision = self.revision(*index);
                (revision.is_none(), revision)
            }),
        }
    }
}

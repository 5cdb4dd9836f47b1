//! Finds the targets of rules that are in documents of their own: `PutTargets` names its rule, and the answer of
//! `ListTargetsByRule` does not.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::kind::{Envelope, Kind},
    Linker, Plan, Role,
    plan::{Duplicate, Finding},
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// A bus and a name on it.
type Name<'e> = (&'e str, &'e str);

impl<'e> Linker<'e> {
    /// Plans each rule, with the targets that it has or that another document has.
    pub(super) fn plan_rules(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut open = Vec::new();
        let mut named: BTreeMap<Name<'e>, Vec<usize>> = BTreeMap::new();
        let rules: Vec<usize> = self.of_kind(Kind::Rule).map(|(index, _)| index).collect();
        for rule in rules {
            let Some(entry) = self.entry(rule) else {
                continue;
            };
            if !entry.targets().is_empty() {
                self.plan_targets(rule, None);
            }
            if entry.form.envelope == Envelope::Bare {
                if let Some(name) = self.name_on_bus(rule) {
                    named.entry(name).or_default().push(rule);
                }
                if entry.targets().is_empty() {
                    open.push(rule);
                }
            } else if entry.targets().is_empty() {
                self.links
                    .plans
                    .push(Plan::new(rule, Role::RuleWithoutTargets));
            }
        }
        let lists: Vec<usize> = self
            .of_kind(Kind::RuleTargets)
            .map(|(index, _)| index)
            .collect();
        let owned = self.plan_lists(&lists, &named, &open, same);
        for rule in open {
            if !owned.contains_key(&rule) {
                self.links
                    .plans
                    .push(Plan::new(rule, Role::RuleWithoutTargets));
            }
        }
    }

    /// Plans the targets of lists. Returns the rules that have any, and which.
    fn plan_lists(
        &mut self,
        lists: &[usize],
        named: &BTreeMap<Name<'e>, Vec<usize>>,
        open: &[usize],
        same: &mut dyn FnMut(usize, usize) -> bool,
    ) -> BTreeMap<usize, usize> {
        let mut owned = BTreeMap::new();
        if lists.is_empty() {
            return owned;
        }
        let folders = (self.folders)();
        let taken: BTreeSet<Name<'e>> = lists
            .iter()
            .filter_map(|list| self.name_on_bus(*list))
            .collect();
        let is_free = |rule: &usize| {
            let name = self.name_on_bus(*rule);
            name.is_none_or(|name| !taken.contains(&name))
        };
        let free: Vec<usize> = open.iter().copied().filter(is_free).collect();
        let free = Near::of(self, &free, &folders);
        let named: BTreeMap<&Name<'e>, Near> = named
            .iter()
            .map(|(name, rules)| (name, Near::of(self, rules, &folders)))
            .collect();
        for list in lists.iter().copied() {
            let owner = match self.name_on_bus(list) {
                Some(name) => named
                    .get(&name)
                    .and_then(|rules| rules.only.or_else(|| rules.to(self, list, &folders))),
                None => free.to(self, list, &folders),
            };
            let Some(rule) = owner else {
                let plan = self.without_rule(list);
                self.links.plans.push(plan);
                continue;
            };
            let has_own = self.entry(rule).is_some_and(|it| !it.targets().is_empty());
            let first = if has_own {
                rule
            } else {
                *owned.entry(rule).or_insert(list)
            };
            if first == list {
                self.plan_targets(rule, Some(list));
            } else if !same(first, list) {
                let (_, name) = self.key(rule);
                self.links.duplicates.push(Duplicate {
                    document: list,
                    first,
                    kind: Kind::RuleTargets,
                    name: name.to_owned(),
                });
            }
        }
        owned
    }

    /// Returns the name of a rule, and its bus; `None` of a list that names no rule.
    fn name_on_bus(&self, index: usize) -> Option<Name<'e>> {
        let entry = self.entry(index)?;
        Some((entry.cluster()?, entry.name.as_deref()?))
    }

    fn without_rule(&self, list: usize) -> Plan {
        let name = self.entry(list).and_then(|entry| entry.name.as_deref());
        let rule = name.map_or_else(|| "the rule".to_owned(), |name| format!("rule {name}"));
        let mut plan = Plan::new(list, Role::RuleTargets);
        plan.report(Finding {
            path: FieldPath::root(Subject::Rule),
            message: Message::TargetsWithoutRule { rule },
            consequence: false,
        });
        plan
    }
}

/// The only rules of files and folders; `None` where there are several.
#[derive(Default)]
struct Near {
    /// The only one of all.
    only: Option<usize>,
    files: BTreeMap<usize, Option<usize>>,
    folders: BTreeMap<usize, Option<usize>>,
}

impl Near {
    fn of(linker: &Linker<'_>, rules: &[usize], folders: &[usize]) -> Self {
        let mut near = Self::default();
        if let [only] = rules {
            near.only = Some(*only);
        }
        for rule in rules.iter().copied() {
            let Some(entry) = linker.entry(rule) else {
                continue;
            };
            let file = entry.origin();
            let folder = folders.get(file).copied().unwrap_or_default();
            for (map, place) in [(&mut near.files, file), (&mut near.folders, folder)] {
                map.entry(place)
                    .and_modify(|only| *only = None)
                    .or_insert(Some(rule));
            }
        }
        near
    }

    /// Returns the only rule in the file of a document, or else in its folder.
    fn to(&self, linker: &Linker<'_>, document: usize, folders: &[usize]) -> Option<usize> {
        let file = linker.entry(document)?.origin();
        let folder = folders.get(file).copied().unwrap_or_default();
        let found = self.files.get(&file).or_else(|| self.folders.get(&folder));
        *found?
    }
}

#[cfg(test)]
mod tests {
    use crate::source::testing::{findings, units};

    /// Returns each unit that starts tasks as `FILE NAME`, and all findings and problems by their files.
    fn linked(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let (units, mut said) = units(files, &[]);
        let mut found = Vec::new();
        for unit in units {
            let findings = findings(&unit).into_iter();
            let findings = findings.filter(|it| !it.contains("TaskDefinition"));
            said.extend(findings.map(|finding| format!("{}: {finding}", unit.file())));
            if let crate::source::Content::Rule(input) = &unit.content {
                let target = &input.request.targets[input.target];
                let id = target.id.as_deref().unwrap_or_default();
                found.push(format!("{} {id}", unit.file()));
            }
        }
        (found, said)
    }

    const RULE: &str = r#"{"Name": "r", "ScheduleExpression": "rate(1 hour)"}"#;
    const OTHER: &str = r#"{"Name": "o", "ScheduleExpression": "rate(1 hour)"}"#;
    const ON_BUS: &str = r#"{"Name": "r", "EventBusName": "arn:aws:events:eu-west-1:1:event-bus/b", "EventPattern": "{\"source\": [\"s\"]}"}"#;

    fn list(id: &str, more: &str) -> String {
        format!(
            r#"{{"Targets": [{{"Id": "{id}", "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/c",
            "EcsParameters": {{"TaskDefinitionArn": "$.detail.t"}}}}]{more}}}"#
        )
    }

    #[test]
    fn targets_belong_to_the_rule_that_they_name_or_to_the_only_one_beside_them() {
        let named = list("n", r#", "Rule": "r""#);
        let on_bus = list("b", r#", "Rule": "r", "EventBusName": "b""#);
        let bare = list("l", "");
        let table: &[(&[(&str, &str)], &[&str])] = &[
            (&[("r.json", RULE), ("t.json", &named)], &["r.json n"]),
            (&[("r.json", RULE), ("t.json", &bare)], &["r.json l"]),
            (&[("a/r.json", RULE), ("b/t.json", &named)], &["a/r.json n"]),
            (
                &[
                    ("a/r.json", RULE),
                    ("a/t.json", &bare),
                    ("b/o.json", OTHER),
                    ("b/t.json", &bare),
                ],
                &["a/r.json l", "b/o.json l"],
            ),
            (
                &[
                    ("a/r.json", RULE),
                    ("a/t.json", &named),
                    ("b/r.json", RULE),
                    ("b/t.json", &list("m", r#", "Rule": "r""#)),
                ],
                &["a/r.json n", "b/r.json m"],
            ),
            (
                &[
                    ("r.json", RULE),
                    ("b.json", ON_BUS),
                    ("t.json", &on_bus),
                    ("u.json", &named),
                ],
                &["r.json n", "b.json b"],
            ),
            // The other one has targets that are named.
            (
                &[
                    ("r.json", RULE),
                    ("o.json", OTHER),
                    ("t.json", &named),
                    ("u.json", &bare),
                ],
                &["r.json n", "o.json l"],
            ),
            (
                &[("r.json", RULE), ("t.json", &named), ("u.json", &named)],
                &["r.json n"],
            ),
        ];
        for (files, expected) in table {
            let (found, said) = linked(files);
            assert_eq!(found, *expected, "{said:?}");
            assert_eq!(said, [""; 0], "{files:?}");
        }
    }

    #[test]
    fn targets_of_no_rule_and_of_several_are_not_converted() {
        let named = list("n", r#", "Rule": "r""#);
        let bare = list("l", "");
        let table: &[(&[(&str, &str)], &[&str])] = &[
            (
                &[("a/r.json", RULE), ("b/t.json", &bare)],
                &[
                    "a/r.json: : RuleWithoutTargets",
                    "b/t.json: : TargetsWithoutRule",
                ],
            ),
            (
                &[("r.json", ON_BUS), ("t.json", &named)],
                &[
                    "r.json: : RuleWithoutTargets",
                    "t.json: : TargetsWithoutRule",
                ],
            ),
            (
                &[("r.json", RULE), ("o.json", OTHER), ("t.json", &bare)],
                &[
                    "r.json: : RuleWithoutTargets",
                    "o.json: : RuleWithoutTargets",
                    "t.json: : TargetsWithoutRule",
                ],
            ),
            (
                &[
                    ("r.json", RULE),
                    ("t.json", &named),
                    ("u.json", &list("m", r#", "Rule": "r""#)),
                ],
                &["u.json: DuplicateDocument"],
            ),
            (
                &[
                    ("r.json", RULE),
                    ("t.json", &list("l", r#", "NextToken": "x""#)),
                ],
                &["r.json: NextToken: InvalidValue"],
            ),
            (
                &[
                    ("r.json", RULE),
                    ("t.json", &list("l", r#", "Next": "x", "NextToken": null"#)),
                ],
                &["r.json: Next: UnknownField"],
            ),
        ];
        for (files, expected) in table {
            let (_, said) = linked(files);
            assert_eq!(said.len(), expected.len(), "{said:?}");
            for (said, expected) in said.iter().zip(*expected) {
                assert!(said.starts_with(expected), "{said} instead of {expected}");
            }
        }
    }

    #[test]
    fn the_targets_that_a_rule_lacks_may_run_a_task_definition() {
        let definition = r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]}"#;
        let (units, problems) = units(&[("r.json", RULE), ("t.json", definition)], &[]);
        assert_eq!(problems, [""; 0]);
        let all: Vec<String> = units.iter().flat_map(findings).collect();
        let is_assumed = all.iter().any(|it| it.contains("ServiceAssumed"));
        let is_withheld = all.iter().any(|it| it.contains("TaskDefinitionNotRun"));
        assert!(is_withheld && !is_assumed, "{all:?}");
    }
}

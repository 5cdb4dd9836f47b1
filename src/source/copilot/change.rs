//! Changes of the task definition that Copilot makes, by the paths that it has in Copilot's template: `taskdef_overrides`
//! of the manifest (<https://aws.github.io/copilot-cli/docs/developing/taskdef-overrides/>), and patches beside it.

use super::super::{
    manifest::{Object, text},
    spelling::renamed,
    text::Span,
    tree::{Member, Node, Value},
};

/// The index that means a new element.
const END: &str = "-";

/// The members whose own members have names that somebody chose.
const MAPS: [&str; 4] = ["dockerLabels", "options", "driverOpts", "labels"];

/// The deepest path: the deepest request of AWS has 11 levels, and a tree without a limit would use up the stack.
const DEEPEST: usize = 32;

/// The lists whose elements Copilot has in another order, or more of them.
const OF_OTHER_ORDER: [&str; 5] = [
    "dependsOn",
    "environment",
    "mountPoints",
    "secrets",
    "volumes",
];

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Sets a value, and makes what is around it.
    Set,
    /// Adds a member or an element.
    Add,
    /// Sets a value that is there.
    Replace,
    Remove,
}

impl Action {
    /// Returns the action of a patch by its name.
    pub(super) fn of(op: &str) -> Option<Self> {
        match op {
            "add" => Some(Self::Add),
            "replace" => Some(Self::Replace),
            "remove" => Some(Self::Remove),
            _ => None,
        }
    }
}

/// A change of the properties of the task definition.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) action: Action,
    /// The names of members and the numbers of elements that lead to the value.
    pub(super) path: Vec<String>,
    pub(super) value: Node<'a>,
    /// What messages call it.
    pub(super) name: String,
    pub(super) span: Span,
}

impl<'a> Change<'a> {
    /// Applies the change. Returns whether what it changes is there; nothing is changed otherwise.
    pub(super) fn apply(&self, properties: &mut Node<'a>) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let is_path = (1..=DEEPEST).contains(&path.len()) && path.iter().all(|it| !it.is_empty());
        is_path && self.at(properties, &path, "")
    }

    /// Whether it changes the family, by which the service finds the task definition.
    pub(super) fn is_of_family(&self) -> bool {
        matches!(self.path.as_slice(), [only] if only.eq_ignore_ascii_case("family"))
    }

    /// Returns the number of the container that it changes.
    pub(super) fn container(&self) -> Option<usize> {
        let [first, second, ..] = self.path.as_slice() else {
            return None;
        };
        let is_list = first.eq_ignore_ascii_case("containerDefinitions");
        second.parse().ok().filter(|_| is_list)
    }

    /// Applies the change to a node, which is in the member `outer`.
    fn at(&self, node: &mut Node<'a>, path: &[&str], outer: &str) -> bool {
        let [step, rest @ ..] = path else {
            return false;
        };
        let is_any = |names: &[&str]| names.iter().any(|it| it.eq_ignore_ascii_case(outer));
        match &mut node.value {
            Value::Object(members) => self.member(members, step, rest, is_any(&MAPS)),
            Value::List(elements) => {
                // The number of one that is made by changes alone is right.
                let has_order = elements.len() < 2 && !outer.eq_ignore_ascii_case("environment");
                let is_known = has_order || !is_any(&OF_OTHER_ORDER);
                match (is_known, *step, rest, self.action) {
                    (true, ..) | (_, END, ..) => self.element(elements, step, rest),
                    (false, _, [], Action::Add) => self.element(elements, END, rest),
                    (false, ..) => false,
                }
            }
            _ => false,
        }
    }

    fn member(
        &self,
        members: &mut Vec<Member<'a>>,
        step: &str,
        rest: &[&str],
        is_map: bool,
    ) -> bool {
        let exact = members.iter().position(|it| it.key == step);
        let same = |it: &Member<'a>| {
            it.key.eq_ignore_ascii_case(step) || renamed(step).is_some_and(|name| it.key == name)
        };
        let known = exact.or_else(|| members.iter().position(same).filter(|_| !is_map));
        if let (Some(at), [], Action::Remove) = (known, rest, self.action) {
            members.remove(at);
            return true;
        }
        match (known.and_then(|at| members.get_mut(at)), rest, self.action) {
            (Some(member), [], Action::Set | Action::Add | Action::Replace) => {
                member.value = self.value.clone();
                true
            }
            (Some(member), rest, _) => self.at(&mut member.value, rest, step),
            (None, [], Action::Set | Action::Add) => {
                members.push(self.made(step, self.value.clone()));
                true
            }
            (None, rest, Action::Set) => {
                let mut value = self.empty(rest);
                let is_done = self.at(&mut value, rest, step);
                members.extend(is_done.then(|| self.made(step, value)));
                is_done
            }
            (None, _, _) => false,
        }
    }

    fn element(&self, elements: &mut Vec<Node<'a>>, step: &str, rest: &[&str]) -> bool {
        let is_new = step == END;
        let Some(index) = (if is_new {
            Some(elements.len())
        } else {
            step.parse().ok()
        }) else {
            return false;
        };
        let fits = index <= elements.len();
        match (elements.get_mut(index), rest, self.action) {
            (Some(element), [], Action::Set | Action::Replace) => {
                *element = self.value.clone();
                true
            }
            (Some(_), [], Action::Remove) => {
                elements.remove(index);
                true
            }
            (Some(element), rest @ [_, ..], _) => self.at(element, rest, ""),
            (_, [], Action::Add) if fits => {
                elements.insert(index, self.value.clone());
                true
            }
            (None, [], Action::Set) if is_new => {
                elements.push(self.value.clone());
                true
            }
            (None, rest, Action::Set) if is_new => {
                let mut value = self.empty(rest);
                let is_done = self.at(&mut value, rest, "");
                elements.extend(is_done.then_some(value));
                is_done
            }
            _ => false,
        }
    }

    fn made(&self, key: &str, value: Node<'a>) -> Member<'a> {
        Member {
            key: key.to_owned().into(),
            key_span: self.span,
            value,
        }
    }

    /// Returns what the next step of a path leads into.
    fn empty(&self, rest: &[&str]) -> Node<'a> {
        let is_index = |step: &&str| *step == END || step.parse::<usize>().is_ok();
        let value = if rest.first().is_some_and(is_index) {
            Value::List(Vec::new())
        } else {
            Value::Object(Vec::new())
        };
        Node {
            value,
            span: self.span,
        }
    }
}

/// Returns properties as a resource, in which names may have the spelling of CloudFormation.
pub(super) fn as_resource(properties: Node<'_>) -> Node<'_> {
    let span = properties.span;
    let mut made = Object::new(span);
    made.put("Type", text(span, "AWS::ECS::TaskDefinition"));
    made.put("Properties", properties);
    made.node()
}

#[cfg(test)]
mod tests {
    use super::{super::super::syntax::parse_one, *};

    const BEFORE: &str = "{containerDefinitions: [{name: web, dockerLabels: {team: a}, ulimits: [{name: core}]}, {name: proxy}]}";

    fn parsed(text: &str) -> Node<'_> {
        parse_one("a.yml", text).unwrap().unwrap()
    }

    #[test]
    fn changes_reach_what_they_name() {
        const WEB: &str = "containerDefinitions: [{name: web, dockerLabels: {team: a}";
        for (action, path, value, expected) in [
            (
                Action::Set,
                "PidMode",
                "task",
                format!("{{{WEB}, ulimits: [{{name: core}}]}}, {{name: proxy}}], PidMode: task}}"),
            ),
            (
                Action::Set,
                "ContainerDefinitions/0/Ulimits/-/Name",
                "nofile",
                format!("{{{WEB}, ulimits: [{{name: core}}, {{Name: nofile}}]}}, {{name: proxy}}]}}"),
            ),
            (
                Action::Set,
                "ContainerDefinitions/0/Ulimits/0/SoftLimit",
                "1",
                format!("{{{WEB}, ulimits: [{{name: core, SoftLimit: 1}}]}}, {{name: proxy}}]}}"),
            ),
            (
                Action::Set,
                "ContainerDefinitions/1/PortMappings/-/ContainerPort",
                "80",
                format!(
                    "{{{WEB}, ulimits: [{{name: core}}]}}, {{name: proxy, PortMappings: [{{ContainerPort: 80}}]}}]}}"
                ),
            ),
            (
                Action::Add,
                "ContainerDefinitions/0/Ulimits/0",
                "{Name: nofile}",
                format!("{{{WEB}, ulimits: [{{Name: nofile}}, {{name: core}}]}}, {{name: proxy}}]}}"),
            ),
            (
                Action::Remove,
                "ContainerDefinitions/0/Ulimits",
                "0",
                format!("{{{WEB}}}, {{name: proxy}}]}}"),
            ),
            (
                Action::Remove,
                "ContainerDefinitions/1",
                "0",
                format!("{{{WEB}, ulimits: [{{name: core}}]}}]}}"),
            ),
            // The names of labels are those that somebody chose.
            (
                Action::Add,
                "ContainerDefinitions/0/DockerLabels/Team",
                "b",
                "{containerDefinitions: [{name: web, dockerLabels: {team: a, Team: b}, ulimits: [{name: core}]}, {name: proxy}]}".to_owned(),
            ),
            (
                Action::Replace,
                "ContainerDefinitions/1/Name",
                "other",
                format!("{{{WEB}, ulimits: [{{name: core}}]}}, {{name: other}}]}}"),
            ),
            // Not there:
            (Action::Replace, "Cpu", "1", BEFORE.to_owned()),
            (Action::Remove, "Cpu", "1", BEFORE.to_owned()),
            (Action::Add, "Volumes/-", "{}", BEFORE.to_owned()),
            (Action::Add, "Volumes/0/Name", "a", BEFORE.to_owned()),
            (Action::Set, "ContainerDefinitions/2/Cpu", "1", BEFORE.to_owned()),
            (Action::Set, "ContainerDefinitions/web/Cpu", "1", BEFORE.to_owned()),
            (Action::Add, "ContainerDefinitions/3", "{}", BEFORE.to_owned()),
            (Action::Set, "ContainerDefinitions/0/Name/First", "1", BEFORE.to_owned()),
            (Action::Set, "", "1", BEFORE.to_owned()),
        ] {
            let change = Change {
                action,
                path: path.split('/').map(str::to_owned).collect(),
                value: parsed(value),
                name: path.to_owned(),
                span: Span::default(),
            };
            let mut node = parsed(BEFORE);
            let is_done = change.apply(&mut node);
            assert!(node.same_content(&parsed(&expected)), "{path}: {node:?}");
            assert_eq!(is_done, expected != BEFORE, "{path}");
        }
    }

    #[test]
    fn a_path_has_an_end() {
        let steps = |count: usize| vec!["a".to_owned(); count];
        for (path, expected) in [
            (steps(DEEPEST), true),
            (steps(DEEPEST + 1), false),
            (steps(1 << 20), false),
            (Vec::new(), false),
            (vec!["a".to_owned(), String::new()], false),
        ] {
            let change = Change {
                action: Action::Set,
                path,
                value: parsed("1"),
                name: String::new(),
                span: Span::default(),
            };
            let mut node = parsed("{b: 1}");
            assert_eq!(change.apply(&mut node), expected);
            assert_eq!(node == parsed("{b: 1}"), !expected);
        }
    }

    #[test]
    fn the_container_of_a_change_is_known() {
        for (path, expected) in [
            (vec!["ContainerDefinitions", "2", "Cpu"], Some(2)),
            (vec!["ContainerDefinitions", "-"], None),
            (vec!["Volumes", "0"], None),
            (vec!["Cpu"], None),
        ] {
            let change = Change {
                action: Action::Set,
                path: path.into_iter().map(str::to_owned).collect(),
                value: parsed("1"),
                name: String::new(),
                span: Span::default(),
            };
            assert_eq!(change.container(), expected);
        }
    }
}

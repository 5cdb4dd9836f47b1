//! Where the request of a schedule has what a request of RunTask has.

use super::Starter;
use crate::diagnostic::{Diagnostics, FieldPath, Segment, Subject};

impl Starter {
    /// Returns the path of the request.
    pub(crate) const fn root(self) -> FieldPath {
        match self {
            Self::Schedule => FieldPath::root(Subject::Schedule),
            Self::Rule { .. } => FieldPath::root(Subject::Rule),
        }
    }

    /// Returns the path of the target that starts the tasks.
    pub(crate) fn target(self) -> FieldPath {
        match self {
            Self::Schedule => self.root().field("Target"),
            Self::Rule { target } => self.root().field("Targets").index(target),
        }
    }

    /// Returns the same findings, with those about a task at the members of the target that starts it.
    pub(crate) fn place(self, findings: &Diagnostics) -> Diagnostics {
        let mut placed = Diagnostics::new();
        for finding in findings.iter() {
            let path = match finding.path.subject() {
                Subject::Task => place(&self.root(), &self.target(), finding.path.segments()),
                _ => finding.path.clone(),
            };
            placed.report(path, finding.message.clone());
        }
        placed
    }
}

/// Returns the member of a target for one of RunTask.
fn place(root: &FieldPath, target: &FieldPath, of_task: &[Segment]) -> FieldPath {
    let [Segment::Member(first), rest @ ..] = of_task else {
        return root.clone();
    };
    match &**first {
        "overrides" => below(target.field("Input"), rest),
        "cluster" => target.field("Arn"),
        _ => parameter(&target.field("EcsParameters"), first, rest),
    }
}

/// Returns the member of the EcsTaskParameters of a pipe for one of RunTask.
pub(in crate::validate) fn place_in_pipe(parameters: &FieldPath, of_task: &[Segment]) -> FieldPath {
    match of_task {
        [Segment::Member(first), rest @ ..] if first == "overrides" => {
            let mut path = parameters.field("Overrides");
            let mut above = "";
            for step in rest {
                path = match step {
                    Segment::Member(name) if IN_LOWER_CASE.contains(&above) => {
                        path.field(name.clone())
                    }
                    Segment::Member(name) => path.field(in_pascal_case(name)),
                    Segment::Element(index) => path.index(*index),
                };
                if let Segment::Member(name) = step {
                    above = name;
                }
            }
            path
        }
        [Segment::Member(first), rest @ ..] => parameter(parameters, first, rest),
        _ => parameters.clone(),
    }
}

/// The members of overrides whose own members pipes spell like RunTask.
const IN_LOWER_CASE: &[&str] = &[
    "environment",
    "environmentFiles",
    "ephemeralStorage",
    "inferenceAcceleratorOverrides",
    "resourceRequirements",
];

fn below(path: FieldPath, rest: &[Segment]) -> FieldPath {
    let rest = rest.iter().cloned();
    rest.fold(path, |path, step| path.child(step))
}

/// Returns the member of the parameters of a target for one of RunTask.
fn parameter(parameters: &FieldPath, member: &str, rest: &[Segment]) -> FieldPath {
    match member {
        "taskDefinition" => parameters.field("TaskDefinitionArn"),
        "count" => parameters.field("TaskCount"),
        "networkConfiguration" => {
            let path = parameters.field("NetworkConfiguration");
            match rest {
                [vpc, Segment::Member(member), rest @ ..] => {
                    let member = in_pascal_case(member);
                    below(path.child(vpc.clone()).field(member), rest)
                }
                rest => below(path, rest),
            }
        }
        // A tag is one value, an object with `Key` and `Value`.
        "tags" => below(parameters.field("Tags"), rest.get(..1).unwrap_or_default()),
        member => below(parameters.field(in_pascal_case(member)), rest),
    }
}

fn in_pascal_case(member: &str) -> String {
    let mut letters = member.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Message;

    #[test]
    fn each_member_of_a_task_has_its_place_in_a_schedule() {
        let task = || FieldPath::root(Subject::Task);
        let vpc = task()
            .field("networkConfiguration")
            .field("awsvpcConfiguration");
        for (path, expected) in [
            (
                task().field("taskDefinition"),
                "Target.EcsParameters.TaskDefinitionArn",
            ),
            (task().field("count"), "Target.EcsParameters.TaskCount"),
            (task().field("cluster"), "Target.Arn"),
            (task().field("overrides").field("cpu"), "Target.Input.cpu"),
            (
                task().field("placementStrategy").index(1).field("type"),
                "Target.EcsParameters.PlacementStrategy[1].type",
            ),
            (
                vpc.field("securityGroups").index(0),
                "Target.EcsParameters.NetworkConfiguration.awsvpcConfiguration.SecurityGroups[0]",
            ),
            (
                task().field("tags").index(2).field("key"),
                "Target.EcsParameters.Tags[2]",
            ),
            (task(), ""),
        ] {
            let mut findings = Diagnostics::new();
            findings.report(path, Message::TaskCountRange);
            let placed = Starter::Schedule.place(&findings).into_sorted();
            let path = placed.first().map(|finding| &finding.path);
            assert_eq!(path.map(ToString::to_string).as_deref(), Some(expected));
            assert_eq!(path.map(FieldPath::subject), Some(Subject::Schedule));
            let of_rule = Starter::Rule { target: 2 }.place(&findings).into_sorted();
            let path = of_rule.first().map(|finding| finding.path.to_string());
            let expected = expected.replacen("Target", "Targets[2]", 1);
            assert_eq!(path.as_deref(), Some(expected.as_str()));
        }
    }
}

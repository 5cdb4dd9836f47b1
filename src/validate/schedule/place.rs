//! Where the request of a schedule has what a request of RunTask has.

use crate::diagnostic::{Diagnostics, FieldPath, Segment, Subject};

/// Returns the same findings, with those about a task at the members of the schedule that starts it.
pub(crate) fn of_schedule(findings: &Diagnostics) -> Diagnostics {
    let mut placed = Diagnostics::new();
    for finding in findings.iter() {
        let path = match finding.path.subject() {
            Subject::Task => place(finding.path.segments()),
            _ => finding.path.clone(),
        };
        placed.report(path, finding.message.clone());
    }
    placed
}

/// Returns the member of a schedule for one of RunTask.
fn place(of_task: &[Segment]) -> FieldPath {
    let target = FieldPath::root(Subject::Schedule).field("Target");
    let below = |path: FieldPath, rest: &[Segment]| {
        let rest = rest.iter().cloned();
        rest.fold(path, |path, step| path.child(step))
    };
    let [Segment::Member(first), rest @ ..] = of_task else {
        return FieldPath::root(Subject::Schedule);
    };
    let parameters = target.field("EcsParameters");
    match &**first {
        "overrides" => below(target.field("Input"), rest),
        "cluster" => target.field("Arn"),
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
            let placed = of_schedule(&findings).into_sorted();
            let path = placed.first().map(|finding| &finding.path);
            assert_eq!(path.map(ToString::to_string).as_deref(), Some(expected));
            assert_eq!(path.map(FieldPath::subject), Some(Subject::Schedule));
        }
    }
}

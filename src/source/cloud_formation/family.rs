//! Task definitions of one family in a template: which of them its resources run, and which of them anything refers to
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-taskdefinition.html>).

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{
    super::{
        family::{Candidate, Families, Revisions},
        tree::{Node, Value},
    },
    name::kebab,
    nested,
    resource::Resource,
    stack::Stack,
    sub::{Part, parts},
};

const TASK_DEFINITION: &str = "AWS::ECS::TaskDefinition";

/// Returns the task definitions that do not keep their families, by their logical IDs.
pub(super) fn revisions(stack: &mut Stack<'_, '_>) -> Rc<Revisions> {
    if let Some(known) = &stack.revisions {
        return Rc::clone(known);
    }
    // What is evaluated to find them has the families that are written.
    stack.revisions = Some(Rc::default());
    let found = Rc::new(found(stack));
    stack.revisions = Some(Rc::clone(&found));
    found
}

fn found(stack: &mut Stack<'_, '_>) -> Revisions {
    let all = stack.resources();
    let mut families = Families::default();
    for resource in all.iter().filter(|it| it.type_ == TASK_DEFINITION) {
        if let Ok(Some(family)) = resource.name(stack) {
            let candidate = Candidate {
                id: resource.id.to_string(),
                suffixes: [kebab(resource.id_without_hash()), resource.id.to_string()],
                span: resource.key_span,
            };
            families.add(family, candidate);
        }
    }
    if !families.are_shared() {
        return Revisions::new();
    }
    let run = referred(stack, &all);
    let mentioned = mentioned(stack, &all);
    let (revisions, findings) = families.revisions(&run, &BTreeMap::new(), &mentioned);
    for finding in findings {
        stack.say(finding.span, finding.message);
    }
    revisions
}

/// Returns the logical IDs that the resources refer to which run tasks, or which pass them on.
fn referred<'t, 'a>(stack: &mut Stack<'t, 'a>, all: &Rc<[Resource<'t, 'a>]>) -> BTreeSet<String> {
    let ids = stack.referring(|stack| {
        for resource in &**all {
            let runs = resource.type_ != TASK_DEFINITION && resource.is_converted(stack);
            if !runs && !nested::is_stack(resource) {
                continue;
            }
            if let Some(properties) = resource.node.get("Properties") {
                stack.node(properties, &resource.scope);
            }
        }
    });
    // They were made of the families that are written.
    stack.services = None;
    stack.children.clear();
    ids
}

/// Returns the logical IDs that anything in the template refers to, whether it is converted or not. What only orders the
/// making of resources does not count.
fn mentioned<'t, 'a>(stack: &mut Stack<'t, 'a>, all: &[Resource<'t, 'a>]) -> BTreeSet<String> {
    let mut mentioned = BTreeSet::new();
    stack.aside(|stack| {
        for resource in all {
            let mut ids = BTreeSet::new();
            if let Some(members) = resource.node.members() {
                let members = members.iter().filter(|it| it.key != "DependsOn");
                members.for_each(|it| mention(stack, &it.value, &mut ids));
            }
            ids.remove(&*resource.id);
            mentioned.extend(ids);
        }
        for output in stack.section("Outputs") {
            mention(stack, &output.value, &mut mentioned);
        }
    });
    mentioned
}

/// Returns the logical ID in a reference to a resource or an attribute.
fn id(name: &str) -> String {
    name.split('.').next().unwrap_or_default().to_owned()
}

/// Adds what an expression refers to. Its depth is that of the text.
fn mention<'t, 'a>(stack: &mut Stack<'t, 'a>, node: &'t Node<'a>, ids: &mut BTreeSet<String>) {
    let members = match &node.value {
        Value::Object(members) => members,
        Value::List(elements) => {
            for it in elements {
                mention(stack, it, ids);
            }
            return;
        }
        _ => return,
    };
    for member in members {
        let argument = &member.value;
        match (&*member.key, argument.elements()) {
            ("Ref" | "Fn::Ref" | "Fn::GetAtt", None) => ids.extend(argument.text().map(id)),
            ("Fn::GetAtt", Some([first, ..])) => ids.extend(first.text().map(id)),
            ("Fn::Sub", elements) => {
                let text = elements.map_or(Some(argument), <[Node<'a>]>::first);
                let parts = parts(text.and_then(Node::text).unwrap_or_default());
                ids.extend(parts.into_iter().filter_map(|it| match it {
                    Part::Name(name) => Some(id(name)),
                    _ => None,
                }));
            }
            ("Fn::If", Some([condition, then, other])) => {
                let holds = condition.text().and_then(|it| stack.condition(it).ok());
                if holds != Some(false) {
                    mention(stack, then, ids);
                }
                if holds != Some(true) {
                    mention(stack, other, ids);
                }
                continue;
            }
            _ => {}
        }
        mention(stack, argument, ids);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{summary, units};

    #[test]
    fn one_task_definition_keeps_the_family() {
        let task = |id: &str, more: &str| {
            format!(
                "  {id}:\n    Type: AWS::ECS::TaskDefinition\n{more}    Properties:\n      Family: web\n      \
                 ContainerDefinitions: [{{Name: web, Image: '{id}', Memory: 64}}]\n"
            )
        };
        let service = |id: &str, runs: &str| {
            format!(
                "  {id}:\n    Type: AWS::ECS::Service\n    \
                 Properties: {{ServiceName: {id}, TaskDefinition: {runs}, DesiredCount: 1}}\n"
            )
        };
        let a_and_b = [task("TaskA", ""), task("TaskB", "")].concat();
        let table: &[(&[String], &[&str], &str)] = &[
            (
                &[service("s", "!Ref TaskB")],
                &["service s runs web -"],
                "TaskA is left out, as nothing refers to it, TaskB keeps it",
            ),
            (
                &[
                    service("s", "!Ref TaskB"),
                    service("t", "!GetAtt TaskA.TaskDefinitionArn"),
                ],
                &["service s runs web-task-b -", "service t runs web -"],
                "TaskA keeps it, TaskB becomes web-task-b",
            ),
            (
                &[service("s", "!If [IsA, !Ref TaskA, !Ref TaskB]")],
                &["service s runs web -"],
                "TaskA is left out, as nothing refers to it, TaskB keeps it",
            ),
            (
                &[],
                &[
                    "service web runs web -",
                    "service web-task-b runs web-task-b -",
                ],
                "TaskA keeps it, TaskB becomes web-task-b",
            ),
        ];
        let conditions = "Conditions: {IsA: !Equals [a, b]}\nResources:\n";
        for (services, expected, outcome) in table {
            let template = format!("{conditions}{a_and_b}{}", services.concat());
            let (units, problems) = units(&[("shop.yaml", &template)], &[]);
            let found: Vec<String> = units.iter().map(summary).collect();
            assert_eq!(found, *expected);
            assert!(
                problems
                    .iter()
                    .any(|it| it.contains("FamilyShared") && it.ends_with(outcome)),
                "{problems:?}"
            );
        }
        // The CDK tells two of one name apart by hashes.
        let of_cdk = "    Metadata: {aws:cdk:path: Shop/Task}\n";
        let ids = ["TaskA", "Task1234ABCD", "Task5678ABCD"];
        let tasks: Vec<String> = ids.iter().map(|id| task(id, of_cdk)).collect();
        let template = format!("{conditions}{}", tasks.concat());
        let (found, problems) = units(&[("shop.yaml", &template)], &[]);
        assert_eq!(found.len(), 3, "{problems:?}");
        // Only one of two is made.
        let other = task("TaskB", "    Condition: IsA\n");
        let template = format!("{conditions}{}{other}", task("TaskA", ""));
        let (units, problems) = units(&[("shop.yaml", &template)], &[]);
        assert_eq!((units.len(), problems), (1, vec![]));
    }
}

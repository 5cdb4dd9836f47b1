//! Tests of task definitions of one family.

use super::*;

const A_AND_B: &str = r#"
resource "aws_ecs_task_definition" "a" {
  family                = "web"
  container_definitions = "[{\"name\": \"a\", \"image\": \"a\"}]"
}
resource "aws_ecs_task_definition" "b" {
  family                = "web"
  container_definitions = "[{\"name\": \"b\", \"image\": \"b\"}]"
}
"#;

fn service(name: &str, runs: &str) -> String {
    format!(
        "resource \"aws_ecs_service\" \"{name}\" {{\n  name = \"{name}\"\n  task_definition = {runs}\n}}\n"
    )
}

/// Returns `family=image` and `service>family` of the documents.
fn outline(documents: &[String]) -> Vec<String> {
    let between = |text: &str, from: &str| {
        let (_, rest) = text.split_once(from)?;
        rest.split('"').next().map(str::to_owned)
    };
    let outline = documents.iter().map(|it| {
        let family = between(it, "Family:\"").zip(between(it, "image:\""));
        let service = between(it, "ServiceName:\"").zip(between(it, "TaskDefinition:\""));
        let family = family.map(|(family, image)| format!("{family}={image}"));
        family.or_else(|| service.map(|(name, runs)| format!("{name}>{runs}")))
    });
    outline.map(Option::unwrap_or_default).collect()
}

#[test]
fn one_task_definition_keeps_the_family() {
    const ARN: &str = "aws_ecs_task_definition.b.arn";
    const FAMILY: &str = "aws_ecs_task_definition.b.family";
    let arn = "\"arn:aws:ecs:eu-west-1:111122223333:task-definition/${aws_ecs_task_definition.b.family}:${aws_ecs_task_definition.b.revision}\"";
    let read = "data \"aws_ecs_task_definition\" \"w\" {\n  task_definition = \"web\"\n}\n";
    let local = "locals {\n  x = [aws_ecs_task_definition.a.arn]\n  y = local.x[0]\n}\n".to_owned();
    let local_choice = "variable \"color\" { default = \"b\" }\nlocals {\n  t = var.color == \"a\" ? aws_ecs_task_definition.a.arn : aws_ecs_task_definition.b.arn\n}\n".to_owned()
        + &service("s", "local.t");
    let data = "data \"aws_ecs_task_definition\" \"b\" {\n  task_definition = aws_ecs_task_definition.b.family\n}\n";
    let newest = "\"${aws_ecs_task_definition.b.family}:${max(aws_ecs_task_definition.b.revision, data.aws_ecs_task_definition.b.revision)}\"";
    let revision = "\"${aws_ecs_task_definition.b.family}:${aws_ecs_task_definition.b.revision}\"";
    let left_out = "aws_ecs_task_definition.a is left out, as nothing refers to it, aws_ecs_task_definition.b keeps it";
    let renamed = "aws_ecs_task_definition.a becomes web-a, aws_ecs_task_definition.b keeps it";
    let output = "output \"o\" {\n  value = \"x${aws_ecs_task_definition.a.arn}\"\n}\n".to_owned();
    let machine = "resource \"aws_sfn_state_machine\" \"m\" {\n  definition = jsonencode({ a = [aws_ecs_task_definition.a.arn] })\n}\n".to_owned();
    let ordered =
        "resource \"aws_sqs_queue\" \"q\" {\n  depends_on = [aws_ecs_task_definition.a]\n}\n"
            .to_owned();
    let choice = "variable \"color\" { default = \"b\" }\n".to_owned()
        + &service(
            "s",
            "var.color == \"a\" ? aws_ecs_task_definition.a.arn : aws_ecs_task_definition.b.arn",
        );
    for (more, expected, outcome) in [
        (service("s", ARN), &["web=b", "s>web"][..], left_out),
        (service("s", revision), &["web=b", "s>web"], left_out),
        (service("s", newest) + data, &["web=b", "s>web"], left_out),
        (choice, &["web=b", "s>web"], left_out),
        (local_choice, &["web=b", "s>web"], left_out),
        (service("s", FAMILY), &["web=b", "s>web"], left_out),
        (service("s", arn), &["web=b", "s>web"], left_out),
        (
            service("s", "data.aws_ecs_task_definition.b.arn") + data,
            &["web=b", "s>web"],
            left_out,
        ),
        (
            service(
                "s",
                "\"${data.aws_ecs_task_definition.b.family}:${data.aws_ecs_task_definition.b.revision}\"",
            ) + data,
            &["web=b", "s>web"],
            left_out,
        ),
        (
            service(
                "s",
                "try(data.aws_ecs_task_definition.w.arn, aws_ecs_task_definition.b.arn)",
            ) + read,
            &["web=b", "s>web"],
            left_out,
        ),
        (
            service("s", "lower(local.f)") + &format!("locals {{\n  f = {FAMILY}\n}}\n"),
            &["web=b", "s>web"],
            left_out,
        ),
        (
            service("s", "\"web\""),
            &["web=a", "s>web"],
            "aws_ecs_task_definition.a keeps it, as aws_ecs_service.s does not tell which of them it runs, aws_ecs_task_definition.b is left out, as nothing else refers to it",
        ),
        (
            service("s", "\"${aws_ecs_task_definition.b.family}-x\""),
            &["web=a", "web-b=b", "s>web-x"],
            "aws_ecs_task_definition.a keeps it, aws_ecs_task_definition.b becomes web-b",
        ),
        (
            service("s", ARN) + &local + "output \"o\" {\n  value = local.x\n}\n",
            &["web-a=a", "web=b", "s>web"],
            renamed,
        ),
        (
            service("s", ARN)
                + &local
                + "resource \"null_resource\" \"n\" {\n  provisioner \"local-exec\" {\n    command = \"run ${local.y}\"\n  }\n}\n",
            &["web-a=a", "web=b", "s>web"],
            renamed,
        ),
        (
            service("s", ARN) + &local,
            &["web-a=a", "web=b", "s>web"],
            renamed,
        ),
        (service("s", ARN) + &ordered, &["web=b", "s>web"], left_out),
        (
            service("s", ARN) + &output,
            &["web-a=a", "web=b", "s>web"],
            renamed,
        ),
        (
            service("s", ARN) + &machine,
            &["web-a=a", "web=b", "s>web"],
            renamed,
        ),
        (
            service("s", ARN) + &service("t", "aws_ecs_task_definition.a.arn"),
            &["web=a", "web-b=b", "s>web-b", "t>web"],
            "aws_ecs_task_definition.a keeps it, aws_ecs_task_definition.b becomes web-b",
        ),
        (
            String::new(),
            &["web=a", "web-b=b"],
            "aws_ecs_task_definition.a keeps it, aws_ecs_task_definition.b becomes web-b",
        ),
    ] {
        let text = format!("{A_AND_B}{more}");
        let (documents, said) = expanded(&[("main.tf", &text)], &[], &[]);
        assert_eq!(outline(&documents), expected, "{more}");
        let shared: Vec<&String> = said
            .iter()
            .filter(|it| it.contains("FamilyShared"))
            .collect();
        assert!(
            shared.len() == 1 && shared[0].ends_with(outcome),
            "{more}: {said:?}"
        );
    }
}

#[test]
fn a_family_is_that_of_all_files_and_modules() {
    let module = "variable \"image\" {}\nresource \"aws_ecs_task_definition\" \"this\" {\n  family = \"web\"\n  container_definitions = jsonencode([{ name = \"a\", image = var.image }])\n}\noutput \"arn\" {\n  value = aws_ecs_task_definition.this.arn\n}\n";
    let main = "module \"blue\" {\n  source = \"./task\"\n  image = \"blue\"\n}\nmodule \"green\" {\n  source = \"./task\"\n  image = \"green\"\n}\n";
    let run = service("s", "module.green.arn");
    let files = [
        ("main.tf", main),
        ("run.tf", &*run),
        ("task/main.tf", module),
    ];
    let (documents, said) = expanded(&files, &[], &[]);
    // The output of the module refers to it.
    assert_eq!(outline(&documents), ["s>web", "web-blue=blue", "web=green"]);
    let shared = said.iter().filter(|it| it.contains("FamilyShared"));
    assert_eq!(shared.count(), 1, "{said:?}");
}

#[test]
fn a_family_that_is_not_known_is_found_by_its_placeholder() {
    let text = "variable \"x\" {}\nresource \"aws_ecs_task_definition\" \"a\" {\n  family = \"a-${lower(var.x)}\"\n  container_definitions = jsonencode([{ name = \"a\", image = \"a\" }])\n}\n".to_owned()
        + &service("s", "aws_ecs_task_definition.a.arn");
    let (documents, _) = expanded(&[("main.tf", &text)], &[], &[]);
    let family = "${aws_ecs_task_definition.a.family}";
    assert_eq!(
        outline(&documents),
        [format!("{family}=a"), format!("s>{family}")]
    );
}

#[test]
fn a_data_source_of_a_task_definition_is_its_family() {
    let data = "data \"aws_ecs_task_definition\" \"d\" {\n  task_definition = \"shop\"\n}\n";
    for (expression, expected) in [
        ("data.aws_ecs_task_definition.d.arn", "s>shop"),
        ("data.aws_ecs_task_definition.d.id", "s>shop"),
        ("data.aws_ecs_task_definition.d.family", "s>shop"),
        (
            "\"${data.aws_ecs_task_definition.d.family}:${data.aws_ecs_task_definition.d.revision}\"",
            "s>shop:${data.aws_ecs_task_definition.d.revision}",
        ),
    ] {
        let text = service("s", expression) + data;
        let (documents, _) = expanded(&[("main.tf", &text)], &[], &[]);
        assert_eq!(outline(&documents), [expected], "{expression}");
    }
}

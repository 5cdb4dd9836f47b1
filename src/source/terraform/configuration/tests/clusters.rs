//! Tests of the default strategies of clusters.

use super::*;

/// Two clusters of one name, in two regions.
const TWO: &str = r#"
resource "aws_ecs_cluster" "eu" { name = "main" }
resource "aws_ecs_cluster" "us" {
  provider = aws.us
  name     = "main"
}
"#;

fn strategy(name: &str, cluster: &str) -> String {
    format!(
        "resource \"aws_ecs_cluster_capacity_providers\" \"{name}\" {{\n  cluster_name = {cluster}\n  default_capacity_provider_strategy {{\n    capacity_provider = \"{name}\"\n  }}\n}}\n"
    )
}

fn service(cluster: &str) -> String {
    format!(
        "resource \"aws_ecs_service\" \"s\" {{\n  name = \"s\"\n  task_definition = \"t\"\n  cluster = {cluster}\n}}\n"
    )
}

/// Returns the provider in the only document, and whether the cluster is said to be one of several.
fn provider(files: &[(&str, &str)]) -> (String, bool) {
    let (documents, said) = expanded(files, &[], &[]);
    let (_, rest) = documents[0]
        .split_once("CapacityProvider:\"")
        .unwrap_or(("", "-\""));
    let provider = rest.split('"').next().unwrap().to_owned();
    let is_unclear = said.iter().any(|it| it.contains("ClusterNotUnique"));
    (provider, is_unclear)
}

#[test]
fn a_strategy_is_that_of_the_cluster_that_is_referred_to() {
    let two = TWO.to_owned()
        + &strategy("SPOT", "aws_ecs_cluster.eu.name")
        + &strategy("PLAIN", "aws_ecs_cluster.us.name");
    let one = "resource \"aws_ecs_cluster\" \"c\" { name = \"main\" }\n".to_owned();
    let literal = one.clone() + &strategy("SPOT", "\"main\"");
    let other = strategy("SPOT", "\"main\"");
    let without = TWO.to_owned() + &strategy("SPOT", "aws_ecs_cluster.eu.name");
    let unclear = TWO.to_owned() + &strategy("SPOT", "\"main\"");
    for (clusters, cluster, expected, is_unclear) in [
        (&two, "aws_ecs_cluster.us.id", "PLAIN", false),
        (&two, "aws_ecs_cluster.us.name", "PLAIN", false),
        (&two, "aws_ecs_cluster.eu.arn", "SPOT", false),
        (&two, "\"main\"", "-", true),
        (&without, "aws_ecs_cluster.us.id", "-", false),
        (&without, "\"main\"", "-", true),
        (&unclear, "aws_ecs_cluster.us.id", "-", true),
        (&literal, "aws_ecs_cluster.c.id", "SPOT", false),
        (&literal, "\"main\"", "SPOT", false),
        (&other, "\"main\"", "SPOT", false),
        (&other, "\"other\"", "-", false),
        (
            &literal,
            "\"arn:aws:ecs:eu-west-1:111122223333:cluster/main\"",
            "SPOT",
            false,
        ),
        (
            &literal,
            "\"arn:aws:ecs:us-west-2:111122223333:cluster/main\"",
            "-",
            false,
        ),
        (
            &literal,
            "\"arn:aws:ecs:eu-west-1:999999999999:cluster/main\"",
            "-",
            false,
        ),
    ] {
        let text = format!("{clusters}{}", service(cluster));
        let found = provider(&[("main.tf", &text)]);
        assert_eq!(
            found,
            (expected.to_owned(), is_unclear),
            "{clusters} {cluster}"
        );
    }
}

#[test]
fn each_instance_of_a_module_has_its_own_cluster() {
    let module = "variable \"provider_of\" {}\nresource \"aws_ecs_cluster\" \"c\" { name = \"main\" }\noutput \"id\" {\n  value = aws_ecs_cluster.c.id\n}\n";
    for name in ["aws_ecs_cluster.c.name", "\"main\""] {
        let module = strategy("SPOT", name).replace("= \"SPOT\"", "= var.provider_of") + module;
        let calls = "module \"a\" {\n  source = \"./m\"\n  provider_of = \"A\"\n}\nmodule \"b\" {\n  source = \"./m\"\n  provider_of = \"B\"\n}\n";
        for (cluster, expected) in [("module.a.id", "A"), ("module.b.id", "B")] {
            let main = format!("{calls}{}", service(cluster));
            let found = provider(&[("main.tf", &main), ("m/main.tf", &module)]);
            assert_eq!(found, (expected.to_owned(), false), "{name} {cluster}");
        }
    }
}

#[test]
fn each_target_of_a_rule_has_its_own_cluster() {
    let clusters = TWO.to_owned()
        + &strategy("SPOT", "aws_ecs_cluster.eu.name")
        + &strategy("PLAIN", "aws_ecs_cluster.us.name");
    let rule = "resource \"aws_cloudwatch_event_rule\" \"r\" {\n  name = \"r\"\n}\n";
    let target = |name: &str| {
        format!(
            "resource \"aws_cloudwatch_event_target\" \"{name}\" {{\n  rule = aws_cloudwatch_event_rule.r.name\n  arn = aws_ecs_cluster.{name}.arn\n  role_arn = \"r\"\n  ecs_target {{\n    task_definition_arn = \"t\"\n  }}\n}}\n"
        )
    };
    let text = clusters + rule + &target("us") + &target("eu");
    let (documents, _) = expanded(&[("main.tf", &text)], &[], &[]);
    let found = documents[0].split("CapacityProvider:\"").skip(1);
    let found: Vec<&str> = found.map(|it| it.split('"').next().unwrap()).collect();
    assert_eq!(found, ["PLAIN", "SPOT"], "{documents:?}");
}

//! Tests of override files and of files with values of variables.

use super::*;

const SERVICE: &str = r#"
variable "count_of" { default = 1 }
locals {
  cluster = "dev"
  name    = "s"
}
resource "aws_ecs_service" "s" {
  name            = local.name
  cluster         = local.cluster
  task_definition = "t"
  desired_count   = var.count_of
  load_balancer {
    target_group_arn = "a"
    container_port   = 80
  }
  load_balancer {
    target_group_arn = "b"
    container_port   = 81
  }
}
"#;

#[test]
fn what_an_override_file_has_replaces_what_has_the_same_name() {
    const OWN: &str = "{Type:\"aws_ecs_service\",Properties:{Cluster:\"dev\",DesiredCount:1,LoadBalancers:[{ContainerPort:80,TargetGroupArn:\"a\"},{ContainerPort:81,TargetGroupArn:\"b\"}],ServiceName:\"s\",TaskDefinition:\"t\"}}";
    const PORTS: &str = "LoadBalancers:[{ContainerPort:80,TargetGroupArn:\"a\"},{ContainerPort:81,TargetGroupArn:\"b\"}]";
    for (name, text, from, to) in [
        (
            "override.tf",
            "resource \"aws_ecs_service\" \"s\" {\n  desired_count = 2 + 1\n}\n",
            "DesiredCount:1",
            "DesiredCount:3",
        ),
        (
            "x_override.tf",
            "resource \"aws_ecs_service\" \"s\" {\n  load_balancer {\n    target_group_arn = \"c\"\n  }\n}\n",
            PORTS,
            "LoadBalancers:[{TargetGroupArn:\"c\"}]",
        ),
        (
            "override.tf",
            "resource \"aws_ecs_service\" \"s\" {\n  dynamic \"load_balancer\" {\n    for_each = [\"d\"]\n    content {\n      target_group_arn = load_balancer.value\n    }\n  }\n}\n",
            PORTS,
            "LoadBalancers:[{TargetGroupArn:\"d\"}]",
        ),
        (
            "override.tf",
            "locals {\n  cluster = \"prod\"\n}\n",
            "dev",
            "prod",
        ),
        (
            "override.tf",
            "variable \"count_of\" {\n  default = 7\n}\nterraform {\n  backend \"local\" {}\n}\nprovider \"aws\" {}\n",
            "DesiredCount:1",
            "DesiredCount:7",
        ),
        (
            "override.tf.json",
            r#"{"resource": {"aws_ecs_service": {"s": {"load_balancer": [{"target_group_arn": "e"}], "desired_count": "${1 + 3}"}}}}"#,
            &format!("DesiredCount:1,{PORTS}"),
            "DesiredCount:4,LoadBalancers:[{TargetGroupArn:\"e\"}]",
        ),
        ("overrides.tf", "locals {\n  other = \"prod\"\n}\n", "", ""),
    ] {
        let (documents, said) = expanded(&[("main.tf", SERVICE), (name, text)], &[], &[]);
        assert_eq!(documents, [OWN.replace(from, to)], "{text}");
        assert_eq!(said.len(), 0, "{text}: {said:?}");
    }
}

#[test]
fn override_files_count_in_the_order_of_their_names() {
    let count = |count: u8| {
        format!("resource \"aws_ecs_service\" \"s\" {{\n  desired_count = {count}\n}}\n")
    };
    let (first, second) = (count(5), count(6));
    let files = [
        ("a_override.tf", &*second),
        ("b_override.tf", &*first),
        ("main.tf", SERVICE),
    ];
    let (documents, _) = expanded(&files, &[], &[]);
    assert!(documents[0].contains("DesiredCount:5"), "{documents:?}");
}

#[test]
fn modules_and_their_sources_are_overridden() {
    let main = "module \"m\" {\n  source = \"./a\"\n  name = \"x\"\n}\n";
    let module = |name: &str| {
        format!(
            "variable \"name\" {{}}\nresource \"aws_ecs_service\" \"s\" {{\n  name = \"{name}-${{var.name}}\"\n  task_definition = \"t\"\n}}\n"
        )
    };
    let (a, b) = (module("a"), module("b"));
    for (text, expected) in [
        ("module \"m\" {\n  name = \"y\"\n}\n", "a-y"),
        ("module \"m\" {\n  source = \"./b\"\n}\n", "b-x"),
    ] {
        let files = [
            ("main.tf", main),
            ("override.tf", text),
            ("a/main.tf", &*a),
            ("b/main.tf", &*b),
        ];
        let (documents, _) = expanded(&files, &[], &[]);
        let name = format!("ServiceName:\"{expected}\"");
        assert!(
            documents.iter().any(|it| it.contains(&name)),
            "{documents:?}"
        );
    }
}

#[test]
fn what_overrides_nothing_is_an_error() {
    for (text, expected) in [
        (
            "resource \"aws_ecs_service\" \"x\" {}\n",
            "resource aws_ecs_service x",
        ),
        ("data \"aws_region\" \"x\" {}\n", "data aws_region x"),
        ("variable \"x\" {}\n", "variable x"),
        ("output \"x\" {}\n", "output x"),
        ("module \"x\" {}\n", "module x"),
        ("locals {\n  x = 1\n}\n", "local.x"),
    ] {
        let files = [("main.tf", SERVICE), ("override.tf", text)];
        let (_, said) = expanded(&files, &[], &[]);
        let expected =
            format!("override.tf: OverriddenBlockMissing: {expected} is in an override file");
        assert!(
            said.len() == 1 && said[0].starts_with(&expected),
            "{text}: {said:?}"
        );
    }
}

#[test]
fn files_with_values_are_read_in_both_forms() {
    let main = "variable \"a\" {}\nvariable \"b\" {}\nvariable \"c\" {}\nvariable \"d\" { type = map(number) }\nresource \"aws_ecs_service\" \"s\" {\n  name = \"${var.a}-${var.b}-${var.c}\"\n  task_definition = \"t\"\n  desired_count = var.d.n\n}\n";
    let files = [
        ("main.tf", main),
        ("terraform.tfvars", "a = \"1\"\nb = \"1\"\nc = \"1\"\n"),
        (
            "terraform.tfvars.json",
            r#"{"//": "x", "b": "2", "c": "2", "d": {"n": 4}}"#,
        ),
        ("z.auto.tfvars.json", r#"{"c": "${x}"}"#),
    ];
    let (documents, said) = expanded(&files, &[], &[]);
    assert!(
        documents[0].contains("ServiceName:\"1-2-${x}\"")
            && documents[0].contains("DesiredCount:4"),
        "{documents:?}"
    );
    assert_eq!(said.len(), 0, "{said:?}");
}

#[test]
fn a_provider_is_overridden_too() {
    let main = "provider \"aws\" {\n  default_tags {\n    tags = { stage = \"dev\" }\n  }\n}\nprovider \"aws\" {\n  alias = \"us\"\n}\ndata \"aws_default_tags\" \"d\" {}\nresource \"aws_ecs_service\" \"s\" {\n  name = data.aws_default_tags.d.tags.stage\n  task_definition = \"t\"\n}\n";
    let tags = "  default_tags {\n    tags = { stage = \"prod\" }\n  }\n}\n";
    for (provider, expected, is_orphan) in [
        ("provider \"aws\" {\n", "prod", false),
        ("provider \"aws\" {\n  alias = \"us\"\n", "dev", false),
        ("provider \"aws\" {\n  alias = \"no\"\n", "dev", true),
        ("provider \"google\" {\n", "dev", false),
    ] {
        let overriding = format!("{provider}{tags}");
        let files = [("main.tf", main), ("override.tf", &*overriding)];
        let (documents, said) = expanded(&files, &[], &[]);
        let name = format!("ServiceName:\"{expected}\"");
        assert!(documents[0].contains(&name), "{provider}: {documents:?}");
        let orphans = said.iter().any(|it| it.contains("OverriddenBlockMissing"));
        assert_eq!(orphans, is_orphan, "{provider}: {said:?}");
    }
}

#[test]
fn an_override_file_alone_is_an_error() {
    let all = [("x/main.tf", SERVICE), ("x/prod_override.tf", "")];
    let texts = all.map(|(name, text)| SourceText::new(name, text));
    for (inputs, expected) in [
        (&["x/prod_override.tf"][..], Some("x")),
        (&["x/prod_override.tf", "x/main.tf"], None),
    ] {
        let files = texts.iter().map(|it| (it.name().to_owned(), it.clone()));
        let given = Given {
            files: Box::new(Texts(files.collect())),
            folders: BTreeSet::from(["x".to_owned()]),
        };
        let inputs = inputs.iter().map(|it| (*it).to_owned());
        let configurations = Configurations::new(vec![given], inputs.collect());
        let found = configurations.overridden_by("x/prod_override.tf");
        assert_eq!(found, expected);
        assert_eq!(configurations.overridden_by("x/main.tf"), None);
    }
}

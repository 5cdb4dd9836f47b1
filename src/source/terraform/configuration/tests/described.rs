//! Tests of modules that are read by their inputs.

use super::*;

/// Returns the documents of a configuration, and what is said of it, each on a line.
fn read(text: &str) -> (String, String) {
    let (documents, said) = expanded(&[("main.tf", text)], &[], &[]);
    (documents.join("\n"), said.join("\n"))
}

fn service(inputs: &str) -> String {
    format!(
        "module \"m\" {{\n  source = \"terraform-aws-modules/ecs/aws//modules/service\"\n  name = \"m\"\n{inputs}\n}}\n"
    )
}

#[test]
fn credentials_of_sources_are_in_no_message() {
    let text = r#"
locals { where = "../x" }
module "a" { source = "git::https://user:s3cret@example.com/a.git?ref=v1&sshkey=s3cret" }
module "b" { source = "git::https://user:s3cret@github.com/cloudposse/terraform-null-label.git?ref=0.25.0" }
module "c" { source = local.where }
resource "aws_ecs_service" "s" {
  name = "s"
  cluster = "${module.a.x}${module.b.id}${module.c.x}"
}
"#;
    let (documents, said) = read(text);
    for part in [
        "module.a (git::https://example.com/a.git?ref=v1)",
        "module.b is read by its inputs, and not by its source git::https://github.com/cloudposse/terraform-null-label.git?ref=0.25.0",
        "module.c (its source is an expression: write it as a text)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("s3cret") && !documents.contains("s3cret"));
}

#[test]
fn a_call_cannot_give_the_version_that_a_description_is_read_as() {
    let inputs = "version = \"7.5.0\"\ncontainer_definitions = { web = { image = \"x\" } }";
    let (plain, _) = read(&service(inputs));
    let (found, said) = read(&service(&format!("{inputs}\nmodule_version = 4")));
    assert_eq!(found, plain);
    assert!(
        said.contains("inputs that are not read: module_version"),
        "{said}"
    );
}

#[test]
fn tags_that_are_open_stop_nothing_and_can_be_given() {
    let text = "variable \"tags\" {}\nresource \"aws_ecs_task_definition\" \"t\" {\n  family = \"t\"\n  \
                container_definitions = \"[]\"\n  tags = var.tags\n}\n";
    let (documents, said) = read(text);
    assert!(!documents.contains("Tags"), "{documents}");
    assert!(said.contains("arguments that are not read: tags"), "{said}");
    let given = [(
        "aws_ecs_task_definition.t.tags",
        "[{\"key\": \"team\", \"value\": \"a\"}]",
    )];
    let (documents, said) = expanded(&[("main.tf", text)], &[], &given);
    let documents = documents.concat();
    assert!(documents.contains("team"), "{documents}");
    let unread = said.iter().any(|it| it.contains("not read: tags"));
    assert!(!unread, "{said:?}");
}

#[test]
fn labels_are_those_of_the_module() {
    const CONTEXT: &str = r"label_order = []
delimiter = null
attributes = []
regex_replace_chars = null
id_length_limit = null
label_key_case = null
label_value_case = null
tags = {}
additional_tag_map = {}
descriptor_formats = {}";
    for (inputs, expression, expected) in [
        (
            "namespace = \"eg\"\nname = \"app\"\nlabel_order = []",
            "id",
            "eg-app",
        ),
        ("namespace = \"E g\"\nname = \"My_App!\"", "id", "eg-myapp"),
        (
            "namespace = \"eg\"\nname = \"app\"\ndelimiter = \"\"",
            "id",
            "egapp",
        ),
        (
            "name = \"a\"\nattributes = [\"b\", \"\", \"b\", \"C\"]",
            "id",
            "a-b-c",
        ),
        (
            "name = \"aB\"\nlabel_value_case = \"none\"\nregex_replace_chars = \"/[a]/\"",
            "id",
            "B",
        ),
        ("name = \"ab\"\nlabel_value_case = \"title\"", "name", "Ab"),
        ("name = \"ab\"\nid_length_limit = 8", "id", "ab"),
        ("name = \"ab\"", "context.name", "ab"),
        (
            "name = \"ab\"",
            "stage == \"\" ? \"none\" : \"some\"",
            "none",
        ),
        ("name = \"ab\"\nenabled = false", "enabled", "false"),
        (
            "namespace = \"eg\"\nname = \"Ab\"\ntags = { Own = \"1\" }",
            "tags == { Name = \"eg-ab\", Namespace = \"eg\", Own = \"1\" }",
            "true",
        ),
        (
            "name = \"ab\"\nlabel_key_case = \"lower\"\nlabels_as_tags = [\"name\"]",
            "tags == { name = \"ab\" }",
            "true",
        ),
        (
            "context = { name = \"aB\", label_value_case = \"none\", delimiter = \"_\", attributes = [\"x\"] }\nattributes = [\"y\"]",
            "id",
            "aB_x_y",
        ),
    ] {
        for more in ["", CONTEXT] {
            // What the inputs have is not given twice.
            let given = |line: &&str| {
                let name = line.split(' ').next().unwrap_or_default();
                !inputs.contains(&format!("{name} = "))
            };
            let more: Vec<&str> = more.lines().filter(given).collect();
            let more = more.join("\n");
            let text = format!(
                "module \"l\" {{\nsource = \"cloudposse/label/null\"\n{inputs}\n{more}\n}}\nresource \"aws_ecs_service\" \"s\" {{\nname = module.l.{expression}\n}}\n"
            );
            let (documents, said) = read(&text);
            let expected = match expected {
                "true" | "false" => format!("ServiceName:{expected}"),
                _ => format!("ServiceName:\"{expected}\""),
            };
            assert!(documents.contains(&expected), "{text}{documents}\n{said}");
            assert!(!said.contains("not read:"), "{text}{said}");
        }
    }
}

#[test]
fn services_get_the_strategy_of_the_cluster_of_a_module() {
    for (module, inputs, expected) in [
        (
            "",
            "version = \"~> 7.0\"\ncluster_capacity_providers = [\"FARGATE_SPOT\"]\ndefault_capacity_provider_strategy = { FARGATE_SPOT = { base = 2 } }",
            "[{CapacityProvider:\"FARGATE_SPOT\",Base:\"2\",Weight:\"1\"}]",
        ),
        (
            "",
            "version = \"~> 6.0\"\ndefault_capacity_provider_strategy = { spot = { name = \"FARGATE_SPOT\", weight = 3 } }",
            "[{CapacityProvider:\"FARGATE_SPOT\",Weight:\"3\"}]",
        ),
        (
            "",
            "version = \"~> 5.0\"\nfargate_capacity_providers = { FARGATE = { default_capacity_provider_strategy = { weight = 50, base = 1 } } }",
            "[{CapacityProvider:\"FARGATE\",Base:\"1\",Weight:\"50\"}]",
        ),
        (
            "//modules/cluster",
            "version = \"~> 5.0\"\nfargate_capacity_providers = { FARGATE_SPOT = { default_capacity_provider_strategy = { weight = 5 } } }",
            "[{CapacityProvider:\"FARGATE_SPOT\",Weight:\"5\"}]",
        ),
    ] {
        let output = if module.is_empty() {
            "cluster_arn"
        } else {
            "arn"
        };
        let text = format!(
            "module \"c\" {{\nsource = \"terraform-aws-modules/ecs/aws{module}\"\ncluster_name = \"shop\"\n{inputs}\n}}\nresource \"aws_ecs_service\" \"s\" {{\nname = \"s\"\ncluster = module.c.{output}\n}}\n"
        );
        let (documents, said) = read(&text);
        let expected = format!("CapacityProviderStrategy:{expected}");
        assert!(documents.contains(&expected), "{documents}\n{said}");
        assert!(said.contains("ClusterStrategyUsed"), "{said}");
        assert!(!said.contains("not read:"), "{said}");
    }
}

#[test]
fn what_modules_make_of_inputs_is_in_the_documents() {
    for (inputs, expected) in [
        (
            "service_registries = { registry_arn = \"arn:r\" }",
            "ServiceRegistries:[{RegistryArn:\"arn:r\"}]",
        ),
        (
            "deployment_configuration = { lifecycle_hook = { a = { hook_target_arn = \"arn:h\", lifecycle_stages = [\"PRE_SCALE_UP\"] } } }",
            "LifecycleHooks:[{HookTargetArn:\"arn:h\"",
        ),
        (
            "alarms = { alarm_names = [\"a\"], enable = null }",
            "Enable:true",
        ),
        (
            "capacity_provider_strategy = { a = { capacity_provider = \"FARGATE_SPOT\" } }",
            "[{CapacityProvider:\"FARGATE_SPOT\",Weight:1}]",
        ),
        (
            "autoscaling_policies = { a = { target_tracking_scaling_policy_configuration = { target_value = null } } }",
            "TargetValue:75",
        ),
        (
            "container_definitions = { web = { image = \"x\", logConfiguration = { logDriver = null, options = { a = \"b\" } } } }",
            "LogDriver:\"awslogs\"",
        ),
        (
            "container_definitions = { web = { image = \"x\", restartPolicy = { enabled = null } } }",
            "RestartPolicy:{Enabled:true}",
        ),
        (
            "container_definition_defaults = { readonlyRootFilesystem = false }\ncontainer_definitions = { web = { image = \"x\" } }",
            "ReadonlyRootFilesystem:true",
        ),
    ] {
        let (documents, said) = read(&service(inputs));
        let found = documents.replace('"', "").to_lowercase();
        let expected = expected.replace('"', "").to_lowercase();
        assert!(found.contains(&expected), "{inputs}\n{documents}\n{said}");
    }
    let (_, said) = read(&service("container_definition_defaults = { cpu = 1 }"));
    let expected = "module.m has inputs that are not read: container_definition_defaults";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn services_of_a_cluster_have_the_defaults_in_place_of_null() {
    let text = "module \"e\" {\nsource = \"terraform-aws-modules/ecs/aws\"\nversion = \"~> 6.0\"\nservices = { web = { memory = null, container_definitions = { web = { image = \"x\" } } } }\n}\n";
    let (documents, _) = read(text);
    assert!(documents.contains("Memory:2048"), "{documents}");
}

#[test]
fn inputs_that_are_null_are_not_named() {
    let (_, said) = read(&service("nothing = null\nsomething = 1"));
    assert!(said.contains("not read: something"), "{said}");
}

#[test]
fn an_output_that_a_description_lacks_is_a_placeholder() {
    let text = service("")
        + "resource \"aws_ecs_service\" \"s\" {\nname = \"s\"\ntask_definition = module.m.nothing\n}\n";
    let (documents, said) = read(&text);
    assert!(documents.contains("${module.m.nothing}"), "{documents}");
    assert!(!said.contains("ExpressionNotEvaluated"), "{said}");
}

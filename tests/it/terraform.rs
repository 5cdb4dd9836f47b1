//! Which files a configuration of Terraform reads, and that a module of a registry gives what its resources do.

use std::{env, fs, path::Path};

use crate::program::{Folder, Run, run};

const PROD: &str = r#"
module "web" {
  source = "../../modules/web"
  name   = "web"
}
"#;

const WEB: &str = r#"
variable "name" {}

resource "aws_ecs_task_definition" "this" {
  family                = var.name
  container_definitions = file("${path.module}/containers.json")
}

resource "aws_ecs_service" "this" {
  name            = var.name
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = 2
}
"#;

const CONTAINERS: &str = r#"[{"name": "web", "image": "example/web:v1", "memory": 128}]"#;

fn tree(name: &str, more: &[(&str, &str)]) -> Folder {
    let files = [
        ("envs/prod/main.tf", PROD),
        ("modules/web/main.tf", WEB),
        ("modules/web/containers.json", CONTAINERS),
    ];
    Folder::new(name, &[&files, more].concat())
}

fn convert(folder: &Path, arguments: &[&str]) -> Run {
    let all = ["convert", "--verbose", "--diagnostics", "concise"];
    run(folder, all.iter().chain(arguments))
}

fn kinds(run: &Run) -> Vec<String> {
    let objects = run.objects();
    let kinds = objects.iter().map(|it| it["kind"].as_str().unwrap_or(""));
    kinds.map(str::to_owned).collect()
}

#[test]
fn modules_beside_the_folder_are_read_in_a_git_work_tree() {
    let tree = tree(
        "terraform-beside",
        &[(".git/HEAD", "ref: refs/heads/main\n")],
    );
    for (folder, input) in [
        ("", "envs/prod"),
        ("", "envs/prod/main.tf"),
        ("envs/prod", "."),
        ("envs/prod", "main.tf"),
        ("modules", "../envs/prod"),
    ] {
        let run = convert(&tree.0.join(folder), &[input]);
        assert_eq!(run.status, Some(0), "{input}: {}", run.stderr);
        assert_eq!(
            kinds(&run),
            ["Deployment", "PodDisruptionBudget"],
            "{input}"
        );
        let place = "main.tf:2:1: ";
        assert!(run.stderr.contains(place), "{input}: {}", run.stderr);
    }
    // Both folders are parts of one configuration.
    let run = convert(&tree.0, &["envs/prod", "modules"]);
    assert_eq!(
        kinds(&run),
        ["Deployment", "PodDisruptionBudget"],
        "{}",
        run.stderr
    );
}

#[test]
fn a_folder_without_a_work_tree_is_the_border() {
    let outside = env::temp_dir().join(format!("ecs-operator-border-{}", std::process::id()));
    let tree = tree("terraform-border", &[]);
    fs::rename(&tree.0, &outside).expect("the folder can be moved");
    let run = convert(&outside, &["envs/prod"]);
    fs::remove_dir_all(&outside).expect("the folder can be removed");
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("[ModulesNotRead]"), "{}", run.stderr);
    assert!(run.stderr.contains("[NothingToConvert]"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
}

#[test]
fn a_configuration_of_modules_that_are_not_read_converts_nothing() {
    let text = "module \"vpc\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}\n";
    let folder = Folder::new("terraform-nothing", &[("main.tf", text)]);
    let run = convert(&folder.0, &["main.tf"]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("[ModulesNotRead]"), "{}", run.stderr);
    assert!(run.stderr.contains("[NothingToConvert]"), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn nothing_outside_of_the_work_tree_is_read_and_nothing_hidden_in_it() {
    let reads = |path: &str| {
        format!(
            "resource \"aws_ecs_task_definition\" \"t\" {{\n  family = \"t\"\n  \
             container_definitions = file(\"{path}\")\n}}\n"
        )
    };
    for (name, path, why) in [
        ("link", "link.json", "it is outside of the folder"),
        ("above", "../../../secret.json", "neither below the folder"),
        ("hidden", "../../.git/secret.json", "it is hidden"),
        ("through", "inner.json", "it is hidden"),
    ] {
        let text = reads(path);
        let files = [
            ("secret.json", CONTAINERS),
            ("tree/.git/secret.json", CONTAINERS),
            ("tree/envs/prod/main.tf", &*text),
        ];
        let folder = Folder::new(&format!("terraform-outside-{name}"), &files);
        let prod = folder.0.join("tree/envs/prod");
        for (link, target) in [
            ("link.json", "../../../secret.json"),
            ("inner.json", "../../.git/secret.json"),
        ] {
            std::os::unix::fs::symlink(target, prod.join(link)).expect("a link can be made");
        }
        let run = convert(&prod, &["main.tf"]);
        assert_eq!(run.status, Some(1), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(why), "{name}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{name}");
    }
}

#[test]
fn nothing_hidden_is_read_in_the_folder_that_is_given() {
    let text = "resource \"aws_ecs_task_definition\" \"t\" {\n  family = \"t\"\n  container_definitions = \
                file(\"${path.module}/.git/secret.json\")\n}\n";
    let ecspresso = "service_definition: .git/secret.json\ntask_definition: .env\n";
    let files = [
        (".git/secret.json", CONTAINERS),
        (".env", "DB_PASSWORD=hunter2\n"),
        ("main.tf", text),
        ("deploy/.env", "DB_PASSWORD=hunter2\n"),
        ("deploy/ecspresso.yml", ecspresso),
    ];
    let folder = Folder::new("terraform-hidden", &files);
    for input in [".", "main.tf", "deploy", "deploy/ecspresso.yml"] {
        let run = convert(&folder.0, &[input]);
        assert_eq!(run.status, Some(1), "{input}: {}", run.stderr);
        assert!(run.stderr.contains("hidden"), "{input}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{input}");
        assert!(!run.stderr.contains("hunter2"), "{input}: {}", run.stderr);
    }
}

#[test]
fn a_file_of_a_called_module_that_cannot_be_read_is_an_error() {
    for broken in ["resource \"a\" {\n", "\u{fffe}{"] {
        let files = [
            (".git/HEAD", "ref: refs/heads/main\n"),
            ("modules/web/more.tf", broken),
        ];
        let tree = tree("terraform-broken", &files);
        let run = convert(&tree.0, &["envs/prod"]);
        assert_eq!(run.status, Some(1), "{}", run.stderr);
        let said = run.stderr.matches("[UnreadableFile]").count();
        assert_eq!(said, 1, "{}", run.stderr);
        assert!(run.stderr.contains("modules/web/more.tf"), "{}", run.stderr);
        // A file of the input says it itself.
        let run = convert(&tree.0, &["."]);
        assert_eq!(run.status, Some(1), "{}", run.stderr);
        assert!(!run.stderr.contains("[UnreadableFile]"), "{}", run.stderr);
        assert!(run.stderr.contains("[SyntaxError]"), "{}", run.stderr);
    }
}

/// What the module makes, written out.
const PLAIN: &str = r#"
resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  execution_role_arn       = "arn:aws:iam::123456789012:role/execution"
  cpu                      = 512
  memory                   = 1024
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]

  runtime_platform {
    cpu_architecture        = "X86_64"
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name                   = "web"
    image                  = "example/web:v1"
    portMappings           = [{ containerPort = 8080 }]
    readonlyRootFilesystem = true
    startTimeout           = 30
    stopTimeout            = 120
    user                   = "0"
    linuxParameters        = { initProcessEnabled = false }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = "/aws/ecs/web/web"
        awslogs-region        = "eu-west-1"
        awslogs-stream-prefix = "ecs"
      }
    }
  }])
}

resource "aws_ecs_service" "web" {
  name                               = "web"
  cluster                            = "shop"
  task_definition                    = aws_ecs_task_definition.web.arn
  desired_count                      = 2
  launch_type                        = "FARGATE"
  scheduling_strategy                = "REPLICA"
  enable_ecs_managed_tags            = true
  deployment_maximum_percent         = 200
  deployment_minimum_healthy_percent = 66

  network_configuration {
    subnets         = ["subnet-0123456789abcdef0"]
    security_groups = ["sg-0123456789abcdef0"]
  }
}

resource "aws_appautoscaling_target" "web" {
  resource_id        = "service/shop/web"
  scalable_dimension = "ecs:service:DesiredCount"
  service_namespace  = "ecs"
  min_capacity       = 1
  max_capacity       = 10
}

resource "aws_appautoscaling_policy" "web" {
  for_each = { cpu = "CPU", memory = "Memory" }

  name               = each.key
  policy_type        = "TargetTrackingScaling"
  resource_id        = aws_appautoscaling_target.web.resource_id
  scalable_dimension = "ecs:service:DesiredCount"
  service_namespace  = "ecs"

  target_tracking_scaling_policy_configuration {
    target_value       = 75
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverage${each.value}Utilization"
    }
  }
}
"#;

const MODULE: &str = r#"
module "web" {
  source  = "terraform-aws-modules/ecs/aws//modules/service"
  version = "~> 5.0"

  name          = "web"
  cluster_arn   = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop"
  cpu           = 512
  memory        = 1024
  desired_count = 2

  container_definitions = {
    web = {
      image         = "example/web:v1"
      port_mappings = [{ containerPort = 8080 }]
    }
  }

  create_security_group     = false
  create_task_exec_iam_role = false
  create_tasks_iam_role     = false
  task_exec_iam_role_arn    = "arn:aws:iam::123456789012:role/execution"
  security_group_ids        = ["sg-0123456789abcdef0"]
  subnet_ids                = ["subnet-0123456789abcdef0"]
}
"#;

#[test]
fn a_module_of_a_registry_gives_what_its_resources_do() {
    let files = [("plain/main.tf", PLAIN), ("module/main.tf", MODULE)];
    let folder = Folder::new("terraform-same", &files);
    let region = ["--aws-region", "eu-west-1", "main.tf"];
    let plain = convert(&folder.0.join("plain"), &region);
    let module = convert(&folder.0.join("module"), &region);
    assert_eq!(plain.status, Some(0), "{}", plain.stderr);
    assert!(
        plain.stdout.contains("HorizontalPodAutoscaler"),
        "{}",
        plain.stdout
    );
    assert_eq!(module.stdout, plain.stdout, "{}", module.stderr);
}

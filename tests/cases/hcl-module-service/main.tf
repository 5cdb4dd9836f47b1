module "cluster" {
  source  = "terraform-aws-modules/ecs/aws//modules/cluster"
  version = "~> 5.12"

  cluster_name = "shop"

  fargate_capacity_providers = {
    FARGATE_SPOT = { default_capacity_provider_strategy = { weight = 100 } }
  }
}

module "web" {
  source  = "terraform-aws-modules/ecs/aws//modules/service"
  version = "~> 5.12"

  name        = "web"
  cluster_arn = module.cluster.arn
  cpu         = 512
  memory      = 1024

  container_definitions = {
    web = {
      image     = "example/web:v3"
      essential = true
      port_mappings = [{
        name          = "http"
        containerPort = 8080
        protocol      = "tcp"
      }]
      readonly_root_filesystem  = false
      enable_cloudwatch_logging = false
      environment               = [{ name = "STAGE", value = "prod" }]
      secrets                   = [{ name = "PASSWORD", valueFrom = aws_ssm_parameter.password.arn }]
      health_check              = { command = ["CMD-SHELL", "curl -f localhost:8080"] }
      dependencies              = [{ containerName = "init", condition = "SUCCESS" }]
    }
    init = {
      image     = "example/init:v3"
      essential = false
      user      = "1000"
    }
  }

  load_balancer = {
    service = {
      target_group_arn = aws_lb_target_group.web.arn
      container_name   = "web"
      container_port   = 8080
    }
  }

  desired_count            = 2
  autoscaling_min_capacity = 2
  autoscaling_max_capacity = 6
  subnet_ids               = ["subnet-0123456789abcdef0"]

  create_tasks_iam_role          = false
  tasks_iam_role_arn             = aws_iam_role.web.arn
  task_exec_iam_role_name        = "web-execution"
  task_exec_iam_role_use_name_prefix = false

  security_group_rules = {
    egress = { type = "egress", from_port = 0, to_port = 0, protocol = "-1", cidr_blocks = ["0.0.0.0/0"] }
  }
}

resource "aws_ecs_service" "again" {
  name            = "again"
  cluster         = module.cluster.arn
  task_definition = module.web.task_definition_arn
  desired_count   = 2

  network_configuration {
    subnets = ["subnet-0123456789abcdef0"]
  }
}

resource "aws_iam_role" "web" {
  name = "web"
}

resource "aws_ssm_parameter" "password" {
  name = "/shop/password"
}

resource "aws_lb_target_group" "web" {
  name = "web"
}

output "task_definition" {
  value = module.web.task_definition_arn
}

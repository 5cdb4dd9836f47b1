module "web" {
  source  = "cloudposse/ecs-container-definition/aws"
  version = "0.61.2"

  container_name  = "web"
  container_image = "example/web:v1"
  container_cpu   = 256

  container_memory = 512

  port_mappings = [{ containerPort = 80, hostPort = 80, protocol = "tcp" }]

  map_environment = {
    STAGE = "prod"
    QUEUE = aws_sqs_queue.jobs.url
  }

  map_secrets = {
    PASSWORD = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/password"
  }

  container_definition = {
    stopTimeout = 60
  }
}

module "proxy" {
  source = "git::https://github.com/cloudposse/terraform-aws-ecs-container-definition.git?ref=0.58.1"

  container_name   = "proxy"
  container_image  = "example/proxy:v1"
  container_memory = 128
  essential        = false

  container_depends_on = [{ containerName = "web", condition = "START" }]
}

resource "aws_sqs_queue" "jobs" {
  name = "jobs"
}

resource "aws_iam_role" "execution" {
  name = "execution"
}

resource "aws_ecs_task_definition" "web" {
  family             = "web"
  network_mode       = "awsvpc"
  execution_role_arn = aws_iam_role.execution.arn

  container_definitions = jsonencode([
    module.web.json_map_object,
    module.proxy.json_map_object,
  ])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 2
}

module "batch" {
  source = "github.com/cloudposse/terraform-aws-ecs-container-definition"

  container_name   = "batch"
  container_image  = "example/batch:v1"
  container_memory = 256
}

resource "aws_ecs_task_definition" "batch" {
  family                = "batch"
  container_definitions = "[${module.batch.json_map_encoded}]"
}

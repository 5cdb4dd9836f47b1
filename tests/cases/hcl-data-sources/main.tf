data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_ecs_cluster" "shared" {
  cluster_name = "shared"
}

data "aws_ssm_parameter" "token" {
  name = "/shop/token"
}

data "aws_ecr_image" "web" {
  repository_name = "web"
  most_recent     = true
}

locals {
  account = data.aws_caller_identity.current.account_id
  prefix  = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role"
}

resource "aws_ecs_task_definition" "web" {
  family             = "web"
  task_role_arn      = "${local.prefix}/web"
  execution_role_arn = "${local.prefix}/execution"
  container_definitions = jsonencode([{
    name    = "web"
    image   = data.aws_ecr_image.web.image_uri
    memory  = 128
    secrets = [{ name = "TOKEN", valueFrom = data.aws_ssm_parameter.token.arn }]
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = data.aws_ecs_cluster.shared.arn
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
}

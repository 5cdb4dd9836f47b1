data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.name
}

resource "aws_ecs_cluster" "this" {
  name = "prod"
}

resource "aws_ecs_task_definition" "shop" {
  family                   = var.name
  cpu                      = 256
  memory                   = 512
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  task_role_arn            = aws_iam_role.this["task"].arn
  execution_role_arn       = aws_iam_role.this["execution"].arn

  container_definitions = jsonencode([
    {
      name         = var.name
      image        = "${local.account}.dkr.ecr.${local.region}.amazonaws.com/shop:${var.tag}"
      portMappings = [{ containerPort = var.port }]
    }
  ])
}

resource "aws_ecs_service" "shop" {
  name            = var.name
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.shop.arn
  desired_count   = var.desired_count
  launch_type     = "FARGATE"

  network_configuration {
    subnets = ["subnet-0123456789abcdef0"]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.shop.arn
    container_name   = var.name
    container_port   = var.port
  }
}

resource "aws_appautoscaling_target" "shop" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.shop.name}"
  min_capacity       = 2
  max_capacity       = 8
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.shop.service_namespace
  scalable_dimension = aws_appautoscaling_target.shop.scalable_dimension
  resource_id        = aws_appautoscaling_target.shop.resource_id

  target_tracking_scaling_policy_configuration {
    target_value = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_ecs_cluster" "batch" {
  name = "batch"
}

resource "aws_ecs_cluster_capacity_providers" "batch" {
  cluster_name       = aws_ecs_cluster.batch.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 1
  }
}

resource "aws_ecs_task_definition" "report" {
  family                   = "report"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "report", image = "registry.example.com/report:3" }])
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "nightly"
  schedule_expression = "cron(0 3 * * ? *)"
}

resource "aws_cloudwatch_event_target" "report" {
  rule     = aws_cloudwatch_event_rule.nightly.name
  arn      = aws_ecs_cluster.batch.arn
  role_arn = "arn:aws:iam::111122223333:role/events"
  ecs_target {
    task_definition_arn = aws_ecs_task_definition.report.arn
  }
}

resource "aws_scheduler_schedule" "hourly" {
  name                = "hourly"
  schedule_expression = "cron(15 * * * ? *)"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_ecs_cluster.batch.arn
    role_arn = "arn:aws:iam::111122223333:role/scheduler"
    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.report.arn
    }
  }
}

# Both colors are revisions of one family. The service runs one of them, and a schedule the other.

variable "color" {
  default = "green"
}

locals {
  tasks = {
    blue  = aws_ecs_task_definition.blue.arn
    green = aws_ecs_task_definition.green.arn
  }
}

resource "aws_ecs_task_definition" "blue" {
  family                = "shop"
  container_definitions = jsonencode([{ name = "shop", image = "example/shop:v1", memory = 256 }])
}

resource "aws_ecs_task_definition" "green" {
  family                = "shop"
  container_definitions = jsonencode([{ name = "shop", image = "example/shop:v2", memory = 256 }])
}

resource "aws_ecs_task_definition" "seed" {
  family                = "shop"
  container_definitions = jsonencode([{ name = "shop", image = "example/seed:v1", memory = 128 }])
}

resource "aws_ecs_service" "shop" {
  name            = "shop"
  task_definition = local.tasks[var.color]
  desired_count   = 2
}

resource "aws_scheduler_schedule" "nightly" {
  name                = "nightly"
  schedule_expression = "cron(0 3 * * ? *)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop"
    role_arn = "arn:aws:iam::123456789012:role/scheduler"

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.blue.arn
    }
  }
}

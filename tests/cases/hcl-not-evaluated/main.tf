locals {
  first  = local.second
  second = local.first
}

resource "aws_ecs_task_definition" "cycle" {
  family                = "cycle"
  container_definitions = jsonencode([{ name = "web", image = local.first }])
}

resource "aws_ecs_task_definition" "outside" {
  family                = "outside"
  container_definitions = file("/etc/hostname")
}

resource "aws_ecs_task_definition" "good" {
  family                = "good"
  container_definitions = jsonencode([{ name = "web", image = "nginx", memory = 128 }])
}

resource "aws_ecs_service" "good" {
  name            = "good"
  task_definition = aws_ecs_task_definition.good.arn
  desired_count   = 1
}

resource "aws_ecs_service" "hashed" {
  name            = "hashed"
  task_definition = aws_ecs_task_definition.good.arn
  desired_count   = length(md5("x"))
}

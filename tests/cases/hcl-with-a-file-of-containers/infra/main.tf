resource "aws_ecs_task_definition" "web" {
  family                = "web"
  container_definitions = file("${path.module}/containers.json")
}

resource "aws_ecs_service" "web" {
  name            = "web"
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 2
}

resource "aws_ecs_task_definition" "job" {
  family                = "job"
  container_definitions = templatefile("templates/job.json", { memory = 64 })
}

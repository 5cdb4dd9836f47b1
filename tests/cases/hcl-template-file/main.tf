resource "aws_ecs_task_definition" "api" {
  family = "api"
  memory = 256
  container_definitions = templatefile("${path.module}/templates/api.json.tpl", {
    image = "example/api:v1"
    port  = 3000
    flags = ["a", "b"]
  })
}

resource "aws_ecs_service" "api" {
  name            = "api"
  task_definition = aws_ecs_task_definition.api.arn
  desired_count   = 1
}

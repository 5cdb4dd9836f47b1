variable "image" {
  type = string
}

variable "command" {
  type = list(string)
}

variable "count_of_tasks" {
  type = number
}

resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([{
    name    = "web"
    image   = var.image
    command = var.command
    memory  = 128
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = var.count_of_tasks
}

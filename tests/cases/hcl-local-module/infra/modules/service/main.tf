variable "name" {
  type = string
}

variable "port" {
  type = number
}

variable "cluster" {
  type = string
}

variable "image" {
  type    = string
  default = "nginx"
}

resource "aws_ecs_task_definition" "this" {
  family = var.name
  container_definitions = jsonencode([{
    name         = var.name
    image        = var.image
    memory       = 128
    portMappings = [{ containerPort = var.port }]
  }])
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = 1
}

output "name" {
  value = aws_ecs_service.this.name
}

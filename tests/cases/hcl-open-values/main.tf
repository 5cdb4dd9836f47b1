variable "image" {
  type = string
}

variable "cpu" {
  type = number
}

variable "is_public" {
  type = bool
}

variable "zones" {
  type = list(string)
}

resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([{
    name        = "web"
    image       = var.image
    cpu         = var.cpu
    memory      = 128
    environment = [{ name = "DB", value = "postgres://${aws_db_instance.db.address}/web" }]
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1

  network_configuration {
    assign_public_ip = var.is_public ? true : false
    subnets          = aws_subnet.web[*].id
  }
}

resource "aws_subnet" "web" {
  count = length(var.zones)
}

resource "aws_db_instance" "db" {
  identifier_prefix = "db"
}

variable "image_tag" {
  type        = string
  description = "Filled by terraform.tfvars"
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "db_password_arn" {
  type      = string
  sensitive = true
}

locals {
  name = "worker"
  tags = merge({ team = "data" }, { stage = terraform.workspace })
  container = {
    name        = local.name
    image       = "example/worker:${var.image_tag}"
    command     = ["work", "--threads", tostring(2 * 2)]
    environment = [for name, value in var.environment : { name = upper(name), value = value }]
    secrets     = [{ name = "DB_PASSWORD", valueFrom = var.db_password_arn }]
  }
}

resource "aws_ecs_task_definition" "worker" {
  family                = local.name
  execution_role_arn    = aws_iam_role.execution.arn
  cpu                   = 256
  memory                = 512
  container_definitions = jsonencode([local.container])
  tags                  = local.tags
}

resource "aws_iam_role" "execution" {
  name = "${local.name}-execution"
}

resource "aws_ecs_service" "worker" {
  name            = local.name
  task_definition = aws_ecs_task_definition.worker.arn
  desired_count   = length(var.environment) > 1 ? 3 : 1
}

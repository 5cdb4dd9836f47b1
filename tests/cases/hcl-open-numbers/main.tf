variable "replicas" {
  type = number
}

variable "queues" {
  type = set(string)
}

variable "is_worker" {
  type = bool
}

resource "aws_ecs_task_definition" "worker" {
  for_each = var.queues

  family = "worker"
  container_definitions = jsonencode([{
    name        = "worker"
    image       = "example/worker:v1"
    memory      = 128
    command     = var.is_worker ? ["work"] : ["serve"]
    environment = [{ name = "QUEUE", value = each.value }]
  }])
}

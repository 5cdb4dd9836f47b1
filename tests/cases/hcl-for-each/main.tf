variable "services" {
  type = map(object({
    image  = string
    cpu    = optional(number, 256)
    count  = optional(number, 1)
    port   = optional(number)
    region = optional(string, "eu-west-1")
  }))
  default = {
    api   = { image = "example/api:v1", port = 8080, count = 2 }
    batch = { image = "example/batch:v1", cpu = "512" }
  }
}

resource "aws_ecs_task_definition" "this" {
  for_each = var.services

  family = each.key
  cpu    = each.value.cpu
  memory = each.value.cpu * 2
  container_definitions = jsonencode([{
    name         = each.key
    image        = each.value.image
    portMappings = each.value.port == null ? [] : [{ containerPort = each.value.port }]
  }])
}

resource "aws_ecs_service" "this" {
  for_each = var.services

  name            = "${each.key}-service"
  task_definition = aws_ecs_task_definition.this[each.key].arn
  desired_count   = each.value.count

  dynamic "load_balancer" {
    for_each = each.value.port == null ? [] : [each.value.port]
    content {
      target_group_arn = aws_lb_target_group.this[each.key].arn
      container_name   = each.key
      container_port   = load_balancer.value
    }
  }
}

resource "aws_lb_target_group" "this" {
  for_each = { for name, service in var.services : name => service if service.port != null }

  port = each.value.port
}

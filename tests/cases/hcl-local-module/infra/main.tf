locals {
  services = {
    api = 8080
    web = 8081
  }
}

module "service" {
  source   = "./modules/service"
  for_each = local.services

  name    = each.key
  port    = each.value
  cluster = aws_ecs_cluster.main.name
}

resource "aws_ecs_cluster" "main" {
  name = "shop"
}

resource "aws_appautoscaling_target" "api" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/shop/${module.service["api"].name}"
  min_capacity       = 1
  max_capacity       = 4
}

locals {
  volumes = ["cache", "scratch"]
  alarms  = []
}

resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([{
    name        = "web"
    image       = "nginx"
    memory      = 128
    mountPoints = [for name in local.volumes : { sourceVolume = name, containerPath = "/${name}" }]
  }])

  dynamic "volume" {
    for_each = toset(local.volumes)
    iterator = disk
    content {
      name = disk.value
    }
  }
}

resource "aws_ecs_service" "web" {
  name            = "web"
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1

  dynamic "alarms" {
    for_each = local.alarms
    content {
      alarm_names = [alarms.value]
      enable      = true
      rollback    = true
    }
  }
}

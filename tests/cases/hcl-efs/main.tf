resource "aws_efs_file_system" "data" {
  encrypted = true
}

resource "aws_efs_access_point" "data" {
  file_system_id = aws_efs_file_system.data.id
}

resource "aws_ecs_task_definition" "db" {
  family = "db"
  container_definitions = jsonencode([{
    name   = "db"
    image  = "postgres:17"
    memory = 1024
    mountPoints = [{
      sourceVolume  = "data"
      containerPath = "/var/lib/postgresql/data"
      readOnly      = false
    }]
  }])

  volume {
    name = "data"

    efs_volume_configuration {
      file_system_id     = aws_efs_file_system.data.id
      transit_encryption = "ENABLED"
      authorization_config {
        access_point_id = aws_efs_access_point.data.id
        iam             = "ENABLED"
      }
    }
  }
}

resource "aws_ecs_service" "db" {
  name            = "db"
  task_definition = aws_ecs_task_definition.db.arn
  desired_count   = 1
}

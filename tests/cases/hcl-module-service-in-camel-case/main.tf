variable "image" {
  type = string
}

module "api" {
  source = "git::https://github.com/terraform-aws-modules/terraform-aws-ecs.git//modules/service?ref=v6.2.0"

  name        = "api"
  family      = "shop-api"
  cluster_arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop"

  container_definitions = {
    api = {
      image     = var.image
      cpu       = 512
      essential = true
      portMappings = [{
        name          = "api"
        containerPort = 9000
      }]
      readonlyRootFilesystem = false
      mountPoints            = [{ sourceVolume = "data", containerPath = "/data" }]
      dependsOn              = [{ containerName = "log", condition = "START" }]
      logConfiguration = {
        logDriver = "awslogs"
        options   = { awslogs-group = "/shop/api", awslogs-region = "eu-west-1", awslogs-stream-prefix = "api" }
      }
      create_cloudwatch_log_group = false
    }
    log = {
      image     = "fluent/fluent-bit:3.2"
      essential = false
      memory    = 64
    }
  }

  volume = {
    data = {
      efs_volume_configuration = {
        file_system_id = "fs-0123456789abcdef0"
      }
    }
  }

  service_connect_configuration = {
    namespace = "shop"
    service = [{
      client_alias   = { port = 9000, dns_name = "api" }
      port_name      = "api"
      discovery_name = "api"
    }]
  }

  capacity_provider_strategy = {
    spot = { capacity_provider = "FARGATE_SPOT", weight = 1 }
  }

  enable_autoscaling     = false
  enable_execute_command = true
  create_security_group  = false
  security_group_ids     = ["sg-0123456789abcdef0"]
  subnet_ids             = ["subnet-0123456789abcdef0"]

  runtime_platform = {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }
}

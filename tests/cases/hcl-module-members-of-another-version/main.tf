# Version 5 has the members of containers in snake case, and version 6 in camel case. Each drops those of the other.

module "web" {
  source  = "terraform-aws-modules/ecs/aws//modules/service"
  version = "~> 6.0"

  name = "web"
  container_definitions = {
    web = {
      image                       = "example/web:v1"
      readonly_root_filesystem    = false
      port_mappings               = [{ containerPort = 8080 }]
      portMappings                = [{ containerPort = 8081, protocol = "tcp" }]
      create_cloudwatch_log_group = false
    }
  }

  enable_autoscaling        = false
  create_task_exec_iam_role = false
  create_tasks_iam_role     = false
  create_security_group     = false
  subnet_ids                = ["subnet-0123456789abcdef0"]
}

module "worker" {
  source  = "terraform-aws-modules/ecs/aws//modules/service"
  version = "~> 5.0"

  name = "worker"
  container_definitions = {
    worker = {
      image                     = "example/worker:v1"
      readonlyRootFilesystem    = false
      memory_reservation        = 128
      memoryReservation         = 256
      enable_cloudwatch_logging = false
    }
  }

  enable_autoscaling        = false
  create_task_exec_iam_role = false
  create_tasks_iam_role     = false
  create_security_group     = false
  subnet_ids                = ["subnet-0123456789abcdef0"]
}

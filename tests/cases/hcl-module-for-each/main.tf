locals {
  services = {
    api  = { image = "example/api:v1", count = 2 }
    mail = { image = "example/mail:v1", count = 1 }
  }
}

module "service" {
  source   = "terraform-aws-modules/ecs/aws//modules/service"
  version  = "~> 7.0"
  for_each = local.services

  name          = each.key
  desired_count = each.value.count

  container_definitions = {
    (each.key) = {
      image                       = each.value.image
      create_cloudwatch_log_group = false
    }
  }

  enable_autoscaling        = false
  create_task_exec_iam_role = false
  create_tasks_iam_role     = false
  create_security_group     = false
  subnet_ids                = ["subnet-0123456789abcdef0"]
}

module "none" {
  source = "terraform-aws-modules/ecs/aws//modules/service"
  count  = 0

  name = "none"
}

variable "containers" {
  type = map(any)
}

module "web" {
  source  = "terraform-aws-modules/ecs/aws//modules/service"
  version = "~> 6.0"

  name              = "web"
  desired_tasks     = 3
  container_defaults = {}

  container_definitions = {
    web = {
      image  = "example/web:v1"
      memmory = 512
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
  version = "~> 6.0"

  name                  = "worker"
  container_definitions = var.containers
}

module "web" {
  source  = "terraform-aws-modules/ecs/aws//modules/service"
  version = "~> 12.0"

  name = "web"

  container_definitions = {
    web = {
      image                       = "example/web:v1"
      create_cloudwatch_log_group = false
    }
  }

  enable_autoscaling        = false
  create_task_exec_iam_role = false
  create_tasks_iam_role     = false
  create_security_group     = false
  subnet_ids                = ["subnet-0123456789abcdef0"]
}

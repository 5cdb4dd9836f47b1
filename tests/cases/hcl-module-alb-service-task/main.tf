module "label" {
  source    = "cloudposse/label/null"
  version   = "0.25.0"
  namespace = "eg"
  stage     = "Prod!"
  # What context.tf passes on if nothing is given.
  label_order = []
  delimiter   = null
  tags        = { Team = "shop" }
}

module "container" {
  source  = "cloudposse/ecs-container-definition/aws"
  version = "0.61.1"

  container_name   = "web"
  container_image  = "example/web:v1"
  container_memory = 512
  port_mappings    = [{ containerPort = 8080 }]
}

module "service" {
  source  = "cloudposse/ecs-alb-service-task/aws"
  version = "0.78.0"

  name    = "web"
  context = module.label.context

  container_definition_json = module.container.json_map_encoded_list
  ecs_cluster_arn           = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop"
  vpc_id                    = "vpc-0123456789abcdef0"
  subnet_ids                = ["subnet-0123456789abcdef0"]
  task_cpu                  = 512
  task_memory               = 1024
  desired_count             = 2

  ecs_load_balancers = [{
    container_name   = "web"
    container_port   = 8080
    elb_name         = null
    target_group_arn = aws_lb_target_group.web.arn
  }]
}

resource "aws_lb_target_group" "web" {
  name = "web"
}

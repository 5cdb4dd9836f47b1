variable "image" {
  default = "example/api:v7"
}

resource "aws_ecs_service" "api" {
  desired_count = 4

  load_balancer {
    target_group_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/other/fedcba9876543210"
    container_name   = "api"
    container_port   = 8080
  }
}

provider "aws" {
  region = "eu-west-1"
}

provider "aws" {
  alias  = "us"
  region = "us-east-1"
}

resource "aws_ecs_cluster" "eu" {
  name = "prod"
}

resource "aws_ecs_cluster" "us" {
  provider = aws.us
  name     = "prod"
}

resource "aws_ecs_cluster_capacity_providers" "eu" {
  cluster_name       = aws_ecs_cluster.eu.name
  capacity_providers = ["FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 1
  }
}

resource "aws_ecs_cluster_capacity_providers" "us" {
  provider           = aws.us
  cluster_name       = aws_ecs_cluster.us.name
  capacity_providers = ["FARGATE"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }
}

resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "app", image = "example.com/web:1" }])
}

resource "aws_ecs_service" "us" {
  name            = "us"
  cluster         = aws_ecs_cluster.us.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
  network_configuration {
    subnets = ["subnet-1"]
  }
}

resource "aws_ecs_service" "eu" {
  name            = "eu"
  cluster         = aws_ecs_cluster.eu.name
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
  network_configuration {
    subnets = ["subnet-1"]
  }
}

resource "aws_ecs_service" "named" {
  name            = "named"
  cluster         = "prod"
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
  network_configuration {
    subnets = ["subnet-1"]
  }
}

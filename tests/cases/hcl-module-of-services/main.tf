module "ecs" {
  source  = "terraform-aws-modules/ecs/aws"
  version = "5.12.1"

  cluster_name = "shop"

  fargate_capacity_providers = {
    FARGATE = { default_capacity_provider_strategy = { weight = 100 } }
  }

  services = {
    web = {
      cpu    = 256
      memory = 512

      container_definitions = {
        web = {
          image         = "example/web:v1"
          port_mappings = [{ containerPort = 80 }]
        }
      }

      subnet_ids = ["subnet-0123456789abcdef0"]
    }

    worker = {
      name               = "mail-worker"
      enable_autoscaling = false
      desired_count      = 3

      container_definition_defaults = {
        readonly_root_filesystem = false
      }

      container_definitions = {
        worker = {
          image   = "example/worker:v1"
          command = ["work"]
        }
      }

      subnet_ids = ["subnet-0123456789abcdef0"]
    }
  }
}

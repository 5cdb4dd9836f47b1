# What the module makes of its inputs: a cluster, and services in it
# (https://registry.terraform.io/modules/terraform-aws-modules/ecs/aws/latest).

locals {
  of_no_effect = [
    "*cloudwatch_log_group*",
    "*node_iam*",
    "cluster_capacity_providers_wait_duration",
    "cluster_configuration",
    "cluster_service_connect_defaults",
    "cluster_setting*",
    "cluster_tags",
    "create_infrastructure_iam_role",
    "create_security_group",
    "create_task_exec_policy",
    "disable_v7_default_name_description",
    "infrastructure_iam_role_*",
    "region",
    "security_group_*",
    "task_exec_iam_role_*",
    "task_exec_iam_statements",
    "task_exec_secret_arns",
    "task_exec_ssm_param_arns",
    "vpc_id",
  ]
}

variable "module_version" {}

variable "create" { default = true }
variable "tags" { default = {} }
variable "services" { default = {} }
variable "cluster_name" {}
variable "autoscaling_capacity_providers" {}
variable "capacity_providers" {}
variable "cluster_capacity_providers" {}
variable "default_capacity_provider_strategy" {}
variable "default_capacity_provider_use_fargate" {}
variable "fargate_capacity_providers" {}
variable "create_task_exec_iam_role" { default = false }
variable "task_exec_iam_role_name" {}
variable "task_exec_iam_role_path" {}
variable "task_exec_iam_role_use_name_prefix" { default = true }

module "cluster" {
  source = "terraform-aws-modules/ecs/aws//modules/cluster"

  module_version                        = var.module_version
  create                                = var.create
  cluster_name                          = var.cluster_name
  autoscaling_capacity_providers        = var.autoscaling_capacity_providers
  capacity_providers                    = var.capacity_providers
  cluster_capacity_providers            = var.cluster_capacity_providers
  default_capacity_provider_strategy    = var.default_capacity_provider_strategy
  default_capacity_provider_use_fargate = var.default_capacity_provider_use_fargate
  fargate_capacity_providers            = var.fargate_capacity_providers
  create_task_exec_iam_role             = var.create_task_exec_iam_role
  task_exec_iam_role_name               = var.task_exec_iam_role_name
  task_exec_iam_role_path               = var.task_exec_iam_role_path
  task_exec_iam_role_use_name_prefix    = var.task_exec_iam_role_use_name_prefix
}

module "service" {
  source   = "terraform-aws-modules/ecs/aws//modules/service"
  for_each = { for name, it in var.services : name => it if var.create }

  inputs                 = each.value
  module_version         = var.module_version
  cluster_arn            = module.cluster.arn
  name                   = coalesce(lookup(each.value, "name", null), each.key)
  tags                   = merge(var.tags, lookup(each.value, "tags", null))
  task_exec_iam_role_arn = try(coalesce(lookup(each.value, "task_exec_iam_role_arn", null), module.cluster.task_exec_iam_role_arn), null)

  # From version 6 on, null is no value of an input that has a default.
  cpu                                = var.module_version < 6 ? lookup(each.value, "cpu", 1024) : coalesce(lookup(each.value, "cpu", null), 1024)
  memory                             = var.module_version < 6 ? lookup(each.value, "memory", 2048) : coalesce(lookup(each.value, "memory", null), 2048)
  desired_count                      = var.module_version < 6 ? lookup(each.value, "desired_count", 1) : coalesce(lookup(each.value, "desired_count", null), 1)
  deployment_maximum_percent         = var.module_version < 6 ? lookup(each.value, "deployment_maximum_percent", 200) : coalesce(lookup(each.value, "deployment_maximum_percent", null), 200)
  deployment_minimum_healthy_percent = var.module_version < 6 ? lookup(each.value, "deployment_minimum_healthy_percent", 66) : coalesce(lookup(each.value, "deployment_minimum_healthy_percent", null), 66)
}

output "cluster_arn" { value = module.cluster.arn }
output "cluster_id" { value = module.cluster.id }
output "cluster_name" { value = module.cluster.name }
output "autoscaling_capacity_providers" { value = module.cluster.autoscaling_capacity_providers }
output "capacity_providers" { value = module.cluster.capacity_providers }
output "cluster_capacity_providers" { value = module.cluster.cluster_capacity_providers }
output "services" { value = module.service }
output "task_exec_iam_role_arn" { value = module.cluster.task_exec_iam_role_arn }
output "task_exec_iam_role_name" { value = module.cluster.task_exec_iam_role_name }

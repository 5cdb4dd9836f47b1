# What the module makes of its inputs, as far as it matters to tasks
# (https://registry.terraform.io/modules/terraform-aws-modules/ecs/aws/latest/submodules/cluster).

locals {
  of_no_effect = [
    "*cloudwatch_log_group*",
    "*node_iam*",
    "cluster_capacity_providers_wait_duration",
    "cluster_configuration",
    "cluster_service_connect_defaults",
    "cluster_setting*",
    "configuration",
    "create_infrastructure_iam_role",
    "create_security_group",
    "create_task_exec_policy",
    "disable_v7_default_name_description",
    "infrastructure_iam_role_*",
    "region",
    "security_group_*",
    "service_connect_defaults",
    "setting",
    "tags",
    "task_exec_iam_role_*",
    "task_exec_iam_statements",
    "task_exec_secret_arns",
    "task_exec_ssm_param_arns",
    "vpc_id",
  ]
  # Each version has other inputs of capacity providers.
  of_version_5   = ["default_capacity_provider_use_fargate", "fargate_capacity_providers"]
  of_version_7   = ["capacity_providers", "cluster_capacity_providers"]
  not_in_version = var.module_version < 6 ? concat(local.of_version_7, ["default_capacity_provider_strategy"]) : var.module_version < 7 ? concat(local.of_version_5, local.of_version_7) : concat(local.of_version_5, ["autoscaling_capacity_providers"])
}

variable "module_version" {}

variable "create" { default = true }
variable "name" {}
variable "cluster_name" {}
variable "autoscaling_capacity_providers" { default = {} }
variable "capacity_providers" { default = {} }
variable "cluster_capacity_providers" { default = [] }
variable "default_capacity_provider_strategy" { default = {} }
variable "default_capacity_provider_use_fargate" { default = true }
variable "fargate_capacity_providers" { default = {} }
variable "create_task_exec_iam_role" { default = false }
variable "task_exec_iam_role_name" {}
variable "task_exec_iam_role_path" {}
variable "task_exec_iam_role_use_name_prefix" { default = true }

resource "aws_ecs_cluster" "this" {
  count = var.create ? 1 : 0
  name  = coalesce(var.name, var.cluster_name, "default")
}

locals {
  # Version 5 has the weights with the providers, of which those of one kind are used.
  of_kind = var.default_capacity_provider_use_fargate ? var.fargate_capacity_providers : var.autoscaling_capacity_providers
  of_providers = { for key, it in local.of_kind : key => merge(
    lookup(it, "default_capacity_provider_strategy", null),
    { name = lookup(it, "name", key) },
  ) }
  strategy = var.module_version < 6 ? local.of_providers : var.default_capacity_provider_strategy
  made     = var.module_version < 7 ? var.autoscaling_capacity_providers : var.capacity_providers
  used     = var.module_version < 6 ? var.fargate_capacity_providers : var.module_version < 7 ? local.strategy : {}
  has_any  = var.module_version >= 6 || merge(local.used, local.made) != {}
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  count = var.create && local.has_any ? 1 : 0

  cluster_name = aws_ecs_cluster.this[0].name
  capacity_providers = distinct(concat(
    var.module_version < 7 ? [] : var.cluster_capacity_providers,
    [for key, it in local.used : coalesce(lookup(it, "name", null), key)],
    [for key, it in local.made : coalesce(lookup(it, "name", null), key)],
  ))

  default_capacity_provider_strategy = [for key, it in local.strategy : {
    capacity_provider = coalesce(lookup(it, "name", null), key)
    base              = lookup(it, "base", null)
    weight            = var.module_version < 7 ? lookup(it, "weight", null) : coalesce(lookup(it, "weight", null), 1)
  }]
}

resource "aws_ecs_capacity_provider" "this" {
  for_each = { for name, it in local.made : name => it if var.create }

  name                       = coalesce(lookup(each.value, "name", null), each.key)
  managed_instances_provider = lookup(each.value, "managed_instances_provider", null)
  tags                       = lookup(each.value, "tags", null)

  auto_scaling_group_provider = lookup(each.value, "auto_scaling_group_provider", {
    auto_scaling_group_arn         = lookup(each.value, "auto_scaling_group_arn", null)
    managed_draining               = lookup(each.value, "managed_draining", null)
    managed_scaling                = lookup(each.value, "managed_scaling", null)
    managed_termination_protection = lookup(each.value, "managed_termination_protection", null)
  })
}

resource "aws_iam_role" "task_exec" {
  count = var.create && var.create_task_exec_iam_role ? 1 : 0
  name  = var.task_exec_iam_role_use_name_prefix ? null : coalesce(var.task_exec_iam_role_name, var.name, var.cluster_name)
  path  = var.task_exec_iam_role_path
}

output "arn" { value = one(aws_ecs_cluster.this[*].arn) }
output "id" { value = one(aws_ecs_cluster.this[*].id) }
output "name" { value = one(aws_ecs_cluster.this[*].name) }
output "autoscaling_capacity_providers" { value = aws_ecs_capacity_provider.this }
output "cluster_capacity_providers" { value = aws_ecs_cluster_capacity_providers.this }
output "capacity_providers" { value = aws_ecs_capacity_provider.this }
output "task_exec_iam_role_arn" { value = one(aws_iam_role.task_exec[*].arn) }
output "task_exec_iam_role_name" { value = one(aws_iam_role.task_exec[*].name) }
output "task_exec_iam_role_unique_id" { value = one(aws_iam_role.task_exec[*].unique_id) }

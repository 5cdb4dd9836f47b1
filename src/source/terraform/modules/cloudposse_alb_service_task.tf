# What the module makes of its inputs, as far as it matters to tasks
# (https://registry.terraform.io/modules/cloudposse/ecs-alb-service-task/aws/latest).

locals {
  of_no_effect = [
    "*_policy_arns",
    "*_policy_arns_map",
    "alb_security_group",
    "container_port",
    "enable_all_egress_rule",
    "enable_icmp_rule",
    "force_new_deployment",
    "ignore_changes_desired_count",
    "ignore_changes_task_definition",
    "nlb_*",
    "permissions_boundary",
    "redeploy_on_apply",
    "role_tags_enabled",
    "security_group_description",
    "service_role_arn",
    "track_latest",
    "use_alb_security_group",
    "use_nlb_cidr_blocks",
    "vpc_id",
    "wait_for_steady_state",
  ]
}

variable "context" { default = {} }
variable "enabled" {}
variable "namespace" {}
variable "tenant" {}
variable "environment" {}
variable "stage" {}
variable "name" {}
variable "delimiter" {}
variable "attributes" { default = [] }
variable "label_order" {}
variable "regex_replace_chars" {}
variable "id_length_limit" {}
variable "label_key_case" {}
variable "label_value_case" {}
variable "tags" { default = {} }
variable "additional_tag_map" { default = {} }
variable "descriptor_formats" { default = {} }
variable "labels_as_tags" { default = ["default"] }
variable "use_old_arn" { default = false }

module "this" {
  source = "cloudposse/label/null"

  context             = var.context
  enabled             = var.enabled
  namespace           = var.namespace
  tenant              = var.tenant
  environment         = var.environment
  stage               = var.stage
  name                = var.name
  delimiter           = var.delimiter
  attributes          = var.attributes
  label_order         = var.label_order
  regex_replace_chars = var.regex_replace_chars
  id_length_limit     = var.id_length_limit
  label_key_case      = var.label_key_case
  label_value_case    = var.label_value_case
  tags                = var.tags
  additional_tag_map  = var.additional_tag_map
  descriptor_formats  = var.descriptor_formats
  labels_as_tags      = var.labels_as_tags
}

module "task_label" {
  source     = "cloudposse/label/null"
  attributes = ["task"]
  context    = module.this.context
}

module "exec_label" {
  source     = "cloudposse/label/null"
  attributes = ["exec"]
  context    = module.this.context
}

variable "container_definition_json" {}
variable "bind_mount_volumes" { default = [] }
variable "docker_volumes" { default = [] }
variable "efs_volumes" { default = [] }
variable "enable_fault_injection" { default = false }
variable "ephemeral_storage_size" { default = 0 }
variable "fsx_volumes" { default = [] }
variable "ipc_mode" {}
variable "launch_type" { default = "FARGATE" }
variable "network_mode" { default = "awsvpc" }
variable "pid_mode" {}
variable "proxy_configuration" {}
variable "runtime_platform" { default = [] }
variable "task_cpu" {
  default  = 256
  nullable = true
}
variable "task_definition" { default = [] }
variable "task_exec_role_arn" { default = [] }
variable "task_memory" {
  default  = 512
  nullable = true
}
variable "task_placement_constraints" { default = [] }
variable "task_role_arn" { default = [] }

locals {
  # A role is given as a text, or as a list of one.
  given_exec_role  = compact(flatten([var.task_exec_role_arn]))
  given_task_role  = compact(flatten([var.task_role_arn]))
  given_definition = compact(flatten([var.task_definition]))
  has_definition   = module.this.enabled && local.given_definition == []
}

resource "aws_iam_role" "ecs_exec" {
  count = module.this.enabled && local.given_exec_role == [] ? 1 : 0
  name  = module.exec_label.id
}

resource "aws_iam_role" "ecs_task" {
  count = module.this.enabled && local.given_task_role == [] ? 1 : 0
  name  = module.task_label.id
}

resource "aws_ecs_task_definition" "default" {
  count = local.has_definition ? 1 : 0

  container_definitions    = var.container_definition_json
  cpu                      = var.task_cpu
  enable_fault_injection   = var.enable_fault_injection
  ephemeral_storage        = var.ephemeral_storage_size == 0 ? [] : [{ size_in_gib = var.ephemeral_storage_size }]
  execution_role_arn       = one(concat(local.given_exec_role, aws_iam_role.ecs_exec[*].arn))
  family                   = module.this.id
  ipc_mode                 = var.ipc_mode
  memory                   = var.task_memory
  network_mode             = var.network_mode
  pid_mode                 = var.pid_mode
  placement_constraints    = var.task_placement_constraints
  proxy_configuration      = var.proxy_configuration
  requires_compatibilities = [var.launch_type]
  runtime_platform         = var.runtime_platform
  tags                     = var.use_old_arn ? null : module.this.tags
  task_role_arn            = one(concat(local.given_task_role, aws_iam_role.ecs_task[*].arn))
  volume                   = concat(var.docker_volumes, var.efs_volumes, var.fsx_volumes, var.bind_mount_volumes)
}

variable "assign_public_ip" { default = false }
variable "availability_zone_rebalancing" {}
variable "capacity_provider_strategies" { default = [] }
variable "circuit_breaker_deployment_enabled" { default = false }
variable "circuit_breaker_rollback_enabled" { default = false }
variable "deployment_controller_type" { default = "ECS" }
variable "deployment_maximum_percent" { default = 200 }
variable "deployment_minimum_healthy_percent" { default = 100 }
variable "desired_count" { default = 1 }
variable "ecs_cluster_arn" {}
variable "ecs_load_balancers" { default = [] }
variable "ecs_service_enabled" { default = true }
variable "enable_ecs_managed_tags" { default = false }
variable "exec_enabled" { default = false }
variable "health_check_grace_period_seconds" { default = 0 }
variable "ordered_placement_strategy" { default = [] }
variable "platform_version" { default = "LATEST" }
variable "propagate_tags" {}
variable "scheduling_strategy" { default = "REPLICA" }
variable "security_group_enabled" { default = true }
variable "security_group_ids" { default = [] }
variable "service_connect_configurations" { default = [] }
variable "service_placement_constraints" { default = [] }
variable "service_registries" { default = [] }
variable "subnet_ids" { default = [] }

locals {
  is_fargate = var.launch_type == "FARGATE"
}

resource "aws_security_group" "ecs_service" {
  count = module.this.enabled && var.security_group_enabled && var.network_mode == "awsvpc" ? 1 : 0
  name  = "${module.this.id}-service"
}

resource "aws_ecs_service" "default" {
  count = module.this.enabled && var.ecs_service_enabled ? 1 : 0

  availability_zone_rebalancing      = var.availability_zone_rebalancing
  capacity_provider_strategy         = var.capacity_provider_strategies
  cluster                            = var.ecs_cluster_arn
  deployment_controller              = { type = var.deployment_controller_type }
  deployment_maximum_percent         = var.deployment_maximum_percent
  deployment_minimum_healthy_percent = var.deployment_minimum_healthy_percent
  desired_count                      = var.desired_count
  enable_ecs_managed_tags            = var.enable_ecs_managed_tags
  enable_execute_command             = var.exec_enabled
  health_check_grace_period_seconds  = var.health_check_grace_period_seconds
  launch_type                        = var.capacity_provider_strategies == [] ? var.launch_type : null
  load_balancer                      = var.ecs_load_balancers
  name                               = module.this.id
  ordered_placement_strategy         = var.ordered_placement_strategy
  placement_constraints              = var.service_placement_constraints
  platform_version                   = local.is_fargate ? var.platform_version : null
  propagate_tags                     = var.propagate_tags
  scheduling_strategy                = local.is_fargate ? "REPLICA" : var.scheduling_strategy
  service_connect_configuration      = var.service_connect_configurations
  service_registries                 = var.service_registries
  tags                               = var.use_old_arn ? null : module.this.tags
  task_definition                    = local.has_definition ? aws_ecs_task_definition.default[0].arn : one(local.given_definition)

  deployment_circuit_breaker = [for type in [var.deployment_controller_type] : {
    enable   = var.circuit_breaker_deployment_enabled
    rollback = var.circuit_breaker_rollback_enabled
  } if type == "ECS"]

  network_configuration = [for mode in [var.network_mode] : {
    assign_public_ip = var.assign_public_ip
    security_groups  = concat(var.security_group_ids, aws_security_group.ecs_service[*].id)
    subnets          = var.subnet_ids
  } if mode == "awsvpc"]
}

output "service_arn" { value = one(aws_ecs_service.default[*].id) }
output "service_name" { value = one(aws_ecs_service.default[*].name) }
output "service_security_group_id" { value = one(aws_security_group.ecs_service[*].id) }
output "task_definition_arn" { value = one(aws_ecs_task_definition.default[*].arn) }
output "task_definition_family" { value = one(aws_ecs_task_definition.default[*].family) }
output "task_definition_revision" { value = one(aws_ecs_task_definition.default[*].revision) }
output "task_exec_role_arn" { value = one(concat(local.given_exec_role, aws_iam_role.ecs_exec[*].arn)) }
output "task_exec_role_name" { value = one(aws_iam_role.ecs_exec[*].name) }
output "task_role_arn" { value = one(concat(local.given_task_role, aws_iam_role.ecs_task[*].arn)) }
output "task_role_name" { value = one(aws_iam_role.ecs_task[*].name) }

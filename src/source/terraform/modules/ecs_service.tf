# What the module makes of its inputs, as far as it matters to tasks
# (https://registry.terraform.io/modules/terraform-aws-modules/ecs/aws/latest/submodules/service).

locals {
  of_no_effect = [
    "*_iam_role_description",
    "*_iam_role_max_session_duration",
    "*_iam_role_permissions_boundary",
    "*_iam_role_policies",
    "*_iam_role_statements",
    "*_iam_role_tags",
    "create_iam_role",
    "create_task_exec_policy",
    "disable_v7_default_name_description",
    "force_delete",
    "force_new_deployment",
    "iam_role_*",
    "ignore_task_definition_changes",
    "infrastructure_iam_role_statements",
    "infrastructure_iam_role_use_name_prefix",
    "region",
    "security_group_*",
    "sigint_rollback",
    "skip_destroy",
    "task_exec_iam_policy_path",
    "task_exec_iam_statements",
    "task_exec_secret_arns",
    "task_exec_ssm_param_arns",
    "timeouts",
    "track_latest",
    "triggers",
    "vpc_id",
    "wait_for_steady_state",
    "wait_until_stable",
    "wait_until_stable_timeout",
  ]
  not_in_version = var.module_version < 6 ? [] : ["container_definition_defaults"]
}

variable "module_version" {}

variable "create" { default = true }
variable "create_service" { default = true }
variable "create_task_definition" { default = true }
variable "name" { default = "" }
variable "tags" { default = {} }

# The task definition

variable "container_definitions" { default = {} }
variable "container_definition_defaults" { default = {} }
variable "cpu" {
  default  = 1024
  nullable = true
}
variable "enable_fault_injection" {}
variable "ephemeral_storage" {}
variable "family" {}
variable "inference_accelerator" { default = {} }
variable "ipc_mode" {}
variable "memory" {
  default  = 2048
  nullable = true
}
variable "network_mode" { default = "awsvpc" }
variable "pid_mode" {}
variable "proxy_configuration" {}
variable "requires_compatibilities" { default = ["FARGATE"] }
variable "runtime_platform" {
  default = { cpu_architecture = "X86_64", operating_system_family = "LINUX" }
}
variable "task_definition_arn" {}
variable "task_definition_placement_constraints" { default = {} }
variable "task_tags" { default = {} }
variable "volume" { default = {} }

variable "create_task_exec_iam_role" { default = true }
variable "task_exec_iam_role_arn" {}
variable "task_exec_iam_role_name" {}
variable "task_exec_iam_role_path" {}
variable "task_exec_iam_role_use_name_prefix" { default = true }
variable "create_tasks_iam_role" { default = true }
variable "tasks_iam_role_arn" {}
variable "tasks_iam_role_name" {}
variable "tasks_iam_role_path" {}
variable "tasks_iam_role_use_name_prefix" { default = true }

locals {
  has_definition = var.create && var.create_task_definition
  # Version 6 has no defaults of containers any more.
  defaults = var.module_version < 6 ? var.container_definition_defaults : {}
  # Version 7 tells the names of the roles from each other.
  has_endings = var.module_version >= 7
}

module "container_definition" {
  source   = "terraform-aws-modules/ecs/aws//modules/container-definition"
  for_each = { for name, it in var.container_definitions : name => it if local.has_definition && coalesce(try(it.create, null), true) }

  inputs                  = merge(local.defaults, each.value)
  module_version          = var.module_version
  name                    = coalesce(lookup(each.value, "name", null), each.key)
  service                 = var.name
  operating_system_family = lookup(var.runtime_platform, "operating_system_family", "LINUX")
  enable_execute_command  = lookup(merge(local.defaults, each.value), "enable_execute_command", var.enable_execute_command)
  user                    = lookup(merge(local.defaults, each.value), "user", var.module_version < 6 ? 0 : null)
}

resource "aws_iam_role" "task_exec" {
  count = local.has_definition && var.create_task_exec_iam_role ? 1 : 0
  name  = var.task_exec_iam_role_use_name_prefix ? null : coalesce(var.task_exec_iam_role_name, local.has_endings ? "${var.name}-task-exec" : var.name)
  path  = var.task_exec_iam_role_path
}

resource "aws_iam_role" "tasks" {
  count = local.has_definition && var.create_tasks_iam_role ? 1 : 0
  name  = var.tasks_iam_role_use_name_prefix ? null : coalesce(var.tasks_iam_role_name, local.has_endings ? "${var.name}-tasks" : var.name)
  path  = var.tasks_iam_role_path
}

resource "aws_ecs_task_definition" "this" {
  count = local.has_definition ? 1 : 0

  container_definitions    = jsonencode([for name, it in module.container_definition : it.container_definition])
  cpu                      = var.cpu
  enable_fault_injection   = var.enable_fault_injection
  ephemeral_storage        = var.ephemeral_storage
  execution_role_arn       = var.create_task_exec_iam_role ? aws_iam_role.task_exec[0].arn : var.task_exec_iam_role_arn
  family                   = coalesce(var.family, var.name)
  inference_accelerator    = [for it in var.inference_accelerator : it]
  ipc_mode                 = var.ipc_mode
  memory                   = var.memory
  network_mode             = var.network_mode
  pid_mode                 = var.pid_mode
  placement_constraints    = [for it in var.task_definition_placement_constraints : it]
  proxy_configuration      = var.proxy_configuration
  requires_compatibilities = var.requires_compatibilities
  runtime_platform         = var.runtime_platform
  tags                     = merge(var.tags, var.task_tags)
  task_role_arn            = var.create_tasks_iam_role ? aws_iam_role.tasks[0].arn : var.tasks_iam_role_arn
  volume                   = [for name, it in var.volume : merge({ name = name }, it)]
}

# The service

variable "alarms" {}
variable "assign_public_ip" { default = false }
variable "availability_zone_rebalancing" {}
variable "capacity_provider_strategy" { default = {} }
variable "cluster_arn" {}
variable "create_security_group" { default = true }
variable "deployment_circuit_breaker" {}
variable "deployment_configuration" {}
variable "deployment_controller" {}
variable "deployment_maximum_percent" {
  default  = 200
  nullable = true
}
variable "deployment_minimum_healthy_percent" {
  default  = 66
  nullable = true
}
variable "desired_count" {
  default  = 1
  nullable = true
}
variable "enable_ecs_managed_tags" { default = true }
variable "enable_execute_command" { default = false }
variable "create_infrastructure_iam_role" { default = true }
variable "health_check_grace_period_seconds" {}
variable "infrastructure_iam_role_arn" {}
variable "infrastructure_iam_role_name" {}
variable "infrastructure_iam_role_path" {}
variable "launch_type" { default = "FARGATE" }
variable "load_balancer" { default = {} }
variable "ordered_placement_strategy" { default = {} }
variable "placement_constraints" { default = {} }
variable "platform_version" {}
variable "propagate_tags" {}
variable "scheduling_strategy" {}
variable "security_group_ids" { default = [] }
variable "service_connect_configuration" {}
variable "service_registries" {}
variable "service_tags" { default = {} }
variable "subnet_ids" { default = [] }
variable "volume_configuration" {}
variable "vpc_lattice_configurations" {}

locals {
  is_fargate  = var.launch_type == "FARGATE"
  is_external = lookup(coalesce(var.deployment_controller, { type = "ECS" }), "type", "ECS") == "EXTERNAL"
  is_daemon   = var.scheduling_strategy == "DAEMON"
  is_counted  = !local.is_daemon && !local.is_external
  has_service = var.create && var.create_service
  strategy = [
    for it in var.capacity_provider_strategy :
    var.module_version < 7 ? it : merge(it, { weight = coalesce(lookup(it, "weight", null), 1) })
  ]
}

# The role that makes the volumes of tasks
resource "aws_iam_role" "infrastructure_iam_role" {
  count = local.has_service && var.create_infrastructure_iam_role && var.volume_configuration != null ? 1 : 0
}

resource "aws_security_group" "this" {
  count = local.has_service && var.create_security_group && var.network_mode == "awsvpc" ? 1 : 0
}

resource "aws_ecs_service" "this" {
  count = local.has_service ? 1 : 0

  availability_zone_rebalancing      = var.availability_zone_rebalancing
  capacity_provider_strategy         = local.strategy
  cluster                            = var.cluster_arn
  deployment_circuit_breaker         = var.deployment_circuit_breaker
  deployment_controller              = var.deployment_controller
  deployment_maximum_percent         = local.is_counted ? var.deployment_maximum_percent : null
  deployment_minimum_healthy_percent = local.is_counted ? var.deployment_minimum_healthy_percent : null
  desired_count                      = local.is_counted ? var.desired_count : null
  enable_ecs_managed_tags            = var.enable_ecs_managed_tags
  enable_execute_command             = var.enable_execute_command
  health_check_grace_period_seconds  = var.health_check_grace_period_seconds
  launch_type                        = local.strategy == [] ? var.launch_type : null
  load_balancer                      = [for it in var.load_balancer : it]
  name                               = var.name
  ordered_placement_strategy         = [for it in var.ordered_placement_strategy : it]
  placement_constraints              = [for it in var.placement_constraints : it]
  platform_version                   = local.is_fargate ? var.platform_version : null
  propagate_tags                     = var.propagate_tags
  scheduling_strategy                = local.is_fargate ? "REPLICA" : var.scheduling_strategy
  service_registries                 = var.service_registries
  tags                               = merge(var.tags, var.service_tags)
  task_definition                    = local.has_definition ? aws_ecs_task_definition.this[0].arn : var.task_definition_arn
  vpc_lattice_configurations         = var.vpc_lattice_configurations[*]

  # A part that is null leaves the default.
  alarms = [for alarms in var.alarms[*] : merge({ enable = true, rollback = true }, {
    for name, it in alarms : name => it if it != null
  }) if alarms != {}]

  # The keys of the hooks are names of the configuration.
  deployment_configuration = [for it in var.deployment_configuration[*] : merge(it, {
    lifecycle_hook = [for hook in coalesce(lookup(it, "lifecycle_hook", null), {}) : hook]
  })]

  volume_configuration = [for it in var.volume_configuration[*] : merge(it, {
    managed_ebs_volume = merge(
      { role_arn = var.create_infrastructure_iam_role ? aws_iam_role.infrastructure_iam_role[0].arn : var.infrastructure_iam_role_arn },
      lookup(it, "managed_ebs_volume", {}),
    )
  })]

  network_configuration = [for mode in [var.network_mode] : {
    assign_public_ip = var.assign_public_ip
    security_groups  = concat(aws_security_group.this[*].id, var.security_group_ids)
    subnets          = var.subnet_ids
  } if mode == "awsvpc"]

  # One service is an object in version 5, and one of a list in version 6.
  service_connect_configuration = [for it in var.service_connect_configuration[*] : merge({ enabled = true }, { for name, part in it : name => part if part != null }, {
    service = [for own in flatten([coalesce(lookup(it, "service", null), [])]) : merge(own, {
      client_alias = [for alias in flatten([lookup(own, "client_alias", [])]) : alias if alias != null]
    }) if own != null]
  }) if it != {}]
}

# Its scaling

variable "enable_autoscaling" { default = true }
variable "autoscaling_min_capacity" { default = 1 }
variable "autoscaling_max_capacity" { default = 10 }
variable "autoscaling_policies" {
  default = {
    for name, metric in { cpu = "CPU", memory = "Memory" } : name => {
      target_tracking_scaling_policy_configuration = {
        predefined_metric_specification = { predefined_metric_type = "ECSServiceAverage${metric}Utilization" }
      }
    }
  }
}
variable "autoscaling_scheduled_actions" { default = {} }
variable "autoscaling_suspended_state" {}

locals {
  is_scaled = local.has_service && var.enable_autoscaling && !local.is_daemon
}

resource "aws_appautoscaling_target" "this" {
  count = local.is_scaled ? 1 : 0

  min_capacity       = min(var.autoscaling_min_capacity, coalesce(var.desired_count, var.autoscaling_min_capacity))
  max_capacity       = max(var.autoscaling_max_capacity, coalesce(var.desired_count, var.autoscaling_max_capacity))
  resource_id        = aws_ecs_service.this[0].id
  scalable_dimension = "ecs:service:DesiredCount"
  service_namespace  = "ecs"
  suspended_state    = var.autoscaling_suspended_state
}

resource "aws_appautoscaling_policy" "this" {
  for_each = { for name, it in var.autoscaling_policies : name => it if local.is_scaled }

  name                                    = coalesce(lookup(each.value, "name", null), each.key)
  policy_type                             = coalesce(lookup(each.value, "policy_type", null), "TargetTrackingScaling")
  resource_id                             = aws_appautoscaling_target.this[0].resource_id
  scalable_dimension                      = "ecs:service:DesiredCount"
  service_namespace                       = "ecs"
  predictive_scaling_policy_configuration = lookup(each.value, "predictive_scaling_policy_configuration", null)
  step_scaling_policy_configuration       = lookup(each.value, "step_scaling_policy_configuration", null)

  target_tracking_scaling_policy_configuration = [
    for it in lookup(each.value, "target_tracking_scaling_policy_configuration", null)[*] :
    merge({ scale_in_cooldown = 300, scale_out_cooldown = 60, target_value = 75 }, {
      for name, part in it : name => part if part != null
    })
  ]
}

resource "aws_appautoscaling_scheduled_action" "this" {
  for_each = { for name, it in var.autoscaling_scheduled_actions : name => it if local.is_scaled }

  name               = coalesce(lookup(each.value, "name", null), each.key)
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  scalable_dimension = "ecs:service:DesiredCount"
  service_namespace  = "ecs"
  schedule           = each.value.schedule
  start_time         = lookup(each.value, "start_time", null)
  end_time           = lookup(each.value, "end_time", null)
  timezone           = lookup(each.value, "timezone", null)

  scalable_target_action {
    min_capacity = lookup(each.value, "min_capacity", null)
    max_capacity = lookup(each.value, "max_capacity", null)
  }
}

output "id" { value = one(aws_ecs_service.this[*].id) }
output "infrastructure_iam_role_arn" { value = one(aws_iam_role.infrastructure_iam_role[*].arn) }
output "infrastructure_iam_role_name" { value = one(aws_iam_role.infrastructure_iam_role[*].name) }
output "name" { value = one(aws_ecs_service.this[*].name) }
output "container_definitions" { value = module.container_definition }
output "task_definition_arn" { value = local.has_definition ? aws_ecs_task_definition.this[0].arn : var.task_definition_arn }
output "task_definition_family" { value = one(aws_ecs_task_definition.this[*].family) }
output "task_definition_revision" { value = one(aws_ecs_task_definition.this[*].revision) }
output "task_exec_iam_role_arn" { value = local.has_definition && var.create_task_exec_iam_role ? aws_iam_role.task_exec[0].arn : var.task_exec_iam_role_arn }
output "task_exec_iam_role_name" { value = one(aws_iam_role.task_exec[*].name) }
output "task_exec_iam_role_unique_id" { value = one(aws_iam_role.task_exec[*].unique_id) }
output "tasks_iam_role_arn" { value = local.has_definition && var.create_tasks_iam_role ? aws_iam_role.tasks[0].arn : var.tasks_iam_role_arn }
output "tasks_iam_role_name" { value = one(aws_iam_role.tasks[*].name) }
output "tasks_iam_role_unique_id" { value = one(aws_iam_role.tasks[*].unique_id) }
output "autoscaling_policies" { value = aws_appautoscaling_policy.this }
output "autoscaling_scheduled_actions" { value = aws_appautoscaling_scheduled_action.this }
output "security_group_arn" { value = one(aws_security_group.this[*].arn) }
output "security_group_id" { value = one(aws_security_group.this[*].id) }

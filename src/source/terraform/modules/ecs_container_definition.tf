# What the module makes of its inputs: one container definition, and the log group of the container
# (https://registry.terraform.io/modules/terraform-aws-modules/ecs/aws/latest/submodules/container-definition).
# Version 5 writes the inputs in snake case, and version 6 as the API has them.

locals {
  of_no_effect = [
    "cloudwatch_log_group_class",
    "cloudwatch_log_group_kms_key_id",
    "cloudwatch_log_group_retention_in_days",
    "create",
    "region",
    "tags",
  ]
  # Each version drops the members that the other one has.
  in_snake_case = [
    "credential_specs",
    "dependencies",
    "disable_networking",
    "dns_search_domains",
    "dns_servers",
    "docker_labels",
    "docker_security_options",
    "environment_files",
    "extra_hosts",
    "firelens_configuration",
    "health_check",
    "linux_parameters",
    "log_configuration",
    "memory_reservation",
    "mount_points",
    "port_mappings",
    "pseudo_terminal",
    "readonly_root_filesystem",
    "repository_credentials",
    "resource_requirements",
    "restart_policy",
    "start_timeout",
    "stop_timeout",
    "system_controls",
    "version_consistency",
    "volumes_from",
    "working_directory",
  ]
  in_camel_case = [
    "credentialSpecs",
    "dependsOn",
    "disableNetworking",
    "dnsSearchDomains",
    "dnsServers",
    "dockerLabels",
    "dockerSecurityOptions",
    "environmentFiles",
    "extraHosts",
    "firelensConfiguration",
    "healthCheck",
    "linuxParameters",
    "logConfiguration",
    "memoryReservation",
    "mountPoints",
    "portMappings",
    "pseudoTerminal",
    "readonlyRootFilesystem",
    "repositoryCredentials",
    "resourceRequirements",
    "restartPolicy",
    "startTimeout",
    "stopTimeout",
    "systemControls",
    "versionConsistency",
    "volumesFrom",
    "workingDirectory",
  ]
  not_in_version = var.module_version < 6 ? local.in_camel_case : local.in_snake_case
}

variable "module_version" {}

variable "command" {}
variable "cpu" {}
variable "credential_specs" {}
variable "dependencies" {}
variable "dependsOn" {}
variable "disable_networking" {}
variable "dns_search_domains" {}
variable "dns_servers" {}
variable "docker_labels" {}
variable "docker_security_options" {}
variable "entrypoint" {}
variable "environment" {}
variable "environment_files" {}
variable "essential" {}
variable "extra_hosts" {}
variable "firelens_configuration" { default = {} }
variable "health_check" { default = {} }
variable "hostname" {}
variable "image" {}
variable "interactive" { default = false }
variable "links" {}
variable "linux_parameters" { default = {} }
variable "log_configuration" { default = {} }
variable "memory" {}
variable "memory_reservation" {}
variable "mount_points" {}
variable "name" {}
variable "port_mappings" {}
variable "privileged" { default = false }
variable "pseudo_terminal" { default = false }
variable "readonly_root_filesystem" { default = true }
variable "repository_credentials" { default = {} }
variable "resource_requirements" {}
variable "restart_policy" { default = {} }
variable "secrets" {}
variable "start_timeout" {
  default  = 30
  nullable = true
}
variable "stop_timeout" {
  default  = 120
  nullable = true
}
variable "system_controls" {}
variable "ulimits" {}
variable "user" {}
variable "version_consistency" {}
variable "volumes_from" {}
variable "working_directory" {}

variable "enable_execute_command" { default = false }
variable "operating_system_family" { default = "LINUX" }

variable "service" {}
variable "enable_cloudwatch_logging" { default = true }
variable "create_cloudwatch_log_group" { default = true }
variable "cloudwatch_log_group_name" {}
variable "cloudwatch_log_group_use_name_prefix" { default = false }

data "aws_region" "current" {}

locals {
  is_linux  = var.operating_system_family == "LINUX"
  is_logged = var.module_version < 6 ? var.enable_cloudwatch_logging : var.create_cloudwatch_log_group
  log_group = coalesce(var.cloudwatch_log_group_name, "/${join("/", compact(["aws", "ecs", var.service, var.name]))}")

  awslogs = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = one(aws_cloudwatch_log_group.this[*].name)
      awslogs-region        = data.aws_region.current.name
      awslogs-stream-prefix = "ecs"
    }
  }
  # A part that is null leaves the default.
  logs    = merge(local.is_logged ? local.awslogs : {}, { for name, it in var.log_configuration : name => it if it != null })
  restart = merge({ enabled = var.module_version >= 6 }, { for name, it in var.restart_policy : name => it if it != null })
  health  = merge({ interval = 30, retries = 3, timeout = 5 }, { for name, it in var.health_check : name => it if it != null })
  linux   = merge({ initProcessEnabled = var.enable_execute_command }, { for name, it in var.linux_parameters : name => it if it != null })

  definition = {
    command                = var.command
    cpu                    = var.cpu
    credentialSpecs        = var.credential_specs
    dependsOn              = var.module_version < 6 ? var.dependencies : var.dependsOn
    disableNetworking      = local.is_linux ? var.disable_networking : null
    dnsSearchDomains       = local.is_linux ? var.dns_search_domains : null
    dnsServers             = local.is_linux ? var.dns_servers : null
    dockerLabels           = var.docker_labels
    dockerSecurityOptions  = var.docker_security_options
    entryPoint             = var.entrypoint
    environment            = var.environment
    environmentFiles       = var.environment_files
    essential              = var.essential
    extraHosts             = local.is_linux ? var.extra_hosts : null
    firelensConfiguration  = var.firelens_configuration == {} ? null : var.firelens_configuration
    healthCheck            = var.health_check == {} ? null : local.health
    hostname               = var.hostname
    image                  = var.image
    interactive            = var.interactive
    links                  = local.is_linux ? var.links : null
    linuxParameters        = local.is_linux ? local.linux : null
    logConfiguration       = local.logs == {} ? null : local.logs
    memory                 = var.memory
    memoryReservation      = var.memory_reservation
    mountPoints            = var.mount_points
    name                   = var.name
    portMappings           = var.port_mappings
    privileged             = local.is_linux ? var.privileged : null
    pseudoTerminal         = var.pseudo_terminal
    readonlyRootFilesystem = local.is_linux ? var.readonly_root_filesystem : null
    repositoryCredentials  = var.repository_credentials == {} ? null : var.repository_credentials
    resourceRequirements   = var.resource_requirements
    restartPolicy          = local.restart.enabled ? local.restart : null
    secrets                = var.secrets
    startTimeout           = var.start_timeout
    stopTimeout            = var.stop_timeout
    systemControls         = var.system_controls
    ulimits                = local.is_linux ? var.ulimits : null
    user                   = local.is_linux ? var.user : null
    versionConsistency     = var.module_version < 6 ? null : coalesce(var.version_consistency, "disabled")
    volumesFrom            = var.volumes_from
    workingDirectory       = var.working_directory
  }
}

resource "aws_cloudwatch_log_group" "this" {
  count = var.create_cloudwatch_log_group && var.enable_cloudwatch_logging ? 1 : 0
  name  = var.cloudwatch_log_group_use_name_prefix ? null : local.log_group
}

output "container_definition" { value = local.definition }
output "container_definition_json" { value = jsonencode(local.definition) }
output "cloudwatch_log_group_arn" { value = one(aws_cloudwatch_log_group.this[*].arn) }
output "cloudwatch_log_group_name" { value = one(aws_cloudwatch_log_group.this[*].name) }

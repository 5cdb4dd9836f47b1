# What the module makes of its inputs: one container definition
# (https://registry.terraform.io/modules/cloudposse/ecs-container-definition/aws/latest).

locals {
  of_no_effect = []
}

variable "command" {}
variable "container_cpu" { default = 0 }
variable "container_definition" { default = {} }
variable "container_depends_on" {}
variable "container_image" {}
variable "container_memory" {}
variable "container_memory_reservation" {}
variable "container_name" {}
variable "disable_networking" {}
variable "dns_search_domains" {}
variable "dns_servers" {}
variable "docker_labels" {}
variable "docker_security_options" {}
variable "entrypoint" {}
variable "environment" {}
variable "environment_files" {}
variable "essential" { default = true }
variable "extra_hosts" {}
variable "firelens_configuration" {}
variable "healthcheck" {}
variable "hostname" {}
variable "interactive" {}
variable "links" {}
variable "linux_parameters" {}
variable "log_configuration" {}
variable "map_environment" {}
variable "map_secrets" {}
variable "mount_points" {}
variable "port_mappings" {}
variable "privileged" {}
variable "pseudo_terminal" {}
variable "readonly_root_filesystem" { default = false }
variable "repository_credentials" {}
variable "resource_requirements" {}
variable "restart_policy" {}
variable "secrets" {}
variable "start_timeout" {}
variable "stop_timeout" {}
variable "system_controls" {}
variable "ulimits" {}
variable "user" {}
variable "version_consistency" {}
variable "volumes_from" {}
variable "working_directory" {}

locals {
  own = {
    command                = var.command
    cpu                    = var.container_cpu
    dependsOn              = var.container_depends_on
    disableNetworking      = var.disable_networking
    dnsSearchDomains       = var.dns_search_domains
    dnsServers             = var.dns_servers
    dockerLabels           = var.docker_labels
    dockerSecurityOptions  = var.docker_security_options
    entryPoint             = var.entrypoint
    environment            = var.map_environment == null ? var.environment : [for name, value in var.map_environment : { name = name, value = value }]
    environmentFiles       = var.environment_files
    essential              = var.essential
    extraHosts             = var.extra_hosts
    firelensConfiguration  = var.firelens_configuration
    healthCheck            = var.healthcheck
    hostname               = var.hostname
    image                  = var.container_image
    interactive            = var.interactive
    links                  = var.links
    linuxParameters        = var.linux_parameters
    logConfiguration       = var.log_configuration == null ? null : { for name, it in var.log_configuration : name => it if it != null }
    memory                 = var.container_memory
    memoryReservation      = var.container_memory_reservation
    mountPoints            = var.mount_points
    name                   = var.container_name
    portMappings           = var.port_mappings
    privileged             = var.privileged
    pseudoTerminal         = var.pseudo_terminal
    readonlyRootFilesystem = var.readonly_root_filesystem
    repositoryCredentials  = var.repository_credentials
    resourceRequirements   = var.resource_requirements
    restartPolicy          = var.restart_policy == null ? null : { for name, it in var.restart_policy : name => it if it != null }
    secrets                = var.map_secrets == null ? var.secrets : [for name, value in var.map_secrets : { name = name, valueFrom = value }]
    startTimeout           = var.start_timeout
    stopTimeout            = var.stop_timeout
    systemControls         = var.system_controls
    ulimits                = var.ulimits
    user                   = var.firelens_configuration == null ? var.user : "0"
    versionConsistency     = var.version_consistency
    volumesFrom            = var.volumes_from
    workingDirectory       = var.working_directory
  }
  definition = merge(local.own, { for name, it in var.container_definition : name => it if it != null })
}

output "json_map_encoded" { value = jsonencode(local.definition) }
output "json_map_encoded_list" { value = jsonencode([local.definition]) }
output "json_map_object" { value = local.definition }
output "sensitive_json_map_encoded" { value = jsonencode(local.definition) }
output "sensitive_json_map_encoded_list" { value = jsonencode([local.definition]) }
output "sensitive_json_map_object" { value = local.definition }

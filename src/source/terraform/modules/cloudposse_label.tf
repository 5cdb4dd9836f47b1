# The name that the module makes of its inputs
# (https://registry.terraform.io/modules/cloudposse/label/null/latest).

locals {
  of_no_effect = [
    "additional_tag_map",
    "descriptor_formats",
    "label_key_case",
    "labels_as_tags",
    "tags",
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

locals {
  parts = {
    for part, own in {
      environment = var.environment
      name        = var.name
      namespace   = var.namespace
      stage       = var.stage
      tenant      = var.tenant
    } : part => own == null ? lookup(var.context, part, null) : own
  }
  attributes = concat(coalesce(lookup(var.context, "attributes", null), []), var.attributes)
  delimiter  = coalesce(var.delimiter, lookup(var.context, "delimiter", null), "-")
  order      = coalesce(var.label_order, lookup(var.context, "label_order", null), ["namespace", "environment", "stage", "name", "attributes"])
  is_enabled = coalesce(var.enabled, lookup(var.context, "enabled", null), true)

  ordered = [for part in local.order : part == "attributes" ? join(local.delimiter, local.attributes) : lookup(local.parts, part, null)]
  id      = lower(join(local.delimiter, compact(local.ordered)))
}

output "attributes" { value = local.attributes }
output "context" {
  value = merge(local.parts, {
    attributes  = local.attributes
    delimiter   = local.delimiter
    enabled     = local.is_enabled
    label_order = local.order
  })
}
output "delimiter" { value = local.delimiter }
output "enabled" { value = local.is_enabled }
output "environment" { value = local.parts.environment }
output "id" { value = local.is_enabled ? local.id : "" }
output "name" { value = local.parts.name }
output "namespace" { value = local.parts.namespace }
output "stage" { value = local.parts.stage }
output "tags" { value = {} }
output "tenant" { value = local.parts.tenant }

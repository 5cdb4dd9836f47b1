# The name and the tags that the module makes of its inputs
# (https://registry.terraform.io/modules/cloudposse/label/null/latest).

locals {
  of_no_effect = []
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

locals {
  # An input counts more than the same one of the context; lists and maps are those of both.
  single = {
    for input, own in {
      delimiter           = var.delimiter
      enabled             = var.enabled
      environment         = var.environment
      id_length_limit     = var.id_length_limit
      label_key_case      = var.label_key_case
      label_order         = var.label_order
      label_value_case    = var.label_value_case
      name                = var.name
      namespace           = var.namespace
      regex_replace_chars = var.regex_replace_chars
      stage               = var.stage
      tenant              = var.tenant
    } : input => own == null ? lookup(var.context, input, null) : own
  }
  # Which labels are tags is what the first module of a chain says.
  tags_before = coalesce(lookup(var.context, "labels_as_tags", null), ["unset"])
  given = merge(local.single, {
    additional_tag_map = merge(lookup(var.context, "additional_tag_map", null), var.additional_tag_map)
    attributes         = compact(distinct(concat(coalesce(lookup(var.context, "attributes", null), []), var.attributes)))
    descriptor_formats = merge(lookup(var.context, "descriptor_formats", null), var.descriptor_formats)
    enabled            = coalesce(local.single.enabled, true)
    labels_as_tags     = contains(local.tags_before, "unset") ? var.labels_as_tags : local.tags_before
    tags               = merge(lookup(var.context, "tags", null), var.tags)
  })

  removed    = coalesce(local.given.regex_replace_chars, "/[^a-zA-Z0-9-]/")
  value_case = coalesce(local.given.label_value_case, "lower")
  key_case   = coalesce(local.given.label_key_case, "title")
  delimiter  = local.given.delimiter == null ? "-" : local.given.delimiter
  limit      = coalesce(local.given.id_length_limit, 0)
  order      = coalescelist(coalesce(local.given.label_order, []), ["namespace", "environment", "stage", "name", "attributes"])

  cleaned = {
    for part in ["environment", "name", "namespace", "stage", "tenant"] :
    part => local.given[part] == null ? "" : replace(local.given[part], local.removed, "")
  }
  parts = {
    for part, text in local.cleaned :
    part => local.value_case == "none" ? text : local.value_case == "title" ? title(lower(text)) : local.value_case == "upper" ? upper(text) : lower(text)
  }
  cleaned_attributes = [for text in local.given.attributes : replace(text, local.removed, "")]
  attributes = compact(distinct([
    for text in local.cleaned_attributes :
    local.value_case == "none" ? text : local.value_case == "title" ? title(lower(text)) : local.value_case == "upper" ? upper(text) : lower(text)
  ]))

  all     = merge(local.parts, { attributes = join(local.delimiter, local.attributes) })
  id_full = join(local.delimiter, compact([for part in local.order : local.all[part]]))
  # A longer one ends with a hash, which is not known here.
  kept  = max(local.limit - length(local.delimiter) - 5, 0)
  start = local.kept == 0 ? "" : "${trimsuffix(substr(local.id_full, 0, local.kept), local.delimiter)}${local.delimiter}"
  id    = local.limit == 0 ? local.id_full : length(local.id_full) <= local.limit ? local.id_full : substr("${local.start}${md5(local.id_full)}", 0, local.limit)

  tag_names = contains(local.given.labels_as_tags, "default") ? ["attributes", "environment", "name", "namespace", "stage", "tenant"] : local.given.labels_as_tags
  labels    = { for part, text in merge(local.all, { name = local.id }) : part => text if text != "" }
  own_tags = {
    for part, text in local.labels :
    (local.key_case == "upper" ? upper(part) : local.key_case == "lower" ? lower(part) : title(lower(part))) => text if contains(local.tag_names, part)
  }
  tags = merge(local.own_tags, local.given.tags)

  is_enabled = local.given.enabled
}

output "additional_tag_map" { value = local.given.additional_tag_map }
output "attributes" { value = local.is_enabled ? local.attributes : [] }
output "context" { value = local.given }
output "delimiter" { value = local.is_enabled ? local.delimiter : "" }
output "enabled" { value = local.is_enabled }
output "environment" { value = local.is_enabled ? local.parts.environment : "" }
output "id" { value = local.is_enabled ? local.id : "" }
output "id_full" { value = local.is_enabled ? local.id_full : "" }
output "id_length_limit" { value = local.limit }
output "label_order" { value = local.order }
output "name" { value = local.is_enabled ? local.parts.name : "" }
output "namespace" { value = local.is_enabled ? local.parts.namespace : "" }
output "normalized_context" {
  value = merge(local.given, local.parts, {
    attributes          = local.attributes
    delimiter           = local.delimiter
    id_length_limit     = local.limit
    label_key_case      = local.key_case
    label_order         = local.order
    label_value_case    = local.value_case
    labels_as_tags      = local.tag_names
    regex_replace_chars = local.removed
    tags                = local.tags
  })
}
output "regex_replace_chars" { value = local.removed }
output "stage" { value = local.is_enabled ? local.parts.stage : "" }
output "tags" { value = local.is_enabled ? local.tags : {} }
output "tags_as_list_of_maps" {
  value = [for name, text in local.tags : merge({ key = name, value = text }, local.given.additional_tag_map)]
}
output "tenant" { value = local.is_enabled ? local.parts.tenant : "" }

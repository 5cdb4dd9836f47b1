variable "name" {
  type    = string
  default = "shop"
}

variable "tag" {
  type = string
}

variable "port" {
  type    = number
  default = 8080
}

variable "desired_count" {
  type    = number
  default = 1
}

//! Configurations of Terraform: an evaluation ends, within its limits, and what it says stands inside of the text.
#![no_main]

use ecs_operator_fuzz::read;
use libfuzzer_sys::fuzz_target;

/// What an expression can refer to.
const BLOCKS: &str = r#"
variable "v" { default = { a = [1, "b"], c = null } }
variable "w" {}
locals {
  l = concat(var.v.a, local.m)
  m = [for x in range(9) : "${x}-${var.w}"]
  n = local.n
}
data "aws_region" "d" {}
resource "aws_iam_role" "r" { name = "r" }
resource "aws_subnet" "s" { count = 2 }
resource "aws_ecs_task_definition" "t" {
  family = "t"
  dynamic "volume" {
    for_each = local.m
    content { name = volume.value }
  }
  container_definitions = "#;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for text in [text.to_string(), format!("{BLOCKS}{text}\n}}\n")] {
        read("main.tf", &text);
    }
});

//! Addresses of resources and references in expressions
//! (<https://developer.hashicorp.com/terraform/cli/state/resource-addressing>).

/// A name of an address, with the key in brackets behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    pub(super) name: String,
    /// The key of an instance: a number, or the text in quotes.
    pub(super) key: Option<String>,
}

/// Returns the steps of `module.web["a.b"].aws_ecs_service.this[0]`.
pub(super) fn steps(address: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut name = String::new();
    let mut key: Option<String> = None;
    let mut is_inside = false;
    let mut is_quoted = false;
    let mut is_escaped = false;
    for c in address.chars() {
        match c {
            _ if is_escaped => {
                key.get_or_insert_default().push(c);
                is_escaped = false;
            }
            '\\' if is_quoted => is_escaped = true,
            '"' if is_inside => is_quoted = !is_quoted,
            ']' if is_inside && !is_quoted => is_inside = false,
            _ if is_inside => key.get_or_insert_default().push(c),
            '[' => {
                is_inside = true;
                // Only the last of several keys is of the instance of a resource; all are in the placeholder.
                if let Some(first) = key.as_mut() {
                    first.push('.');
                }
                key.get_or_insert_default();
            }
            '.' => steps.push(Step {
                name: std::mem::take(&mut name),
                key: key.take(),
            }),
            _ => name.push(c),
        }
    }
    steps.push(Step { name, key });
    steps
}

/// Returns `load_balancer.target_group_arn` of `load_balancer[1].target_group_arn`.
pub(super) fn without_keys(path: &str) -> String {
    let steps = steps(path).into_iter().map(|step| step.name);
    steps.collect::<Vec<_>>().join(".")
}

/// Returns the name of the placeholder for what an address names: `aws_lb_target_group.web.0.arn` for
/// `aws_lb_target_group.web[0].arn`, because a placeholder has no brackets.
pub(super) fn placeholder_name(address: &str) -> String {
    let steps = steps(address);
    let names = steps
        .iter()
        .flat_map(|step| [Some(&step.name), step.key.as_ref()]);
    let names = names.flatten().map(|name| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let plain = |c: char| if is_plain(c) { c } else { '_' };
        name.chars().map(plain).collect::<String>()
    });
    names.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_at_the_dots_outside_brackets() {
        for (address, expected, name) in [
            (
                "aws_ecs_service.web",
                "aws_ecs_service web",
                "aws_ecs_service.web",
            ),
            (
                "aws_lb_target_group.web[0].arn",
                "aws_lb_target_group web|0 arn",
                "aws_lb_target_group.web.0.arn",
            ),
            (
                r#"module.web["a.b/c"].aws_ecs_service.this[0]"#,
                "module web|a.b/c aws_ecs_service this|0",
                "module.web.a.b_c.aws_ecs_service.this.0",
            ),
            (r#"module.x["a\"]b"]"#, r#"module x|a"]b"#, "module.x.a__b"),
            ("aws_subnet.a[", "aws_subnet a|", "aws_subnet.a."),
            ("", "", ""),
        ] {
            let printed: Vec<String> = steps(address)
                .iter()
                .map(|step| match &step.key {
                    Some(key) => format!("{}|{key}", step.name),
                    None => step.name.clone(),
                })
                .collect();
            assert_eq!(printed.join(" "), expected, "{address}");
            assert_eq!(placeholder_name(address), name, "{address}");
        }
    }
}

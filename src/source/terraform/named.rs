//! What the names of resources tell before the plan is applied.

use super::super::values::Values;

/// What is known of the resources of a type that have a name. `{name}` is the name, and `{account}`, `{region}` and
/// `{partition}` are those of the provider.
struct Known {
    type_: &'static str,
    /// The argument that has the name.
    name: &'static str,
    attributes: &'static [(&'static str, &'static str)],
}

const KNOWN: &[Known] = &[
    Known {
        type_: "aws_apprunner_auto_scaling_configuration_version",
        name: "auto_scaling_configuration_name",
        attributes: &[(
            "arn",
            "arn:{partition}:apprunner:{region}:{account}:autoscalingconfiguration/{name}",
        )],
    },
    Known {
        type_: "aws_cloudwatch_log_group",
        name: "name",
        attributes: &[
            (
                "arn",
                "arn:{partition}:logs:{region}:{account}:log-group:{name}",
            ),
            ("id", "{name}"),
        ],
    },
    Known {
        type_: "aws_cloudwatch_event_bus",
        name: "name",
        attributes: &[
            (
                "arn",
                "arn:{partition}:events:{region}:{account}:event-bus/{name}",
            ),
            ("id", "{name}"),
        ],
    },
    Known {
        type_: "aws_cloudwatch_event_rule",
        name: "name",
        attributes: &[(
            "arn",
            "arn:{partition}:events:{region}:{account}:rule/{name}",
        )],
    },
    Known {
        type_: "aws_ecr_repository",
        name: "name",
        attributes: &[
            (
                "arn",
                "arn:{partition}:ecr:{region}:{account}:repository/{name}",
            ),
            ("id", "{name}"),
            (
                "repository_url",
                "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
            ),
        ],
    },
    Known {
        type_: "aws_ecs_capacity_provider",
        name: "name",
        attributes: &[
            (
                "arn",
                "arn:{partition}:ecs:{region}:{account}:capacity-provider/{name}",
            ),
            (
                "id",
                "arn:{partition}:ecs:{region}:{account}:capacity-provider/{name}",
            ),
        ],
    },
    Known {
        type_: "aws_ecs_cluster",
        name: "name",
        attributes: &[
            (
                "arn",
                "arn:{partition}:ecs:{region}:{account}:cluster/{name}",
            ),
            (
                "id",
                "arn:{partition}:ecs:{region}:{account}:cluster/{name}",
            ),
        ],
    },
    Known {
        type_: "aws_iam_role",
        name: "name",
        attributes: &[
            ("arn", "arn:{partition}:iam::{account}:role{path}{name}"),
            ("id", "{name}"),
        ],
    },
    Known {
        type_: "aws_secretsmanager_secret",
        name: "name",
        // Without the six characters that AWS appends, which is enough to read the secret.
        attributes: &[
            (
                "arn",
                "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}",
            ),
            (
                "id",
                "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}",
            ),
        ],
    },
    Known {
        type_: "aws_sns_topic",
        name: "name",
        attributes: &[
            ("arn", "arn:{partition}:sns:{region}:{account}:{name}"),
            ("id", "arn:{partition}:sns:{region}:{account}:{name}"),
        ],
    },
    Known {
        type_: "aws_sqs_queue",
        name: "name",
        attributes: &[
            ("arn", "arn:{partition}:sqs:{region}:{account}:{name}"),
            ("id", "https://sqs.{region}.amazonaws.com/{account}/{name}"),
            ("url", "https://sqs.{region}.amazonaws.com/{account}/{name}"),
        ],
    },
    Known {
        type_: "aws_ssm_parameter",
        name: "name",
        attributes: &[
            (
                "arn",
                "arn:{partition}:ssm:{region}:{account}:parameter/{name}",
            ),
            ("id", "{name}"),
        ],
    },
];

/// Returns what is known of an attribute of a resource that has a name. `argument` returns the text of an argument.
pub(super) fn named(
    type_: &str,
    attribute: &str,
    values: &Values,
    mut argument: impl FnMut(&str) -> Option<String>,
) -> Option<String> {
    let known = KNOWN.iter().find(|known| known.type_ == type_)?;
    let mut attributes = known.attributes.iter();
    let (_, pattern) = attributes.find(|(name, _)| *name == attribute)?;
    let name = argument(known.name)?;
    let region = argument("region");
    let path = argument("path");
    let filled = filled(pattern, values, region.as_deref());
    // The name of a parameter may begin with the slash that its ARN has anyway.
    Some(
        filled
            .replace("{path}", path.as_deref().unwrap_or("/"))
            .replace("{name}", &name)
            .replace(":parameter//", ":parameter/"),
    )
}

/// Returns a text with the account, the region and the partition in it.
pub(super) fn filled(pattern: &str, values: &Values, region: Option<&str>) -> String {
    pattern
        .replace("{partition}", values.partition())
        .replace("{region}", region.unwrap_or_else(|| values.region()))
        .replace("{account}", values.account_id())
}

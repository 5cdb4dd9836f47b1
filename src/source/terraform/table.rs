//! The types of resources that are converted, and their arguments that have another name in the API.
//!
//! Terraform mostly writes a member of the API in snake case, and a list as blocks with the name in the singular. The
//! pages of the types are below <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources>.

use crate::fields::Api;

/// A type of resources.
pub(super) struct Type {
    pub(super) resource: &'static str,
    pub(super) api: Api,
    /// The property that has its name, if Terraform makes one up.
    pub(super) name: Option<&'static str>,
    /// Arguments by their paths without indexes, and where their values are in the API, from the object around them. An
    /// empty one is that of Terraform itself, or of an answer of AWS.
    arguments: &'static [(&'static str, &'static str)],
}

/// The types that scale what may be of any service of AWS.
pub(super) const SCALES_ECS: &[&str] = &[
    "aws_appautoscaling_policy",
    "aws_appautoscaling_scheduled_action",
    "aws_appautoscaling_target",
];

const TYPES: &[Type] = &[
    Type {
        resource: "aws_apprunner_auto_scaling_configuration_version",
        api: Api::AutoScalingConfiguration,
        name: None,
        arguments: &[
            ("auto_scaling_configuration_revision", ""),
            ("has_associated_service", ""),
            ("is_default", ""),
            ("latest", ""),
            ("status", ""),
        ],
    },
    Type {
        resource: "aws_apprunner_service",
        api: Api::AppRunnerService,
        name: None,
        arguments: &[("service_id", ""), ("service_url", ""), ("status", "")],
    },
    Type {
        resource: "aws_appautoscaling_policy",
        api: Api::ScalingPolicy,
        name: None,
        arguments: &[("alarm_arns", ""), ("name", "PolicyName")],
    },
    Type {
        resource: "aws_appautoscaling_scheduled_action",
        api: Api::ScheduledAction,
        name: None,
        arguments: &[("name", "ScheduledActionName")],
    },
    Type {
        resource: "aws_appautoscaling_target",
        api: Api::ScalableTarget,
        name: None,
        // The role is always that which AWS makes for ECS.
        arguments: &[],
    },
    Type {
        resource: "aws_cloudwatch_event_rule",
        api: Api::Rule,
        name: Some("Name"),
        arguments: &[("force_destroy", ""), ("is_enabled", "State")],
    },
    Type {
        resource: "aws_cloudwatch_event_target",
        api: Api::Rule,
        name: None,
        arguments: &[
            ("ecs_target", "EcsParameters"),
            (
                "ecs_target.network_configuration",
                "NetworkConfiguration.awsvpcConfiguration",
            ),
            ("ecs_target.ordered_placement_strategy", "PlacementStrategy"),
            ("event_bus_name", ""),
            ("force_destroy", ""),
            ("id", ""),
            ("input_transformer.input_paths", "InputPathsMap"),
            ("rule", ""),
            ("target_id", "Id"),
        ],
    },
    Type {
        resource: "aws_cloudwatch_metric_alarm",
        api: Api::MetricAlarm,
        name: None,
        arguments: &[
            (
                "evaluate_low_sample_count_percentiles",
                "EvaluateLowSampleCountPercentile",
            ),
            ("metric_query", "Metrics"),
            ("metric_query.metric", "MetricStat"),
            ("metric_query.metric.dimensions", "Metric.Dimensions"),
            ("metric_query.metric.metric_name", "Metric.MetricName"),
            ("metric_query.metric.namespace", "Metric.Namespace"),
        ],
    },
    Type {
        resource: "aws_ecs_capacity_provider",
        api: Api::CapacityProvider,
        name: None,
        arguments: &[],
    },
    Type {
        resource: "aws_ecs_service",
        api: Api::Service,
        name: None,
        arguments: &[
            ("alarms", "deploymentConfiguration.alarms"),
            (
                "deployment_circuit_breaker",
                "deploymentConfiguration.deploymentCircuitBreaker",
            ),
            (
                "deployment_maximum_percent",
                "deploymentConfiguration.maximumPercent",
            ),
            (
                "deployment_minimum_healthy_percent",
                "deploymentConfiguration.minimumHealthyPercent",
            ),
            ("force_delete", ""),
            ("force_new_deployment", ""),
            ("iam_role", "role"),
            ("load_balancer.elb_name", "loadBalancerName"),
            ("name", "serviceName"),
            (
                "network_configuration",
                "networkConfiguration.awsvpcConfiguration",
            ),
            ("ordered_placement_strategy", "placementStrategy"),
            (
                "service_connect_configuration.service.client_alias",
                "clientAliases",
            ),
            (
                "service_connect_configuration.service.tls.issuer_cert_authority",
                "issuerCertificateAuthority",
            ),
            ("sigint_rollback", ""),
            ("triggers", ""),
            (
                "volume_configuration.managed_ebs_volume.size_in_gb",
                "sizeInGiB",
            ),
            ("wait_for_steady_state", ""),
        ],
    },
    Type {
        resource: "aws_ecs_task_definition",
        api: Api::TaskDefinition,
        name: None,
        arguments: &[
            ("arn_without_revision", ""),
            ("revision", ""),
            ("skip_destroy", ""),
            ("track_latest", ""),
            ("volume.configure_at_launch", "configuredAtLaunch"),
            ("volume.host_path", "host.sourcePath"),
        ],
    },
    Type {
        resource: "aws_pipes_pipe",
        api: Api::Pipe,
        name: Some("Name"),
        arguments: &[],
    },
    Type {
        resource: "aws_scheduler_schedule",
        api: Api::Schedule,
        name: Some("Name"),
        arguments: &[(
            "target.ecs_parameters.network_configuration",
            "NetworkConfiguration.awsvpcConfiguration",
        )],
    },
];

/// What every resource has besides the members of its request.
const OF_ALL: &[&str] = &["arn", "id", "name_prefix", "region", "tags_all", "timeouts"];

impl Type {
    /// Returns the type of this name, if it is converted.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        TYPES.iter().find(|it| it.resource == name)
    }

    /// Returns where the value of an argument is in the API, if its name does not tell.
    pub(super) fn place(&self, path: &str) -> Option<&'static str> {
        let found = self.arguments.iter().find(|(name, _)| *name == path);
        found.map(|(_, place)| *place)
    }

    /// Whether an argument that the API does not have is left out silently.
    pub(super) fn is_of_terraform(path: &str) -> bool {
        OF_ALL.contains(&path)
    }
}

/// Returns the word that the API has for a switch.
pub(super) fn switch(text: &str) -> Option<&'static str> {
    match text {
        "true" => Some("ENABLED"),
        "false" => Some("DISABLED"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{Node, Shape};

    /// Returns what is at a path, through the elements of lists.
    fn at<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
        path.split('.').try_fold(node, |mut node, name| {
            while let Shape::List(element) = &node.shape {
                node = element;
            }
            match &node.shape {
                Shape::Object(members) => members.get(name),
                _ => None,
            }
        })
    }

    #[test]
    fn every_place_is_a_member_of_the_api() {
        for kind in TYPES {
            let targets = kind.resource == "aws_cloudwatch_event_target";
            let root = kind.api.tree();
            let root = if targets {
                at(root, "Targets").unwrap()
            } else {
                root
            };
            for (path, place) in kind.arguments {
                let Some((outer, _)) = path.rsplit_once('.') else {
                    assert!(place.is_empty() || at(root, place).is_some(), "{path}");
                    continue;
                };
                let last = place.rsplit('.').next().unwrap();
                let is_leaf = |node: &Node| matches!(&node.shape, Shape::Leaf(_));
                let all = kind.api.fields().any(|it| it.path.contains(last)) || is_leaf(root);
                assert!(all, "{outer}: {place}");
            }
        }
    }
}

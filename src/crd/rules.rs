//! The rules across fields that the API server checks, in the words in which the reader and the validation report
//! them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};

use super::definition::Resource;
use crate::diagnostic::Reason;

/// A rule of a custom resource.
struct SpecRule {
    /// What the operator reports of a spec that breaks it.
    reason: Reason,
    /// The member of `spec` that the rule is about; `[]` stands for each element of a list.
    at: &'static str,
    /// A condition in CEL that holds where the rule is kept.
    holds: &'static str,
    /// What stands for the facts of the reason's texts. The API server could compute them, but it cannot bound the
    /// length of a number as text, and refuses a definition that might cost too much.
    facts: &'static [(&'static str, &'static str)],
}

/// Adds the rules of a resource to the schema of its `spec`. Errors that depend on other objects, or on the operator's
/// settings, are in the conditions of the resource instead.
pub(super) fn add_rules(resource: Resource, spec: &mut JSONSchemaProps) {
    let rules: &[SpecRule] = match resource {
        Resource::TaskDefinition => TASK_DEFINITION,
        Resource::Service => SERVICE,
        Resource::Task => TASK,
        Resource::AppRunner
        | Resource::Cluster
        | Resource::Pipe
        | Resource::Rule
        | Resource::Schedule => &[],
        Resource::CapacityProvider => CAPACITY_PROVIDER,
    };
    for rule in rules {
        if let Some(schema) = member(spec, rule.at) {
            let rules = schema.x_kubernetes_validations.get_or_insert_default();
            rules.push(validation(rule));
        }
    }
}

/// The schema of a member.
fn member<'s>(schema: &'s mut JSONSchemaProps, path: &str) -> Option<&'s mut JSONSchemaProps> {
    if path.is_empty() {
        return Some(schema);
    }
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let members = schema.properties.as_mut()?;
    let schema = members.get_mut(name.trim_end_matches("[]"))?;
    if !name.ends_with("[]") {
        return member(schema, rest);
    }
    match schema.items.as_mut()? {
        JSONSchemaPropsOrArray::Schema(element) => member(element, rest),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

fn validation(rule: &SpecRule) -> ValidationRule {
    ValidationRule {
        rule: rule.holds.to_owned(),
        message: Some(message(rule)),
        ..ValidationRule::default()
    }
}

/// The reason with its message and what to do.
fn message(rule: &SpecRule) -> String {
    let reason = rule.reason;
    let (message, help) = (reason.message_template(), reason.help_template());
    format!(
        "{reason}: {}; {}",
        filled(message, rule.facts),
        filled(help, rule.facts)
    )
}

/// A template with words for its facts, without the blanks around those that have none.
fn filled(template: &str, facts: &[(&str, &str)]) -> String {
    let mut text = template.to_owned();
    for (name, words) in facts {
        text = text.replace(&format!("{{{name}}}"), words);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const TASK_DEFINITION: &[SpecRule] = &[
    SpecRule {
        reason: Reason::FargateCpuMemory,
        at: "",
        holds: "!has(self.requiresCompatibilities) || !self.requiresCompatibilities.exists(c, c == 'FARGATE') || has(self.cpu)",
        facts: &[
            ("cpu", "none"),
            ("memory", "for the task"),
            ("sizes", "give both"),
        ],
    },
    SpecRule {
        reason: Reason::FargateCpuMemory,
        at: "",
        holds: "!has(self.requiresCompatibilities) || !self.requiresCompatibilities.exists(c, c == 'FARGATE') || has(self.memory)",
        facts: &[
            ("cpu", "for the task"),
            ("memory", "none"),
            ("sizes", "give both"),
        ],
    },
    SpecRule {
        reason: Reason::FargateNetworkMode,
        at: "",
        holds: "!has(self.requiresCompatibilities) || !self.requiresCompatibilities.exists(c, c == 'FARGATE') || (has(self.networkMode) && self.networkMode == 'awsvpc')",
        facts: &[],
    },
    SpecRule {
        reason: Reason::MemoryRequired,
        at: "",
        holds: "has(self.memory) || self.containerDefinitions.all(c, has(c.memory) || (has(c.memoryReservation) && c.memoryReservation > 0))",
        facts: &[("name", "")],
    },
    SpecRule {
        reason: Reason::MemoryBelowReservation,
        at: "containerDefinitions[]",
        holds: "!has(self.memory) || !has(self.memoryReservation) || self.memory >= self.memoryReservation",
        facts: &[("m", ""), ("r", "")],
    },
    SpecRule {
        reason: Reason::EfsRootDirectoryWithAccessPoint,
        at: "volumes[].efsVolumeConfiguration",
        holds: "!has(self.authorizationConfig) || !has(self.authorizationConfig.accessPointId) || self.authorizationConfig.accessPointId == '' || !has(self.rootDirectory) || self.rootDirectory in ['', '/']",
        facts: &[],
    },
    SpecRule {
        reason: Reason::EfsTransitEncryptionRequired,
        at: "volumes[].efsVolumeConfiguration",
        holds: "!has(self.authorizationConfig) || (!has(self.authorizationConfig.accessPointId) || self.authorizationConfig.accessPointId == '') && (!has(self.authorizationConfig.iam) || self.authorizationConfig.iam != 'ENABLED') || (has(self.transitEncryption) && self.transitEncryption == 'ENABLED')",
        facts: &[],
    },
];

const SERVICE: &[SpecRule] = &[
    LAUNCH_TYPE_OR_STRATEGY,
    SpecRule {
        reason: Reason::DesiredCountRequired,
        at: "",
        holds: "has(self.desiredCount) || (has(self.autoScaling) && has(self.autoScaling.scalableTarget)) || (has(self.schedulingStrategy) && self.schedulingStrategy == 'DAEMON')",
        facts: &[],
    },
    SpecRule {
        reason: Reason::DaemonOnFargate,
        at: "",
        holds: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || !has(self.launchType) || self.launchType != 'FARGATE'",
        facts: &[],
    },
    SpecRule {
        reason: Reason::DaemonPlacementStrategy,
        at: "",
        holds: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || !has(self.placementStrategy) || size(self.placementStrategy) == 0",
        facts: &[],
    },
    SpecRule {
        reason: Reason::DaemonVolumeConfigurations,
        at: "",
        holds: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || !has(self.volumeConfigurations) || size(self.volumeConfigurations) == 0",
        facts: &[],
    },
    SpecRule {
        reason: Reason::CapacityOrder,
        at: "autoScaling.scalableTarget",
        holds: MIN_BELOW_MAX,
        facts: &[("min", ""), ("max", "")],
    },
    SpecRule {
        reason: Reason::CapacityOrder,
        at: "autoScaling.scheduledActions[].ScalableTargetAction",
        holds: MIN_BELOW_MAX,
        facts: &[("min", ""), ("max", "")],
    },
    SpecRule {
        reason: Reason::ScalableTargetActionEmpty,
        at: "autoScaling.scheduledActions[].ScalableTargetAction",
        holds: "has(self.MinCapacity) || has(self.MaxCapacity)",
        facts: &[],
    },
    SpecRule {
        reason: Reason::DeploymentPercentOrder,
        at: "deploymentConfiguration",
        holds: "!has(self.minimumHealthyPercent) || !has(self.maximumPercent) || self.minimumHealthyPercent <= self.maximumPercent",
        facts: &[("min", ""), ("max", "")],
    },
];

const MIN_BELOW_MAX: &str =
    "!has(self.MinCapacity) || !has(self.MaxCapacity) || self.MinCapacity <= self.MaxCapacity";

const TASK: &[SpecRule] = &[
    LAUNCH_TYPE_OR_STRATEGY,
    SpecRule {
        reason: Reason::InvalidTaskGroup,
        at: "",
        holds: "!has(self.group) || !self.group.startsWith('service:')",
        facts: &[("value", "")],
    },
];

const CAPACITY_PROVIDER: &[SpecRule] = &[
    SpecRule {
        reason: Reason::CapacityProviderTypes,
        at: "",
        holds: "!(has(self.autoScalingGroupProvider) && has(self.managedInstancesProvider))",
        facts: &[],
    },
    SpecRule {
        reason: Reason::TerminationProtectionNeedsScaling,
        at: "autoScalingGroupProvider",
        holds: "!has(self.managedTerminationProtection) || self.managedTerminationProtection != 'ENABLED' || (has(self.managedScaling) && has(self.managedScaling.status) && self.managedScaling.status == 'ENABLED')",
        facts: &[],
    },
    SpecRule {
        reason: Reason::SeveralNodeSources,
        at: "kubernetes",
        holds: "[has(self.karpenter), has(self.nodeGroup), has(self.nodeSelector) && size(self.nodeSelector) > 0].filter(it, it).size() <= 1",
        facts: &[("members", "several")],
    },
];

const LAUNCH_TYPE_OR_STRATEGY: SpecRule = SpecRule {
    reason: Reason::LaunchTypeAndStrategy,
    at: "",
    holds: "!(has(self.launchType) && has(self.capacityProviderStrategy) && size(self.capacityProviderStrategy) > 0)",
    facts: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_no_open_facts() {
        for rule in TASK_DEFINITION
            .iter()
            .chain(SERVICE)
            .chain(TASK)
            .chain(CAPACITY_PROVIDER)
        {
            let text = message(rule);
            assert!(!text.contains(['{', '}']), "{text}");
        }
    }

    #[test]
    fn facts_that_differ_from_case_to_case_are_left_out() {
        let order = &SERVICE.last().expect("there are rules");
        assert_eq!(
            message(order),
            "DeploymentPercentOrder: minimumHealthyPercent is greater than maximumPercent; lower minimumHealthyPercent or raise maximumPercent"
        );
    }
}

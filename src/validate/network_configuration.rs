//! `networkConfiguration`: the VPC settings of a service or task.

use crate::ecs;

/// `networkConfiguration.awsvpcConfiguration`; empty where it is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkConfiguration {
    /// The subnets, which have no effect here: pods run where their nodes are.
    pub subnets: Vec<String>,
    /// The security groups of the tasks.
    pub security_groups: Vec<String>,
    /// Whether tasks request a public IP address.
    pub public_ip: bool,
}

/// Reads `networkConfiguration` of a service or task. Nothing in it is rejected.
pub(crate) fn validate_network_configuration(
    raw: Option<&ecs::NetworkConfiguration>,
) -> NetworkConfiguration {
    let Some(raw) = raw.and_then(|raw| raw.awsvpc_configuration.as_ref()) else {
        return NetworkConfiguration::default();
    };
    let ecs::AwsVpcConfiguration {
        subnets,
        security_groups,
        assign_public_ip,
    } = raw;
    let mut groups = Vec::new();
    for group in security_groups {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    NetworkConfiguration {
        subnets: subnets.clone(),
        security_groups: groups,
        public_ip: assign_public_ip.as_deref() == Some("ENABLED"),
    }
}

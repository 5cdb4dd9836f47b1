//! Target groups, service registries and the operator's own way to expose a service.

/// One entry of `loadBalancers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// The target group.
    pub target_group_arn: String,
}

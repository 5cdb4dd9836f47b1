//! Clusters: defaults for the services and tasks of the namespace
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html>).

use super::{placement::validate_strategy, service_connect::check_namespace};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Subject},
    ecs,
};

/// Returns all errors in a cluster.
#[must_use]
pub fn check_cluster(request: &ecs::Cluster) -> Diagnostics {
    let mut sink = Diagnostics::new();
    let root = FieldPath::root(Subject::Cluster);
    validate_strategy(
        &request.default_capacity_provider_strategy,
        &root.field("defaultCapacityProviderStrategy"),
        &mut sink,
    );
    check_namespace(
        namespace(request),
        &root.field("serviceConnectDefaults").field("namespace"),
        &mut sink,
    );
    sink
}

fn namespace(cluster: &ecs::Cluster) -> Option<&str> {
    let defaults = cluster.service_connect_defaults.as_ref()?;
    defaults.namespace.as_deref()
}

/// A request that a cluster provides defaults for.
pub trait TakesDefaults {
    /// Whether the request needs no defaults.
    fn is_complete(&self) -> bool;

    /// Sets the members that have no value.
    fn complete(&mut self, cluster: &ecs::Cluster);
}

impl TakesDefaults for ecs::Service {
    fn is_complete(&self) -> bool {
        names_capacity(self.launch_type.as_ref(), &self.capacity_provider_strategy)
            && !lacks_namespace(self.service_connect_configuration.as_ref())
    }

    fn complete(&mut self, cluster: &ecs::Cluster) {
        if !names_capacity(self.launch_type.as_ref(), &self.capacity_provider_strategy) {
            self.capacity_provider_strategy
                .clone_from(&cluster.default_capacity_provider_strategy);
        }
        if lacks_namespace(self.service_connect_configuration.as_ref())
            && let Some(configuration) = &mut self.service_connect_configuration
        {
            configuration.namespace = namespace(cluster).map(str::to_owned);
        }
    }
}

impl TakesDefaults for ecs::Task {
    fn is_complete(&self) -> bool {
        names_capacity(self.launch_type.as_ref(), &self.capacity_provider_strategy)
    }

    fn complete(&mut self, cluster: &ecs::Cluster) {
        if !self.is_complete() {
            self.capacity_provider_strategy
                .clone_from(&cluster.default_capacity_provider_strategy);
        }
    }
}

const fn names_capacity(
    launch_type: Option<&String>,
    strategy: &[ecs::CapacityProviderStrategyItem],
) -> bool {
    launch_type.is_some() || !strategy.is_empty()
}

fn lacks_namespace(configuration: Option<&ecs::ServiceConnectConfiguration>) -> bool {
    configuration.is_some_and(|configuration| {
        configuration.enabled == Some(true) && configuration.namespace.is_none()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cluster(request: Value) -> ecs::Cluster {
        serde_json::from_value(request).expect("it is a cluster")
    }

    /// Returns a service with the defaults applied.
    fn completed(service: Value) -> Value {
        let cluster = cluster(json!({
            "defaultCapacityProviderStrategy": [{"capacityProvider": "spot", "weight": 1}],
            "serviceConnectDefaults": {"namespace": "internal"},
        }));
        let mut service: ecs::Service = serde_json::from_value(service).expect("it is a service");
        service.complete(&cluster);
        assert!(service.is_complete());
        serde_json::to_value(service).expect("it is plain data")
    }

    #[test]
    fn a_service_gets_what_it_does_not_say() {
        let strategy = json!([{"capacityProvider": "spot", "weight": 1}]);
        assert_eq!(
            completed(json!({"serviceConnectConfiguration": {"enabled": true}})),
            json!({
                "capacityProviderStrategy": strategy,
                "serviceConnectConfiguration": {"enabled": true, "namespace": "internal"},
            })
        );
        let off = json!({"serviceConnectConfiguration": {"enabled": false}});
        assert_eq!(
            completed(off),
            json!({
                "capacityProviderStrategy": strategy,
                "serviceConnectConfiguration": {"enabled": false},
            })
        );
    }

    #[test]
    fn what_a_service_says_itself_counts() {
        for own in [
            json!({"launchType": "EC2"}),
            json!({
                "capacityProviderStrategy": [{"capacityProvider": "other"}],
                "serviceConnectConfiguration": {"enabled": true, "namespace": "own"},
            }),
        ] {
            assert_eq!(completed(own.clone()), own);
        }
    }

    #[test]
    fn a_task_gets_a_strategy() {
        let cluster =
            cluster(json!({"defaultCapacityProviderStrategy": [{"capacityProvider": "spot"}]}));
        let mut task = ecs::Task::default();
        task.complete(&cluster);
        assert_eq!(
            task.capacity_provider_strategy,
            cluster.default_capacity_provider_strategy
        );
        let mut own = ecs::Task {
            launch_type: Some("EC2".to_owned()),
            ..ecs::Task::default()
        };
        own.complete(&cluster);
        assert_eq!(own.capacity_provider_strategy, []);
    }

    #[test]
    fn wrong_defaults_are_told_where_they_stand() {
        let wrong = cluster(json!({
            "defaultCapacityProviderStrategy": [
                {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
                {"capacityProvider": "spot", "weight": 1, "base": 1},
            ],
            "serviceConnectDefaults": {
                "namespace": "arn:aws:servicediscovery:eu-west-1:111122223333:namespace/ns-1",
            },
        }));
        let said: Vec<String> = check_cluster(&wrong)
            .into_sorted()
            .iter()
            .map(|finding| format!("{}: {}", finding.path, finding.reason()))
            .collect();
        assert_eq!(
            said,
            [
                "defaultCapacityProviderStrategy: MixedCapacityProviders",
                "defaultCapacityProviderStrategy: MultipleBases",
                "serviceConnectDefaults.namespace: ServiceConnectNamespaceName",
            ]
        );
    }
}

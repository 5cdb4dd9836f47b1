//! The names of our annotations and labels: an interface, which does not change.

/// What the names of our annotations begin with.
pub const ANNOTATION_PREFIX: &str = "ecs-operator.dev/";
/// The annotation of a pod that names the containers whose exit is the end of its task, where others run beside them.
pub const ESSENTIAL_CONTAINERS: &str = "ecs-operator.dev/essential-containers";
/// The annotation of a pod with the `startTimeout` of the containers that others wait for, as in `db=60/HEALTHY`.
pub const START_TIMEOUTS: &str = "ecs-operator.dev/start-timeouts";
/// The annotation of the claim of a volume that outlives its task, as the request has it: `false`.
pub const DELETE_ON_TERMINATION: &str = "ecs-operator.dev/delete-on-termination";
/// The label of a pod that names the service revision of which it was made.
pub const SERVICE_REVISION: &str = "ecs-operator.dev/service-revision";
/// The prefix of the labels of pods that offer a name of Service Connect, which are the selector of the Service of that
/// name.
pub const OFFERS: &str = "discovery.ecs-operator.dev/";
/// The label of a Service with the Service Connect namespace that its names are in.
pub const CONNECT_NAMESPACE: &str = "ecs-operator.dev/service-connect-namespace";
/// The annotation of a Service with the name that clients of Service Connect use, if DNS does not resolve it: the operator
/// adds it to the hosts of their pods.
pub const CONNECT_NAME: &str = "ecs-operator.dev/service-connect-name";
/// The annotation of a pod that makes it differ from those before a forced deployment.
pub const FORCE_DEPLOYMENT: &str = "ecs-operator.dev/force-deployment";
/// The label of a pod that has no network, which is what finds it for the policy.
pub const NO_NETWORK: &str = "ecs-operator.dev/no-network";
/// The annotation of an EcsService that stops its deployment of this id, without a rollback.
pub const STOP_DEPLOYMENT: &str = "ecs-operator.dev/stop-deployment";
/// The annotation of an EcsService that rolls its deployment of this id back.
pub const ROLL_BACK_DEPLOYMENT: &str = "ecs-operator.dev/roll-back-deployment";
/// The annotation of an EcsService that has the tasks of its deployment of this id replaced by tasks as they would be
/// rendered today.
pub const RENEW_DEPLOYMENT: &str = "ecs-operator.dev/renew-deployment";
/// The annotation of an EcsTask that names the pods that may have run, so that none of them runs a second time.
pub const BEGUN: &str = "ecs-operator.dev/begun";

//! The names of annotations and labels of this operator. They are a public interface, which does not change. One of EKS is
//! here because both the translation and the policies read it.

/// The prefix of the names of annotations.
pub const ANNOTATION_PREFIX: &str = "ecs-operator.dev/";
/// The annotation of a pod that lists the containers whose exit ends the task, if other containers run beside them.
pub const ESSENTIAL_CONTAINERS: &str = "ecs-operator.dev/essential-containers";
/// The annotation of a pod with the `startTimeout` of the containers that others wait for, as in `db=60/HEALTHY`.
pub const START_TIMEOUTS: &str = "ecs-operator.dev/start-timeouts";
/// The annotation of a pod with the log configuration of its containers, by their names in the pod, for a log agent on
/// the node.
pub const LOG_CONFIGURATION: &str = "ecs-operator.dev/log-configuration";
/// The annotation of the claim of a volume that outlives its task, with the value of the request: `false`.
pub const DELETE_ON_TERMINATION: &str = "ecs-operator.dev/delete-on-termination";
/// The label of a pod that contains its service revision.
pub const SERVICE_REVISION: &str = "ecs-operator.dev/service-revision";
/// The prefix of the labels of pods that offer a Service Connect name; the Service of that name selects them by these
/// labels.
pub const OFFERS: &str = "discovery.ecs-operator.dev/";
/// The label of a Service with the Service Connect namespace that its names are in.
pub const CONNECT_NAMESPACE: &str = "ecs-operator.dev/service-connect-namespace";
/// The annotation of a Service with the name that clients of Service Connect use, if DNS does not resolve it: the operator
/// adds it to the hosts of their pods.
pub const CONNECT_NAME: &str = "ecs-operator.dev/service-connect-name";
/// The label with the capacity provider of a pod or node.
pub const CAPACITY_PROVIDER: &str = "ecs-operator.dev/capacity-provider";
/// The annotation of a pod that makes it differ from pods before a forced deployment.
pub const FORCE_DEPLOYMENT: &str = "ecs-operator.dev/force-deployment";
/// The label of a pod that has no network, by which the NetworkPolicy selects it.
pub const NO_NETWORK: &str = "ecs-operator.dev/no-network";
/// The annotation of an EcsService that stops the deployment with this ID, without a rollback.
pub const STOP_DEPLOYMENT: &str = "ecs-operator.dev/stop-deployment";
/// The annotation of an EcsService that rolls back the deployment with this ID.
pub const ROLL_BACK_DEPLOYMENT: &str = "ecs-operator.dev/roll-back-deployment";
/// The annotation of an EcsService that renews the deployment with this ID: its tasks are replaced by tasks as this
/// version renders them.
pub const RENEW_DEPLOYMENT: &str = "ecs-operator.dev/renew-deployment";
/// The annotation of an AppRunnerService whose value begins a deployment whenever it changes.
pub const START_DEPLOYMENT: &str = "ecs-operator.dev/start-deployment";
/// The annotation of an EcsTask that lists the pods that may have run, so that none of them runs a second time.
pub const BEGUN: &str = "ecs-operator.dev/begun";
/// The label of an EcsTask with the EcsPipe that has started it.
pub const PIPE: &str = "ecs-operator.dev/pipe";
/// The label of an EcsTask with a digest of the ID of the message that an EcsPipe has started it for, if it waits for it.
pub const PIPE_MESSAGE: &str = "ecs-operator.dev/pipe-message";
/// The label of an EcsTask with the EcsRule that has started it.
pub const RULE: &str = "ecs-operator.dev/rule";
/// The annotation of an EcsTask that an EcsRule has started: how many EcsRules one after the other have led to it.
pub const RULE_DEPTH: &str = "ecs-operator.dev/rule-depth";
/// The label of an EcsTask that a pipe waited for, when its message is deleted: until then, it says that the message is done.
/// It is no annotation, because a version that does not know it must not reject the task.
pub const MESSAGE_DELETED: &str = "ecs-operator.dev/pipe-message-deleted";
/// The label of an EcsTask with the EcsSchedule that has started it.
pub const SCHEDULE: &str = "ecs-operator.dev/schedule";
/// The annotation of an EcsTask with the time at which its EcsSchedule was due.
pub const SCHEDULED_AT: &str = "ecs-operator.dev/scheduled-at";
/// The annotation of what an AppRunnerService makes: from what it was converted, and to what. It has a prefix of its own,
/// because a version that does not know it must not reject the object.
pub const CONVERTED: &str = "app-runner.ecs-operator.dev/converted";
/// The finalizer of an EcsCapacityProvider, which stays while something names it.
pub const IN_USE: &str = "ecs-operator.dev/in-use";
/// The annotation of a NodePool with the UID of the EcsCapacityProvider that it belongs to.
pub const PROVIDER_UID: &str = "ecs-operator.dev/capacity-provider-uid";
/// The annotation of a NodePool with the digest of what the operator applied.
pub const APPLIED: &str = "ecs-operator.dev/applied";
/// The label of the placeholders on the nodes of a capacity provider, with its name.
pub const SPARE_ROOM: &str = "ecs-operator.dev/spare-room";
/// The annotation of the Deployment of placeholders with the time at which their number and size were decided.
pub const SIZED_AT: &str = "ecs-operator.dev/sized-at";
/// The annotation from which the EKS webhook reads the role of a service account
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>).
pub const EKS_ROLE: &str = "eks.amazonaws.com/role-arn";

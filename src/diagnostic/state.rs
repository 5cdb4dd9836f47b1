//! The registry of what conditions, events and stopped tasks say about objects that run.

use std::fmt;

use super::{Page, Reason};

/// Declares [`StateReason`] from a table. Each row is `Name => "what it means", "what to do";`.
macro_rules! states {
    ($($name:ident => $meaning:literal, $help:literal;)*) => {
        /// The reason of a condition or an event, or the stop code of a task.
        ///
        /// Its name is stable: people filter on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table describes each variant")]
        pub enum StateReason {
            $($name,)*
        }

        impl StateReason {
            /// Every one, by name.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name, as conditions and events have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// Its page in `docs/reasons`.
            #[must_use]
            pub const fn page(self) -> Page<'static> {
                match self { $(Self::$name => {
                    Page::of(include_str!(concat!("../../docs/reasons/", stringify!($name), ".md")))
                })* }
            }

            /// What to do; empty where there is nothing to do.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

states! {
    AnotherClusterCounts => "Another EcsCluster already provides the defaults of the namespace.", "Delete one of the two.";
    CannotCreateContainerError => "The kubelet cannot create a container.", "Read the message: create the Secret or ConfigMap that is missing, or correct the task definition.";
    CannotPullContainerError => "An image cannot be pulled.", "Read the message: correct the image, or give the nodes access to its registry.";
    CannotStartContainerError => "The container runtime cannot start a container.", "Read the message: usually command or entryPoint names a program that the image does not have.";
    CapacityProviderActive => "The capacity provider can be used.", "";
    CapacityProviderInUse => "The capacity provider is to be deleted, and something still names it.", "Remove it from what the message names; it is deleted by itself then.";
    CapacityProviderNotAccepted => "A capacity provider that the strategy names is rejected.", "Correct the EcsCapacityProvider.";
    CapacityProvidersUnknown => "The strategy names capacity providers, and EcsCapacityProviders may not be listed.", "Give the operator the right to list and watch ecscapacityproviders, which the Helm chart has.";
    ChangedByOthers => "Someone else changed an object of the service, and the operator changed it back.", "Change the EcsService or its task definition instead, or remove the autoscaler of the Deployment.";
    ClusterNotAccepted => "The EcsCluster that has defaults for this is rejected.", "Correct the EcsCluster.";
    Completed => "All tasks have stopped, and their essential containers exited with code 0.", "";
    Conflict => "An object was changed while it was being written.", "Nothing: the operator tries again.";
    ContainerExited => "A container exited with an error.", "Read its log: ecs-operator logs.";
    Counts => "This EcsCluster provides the defaults of its namespace.", "";
    DeadLetterNotSent => "A start was given up, and no message about it could be sent to the dead-letter queue.", "Read the message: give the role of the operator sqs:SendMessage, allow the queue in an EcsPolicy, or correct the ARN. The start itself is in the status.";
    DeploymentCompleted => "A deployment is complete.", "";
    DeploymentConfigurationBlocksRollout => "minimumHealthyPercent and maximumPercent leave no room to replace a task.", "Lower the one or raise the other.";
    DeploymentFailed => "A deployment failed and was not rolled back.", "Read the reason in status.deployments and change the spec; the operator does not try the same spec again.";
    DeploymentStarted => "A deployment has started.", "";
    DesiredCountSet => "The number of tasks has been set by a scaling policy that the operator runs, or moved into the range that a scheduled action, or the spec after one, has set.", "";
    EssentialContainerExited => "The task stopped because an essential container exited.", "If its exit code is not 0, read its log.";
    FiringSkipped => "The tasks of a schedule are not started, because of its concurrencyPolicy.", "Nothing if that is what it should do; otherwise make the tasks shorter, or set another concurrencyPolicy.";
    FiringsMissed => "A schedule was due while no operator ran; of these times only the newest starts tasks.", "Start what is missing: ecs-operator run.";
    Forbidden => "The API server forbids a request.", "Give the operator the right that the message names, or see which admission policy refuses it.";
    HealthCheckFailed => "A container fails its health check.", "See what the health check's command prints, and the log of the container.";
    ImageBuilt => "The image that a builder has made is known.", "";
    ImageNotBuilt => "The builder of an App Runner service has made no image yet.", "Nothing, while it builds; otherwise read what its object says.";
    ImageScanBlocked => "A deployment is held back because of what a scan of ECR has found in its images.", "Read the message: deploy an image with the fixes, or have an administrator ignore what does not matter.";
    ImageScanMissing => "A deployment has begun with an image of which it is not known what scans have found.", "Read the message: turn on scans for the repository, or give the operator the right to read their findings.";
    ImageScanPending => "A deployment waits for the scan of its images.", "Nothing: it begins when the scan is done and has not found too much, or has taken too long.";
    ImageTagNotResolved => "The tag of an image is not resolved to a digest, and tasks of the deployment can run different images.", "Read the message: give the operator access to the registry, name the image by its digest, or push every build under a tag of its own.";
    InProgress => "Tasks are being started, stopped or replaced.", "";
    InternalError => "The operator has a bug.", "Report it, with the log of the operator.";
    Invalid => "The API server rejects an object as invalid.", "Read the message, and change the spec.";
    InvalidTaskDefinition => "taskDefinition is not a family, family:revision or ARN.", "Correct it.";
    MatchesEvents => "The rule matches events, and starts tasks.", "";
    MetricsUnavailable => "What scales the service cannot get its metrics, or cannot scale.", "Read the message: install metrics-server or the adapter for the metric, or correct the policy.";
    NameDiffers => "The name of the object is not the one that its spec asks for, or is too long.", "Rename the object, or leave the name out of the spec.";
    NodeNotReady => "The node of a task is not ready.", "Run kubectl describe node.";
    NodePoolNotReady => "The NodePool of a capacity provider does not work.", "Read the message of Karpenter: usually the class that nodeClassRef names is missing or not ready.";
    NotAccepted => "The spec is rejected.", "Read the condition Accepted.";
    NotAllowedByPolicy => "The spec uses something that no EcsPolicy allows in its namespace.", "Read the message: it has the line of a policy that would allow it, which an administrator can add.";
    NotFound => "An object that a request needs does not exist.", "Read the message, and create the object; the operator tries again.";
    ObjectNotOwned => "An object with a name that this one needs has another owner.", "Rename or delete it, or rename this one.";
    OutOfMemoryError => "A container was killed because it exceeded its memory limit.", "Raise the limit, or find out what uses the memory.";
    PipeParameterMissing => "No task can be made of a message, which stays in its queue.", "Read the message: correct the pipe or what sends the messages, and give the queue a dead-letter queue.";
    PipeStopped => "The DesiredState of the pipe is STOPPED, so it receives no messages.", "";
    PipeTaskFailed => "The tasks of a message have failed, so that the message stays in its queue and comes again.", "Read why the EcsTask has failed, and give the queue a dead-letter queue for messages that fail again and again.";
    PlatformNotProvided => "The nodes of a capacity provider have another platform than the task definition asks for.", "Name a capacity provider with such nodes, or change runtimePlatform.";
    PodNameTaken => "The pod of an earlier EcsTask of the same name has not ended yet.", "Nothing: the task starts when that pod is gone; delete the pod to speed it up.";
    PodSecurityViolated => "The namespace does not permit the pods of the task definition, by its level of Pod Security.", "Read the message: change the task definition, or ask an administrator for another level.";
    QueueUnavailable => "The queue of a pipe cannot be read.", "Read the message: it names the permission that the role of the operator lacks; the operator tries again.";
    QueuesNotRead => "The operator receives no messages of SQS, because its settings do not ask for that.", "Set settings.sqs of the Helm chart, or --sqs, and give the operator a role.";
    QuotaExceeded => "The ResourceQuota of the namespace does not allow the task.", "Raise it, or wait until other tasks have ended.";
    ReceivesMessages => "The pipe receives the messages of its queue, and starts tasks.", "";
    Registered => "The spec of the task definition is a revision.", "";
    RequestFailed => "A request to the API server failed.", "Read the message; the operator tries again.";
    RevisionNotFound => "The task definition has no revision of that number.", "Name one that it has.";
    RolledBack => "A deployment failed, and the previous one runs again.", "Read why it failed, and change the spec; the operator does not try it again until then.";
    RollingBack => "A deployment failed, and the previous one is being restored.", "";
    RuleDisabled => "The State of the rule is DISABLED, so it starts nothing.", "";
    ScalingByPolicies => "What scales the service has the metrics that its policies need.", "";
    ScheduleDisabled => "The State of the schedule is DISABLED, so it starts nothing.", "";
    ScheduleOver => "The schedule is not due any more.", "";
    Scheduled => "The schedule starts its tasks when it is due.", "";
    ScheduledActionFailed => "A scheduled action would have set a minimum capacity above the maximum capacity, and has changed nothing.", "Give the action both MinCapacity and MaxCapacity.";
    ScheduledActionRun => "A scheduled action has set the minimum and maximum capacity of the service.", "";
    SchedulingGated => "A scheduling gate keeps the task from being scheduled.", "Find out who added the gate to the pod.";
    ServerError => "The API server failed to answer a request.", "Nothing: the operator tries again.";
    ServicePaused => "An App Runner service is paused, so that no instance runs.", "Set paused to false to resume it.";
    ServiceRevisionNotFound => "The revision that should run is no longer stored.", "Change the spec to what should run.";
    SpareRoomNotKept => "The placeholders that keep room on the nodes of a capacity provider cannot be created.", "Set capacityProviders.spareRoom in the Helm chart, which creates their PriorityClass.";
    SteadyState => "All desired tasks are running, and no others.", "";
    TaintsAwaitRenewal => "The NodePool of a capacity provider does not have the taints of its spec yet, because something that uses it does not tolerate them.", "Renew the services that the message names: ecs-operator renew.";
    TargetInvocationFailed => "The tasks of a schedule, an event or a message could not be started.", "Read the message; the operator tries again: for a schedule or an event until MaximumEventAgeInSeconds or MaximumRetryAttempts is reached, for a message when the queue gives it again.";
    TargetNotHealthyYet => "A load balancer does not consider a task healthy yet, as with each new task for a while.", "If it lasts: look at the target group, and whether the controller of the load balancer runs.";
    TargetUnhealthy => "A load balancer considers a task unhealthy.", "See the health check of the target group, and the security groups.";
    TaskDefinitionNotAccepted => "The task definition is rejected, or its revision is gone.", "Read the conditions of the EcsTaskDefinition.";
    TaskDefinitionNotFound => "There is no such task definition.", "Apply it, or correct taskDefinition.";
    TaskDefinitionRequired => "The spec names no task definition.", "Add taskDefinition.";
    TaskFailedToStart => "The task stopped before its containers ran.", "Read its stoppedReason.";
    TaskNotCreated => "The API server rejects the pod of a task.", "Read the message: a quota, a policy or a webhook rejects the pod.";
    TaskRunning => "The task runs.", "";
    TaskStopped => "The cluster stopped a task, and not its containers.", "Read the message: the node ran out of memory or disk, was shut down, or did not take the task.";
    TasksStarted => "The schedule was due, and its tasks are started.", "";
    TasksStopped => "The operator stopped tasks that had ended or did not become healthy.", "Read the log of the container that the message names.";
    TerminationNotice => "The node of the task was removed, or evicted the task.", "Nothing for a service, which starts another task; create an EcsTask again.";
    TooManyRequests => "The API server asks the operator to wait.", "Nothing: the operator tries again.";
    Translated => "The spec is accepted.", "";
    UnableToPlaceTask => "No node has room for a task, or is allowed to run it.", "Read the message of the scheduler: add nodes, or ask for less.";
    Unreachable => "The API server does not answer.", "Nothing: the operator tries again.";
    UserInitiated => "A user stopped the task.", "";
    VolumeReleased => "A volume was released and is created again.", "Nothing: the operator tries again.";
}

impl StateReason {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.name() == name)
    }

    /// Whether a condition or an event has this reason.
    #[must_use]
    pub fn is(self, reason: &str) -> bool {
        self.name() == reason
    }
}

impl fmt::Display for StateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The reason of a condition or an event: of what runs, or of why a spec is refused. It is in one of the two registries, so
/// `explain` and the documentation know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReason {
    /// About objects that run.
    State(StateReason),
    /// About a spec.
    Finding(Reason),
}

impl StatusReason {
    /// The name, as conditions and events have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::State(state) => state.name(),
            Self::Finding(reason) => reason.name(),
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let finding = || name.parse().ok().map(Self::Finding);
        StateReason::named(name).map(Self::State).or_else(finding)
    }
}

impl From<StateReason> for StatusReason {
    fn from(state: StateReason) -> Self {
        Self::State(state)
    }
}

impl From<Reason> for StatusReason {
    fn from(reason: Reason) -> Self {
        Self::Finding(reason)
    }
}

impl fmt::Display for StatusReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_row_in_the_order_of_names_and_says_what_it_means() {
        assert!(StateReason::ALL.is_sorted_by(|one, other| one.name() < other.name()));
        for reason in StateReason::ALL {
            for text in [reason.meaning(), reason.help()] {
                assert!(
                    text.is_empty()
                        || text.ends_with('.') && text.starts_with(char::is_uppercase)
                        || text.starts_with("min")
                        || text.starts_with("taskDefinition"),
                    "{reason}: {text}"
                );
            }
            assert!(!reason.meaning().is_empty(), "{reason}");
        }
    }
}

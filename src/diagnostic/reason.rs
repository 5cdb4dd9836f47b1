//! The registry of reasons: everything this program can say about an input, declared once.
//!
//! A reason's name is stable: people filter on it, and conditions and events carry it. Its severity decides what
//! happens: an error rejects the document, a warning names a difference, a note is shown on request.

use std::{borrow::Cow, fmt};

use super::{Page, Severity};

/// The message of a reason that has no facts; `None` for one that has.
macro_rules! bare {
    ($name:ident) => {
        Some(Message::$name)
    };
    ($name:ident $($fact:ident)+) => {
        None
    };
}

/// Declares [`Message`] (a reason with its facts) and [`Reason`] (its stable name) from one table.
///
/// Each row is `Name { facts } => "message", "help";`. An empty help means that the message says it all.
macro_rules! reasons {
    ($($severity:ident {
        $($name:ident $({ $($fact:ident),* })? => $message:literal, $help:literal;)*
    })*) => {
        /// A reason together with the facts that its text needs.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table's texts describe each variant")]
        pub enum Message {
            $($($name $({ $($fact: String),* })?,)*)*
        }

        /// The stable name of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table's texts describe each variant")]
        pub enum Reason {
            $($($name,)*)*
        }

        impl Reason {
            /// Every reason, errors first, then warnings, then notes, each by name.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// The CamelCase name, as conditions, events and the command line show it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)*)* }
            }

            /// What a diagnostic with this reason does to its document.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)*)* }
            }

            /// The message with its facts still named in braces.
            #[must_use]
            pub const fn message_template(self) -> &'static str {
                match self { $($(Self::$name => $message,)*)* }
            }

            /// The help line with its facts still named in braces; empty where the message says it all.
            #[must_use]
            pub const fn help_template(self) -> &'static str {
                match self { $($(Self::$name => $help,)*)* }
            }
        }

        impl Reason {
            /// Its page in `docs/reasons`.
            #[must_use]
            pub const fn page(self) -> Page<'static> {
                match self { $($(Self::$name => {
                    Page::of(include_str!(concat!("../../docs/reasons/", stringify!($name), ".md")))
                })*)* }
            }

            /// The message with `<name>` for each fact.
            #[must_use]
            pub fn readable_message(self) -> String {
                readable(self.message_template())
            }

            /// The help line with `<name>` for each fact; empty where the message says it all.
            #[must_use]
            pub fn readable_help(self) -> String {
                readable(self.help_template())
            }

            /// The message of a reason that has no facts; `None` for one that has.
            #[must_use]
            pub const fn bare_message(self) -> Option<Message> {
                match self { $($(Self::$name => bare!($name $($($fact)*)?),)*)* }
            }
        }

        impl Message {
            /// The reason that this message gives.
            #[must_use]
            pub const fn reason(&self) -> Reason {
                match self { $($(Self::$name { .. } => Reason::$name,)*)* }
            }

            /// What to do about it; empty where the message says it all.
            #[must_use]
            #[allow(unused_variables, reason = "a fact may stand in the message alone")]
            pub fn help(&self) -> String {
                match self { $($(Self::$name $({ $($fact),* })? => {
                    $($(let $fact = brief($fact);)*)?
                    format!($help)
                })*)* }
            }
        }

        impl fmt::Display for Message {
            #[allow(unused_variables, reason = "a fact may stand in the help alone")]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $($(Self::$name $({ $($fact),* })? => {
                    $($(let $fact = brief($fact);)*)?
                    write!(f, $message)
                })*)* }
            }
        }
    };
}

/// A template of [`format!`] with `<name>` for `{name}`, which looks like something to fill in.
fn readable(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template.chars().peekable();
    let mut is_inside = false;
    while let Some(c) = rest.next() {
        text.push(match c {
            '}' if is_inside => {
                is_inside = false;
                '>'
            }
            // Doubled braces are braces.
            '{' if rest.next_if_eq(&c).is_none() => {
                is_inside = true;
                '<'
            }
            '}' => rest.next_if_eq(&c).unwrap_or(c),
            c => c,
        });
    }
    text
}

/// The longest fact that a message tells whole, in bytes.
const LONGEST_FACT: usize = 1000;

/// A fact, or its beginning: a wrong value may be as long as a file.
fn brief(fact: &str) -> Cow<'_, str> {
    if fact.len() <= LONGEST_FACT {
        return Cow::Borrowed(fact);
    }
    let ends = fact.char_indices().map(|(at, _)| at);
    let end = ends
        .take_while(|at| *at <= LONGEST_FACT)
        .last()
        .unwrap_or(0);
    let (begin, rest) = fact.split_at(end);
    Cow::Owned(format!("{begin}... ({} bytes more)", rest.len()))
}

reasons! {
    Error {
        AlarmEvaluationUnsupported => "the operator evaluates an alarm each minute, over periods that end with the last minute, and not in this way", "leave the member out, and watch a metric with MetricName";
        AlarmMetricConflict { member, other } => "{member} and {other} exclude each other", "keep one of them";
        AllWeightsZero => "at least one capacity provider needs a weight greater than 0", "set weight: 1 on one of them";
        AmbiguousDocument { message, advice } => "{message}", "{advice}";
        AnomalyAlarmUnsupported => "an alarm on a band of anomaly detection triggers no scaling policy, neither in AWS nor here", "compare the metric with a Threshold";
        AppMeshUnsupported => "App Mesh is discontinued", "remove proxyConfiguration and use Service Connect or a service mesh";
        AppRunnerCpuMemory { cpu, memory } => "App Runner has no instance with the cpu {cpu} and the memory {memory}", "use 256 with 512 or 1024, 512 with 1024, 1024 with 2048, 3072 or 4096, 2048 with 4096 or 6144, 4096 with 8192, 10240 or 12288";
        AppRunnerFileNotRead => "the settings of the program are in apprunner.yaml in the repository, which the operator does not read", "set ConfigurationSource to API, and give Port, StartCommand, variables and secrets in CodeConfigurationValues";
        AttributeValueNotALabel { value } => "{value} cannot be part of a node label", "use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends";
        AutoDeployOnPublicImage => "App Runner deploys no images of ECR Public by itself", "set AutoDeploymentsEnabled to false";
        AutoScalingConfigurationUnknown { value } => "{value} is not among the documents", "give the output of aws apprunner describe-auto-scaling-configuration too, or leave AutoScalingConfigurationArn out for the default of 1 to 25 instances";
        AwslogsOptionMissing { name } => "awslogs needs option {name}", "add it to logConfiguration.options";
        BakeTimeRequired => "bakeTimeInMinutes is required with strategy BLUE_GREEN", "use strategy ROLLING, which needs no bake time";
        BareMetalCannotBeRequired => "a NodePool cannot ask for bare metal", "name the types in allowedInstanceTypes, such as m7i.metal-24xl";
        CapacityOrder { min, max } => "minimum {min} is greater than maximum {max}", "lower the minimum or raise the maximum";
        CapacityProviderNameReserved { name } => "{name} begins with aws, ecs or fargate, which are names of AWS", "choose another name";
        CapacityProviderTypes => "autoScalingGroupProvider and managedInstancesProvider exclude each other", "remove one of them";
        ClassicLoadBalancerUnsupported => "Classic Load Balancers cannot be used", "create an ALB or NLB target group and give targetGroupArn, or set spec.kubernetes.expose in an EcsService";
        CodeRepositoryNeedsBuild => "source code has to be built first", "write a Dockerfile with ecs-operator apprunner dockerfile, build and push the image, and give it as ImageRepository; in a cluster, builtBy of an AppRunnerService can name what builds it";
        CompletionOnEssentialContainer { condition, name } => "{condition} cannot be set on essential container {name}", "set essential: false on {name}";
        ConfidentialSandboxUnsupported => "no Kubernetes equivalent of Nitro confidential sandboxes", "use isolationMode SHARED or ISOLATED_SANDBOX, and no attestationPolicy";
        ConflictingDependencyConditions { name, condition } => "other containers wait for {name} with HEALTHY and with {condition}", "use only one: a container either keeps running or ends";
        ConflictingObjects { kind, name, other } => "{other} produces another {kind} {name}", "rename one of them, or convert each cluster separately with its own --namespace";
        ConstraintOperatorUnsupported { op, subject } => "operator {op} needs an integer for {subject}", "compare with a whole number, or list the values with in";
        ConstraintSubjectUnsupported { subject } => "{subject} has no node label", "label the nodes attribute.ecs-operator.dev/NAME=VALUE, and compare attribute:NAME";
        ConstraintTooComplex { n } => "the constraint expands to {n} alternatives; the limit is 64", "use attribute:NAME in [A, B], or give the nodes one common label and require it";
        ContainerCpuExceedsTask { sum, task } => "containers reserve {sum} cpu units, the task has {task}", "raise the cpu of the task or lower that of its containers";
        ContainerMemoryExceedsTask { sum, task } => "containers reserve {sum} MiB, the task has {task}", "raise the memory of the task or lower that of its containers";
        ContainerMemoryTooSmall { value } => "{value} MiB is below the minimum of 6 MiB", "give at least 6; the unit is MiB";
        ContainerPortConflict { a, b, port, proto } => "containers {a} and {b} both use {port}/{proto}", "containers of a pod share one network namespace: change one port";
        DaemonAutoScaling => "DAEMON services cannot be scaled", "use schedulingStrategy REPLICA with a desiredCount, or remove the scaling documents";
        DaemonCapacityProviders => "DAEMON services take no capacityProviderStrategy", "use launchType EC2 instead, and choose the nodes with placementConstraints";
        DaemonOnFargate => "DAEMON services cannot run on Fargate", "use EC2 capacity, or run the agent as a sidecar of each task";
        DaemonPlacementStrategy => "DAEMON services take no placementStrategy", "remove it: a daemon runs on every node that its constraints allow";
        DaemonVolumeConfigurations => "DAEMON services take no volumeConfigurations", "use schedulingStrategy REPLICA with a desiredCount, or a host or EFS volume";
        DependencyCycle { cycle } => "dependency cycle: {cycle}", "remove one of the dependsOn or links entries that make it";
        DeploymentControllerUnsupported { value } => "deployment controller {value} is not available", "remove deploymentController; the strategy is then ROLLING";
        DeploymentPercentOrder { min, max } => "minimumHealthyPercent {min} is greater than maximumPercent {max}", "lower minimumHealthyPercent or raise maximumPercent";
        DesiredCountRequired => "desiredCount is required for REPLICA services", "give the number of tasks, leave it to autoScaling with a scalableTarget, or use schedulingStrategy DAEMON";
        DisableNetworkingUnsupported { name } => "networking cannot be disabled for one container of several", "move {name} to its own task definition, or remove disableNetworking";
        DnsSettingsConflict { field } => "containers have different {field}", "a pod has one DNS configuration: give all containers the same";
        DockerVolumeDriverUnsupported { value } => "Docker volume driver {value} does not exist in Kubernetes", "use efsVolumeConfiguration or an EBS volume";
        DockerVolumeOptionsUnsupported { keys } => "driverOpts {keys} cannot be translated", "use type=nfs, type=tmpfs or o=bind, or efsVolumeConfiguration";
        DuplicateAlarm { value } => "AlarmName {value} is used twice", "give each alarm a name of its own; that inside a policy has the name of the policy";
        DuplicateDocument { kind, name, place } => "{kind} {name} is given twice, first in {place}", "keep one of them";
        DuplicateMountPath { value, name } => "containerPath {value} is mounted twice in container {name}", "remove one of the mountPoints";
        DuplicateScalingPolicy { value } => "PolicyName {value} is used twice", "give each policy a name of its own";
        DuplicateScheduledAction { value } => "ScheduledActionName {value} is used twice", "give each action a name of its own";
        DuplicateTag { value } => "tag key {value} is used twice", "keep one of them";
        DuplicateVolume { value } => "volume {value} is defined twice", "rename one of them, also in mountPoints";
        EbsIopsRequired { value } => "volumeType {value} needs iops", "give iops, or use volumeType gp3";
        EbsOnFargate => "EKS Fargate cannot mount EBS volumes", "use EFS or run on nodes";
        EbsSizeRequired => "sizeInGiB is required", "give sizeInGiB; with snapshotId, at least the size of the snapshot";
        EbsSnapshotSizeUnknown { value } => "the size of snapshot {value} cannot be looked up", "give sizeInGiB";
        EcsParamsUnclear { files } => "which of these files belong together is not known: {files}", "name one Compose file with one file of parameters";
        EfsConflictingOptions { a, b } => "volumes {a} and {b} mount the same EFS path with different transitEncryption or iam", "give both the same settings: they share one PersistentVolume";
        EfsRootDirectoryWithAccessPoint => "rootDirectory must be omitted or / when an access point is used", "remove rootDirectory: the access point has a root of its own";
        EfsTransitEncryptionRequired => "transitEncryption must be ENABLED with iam or an access point", "set transitEncryption: ENABLED, or remove authorizationConfig";
        EksFargateTooLarge { cpu, memory } => "{cpu} and {memory} plus 256 MiB exceed the largest EKS Fargate size (16 vCPU, 120 GB)", "choose at most 112 GB with 16 vCPU, or run on nodes";
        ElasticInferenceDiscontinued => "Elastic Inference no longer exists", "use GPU or Neuron instances";
        EnvironmentFileUnavailable { arn, option } => "{arn} cannot be read here", "pass --env-file {option} or use environment";
        EphemeralStorageTooLarge { value } => "EKS Fargate provides at most 175 GiB, not {value}", "ask for less, or put the data on EFS";
        EventPatternUnsupported => "events do not reach a CronJob", "convert it with --as resources for the operator, which follows rules for events; for a schedule, use ScheduleExpression";
        ExecutionRoleRequired { what } => "{what} executionRoleArn, without which AWS registers no task definition", "give the role with which ECS reads secrets, writes logs and pulls images";
        ExpressionNotAllowed => "distinctInstance takes no expression", "remove expression, or use type memberOf";
        ExpressionNotEvaluated { address, why } => "{address} cannot be evaluated: {why}", "correct it, or convert what terraform show -json prints";
        ExternalMetricsUnavailable { name } => "metric {name} needs KEDA, which is not installed", "install KEDA and pass --with-addon keda to convert, or scale on CPU or memory";
        ExternalSecretsUnavailable => "secrets need the External Secrets Operator (external-secrets.io/v1), which is not installed", "install it; for convert, pass --with-addon external-secrets";
        ExtraHostsConflict { hostname } => "{hostname} has two addresses in this task", "a pod has one /etc/hosts: keep one of the addresses";
        ExtraHostsWithAwsvpc => "extraHosts is not supported with networkMode awsvpc", "remove extraHosts, or use networkMode bridge on EC2 capacity";
        FargateCapability { value } => "Fargate only allows adding SYS_PTRACE, not {value}", "remove it, or use EC2 capacity";
        FargateCpuMemory { cpu, memory, sizes } => "Fargate has no size with cpu {cpu} and memory {memory}", "{sizes}";
        FargateDockerVolume => "Fargate has no Docker volumes", "use efsVolumeConfiguration or an empty volume";
        FargateGpu => "Fargate has no GPUs", "use EC2 capacity";
        FargateHostVolume => "Fargate has no host.sourcePath", "use an empty volume or EFS";
        FargateLogDriver { value } => "Fargate supports awslogs, splunk and awsfirelens, not {value}", "use one of these three, or EC2 capacity";
        FargateNetworkMode => "Fargate needs networkMode awsvpc", "set networkMode: awsvpc, or use EC2 capacity";
        FargatePidMode => "Fargate only allows pidMode task", "set pidMode: task, or use EC2 capacity";
        FargatePlacementConstraint => "Fargate takes no placement constraints", "remove placementConstraints, or use EC2 capacity";
        FargatePlacementStrategy => "Fargate takes no placement strategies", "remove placementStrategy, or use EC2 capacity";
        FargatePrivileged => "Fargate cannot run privileged containers", "remove privileged, or use EC2 capacity";
        FargateUnsupportedParameter { field } => "{field} is not supported on Fargate", "remove it, or use EC2 capacity";
        FirelensOnFargate => "EKS Fargate pods cannot read node log files", "use the log router of EKS Fargate (namespace aws-observability), or run on nodes";
        FirelensS3Config { arn, option } => "the FireLens configuration {arn} is in S3, which is not read", "convert with --firelens-config {option}; for the operator, put the file into the image and use config-file-type file";
        FsxHostUnknown { id } => "the DNS name of file system {id} is not known, and cannot be derived from its ID", "pass --fsx-host {id}=DNSNAME, which aws fsx describe-file-systems shows as DNSName";
        FsxNeedsWindows => "ECS mounts an FSx for Windows File Server file system only in Windows containers", "set runtimePlatform.operatingSystemFamily, such as WINDOWS_SERVER_2022_CORE";
        GatewayConnectorUnsupported => "gatewayConnectors has no equivalent in Kubernetes", "use spec.kubernetes.expose or a Gateway API route";
        GmsaCredentialSpecUnknown { value, option } => "the GMSACredentialSpec that was made from {value} is not known", "create it from the credential spec, and pass --gmsa-credential-spec {option}";
        GmsaUnsupported => "Kubernetes has gMSA for Windows containers only", "fetch the Kerberos tickets in the container or in a sidecar, such as by kinit with a keytab from a secret; for a Windows image, set runtimePlatform.operatingSystemFamily";
        GpuAllUnsupported => "GPUs are requested by number; ALL is not supported yet", "give the number of GPUs";
        GpuMpsUnsupported => "a pod cannot say how large its share of a GPU is", "configure MPS in the NVIDIA device plugin, and pass --gpu-resource nvidia.com/gpu.shared, or the resource that the plugin then offers";
        HealthCheckIsOneWord { value, form } => "{value} would be taken for the name of one program", "write {form}";
        HealthyWithoutHealthCheck { name } => "{name} has no healthCheck, so HEALTHY can never be met", "give {name} a healthCheck, or use condition START";
        HostDevicesUnsupported { device } => "a pod cannot be given the host device {device} without a device plugin or a privileged container", "pass --device {device}=RESOURCE with the resource of a device plugin, or --allow-host-devices, which makes the container privileged";
        HostNetworkOnFargate => "EKS Fargate has no host network", "use networkMode awsvpc, or run on nodes";
        HostPortMismatch { value, port, mode } => "hostPort {value} must be absent, 0 or equal to containerPort {port} in network mode {mode}", "remove hostPort";
        HostPortOnFargate => "EKS Fargate opens no host port, and hostPort differs from containerPort", "remove hostPort: pods are reached on containerPort";
        HostnameConflict => "containers have different hostnames", "a pod has one: give all containers the same";
        HostnameWithAwsvpc => "hostname is not supported with networkMode awsvpc", "remove hostname, or use networkMode bridge on EC2 capacity";
        ImageRequired { container } => "the container has no image", "give it one: convert takes it with --image {container}=IMAGE";
        InputNeedsEvent => "a CronJob gets no event to make the overrides of", "write the overrides into Input";
        InstanceTypePatternUnsupported { value } => "a NodePool cannot select instance types by {value}", "name types such as m7g.large, or families such as m7g.*; allow either types or families, not both";
        IntrinsicFunction { name, others } => "CloudFormation function {name} cannot be evaluated here{others}", "replace it by its value, or convert what the AWS CLI describes, as with aws ecs describe-task-definition, aws ecs describe-services or aws application-autoscaling describe-scaling-policies";
        InvalidConstraintExpression { message, column } => "{message} at column {column}", "write SUBJECT OPERATOR ARGUMENT, such as attribute:zone in [a, b], joined by and, or, not and parentheses";
        InvalidEnvironmentName { value } => "{value} is not a valid environment variable name", "rename the variable with letters, digits and _";
        InvalidEventPattern { at, message, advice } => "{message}, at {at} of the pattern", "{advice}";
        InvalidMountPath { value } => "{value} contains ':'", "give the path alone; readOnly makes a mount read-only";
        InvalidScheduleExpression { value, message } => "{value}: {message}", "write at(2026-01-15T10:30:00), rate(5 minutes) or cron(0 10 * * ? *)";
        InvalidSecretReference { value } => "{value} is neither a Secrets Manager ARN nor an SSM parameter", "give arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, or the ARN or name of a parameter";
        InvalidTargetGroupArn { value } => "{value} is not an ELBv2 target group ARN", "write arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID; --set fills a placeholder in its place";
        InvalidTargetInput { message, advice } => "{message}", "{advice}";
        InvalidTaskDefinitionReference { value } => "{value} is not family, family:revision or a task definition ARN", "write web, web:3 or an ARN; a revision is a number above 0";
        InvalidTaskGroup { value } => "group {value} must not start with service:", "choose another name: that prefix is for the tasks of services";
        InvalidTaskOverride { message } => "Input is not the overrides of a task: {message}", "write a JSON text such as {{\"containerOverrides\": [{{\"name\": \"web\", \"command\": [\"run\"]}}]}}, or leave Input out";
        InvalidValue { value, allowed } => "{value}: {allowed}", "";
        LambdaHookUnsupported => "Lambda hooks are not supported yet", "leave the hook out, and check the deployment from a pipeline";
        LaunchTypeAndStrategy => "launchType and capacityProviderStrategy cannot be combined", "remove one of them";
        LifecyclePolicyInvalid { problem, advice } => "{problem}", "{advice}";
        LinksNeedBridge => "links need networkMode bridge", "remove links, and connect to the other container on localhost";
        LoadBalancerPortNotMapped { name, port } => "container {name} has no portMapping for {port}", "add containerPort {port} to its portMappings";
        ManagedInstancesNeedsStrategy => "launchType MANAGED_INSTANCES names no capacity provider", "remove launchType, and name the capacity provider in capacityProviderStrategy";
        MaximumPercentTooSmall => "maximumPercent must be at least 100", "raise it; the default is 200, and 100 with DAEMON";
        MemoryBelowReservation { m, r } => "memory {m} is below memoryReservation {r}", "raise memory or lower memoryReservation";
        MemoryRequired { name } => "container {name} needs memory or memoryReservation, or the task needs memory", "give one of them";
        MetricMathNeedsController => "metric math needs the operator", "install the operator, and convert with --as resources; without it, publish the result as a metric of your own";
        MetricMathUnsupported { why } => "this metric math is not evaluated: {why}", "docs/autoscaling.md lists what is evaluated; otherwise publish the result as a metric of your own";
        MinAdjustmentMagnitudeMisused => "MinAdjustmentMagnitude needs PercentChangeInCapacity", "remove it, or change AdjustmentType";
        MinimumHealthyPercentRange => "minimumHealthyPercent must be 0 to 100", "the default is 100, and 0 with DAEMON";
        MixedCapacityProviders => "a strategy cannot mix Fargate and other capacity providers", "name FARGATE and FARGATE_SPOT alone, or neither of them";
        MultipleBases => "only one capacity provider can have a base", "set base on one of them";
        MultipleVolumeSources { name } => "volume {name} has more than one source", "keep one of its sources, and make volumes of the others";
        NamedUserUnsupported { value, option } => "Kubernetes needs numeric IDs, and the ID of {value} is not known", "pass --user {option}, or replace the name by its number in the image";
        NestedStackFailed { name, why } => "nested stack {name} is not converted: {why}", "correct the template that it has";
        NeuronAllUnsupported => "Neuron devices are requested by number, not by ALL", "list the devices in linuxParameters.devices instead: /dev/neuron0 and so on";
        NoEssentialContainer => "at least one container must be essential", "remove essential: false from the main container";
        NotAnEcsMetric { value } => "{value} is not a metric of ECS services", "use ECSServiceAverageCPUUtilization, ECSServiceAverageMemoryUtilization or ALBRequestCountPerTarget";
        NotAnEcsScalableTarget { value } => "{value}: only ecs and ecs:service:DesiredCount are handled", "leave this document out";
        NotKnownBeforeApply { name } => "only terraform apply tells {name}", "apply the plan, and convert what terraform show -json then prints, or give the value with --set {name}=VALUE";
        NothingToConvert { what, types } => "the {what} has nothing that is converted: {types}", "give the one that has the task definitions and the services";
        OrphanScaling { name } => "no service {name} is among the documents", "convert it together with its service";
        OverriddenBlockMissing { block } => "{block} is in an override file, and no other file of the module has what it overrides", "write it in another file, or correct its name";
        OverridesTooLong { n } => "overrides are {n} characters, the limit is 8192", "move long values into the task definition or a secret";
        ParameterNotAllowed { name, value, allowed } => "parameter {name} cannot be {value}", "give one of {allowed}";
        PauseStageNotAllowed { stage } => "PAUSE is not allowed at {stage}", "choose a stage before or after the traffic shifts";
        PauseUnsupported => "PAUSE hooks are not supported yet", "leave the hook out, and pause in the pipeline that deploys";
        PipeBatchSizeUnsupported { n } => "a task of ECS takes one message, not {n}", "set BatchSize to 1, or leave it out";
        PipeEnrichmentUnsupported => "nothing calls an enrichment", "let the program of the task ask for what it needs, or let a Lambda function between two queues do it";
        PipeNeedsController => "no object of Kubernetes takes messages from a queue", "convert it with --as resources for the operator, which does; or, for a program that reads the queue itself, use a ScaledJob of KEDA, or a service";
        PipeSourceUnsupported => "only SQS queues are read", "let a rule or another pipe send what starts tasks to an SQS queue";
        PipeTargetNotEcs => "only pipes that run tasks of ECS are read, with the ARN of a cluster and EcsTaskParameters", "leave the pipe in AWS";
        PlaceholderNotFilled { placeholder, allowed, option } => "{placeholder} is not filled, and {allowed} is needed here", "fill it with --set {option}";
        PodContainerUnknown { name } => "container {name} does not exist in the task definition", "correct the name, or add the container to containerDefinitions";
        PodMemberNotAllowed { name, why, instead } => "{name} cannot be set for a pod: {why}", "{instead}";
        PodMemberTaken { name, by, instead } => "{name} is already given by {by}", "{instead}";
        PolicyConfigurationMismatch { policy, member } => "PolicyType {policy} needs {member} and no other configuration", "remove the others, or change PolicyType";
        PolicyTypeRequired => "PolicyType is required", "set it to TargetTrackingScaling";
        PortMappingsWithNetworkNone { setting } => "portMappings are not allowed with {setting}", "remove portMappings, or use networkMode awsvpc";
        PortMultipleProtocols { port } => "containerPort {port} is mapped for tcp and udp, and a load balancer or registry needs a port with one mapping", "remove the mapping that it does not need, or give each protocol a containerPort of its own";
        PredictiveScalingUnsupported => "predictive scaling is not supported", "use target tracking, or raise the minimum from a CronJob at known hours";
        PropagateTagsService => "propagateTags SERVICE is not allowed for stand-alone tasks", "use TASK_DEFINITION or NONE";
        RegexConstraintUnsupported { value } => "pattern {value} cannot be translated", "list the values with in, or name families with an escaped dot, as in c5\\..*|m5\\..*";
        RegionRequired => "the region of this name is not known", "pass --aws-region, or write an ARN that names the region";
        RequiredField { name } => "{name} is required", "";
        ResourceIdMismatch { value, name } => "ResourceId {value} is not service/<cluster>/{name}", "correct it, or leave it out inside an EcsService";
        ResourceLabelMisused => "ResourceLabel only goes with ALBRequestCountPerTarget", "remove ResourceLabel";
        ResourceLabelRequired => "ALBRequestCountPerTarget needs a ResourceLabel", "give app/<load balancer>/<id>/targetgroup/<target group>/<id>";
        RoleNameNeedsAccountId { value } => "the account of role {value} is not known", "write the full ARN of the role, or pass --aws-account-id";
        RolesDisabled { value, or } => "role {value} is not used, because iam is none", "pass --iam irsa or --iam pod-identity, or {or}";
        RuleScheduleUnsupported => "an EcsRule starts tasks for events, and follows no schedule", "move ScheduleExpression to a rule without EventPattern, of which convert --as resources makes an EcsSchedule";
        S3IsNotAFileSystem => "S3 Files volumes are translated only if you allow it", "pass --allow-s3-files if the EFS CSI driver is 3.0 or newer, or use efsVolumeConfiguration";
        SandboxNeedsRuntimeClass => "ISOLATED_SANDBOX needs a RuntimeClass that isolates pods, such as kata", "pass --isolated-sandbox-runtime-class with its name";
        ScalableTargetActionEmpty => "a scheduled action needs MinCapacity or MaxCapacity", "give one of them or both";
        ScheduleNeedsDefaultBus { value } => "only the default event bus has schedules, not {value}", "leave EventBusName out";
        ScheduleNotExpressibleAsCronJob { what, advice } => "a CronJob cannot do this: {what}", "convert it with --as resources for the operator, which can; or {advice}";
        ScheduledActionNeedsController => "scheduled actions need the operator", "install the operator, and convert with --as resources; without it, change the minimum and maximum of its HorizontalPodAutoscaler, or of its ScaledObject, from a CronJob of your own";
        SchedulerContextUnavailable { names } => "a CronJob does not replace {names} in Input", "convert it with --as resources for the operator, which does; or remove it, and let the program read the time itself";
        SecretEnvNameConflict { name } => "{name} is set in environment and in secrets", "remove one of them";
        SecretReferenceUnclear { value, option } => "{value} could become a secret of Secrets Manager or an SSM parameter", "fill it with --set {option}, or write the ARN with placeholders inside";
        SecretVersionConflict => "a secret reference takes a version stage or a version id, not both", "remove one of them";
        SecurityOptionConflict { value } => "{value} cannot be combined with privileged", "remove one of them";
        SecurityOptionUnsupported { value } => "security option {value} cannot be translated", "remove it, or set it for the whole node";
        ServiceConnectNameTaken { name, ns, other } => "{name} is already a Service Connect name in namespace {ns} (service {other})", "give one of the services another discoveryName; without it, the name is portName";
        ServiceConnectNamespaceName { arn } => "{arn} is an ARN; the program needs the name of the namespace", "give the name, which aws servicediscovery get-namespace shows";
        ServiceConnectTlsUnsupported => "Service Connect TLS is not supported: traffic would be in plain text", "remove tls, and encrypt the traffic with a service mesh";
        ServiceRegistryPortConflict => "a service registry takes either port, or containerName and containerPort", "remove one of the two";
        SeveralNodeSources { members } => "nodes come from one source, and spec.kubernetes has {members}", "keep one of them";
        SplitScalingNeedsController => "an autoscaler scales one Deployment, and this service has one for each capacity provider", "name one capacity provider, which in a manifest of Copilot is one without spot_from, or convert with --as resources and apply the result where the operator runs";
        StepAdjustmentsInvalid { message } => "{message}", "steps must neither overlap nor leave a gap; those below the threshold need one without a lower bound, those above it one without an upper bound";
        StepScalingNeedsAlarm => "no alarm triggers this StepScaling policy", "give its alarm, with the ARN or the name of the policy in AlarmActions, or put it into the policy as Alarm";
        StepScalingNeedsController => "this step scaling policy needs the operator", "install the operator, and convert with --as resources; without it, use a policy that adds or removes tasks by the average CPU or memory of the service, or target tracking";
        StrategyConfigurationMismatch { member, value } => "{member} does not go with strategy {value}", "remove {member}";
        StrategyUnsupported { value } => "strategy {value} is not supported yet", "use ROLLING, which moves requests to a task when it is healthy";
        SyntaxError { message, advice } => "{message}", "{advice}";
        SysctlWithHostNetwork => "net.* sysctls cannot be set with the host network", "set it on the nodes, or use networkMode awsvpc";
        TargetGroupBindingUnavailable => "TargetGroupBinding is not installed", "install the AWS Load Balancer Controller (convert: --with-addon aws-load-balancer-controller), or remove loadBalancers and set spec.kubernetes.expose in an EcsService";
        TargetNotEcs => "only schedules that run tasks of ECS are converted, with the ARN of a cluster and EcsParameters", "leave the schedule in AWS, or write a CronJob whose container makes this call";
        TargetsWithoutRule { rule } => "{rule} of these targets is not among the documents", "give it too: the PutRule request, or the output of aws events describe-rule; if several are beside them, name it in Rule, as PutTargets does";
        TaskCountRange => "count must be 1 to 10", "send several requests for more tasks";
        TaskDefinitionAmbiguous { name } => "task definition {name} is given twice with different contents", "keep one of them, or convert each folder by itself";
        TaskDefinitionNotFound { value } => "{value} is not in the input", "give what aws ecs describe-task-definition --task-definition {value} prints too, or correct its name; the family of a list of containers alone is the name of its file";
        TaskDefinitionRequired => "taskDefinition is required", "name the family of its task definition";
        TaskGroupConstraintUnsupported => "task:group can only be compared with ==, !=, in or not_in, and cannot be combined by or", "write task:group in [A, B] for the tasks of several groups";
        TemplateFunctionFailed { problem } => "the template does not give this value: {problem}", "correct the template, or write the value in place of the function";
        TerminationProtectionNeedsScaling => "managedTerminationProtection needs managedScaling", "set managedScaling.status to ENABLED, or remove managedTerminationProtection";
        TooManyDnsServers => "a pod takes at most 3 DNS servers", "keep three of them";
        UnknownAnnotation { name, advice } => "{name} is not an annotation that this object can have", "{advice}";
        UnknownContainer { value } => "container {value} does not exist in the task definition", "correct the name";
        UnknownField { name, advice } => "{name} is not a member of this API", "{advice}";
        UnknownPortName { value } => "no port mapping is named {value}", "give one of the portMappings this name, or correct it";
        UnknownTimezone { value } => "{value} is not an IANA time zone", "use a name such as Europe/Berlin";
        UnknownVolume { value } => "volume {value} does not exist in the task definition", "add it to volumes, or correct the name";
        UnreadableFile { error } => "the file cannot be read: {error}", "";
        UtilizationNeedsRequests { metric, needed, advice } => "{metric} utilization needs {needed}", "{advice}";
        VolumeNotConfiguredAtLaunch { name } => "volume {name} needs an entry in volumeConfigurations", "add one with managedEBSVolume and this name";
        VpcLatticeUnsupported => "VPC Lattice target groups are not translated", "remove vpcLatticeConfigurations, and use the AWS Gateway API Controller";
        WholeTemplate { format, or } => "whole {format} templates are not supported yet", "give what terraform show -json prints, or the output of describe-services and describe-task-definition{or}";
        WindowsOnFargate => "EKS Fargate runs no Windows containers", "run on nodes";
        WindowsUnsupportedParameter { field } => "{field} is not supported for Windows containers", "remove it, or set operatingSystemFamily to LINUX if the task is for Linux";
        WindowsVersionUnsupported { value } => "EKS has no Windows nodes for {value}", "use Windows Server 2019, 2022 or 2025";
    }
    Warning {
        AlarmActionIgnored { action } => "an alarm triggers step scaling policies and nothing else: {action} is not carried out", "keep the alarm in CloudWatch if its metric is there, or watch the events of the service";
        AlarmActionsDisabled => "ActionsEnabled is false, so the alarm triggers no policy", "set it to true when the policies should scale again";
        AlarmPeriodRounded { n } => "the operator measures once a minute: a period of {n} s counts as one of 60 s", "nothing to do, or give a Period of 60";
        AlarmWithoutPolicy { name, why } => "alarm {name} triggers nothing: {why}", "name a step scaling policy of the service in AlarmActions, by its ARN or its name, or leave the alarm out";
        AccessRoleNotUsedForImagePull { role } => "the image is pulled with {role}, with which secrets are read, and not with the access role", "allow {role} to pull from the repository";
        AppRunnerDomainNotProvided => "the service has no address below awsapprunner.com, and no certificate, until you provide them", "let a DNS name point at the Ingress, and give that a certificate";
        AppRunnerServicePaused => "App Runner has paused this service, and its pods will run", "apply the objects when it should run";
        ArgumentsNotRead { address, names } => "{address} has arguments that are not read: {names}", "check that they do not matter";
        AutoDeploymentsNotWatched => "an image that is pushed to this tag is not deployed by itself", "let the pipeline that pushes the image deploy it too, with a new tag or a new deployment";
        AwsCsiDriverNeeded { driver, reach } => "the volume needs {driver}, and --platform kubernetes assumes nothing from AWS", "install the driver, on {reach}, or use another volume";
        AwslogsLinesNotJoined { name } => "{name} has no effect: each line becomes an event of its own", "write each event as one line, such as JSON, or send the logs through FireLens with a multiline parser";
        AwslogsNeedsNodeAgent { group, advice } => "these logs reach CloudWatch ({group}) only through a log agent on the nodes", "{advice}; until then the logs are only in kubectl logs";
        AwslogsOnEksFargate { group } => "on EKS Fargate these logs reach CloudWatch ({group}) only through the log router of EKS", "configure it with the ConfigMap aws-logging in the namespace aws-observability; until then the logs are only in kubectl logs";
        AwslogsOptionIgnored { name } => "the agent that sends these logs to CloudWatch ignores the option {name}", "remove it, or send the logs through FireLens";
        AzRebalancingAtScheduleTimeOnly => "pods are spread over the zones when they are scheduled and are not moved later", "when the zone is back, restart the Deployment, or change spec.kubernetes.forceNewDeployment of the EcsService";
        BinpackNeedsSchedulerProfile => "a pod cannot ask for bin packing", "use Karpenter consolidation, or a scheduler profile with MostAllocated scoring";
        BridgeNetworkSharesPodNamespace { ports } => "the containers of a task share one network namespace{ports}", "give each container a port of its own";
        BuilderDecidesSource { builder } => "which code is built, and how, is what {builder} says, whatever CodeRepository does", "nothing to do, as long as both say the same";
        CapacityProvidersAreNodes => "the operator creates no nodes for a capacity provider: its tasks stay Pending until nodes have its label", "create an EcsCapacityProvider of this name, or label the nodes: kubectl label node NODE ecs-operator.dev/capacity-provider=NAME";
        CloudMapNotRegistered { name, namespace } => "tasks are not registered in Cloud Map", "change clients to the DNS name {name}.{namespace}.svc";
        ClusterDnsReplaced => "names of Services in the cluster do not resolve, because dnsServers replace the DNS of the cluster", "remove dnsServers unless the task needs no name of the cluster";
        ClusterNotUnique { name, cluster } => "{name} gets no default capacity provider strategy, because several clusters of the input are named {cluster}", "give it a launch type or a capacity provider strategy, or convert it with its own cluster alone";
        ClusterSecretStoreNeeded { name, service, region } => "the secrets are read with ClusterSecretStore {name}, which you have to create: without it, no pod starts", "create it for {service} in {region}, or set executionRoleArn";
        ClusterSecurityGroupNeeded => "pods with only these security groups cannot reach CoreDNS, so no name resolves", "pass --cluster-security-group, or allow TCP and UDP 53 from these groups in the security group of the cluster";
        CompleteTreatedAsSuccess { name } => "dependents of {name} start only if it exits with 0; in ECS they start after any exit", "let {name} exit with 0 if its failure does not matter";
        CompletionDependencyNotEnforced { a, b } => "{a} starts together with {b}, not after it has ended", "let {a} wait for {b} itself, or make {b} a task of its own";
        ConcurrencyNotCapped { n } => "a pod may get more than {n} requests at once", "limit them in the program, or in a gateway in front of it";
        ConcurrencyScalingNeedsMetric { n } => "tasks are added when they use 70 % of their CPU, not when each has {n} requests at once", "check that load shows in the CPU; otherwise convert with --as resources, and use a policy on a metric of requests";
        ConditionAssumed { name, value } => "condition {name} is taken to be {value}, because a parameter that it depends on has no value", "give the parameter with --parameter NAME=VALUE";
        ConditionNotKnown { names } => "a condition is taken to be false, because {names} is not known", "give the value with --set NAME=VALUE, or convert what terraform show -json prints";
        ConditionsNotInFile { names } => "conditions that are not in this file are taken to be false: {names}", "give the whole template, or pass --set NAME=true for each one that holds";
        ContainerRestartPolicyNeeds135 { name } => "Kubernetes before 1.35 has no restart policy per container, so {name} runs once", "upgrade the cluster to 1.35, and set --kubernetes-version";
        CooldownTooLong { value } => "the cooldown of {value} s is cut to 3600 s, the maximum of a HorizontalPodAutoscaler", "use a cooldown of at most 3600 s";
        CopilotVariablesNotSet { names } => "Copilot sets {names}, which the manifest does not say", "give those that the program reads, each with --set NAME=VALUE";
        CountAssumed { name } => "it is not known how many of {name} there are, so one is assumed", "give what the number depends on with --set NAME=VALUE, or convert what terraform show -json prints";
        CronJobDstDiffers { zone } => "when clocks of {zone} are put back, a CronJob starts its tasks in the repeated hour a second time", "choose another hour or UTC, or let the program end if it has just run";
        DaemonMaximumPercentIgnored => "a DAEMON service never starts additional tasks: maximumPercent counts as 100", "remove maximumPercent; nothing else changes";
        DaemonPercentRoundsUp => "a DaemonSet rounds maxUnavailable up, and ECS rounds the healthy minimum up", "run the operator, which writes exact numbers, or choose a percentage without a remainder";
        DeadLetterQueueUnused => "no message is sent when a start fails for good, unless the operator makes it and may send to the queue", "use --as resources, set settings.sqs of the Helm chart, and allow the queue; or watch the events of the CronJob, EcsSchedule or EcsRule, such as FailedCreate and TargetInvocationFailed";
        DependencyGraphLinearized { b, a, done } => "{b} starts only after {a} {done}, although it does not depend on it", "nothing to do if {b} may start later; otherwise let no container wait for {a}, or wait with START";
        DeploymentAlarmsNotYet => "alarms of a deployment are not watched", "watch them in the pipeline that deploys";
        DeploymentCannotProgress { min, max, tasks, outcome } => "a deployment can neither stop nor start a task with minimumHealthyPercent {min}, maximumPercent {max} and {tasks}", "{outcome}";
        DeregistrationDelayAssumed { n } => "the deregistration delay of the target group is not known, so a task gets SIGTERM {n} s after its deregistration", "pass --deregistration-delay with deregistration_delay.timeout_seconds of the target group";
        DescribeFailure { name, reason } => "AWS could not describe {name}: {reason}", "correct its name, cluster or region in the describe call, or leave it out there";
        DesiredCountLeftOut { n, least, name } => "desiredCount {n} is not written, so that applying the file again does not undo what scaling has set; a new service begins with MinCapacity {least}", "to begin with {n}, run kubectl scale ecsservice {name} --replicas={n} after the first apply";
        DesiredCountUndoesScaling { n } => "scaling changes desiredCount, and applying the spec again sets it back to {n}", "leave desiredCount out of what you apply after the first time";
        DevicePluginDecides { resource } => "the device plugin of {resource} decides the path and the permissions of the device in the container", "configure them in the plugin, or remove containerPath and permissions";
        DisableScaleInMixed => "one HorizontalPodAutoscaler cannot exclude a single metric from scale-in, so more tasks may keep running", "set DisableScaleIn on all policies of the service or on none, or set scaler to operator in autoScaling of the EcsService, if all of its metrics are CPU or memory";
        DockerIsNotOnNodes { path } => "{path} belongs to Docker or the ECS agent, and Kubernetes nodes have neither", "use the Kubernetes version of this software";
        DrainMayDropBelowMinimum => "while the service has one task, the drain of its node is an outage: the task ends before its replacement runs", "run at least two tasks: by desiredCount, and by MinCapacity if the service scales";
        DualStackNotConfigured => "the addresses of the service are those that the Ingress gives it", "with an Application Load Balancer, set the annotation alb.ingress.kubernetes.io/ip-address-type: dualstack";
        DuplicateEnvironmentName { name } => "{name} is set twice, and the last value is used", "remove one of them";
        DynamicReferencesAsSecrets { names } => "CloudFormation writes the values of {names} into the task definition when it deploys; here they become secrets, which are read when a task starts", "allow the execution role to read them";
        EbsKmsKeyForDriver { key } => "the EBS CSI driver encrypts the volume with {key} under its own role", "allow the role of the driver to use the key";
        EcrPullSecretsUnavailable { why, advice } => "the pods get no pull secrets for private images of ECR: {why}", "{advice}";
        EcspressoNamesDiffer { files } => "the service has no name and cluster, because it is deployed by several configurations: {files}", "convert them one at a time, each by the name of its configuration";
        EfsIamUsesNodeIdentity => "EFS sees the identity of the CSI node driver instead of the task role", "allow the role of the driver in the file system policy";
        EksFargateRoundsUp { size } => "EKS Fargate adds 256 MiB and provisions {size}", "nothing to do; this size is billed";
        EmptyVolumeNotPrepopulated => "files of the image at the mount path are not copied into the volume", "copy them in a container that others wait for with SUCCESS, or mount the volume at an empty path";
        EnvironmentFileInlined { arn } => "the variables of {arn} were written into environment in plain text, with their present values", "convert and apply again after a change of the file; use secrets for what others must not read";
        EnvironmentFileSnapshot => "the environment file is read when the service is converted, not at each task start", "convert and apply again after the file changes";
        EnvironmentFileUnused { arn } => "no container names the environment file {arn}", "correct the ARN that --env-file gives, or leave it out";
        EnvironmentNotInManifest { name, names } => "the manifest has no environment {name}, so it is read without one; it has {names}", "give one of them with --environment, or leave it as it is if {name} needs no members of its own";
        EphemeralStorageNeedsDisk { n } => "the task needs a node with {n} GiB of free disk, and nodes usually have disks of 20 to 80 GiB, so pods may stay Pending", "give the nodes larger disks, or put the data on an EBS or EFS volume";
        EphemeralStorageOnEc2 => "ephemeralStorage exists on Fargate only; here it limits the container", "remove it for tasks on EC2";
        EssentialExitNeedsController { name, consequence, advice } => "when {name} exits, {consequence}, unless the operator runs", "install the operator; without it, {advice}";
        EventsNeedQueue { what } => "the operator knows the events of ECS, and not those of {what}", "let a rule in AWS send them to a queue of SQS, and name it in settings.eventQueue of the chart; or read that queue with an EcsPipe";
        ExecutionRoleNotUsedForImagePull { image, role } => "{image} is pulled with {role}, not with the execution role", "allow that role to pull from the repository";
        ExternalLaunchTypeIsAnyNode => "EXTERNAL tasks run on any node of the cluster", "restrict them with placementConstraints if they need certain machines";
        FamilyShared { family, outcomes } => "several task definitions have the family {family}, which is one object here: {outcomes}", "give each a family of its own";
        FargateProfileNeeded { ns, label } => "only a Fargate profile that selects the namespace {ns} and the label {label} runs the pods on Fargate; without one they run on nodes or stay Pending", "create a Fargate profile with this selector";
        FargateSpotIsKarpenterSpot => "FARGATE_SPOT tasks run on Karpenter Spot nodes, because EKS Fargate has no Spot capacity", "install Karpenter with a NodePool for Spot";
        FilesLeft { names } => "the folder contains files that this run did not write: {names}", "remove those that an earlier run left: kubectl apply would apply them again";
        FirelensFileUnused { arn } => "no log router names the configuration {arn}", "correct the ARN that --firelens-config gives, or leave it out";
        FirelensRouterUser { user } => "the log router runs as user {user}, and the log files that it reads belong to root, so that it may send nothing", "set user to 0 for the router";
        FirelensTailsContainerLogs { fields } => "the router reads log files instead of a Docker socket, so fields of records differ, and a pod takes two seconds longer to end", "adapt what reads {fields} of a record";
        FolderWithoutDocuments => "no *.json, *.jsonnet, *.tf, *.yaml or *.yml with an ECS document is in the folder or below it", "pass the folder that contains the documents";
        GmsaNeedsWebhook { name, account } => "the pods get the gMSA of {name} only if the webhook of windows-gmsa runs and service account {account} may use it", "install the webhook, and bind a role with the verb use on gmsacredentialspecs {name} to the service account; the nodes must be in the domain, unless the credential spec names a plugin";
        GpuNotRequested { value } => "NVIDIA_VISIBLE_DEVICES={value} makes GPUs visible only where the NVIDIA runtime is the default of the node, and the pod may be on a node without GPUs", "request GPUs with resourceRequirements; several containers share one with --gpu-resource nvidia.com/gpu.shared";
        GpuSharedByPlugin { resource } => "the container gets one {resource}: the device plugin decides how large that share of a GPU is, not memory and maxComputePercent", "choose the number of shares in the configuration of the NVIDIA device plugin so that each is large enough";
        HealthCheckWithoutCmd { program } => "the check has neither CMD nor CMD-SHELL before {program}, so that Docker does not run it and ECS reports UNKNOWN; here it is run", "put CMD before it, or remove healthCheck";
        HealthyDependencyNotEnforced { a, b } => "{a} starts together with {b}, not after it is healthy", "let {a} retry until {b} answers";
        HostDevicePrivileged { name } => "{name} runs privileged, because Kubernetes gives a container a device of the host in no other way: it can do everything on its node", "map the device with --device to the resource of a device plugin, which needs no privileges";
        HostPathOfEachNode { path } => "each node has its own {path}: the files of the ECS instances are not there, and pods on different nodes do not share it", "use an EFS or EBS volume for data that tasks keep or share; nothing to do if the nodes provide the directory";
        HostnameOfTheNode => "a container in the host network has the hostname of its node", "remove hostname, or leave the host network";
        HostnameTruncated { value } => "Kubernetes before 1.35 uses only {value} of the hostname", "choose a shorter hostname without dots";
        IgnoredExitCodesUnsupported { name } => "{name} is restarted after every exit code", "let it sleep or loop after an exit code that should not restart it";
        ImportsAssumed { names } => "the names of stacks are not known, and only one template of the input may export what is imported: {names}", "give each with --set NAME=VALUE if another stack exports it";
        InitProcessSharesPidNamespace => "the containers of the task see the processes of each other", "use an image with its own init, such as tini, and remove initProcessEnabled";
        InstanceFamilyNeedsKarpenterLabel { label } => "the instance family is known only of nodes with the label {label}", "use ecs.instance-type for other nodes";
        InstanceRequirementIgnored => "a NodePool has no requirement that says this", "name the types in allowedInstanceTypes if it matters";
        InstanceTargetsNoReadinessGate => "the targets are nodes, so no readiness gate makes a rollout wait for the load balancer; a pod counts as healthy after --steady-seconds", "use networkMode awsvpc and a target group of type ip";
        InvalidImageReference { value, why } => "{value} is no image that can be pulled: {why}", "correct image; --set fills placeholders, and envsubst what a shell would expand";
        IpcNamespaceShared => "the containers of a pod share one IPC namespace", "make sure that they use different keys and names";
        JsonnetValuesAssumed { names } => "what the file makes may depend on values that are not given, and placeholders stand for them: {names}", "give each with --set NAME=VALUE";
        KedaReadsCloudWatch => "KEDA reads the metric with the role of its operator, and without permission it does not scale the service", "allow cloudwatch:GetMetricData in the IAM role of the service account keda-operator";
        KnownAfterApply { names } => "only terraform apply tells {names}, so placeholders stand for them", "apply the plan, and convert what terraform show -json then prints, or give each with --set NAME=VALUE";
        KnownAfterDeployment { names } => "only AWS knows {names}, so placeholders stand for them", "deploy the rest of the template, and give each with --set NAME=VALUE";
        LinksBecomeLocalhost { alias, variable } => "{alias} resolves to 127.0.0.1, because the containers of a pod share one network namespace, and the variables that Docker sets for a link, such as {variable}, are not set", "make sure that linked containers listen on different ports, and set the variables in environment if the image reads them";
        ListenerRulesNotModified => "listener rules are not modified", "change them yourself when you move traffic";
        LoadBalancerChecksRoot { what } => "the load balancer asks for / by itself, and the service is checked by {what}", "answer / with 200, or set the annotation alb.ingress.kubernetes.io/healthcheck-path of the Ingress";
        LoadBalancerMustReachTargets { ports, group } => "the load balancer must reach {ports} in the security group {group}, and a TargetGroupBinding opens nothing", "allow them from the security group of the load balancer; the rules that ECS needed name other ports or groups";
        LogDriverNotEnforced { value } => "log driver {value} is only recorded: the logs stay on the node, where kubectl logs reads them", "install a log agent that ships them";
        MacrosNotRun { names } => "macros change the template before CloudFormation reads it, and are not run: {names}", "give what aws cloudformation get-template --template-stage Processed prints";
        ManagedStorageKeyUnused => "the keys of the cluster encrypt no volume and no disk here", "set managedEBSVolume.kmsKeyId in volumeConfigurations of services and tasks, and encrypt the disks of nodes in their launch template or node class";
        ManifestFieldNotRead { fields, advice } => "not translated: {fields}", "{advice}";
        ManifestValuesOpen { names } => "the file does not say {names}, so placeholders stand for them", "give each with --set NAME=VALUE";
        MinCapacityZero { cause, advice } => "at least 1 task is kept: {cause}", "{advice}";
        ModuleInputsNotRead { name, names } => "{name} has inputs that are not read: {names}", "check that they do not matter, or convert what terraform show -json prints";
        ModuleVersionNotKnown { name, version, known } => "{name} asks for version {version}, which is not known, and is read as version {known}", "check what the versions differ in, or convert what terraform show -json prints";
        ModulesNotRead { names } => "modules are not read, nor what they make: {names}", "convert what terraform show -json prints, or give the folder that has the modules too";
        MountOptionsIgnored { options } => "mount options {options} cannot be set, and the defaults of the node apply", "remove them, or mount a CSI volume that takes options";
        MountTargetMustAdmit { group } => "the mount targets of the file system must admit {group} on TCP 2049, because the task's own security groups do not mount it", "allow it in the security groups of the mount targets; otherwise pods stay in ContainerCreating";
        NamespaceReplaced { value, ns } => "namespace {value} of this resource is replaced by {ns}", "pass --namespace {value}, and convert the resources of each namespace by themselves";
        NestedStackNotRead { name, why } => "the template of nested stack {name} is not read: {why}", "name the folder that has the templates, or convert that template by itself";
        NestedStacksAlike { names, stacks } => "these nested stacks of the template make objects of the same names, {names}: {stacks}", "pass each of them a parameter that the names depend on";
        NetworkNoneIsNetworkPolicy => "network mode none is enforced by a NetworkPolicy, which only some CNI plugins enforce", "check that the CNI plugin of the cluster enforces NetworkPolicy";
        NeuronDevicesByCount => "the Neuron device plugin chooses the devices: only their number is kept", "do not rely on certain device paths";
        NewestRevisionFollowed { value, family } => "revisions start over in the cluster, so the newest revision of {family} is followed instead of {value}", "to pin a revision, write the number that the cluster gives it: {family}:1 is the first";
        NoSpareNodes => "no nodes are kept spare: targetCapacity counts as 100", "set kubernetes.karpenter.spareRoom to placeholders, if tasks cannot wait for new ones; elsewhere, run pods of a negative priority on these nodes";
        NodeClassDecides => "the class or launch template of the nodes decides this, not the capacity provider", "set it in the EC2NodeClass or NodeClass that nodeClassRef names, or in the launch template of the node group";
        NodeLabelsNeeded { labels, example } => "the placement needs node labels that nothing sets: {labels}", "label the nodes, for example kubectl label node NODE {example}: without the labels pods stay Pending, and a spread has no effect";
        NodeRepairElsewhere => "impaired nodes are replaced by Karpenter or EKS, if they are set up for it", "enable node repair in Karpenter (feature gate NodeRepair), or in the node group or cluster of EKS";
        NodeSourceNeeded { name } => "nothing says which nodes {name} has: its tasks stay Pending until nodes have its label", "give spec.kubernetes of the EcsCapacityProvider, or label the nodes: kubectl label node NODE ecs-operator.dev/capacity-provider={name}";
        NodesAddedAnyway => "Karpenter adds nodes for waiting tasks, although managedScaling is off", "set limits in kubernetes.karpenter, or use nodeGroup for a fixed number of nodes";
        NodesAlwaysDrained => "nodes are drained before they are removed, although managedDraining is off", "nothing to do, or bound it with terminationGracePeriodSeconds in kubernetes.karpenter";
        NodesNotManaged => "nothing makes or removes nodes according to this", "give kubernetes.karpenter, or configure what makes the nodes";
        NonEssentialContainerRestarts { name, consequence, advice } => "{name} is restarted whenever it exits, and ECS would leave it stopped: {consequence}", "{advice}";
        OperatorCannotMeasure { name, effect } => "the operator cannot read the CloudWatch metric {name}: {effect}", "use CPUUtilization or MemoryUtilization of the service itself, in namespace AWS/ECS, or have the operator read it, with options of its own that convert does not have: --cloud-watch-metric for CloudWatch, --metric-query for Prometheus, or --external-metric for an external metric of the cluster";
        OperatorNeedsSettings { names } => "the operator needs settings of this conversion that a resource cannot carry: {names}", "set them in the values of the Helm chart: logs.agent for logs, and the others under settings";
        OptionUnused { option, value } => "nothing in the input names {value}", "correct the value that {option} gives, or leave it out";
        OutputWithheld => "nothing was written into the folder, because a document was rejected and a tool that prunes would delete what is missing", "correct the document, or leave it out of the input";
        ParameterPathIncomplete { value } => "no parameter is called {value}: a name with slashes begins with one", "write /{value}";
        ParametersNotGiven { names } => "no value is given for {names}, so placeholders stand for them", "give each with --parameter NAME=VALUE";
        PipeLogUnused => "nothing is written to the log of the pipe", "watch the events and the status of the EcsPipe";
        PipeRoleUnused => "the operator receives messages with its own role", "allow that role sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes for the queue";
        PlaceholderStylesDiffer { texts } => "--set filled {texts} in a text that the program in a container reads, and filled the same name in another style elsewhere", "if the program expands this text itself, give your own placeholder another name; otherwise there is nothing to do";
        PodIdentityAssociationMissing { cluster, ns, sa, arn } => "the service account {sa} has no AWS role until a Pod Identity association exists", "create it: aws eks create-pod-identity-association --cluster-name {cluster} --namespace {ns} --service-account {sa} --role-arn {arn}";
        PodSizeOverridden { what, sizes } => "{what} has other sizes than the task definition gives: {sizes}", "change cpu, memory or memoryReservation in containerDefinitions, unless ECS should keep another size";
        PortRangeTooLarge => "the ports of the range are reachable but not listed in the pod", "nothing to do unless a Service must name them";
        PrivateIngressNotProvided { name } => "no Ingress is made: one of this class may be reached from the internet", "reach the service as {name} within the cluster, or write an Ingress of a class that only your VPC reaches";
        PublicIpNotAssigned => "pods get no public IP address", "use a NAT gateway for outgoing and a load balancer for incoming traffic";
        RateAnchoredToClock { line } => "the CronJob starts tasks at full hours and their parts ({line} in UTC), and does not count from when the schedule was made", "write cron() with the minutes and hours that you want";
        RateBeginsAtOnce => "a rule is due one interval after it is created; an EcsSchedule with this rate is due when it is created", "to begin later, add StartDate to the EcsSchedule";
        ReadinessGateNeedsLabel { label } => "a rollout waits for the load balancer only in a namespace with the label {label}=enabled", "label the namespace before the pods are made; without it a pod counts as healthy after --steady-seconds";
        RegionAssumed { region } => "names without a region are assumed to be in {region}, the region of the logs or secrets of the task", "pass --aws-region if they are elsewhere";
        RegionUnknown => "the region of names without one is not known, so <AWS_REGION> stands for it", "pass --aws-region, or write ARNs that name the region; the operator rejects such a name unless it knows the region";
        RegionVariablesAssumed { region } => "AWS_REGION and AWS_DEFAULT_REGION are set to {region}, the region of the logs or secrets", "pass --aws-region if tasks run elsewhere";
        RegionVariablesMissing => "AWS_REGION and AWS_DEFAULT_REGION, which Fargate sets, are not set, because no region is known", "pass --aws-region: SDKs fail without a region";
        RequiresEfsCsiDriver3 => "S3 Files volumes need version 3.0 of the EFS CSI driver", "upgrade the driver";
        RestartAllContainersKillsWithoutGrace => "the kubelet kills the other containers without a grace period and without back-off", "use replace where the operator runs, or restart-in-place; or accept the loss of requests under way";
        RestartAttemptPeriodIgnored => "restarts are delayed by the back-off of the kubelet, not by restartAttemptPeriod", "expect restarts also of a container that ran for a shorter time, after 10 s to 5 minutes";
        RestartKeepsTaskRunning { name, codes, n, advice } => "{name} is restarted after {codes} however short it ran, so the task may never end; in ECS, {name} stays stopped if it ran for less than {n} s, and the task ends", "{advice}";
        RestartPolicyOnCompletionTarget => "restartPolicy is ignored for a container that must run to completion", "remove it";
        RetryAttemptsUnused => "a CronJob does not count how often it tries to start a Job", "set MaximumEventAgeInSeconds, which becomes startingDeadlineSeconds, and remove MaximumRetryAttempts";
        RoleAccountUnknown { value } => "the account of role {value} is not known, so <ACCOUNT_ID> stands for it", "write the full ARN of the role, or pass --aws-account-id; the operator rejects a role that is given by name unless it knows the account";
        RuleTargetNotRead { id } => "target {id} is no cluster of ECS, and is not read", "keep a rule in AWS that calls it";
        RuleWithoutTargets { name } => "no target of rule {name} is among the documents, so that nothing is made of it", "give its targets too: the PutTargets request, or the output of aws events list-targets-by-rule";
        SandboxRuntimeClass { name } => "the task runs in RuntimeClass {name} instead of a Nitro sandbox", "check that the RuntimeClass isolates as you need";
        ScaleOutCooldownApproximated => "a HorizontalPodAutoscaler has no scale-out cooldown, so it may add tasks again sooner", "nothing to do, or set scaler to operator in autoScaling of the EcsService, if all of its metrics are CPU or memory";
        ScalerNeedsController => "only the operator runs policies itself; here an autoscaler runs them", "nothing to do, or install the operator and apply the EcsService";
        ScalingDocumentLeftOut { name } => "service {name} was converted without this document", "correct what is reported of it, of its policy or of its alarm; until then the count follows the other policies, or does not change";
        ScheduleNeverFires => "this schedule never fires: no such time exists, or none between its start and its end", "give a time that exists in the time zone, also when clocks are put forward";
        SecondHostPortNotOpened { value, port, opened } => "host port {value} is not opened: a pod opens one port of its node for containerPort {port}, and {opened} comes first", "let clients use {opened}, or the Service of the tasks";
        SecretOptionsUnused { value } => "secretOptions of log driver {value} are not read", "write what they hold into logConfiguration.options, or use awsfirelens, whose router gets them";
        SecretReferenceShort { value, full } => "the ECS agent does not accept {value}, because colons are missing", "write {full}";
        SecretServiceAssumed { value, service, option } => "{value} is taken for a reference to {service}, although it may be one to another service", "fill it with --set {option}, or write the ARN with placeholders inside";
        SecurityGroupsIgnoredByAutoMode => "nodes of EKS Auto Mode apply a SecurityGroupPolicy only since Kubernetes 1.36", "set podSecurityGroupSelectorTerms in the NodeClass, or run the pods on other nodes";
        SecurityGroupsNotEnforced => "security groups of pods are not available here, so the groups of the node apply", "use NetworkPolicy to restrict traffic";
        SensitiveValues { names } => "the output has values in plain text that Terraform treats as sensitive: {names}", "keep the output as the state is kept, or give the containers these values as secrets";
        ServiceAssumed { name } => "no service or task runs {name}, so a service that always runs one task of it is assumed", "add the CreateService or RunTask request that runs it; a task that ends would be restarted again and again";
        ServiceConnectAccessLogsAbsent => "Service Connect has no proxy here that could write access logs", "write them in the application, or install a service mesh";
        ServiceConnectAliasNeedsClusterIP { name, or } => "{name} does not resolve in the cluster, because no Service of the namespace can have this name", "change clients to the name of the Service, or give clientAliases a dnsName without dots{or}";
        ServiceConnectTimeoutsIgnored => "Service Connect has no proxy here that could enforce timeouts", "set timeouts in the client";
        SetUnused { name } => "nothing in the input is called {name}", "correct the name that --set or --parameter gives, or leave it out";
        SharedDockerVolumeIsHostPath => "the shared Docker volume is a directory on each node", "use EFS if tasks on different nodes share it";
        SmbDriverNeeded { host } => "csi-driver-smb mounts the share of {host}", "install it for Windows nodes, which must resolve this name, and admit them on TCP 445 in the security group of the file system; otherwise pods stay in ContainerCreating";
        SpareRoomNeedsTarget => "no room is kept: spareRoom needs a targetCapacity below 100, which says how much", "set managedScaling of the autoScalingGroupProvider, with status ENABLED and such a targetCapacity, or remove spareRoom";
        SplitRolloutRounding { n } => "too few tasks may be replaced at a time to do so on each capacity provider, so a rollout starts up to {n} more", "raise maximumPercent, or use fewer providers";
        SpotEndsBeforeGrace { n } => "a Spot node is gone two minutes after its notice, and the pods may take {n} s to end, of which the deregistration delay comes before SIGTERM", "lower stopTimeout, or the deregistration delay of the target group together with --deregistration-delay, so that their sum is at most 120 s";
        StartCommandSplit { what } => "no shell reads StartCommand, so {what} has no meaning", "give the command to a shell: sh -c 'COMMAND'";
        StartOrderBestEffort { a, b } => "{a} is started after {b}, but the kubelet does not guarantee the order", "let {a} retry until {b} answers";
        StartTimeoutByController => "the operator enforces startTimeout, not the kubelet", "install the operator";
        StaticHostPort { port } => "host port {port} limits the service to one task per node", "remove hostPort, and reach the tasks through the Service";
        StepScalingByAutoscaler { metric, n, removal } => "an autoscaler has no steps: it keeps {metric} at {n} %, the threshold above which tasks are added, and {removal}", "to run the steps themselves, install the operator, and convert with --as resources";
        StopTimeoutPooled { n } => "a pod has one grace period for all containers: {n} s", "nothing to do unless a container must be killed earlier";
        StoppedContainerKeepsPodUnready { name, codes, advice } => "{name} stays stopped after exit code {codes}, and its pod is not ready from then on: it gets no traffic, and rollouts stop", "{advice}";
        SuspendedRunIsMadeUp { n } => "when suspend is set to false, the CronJob makes up for the last run that it missed, if that is not older than {n} s", "to avoid that, delete the CronJob and apply it again without suspend";
        SwapNotConfigurable => "swap cannot be set per container", "remove maxSwap, and raise memory instead";
        SwappinessIgnored => "swappiness cannot be set per container", "remove it";
        SysctlConflict { name } => "{name} is set by two containers, and the value of the last one is used", "set it once";
        TargetGroupDeletedByAutoMode => "EKS Auto Mode registers targets only in a target group with the tag eks:eks-cluster-name, and it deletes the group with its TargetGroupBinding", "tag the target group with the name of the cluster; keep the binding and the cluster while a listener or ECS needs the group";
        TargetGroupShared => "targets outside of the cluster, such as the tasks of ECS, stay registered in the target group (this needs AWS Load Balancer Controller 2.10 or EKS Auto Mode)", "pass --target-groups shared to confirm this, or exclusive once ECS has no task left in the group: the controller then deregisters all other targets at once";
        TargetValueRounded { value, n } => "a HorizontalPodAutoscaler takes whole percentages: {value} becomes {n}", "use a whole number";
        TagCanMove => "the tag is not resolved to a digest: when somebody pushes it again, tasks of one deployment can run different images", "name the image by its digest, or have the operator ask its registry: --digest-registry";
        TaskDefinitionNotRun { name } => "no service is assumed for {name}, because another part of the input, which may run it, was not converted", "correct what else was reported, or add the CreateService or RunTask request that runs it";
        TaskLimitPerContainer => "each container is limited to the size of the task, but their sum is not", "give each container memory and cpu of its own";
        TaskMetadataEndpointAbsent { name } => "{name} does not exist in Kubernetes", "change the code that reads this variable; the hostname is usually the name of the pod";
        TaskRequestRepeated => "the same RunTask request is given again, and its tasks run once", "raise count to run more tasks, or remove the copy";
        TaskSizeAssumed { names } => "no limit of memory is given for {names}, so that a task has 512 MiB", "give deploy.resources.limits.memory";
        TestTrafficNeedsGateway => "test traffic by header is not routed", "test the new revision through a second service";
        TmpfsOptionsIgnored { value } => "tmpfs option {value} cannot be set", "remove it; the directory belongs to root, and every user can write in it and execute its files";
        TrustPolicyMustAllowCluster { role, actions, principal } => "the trust policy of {role} must allow the cluster", "allow {actions} for {principal}, in addition to what ECS needs while it still runs tasks with the role";
        UlimitsNeedNriPlugin => "ulimits are applied only on nodes with the NRI plugin ulimit-adjuster", "install the plugin and pass --ulimit-adjuster, or set the limit in the entry point of the image";
        UnsafeSysctl { name } => "pods do not start on nodes whose kubelet does not allow {name}, and are replaced endlessly", "set allowedUnsafeSysctls: [{name}] in the kubelet configuration of the nodes, or remove it";
        VolumesFromImageVolumes { name } => "the volumes that the image of {name} declares are not shared", "add a volume to the task definition, and mount it in both containers";
        UpdateLeavesOut => "an update leaves out what stays as it is, and here that has its default", "give the output of aws apprunner describe-service in its place";
        VpcConnectorUnknown => "pods connect from the subnets and with the security groups of their nodes, not with those of the VPC connector", "let what the program connects to accept the nodes, or give the EcsService security groups";
        WindowsAssumed => "the task is assumed to run on Windows, because it has an image or a path that only Windows has", "set runtimePlatform.operatingSystemFamily, since an image runs only on its own version of Windows";
        XRayNotConfigured => "no traces are collected", "run a collector of OpenTelemetry, and set OTEL_EXPORTER_OTLP_ENDPOINT in RuntimeEnvironmentVariables";
    }
    Note {
        AdvancedConfigurationUnused => "advancedConfiguration has an effect only with strategy BLUE_GREEN", "";
        AgentAlwaysConnected => "every node that takes pods is connected, so agentConnected is left out", "";
        AlarmNotOfScaling { name } => "alarm {name} triggers no scaling policy, and is left out", "";
        ArchitectureOpen => "the nodes may have any architecture that their class has", "give architectures in kubernetes.karpenter, or runtimePlatform in task definitions whose images are built for one architecture";
        AutoScalingConfigurationUnused { name } => "no service among the documents has auto scaling configuration {name}", "";
        AutoScalingRoleUnused => "the autoscaler needs no IAM role", "";
        AwslogsByFluentBit { group } => "Fluent Bit sends these logs to CloudWatch ({group}), in streams whose names end with the name of the pod", "list their region in logs.regions of the Helm chart, and allow the role of the agent logs:CreateLogStream and logs:PutLogEvents";
        CapacityProviderForAllNamespaces => "every namespace may use the capacity provider", "limit it with limitTo.capacityProviders of an EcsPolicy";
        CapacityProviderTagsIgnored => "tags of a capacity provider have no meaning here", "tag instances in the class of the nodes; label the EcsCapacityProvider instead";
        ClientTokenUnused => "the name of the object makes requests idempotent", "";
        ClusterIsNamespace => "the namespace takes the place of the ECS cluster", "";
        ClusterStrategyUsed { name, cluster } => "{name} runs by the default capacity provider strategy of cluster {cluster}", "";
        ClusterTagsIgnored => "tags of a cluster have no meaning in Kubernetes", "";
        ContainerInsightsIgnored => "the operator does not configure Container Insights", "install the CloudWatch add-on";
        ContainerListOnly { name } => "a bare list of container definitions was taken as a task definition named {name}", "";
        DaemonSkipsTaintedNodes => "nodes with taints get no task of the service, nor do nodes without room for it", "";
        DesiredCountIgnoredForDaemon => "a DAEMON service runs one task on each node, whatever desiredCount says", "";
        DnsSearchAfterCluster => "the search domains come after those of the cluster, so a short name that a Service of the namespace has means this Service", "write such names with their domain";
        DockerLabelsAsAnnotation => "Docker labels are kept in an annotation of the pod", "";
        EcsParamsUsed { name, file } => "the services of this file are containers of one task definition named {name}, as {file} has it", "";
        EcspressoNamesUsed { values, file } => "{file} says {values}", "";
        EfsTransitEncryptionPortIgnored => "the EFS mount helper chooses the port itself", "";
        ElbUnhealthyNotReplaced => "a task that the load balancer finds unhealthy is not replaced", "the operator does it";
        EnvironmentNotChosen { names } => "the manifest is read without an environment; it has {names}", "choose one with --environment NAME";
        EssentialExitRestartsInPlace => "a container that ends the task in ECS is restarted in the same pod", "";
        ExecSessionsNotLogged => "kubectl exec keeps no log of a session", "read the audit log of the API server to see who started one";
        ExecUsesRbac => "kubectl exec takes the place of ECS Exec, and RBAC decides who may use it", "";
        FamilyAssumed { name } => "the task definition has no family, so it is named {name} after its file", "give family";
        FargateRunsOnNodes => "Fargate tasks run on the nodes of the cluster", "let Karpenter, EKS Auto Mode or a cluster autoscaler add nodes as pods need them, or use --platform eks-fargate";
        FargateSpotIsPreferred => "FARGATE_SPOT tasks prefer Spot nodes, and run on others while there is no Spot capacity", "";
        FaultInjectionEndpointAbsent => "Kubernetes has no fault injection endpoint", "use a chaos engineering tool";
        FileSkipped { why } => "the file is skipped, because it is no ECS document: {why}", "";
        FileSystemNotPrepopulated => "an empty file system is not filled with the files of the image at the mount path", "copy them once, such as by a task of its own";
        FileSystemSharedWithEcs => "the pods and the tasks that ECS still runs use the same files at the same time", "stop the service of ECS first where two writers do harm";
        FilesKept { names } => "the folder has files that are yours and stay as they are: {names}", "what they say of images, counts and the namespace counts more than the ECS documents; to have one written again, delete it";
        ForecastOnlyIgnored => "a predictive policy in mode ForecastOnly does not scale, and no forecasts are made", "";
        GpusNeedDevicePlugin { name } => "the pods stay Pending until a device plugin offers {name} on a node", "install the NVIDIA device plugin or the GPU Operator; nodes of EKS Auto Mode have it";
        GracePeriodUnused => "healthCheckGracePeriodSeconds has no effect, because nothing checks the health of the tasks", "";
        HealthCheckPathUnused => "a TCP check asks for no path", "";
        HealthCheckReportOnly => "ECS only reports the result of this health check, so the container gets no probe", "";
        HpaToleranceDefault => "before Kubernetes 1.35 an autoscaler adds tasks only when a metric is 10 % above its target", "";
        ImageOutsideEcr => "App Runner itself takes only images of ECR and ECR Public", "";
        ImportsOfTemplates { names } => "what other templates export is taken from them: {names}", "";
        InfrastructureRoleUnused => "controllers in the cluster use their own role", "";
        InitContainerRetriedInPlace { name } => "the kubelet retries {name} in the same pod when it fails; ECS starts a new task", "";
        InitProcessNotNeeded => "initProcessEnabled has no effect in the process namespace of the host", "";
        InstanceRoleReachable => "a task without a task role may reach the role of its node", "set taskRoleArn, or block access to the instance metadata service";
        InvocationRoleUnused => "no role is needed to start the tasks", "";
        KmsKeyUnused => "the object is stored like every other one of the cluster, without this key", "";
        LogModeUnused { name } => "{name} has no effect: the output goes to files on the node, so a container never waits for its logs to be sent", "";
        LogRotationIsKubeletSetting => "the kubelet rotates logs, by its settings containerLogMaxSize and containerLogMaxFiles", "";
        ManagedTagsAreLabels => "every object has labels that name its service and task definition", "";
        ManifestFieldUnused { fields, why } => "{fields} has no meaning here: {why}", "";
        ManifestWithoutTasks { kind } => "the manifest is of the type {kind}, which runs no tasks", "leave what it makes in AWS";
        MetricResolutionIsClusterWide => "metrics-server sets the resolution of metrics for the whole cluster", "";
        ModuleReadByInputs { name, source } => "{name} is read by its inputs, and not by its source {source}", "convert what terraform show -json prints, if it matters what else the module makes";
        NameSanitized { original, name } => "the name {original} became {name}, which Kubernetes allows", "";
        NeedsController { what } => "this needs the operator; without it, {what}", "apply the output of convert --as resources where the operator runs";
        NestedTemplateLeftOut { names } => "the template is not converted, because the nested stacks that have it are not: {names}", "";
        PascalCaseRead => "members are spelled as in CloudFormation and were read as the API spells them", "";
        PlaceholderDefaultsUsed { values } => "placeholders have the defaults of the template: {values}", "give other values with --set NAME=VALUE";
        PlaceholdersFilled { texts } => "--set filled {texts} in a text that the program in a container reads", "if the program expands this text itself, give your own placeholder another name";
        PlaceholdersKept { names } => "placeholders were kept as they are: {names}", "fill them with --set NAME=VALUE";
        PipeBatchWindowUnused => "a message never waits for others", "";
        PipeTagsUnused => "the tags of a pipe are not those of its tasks", "";
        PlacementStrategyOrder => "the scheduler adds the scores of strategies instead of applying them in order", "";
        PlatformVersionIgnored => "Kubernetes has no Fargate platform versions", "";
        PodPatched { names } => "the patch changes {names}", "";
        PodRunsOnce { name } => "the pods run once, and applying them again does nothing", "to run them again, delete them first: kubectl delete pod -l ecs-operator.dev/task={name}";
        PrivilegedNamespaceNeeded { what } => "a namespace that enforces the Pod Security Standard baseline or restricted refuses the pods, because of {what}", "if the cluster has such defaults, label the namespace pod-security.kubernetes.io/enforce=privileged";
        ProcessOneIsThePause => "process 1 is the pause process of the pod, so what is written to /proc/1/fd/1 is lost", "write to /dev/stdout";
        RandomPlacementIsDefault => "the scheduler needs no setting for random placement", "";
        ReadOnlyFieldIgnored { names } => "members that only answers of AWS have were ignored: {names}", "";
        ReferenceIdNoted => "referenceId is kept in an annotation of the pods", "";
        ReplicasLeftToAutoscaler { begin } => "replicas is not written, so that applying the Deployment again does not reset the count of the autoscaler", "the first apply starts {begin}";
        ResourcesNotRead { what, types } => "the {what} also makes what is not converted: {types}", "";
        RolePoliciesStay { role, policies } => "task role {role} has policies that stay in AWS with it: {policies}", "give them also to a role that you make for the pods";
        RuleTagsUnused => "the tags of a rule are not those of its tasks", "";
        ScalableTargetTagsIgnored => "tags of a scalable target have no meaning in Kubernetes", "";
        ScalingStepsUnused => "nodes are added as tasks need them, without steps or a warm-up", "";
        ScheduleGroupNoted => "the group of the schedule is kept in an annotation", "";
        SecretRefreshDelay { interval } => "the value of a secret can be {interval} old when a task starts", "set a shorter --secret-refresh-interval";
        ServiceConnectProxyAbsent => "Service Connect has no proxy here, so this has no effect", "";
        ServiceNameAssumed { name } => "the service has no name, so it is named {name} after its task definition", "give serviceName";
        ServiceRoleUnused => "controllers in the cluster need no service-linked role", "";
        SourceKmsKeyUnused => "no copy of the source is kept, which this key would encrypt", "";
        StartTimeoutUnused => "startTimeout has no effect, because no container waits for this one", "";
        SubnetsNotEnforced => "pods run in the subnets of their nodes", "place the nodes in these subnets if it matters";
        SurgeRoundsUp => "maxSurge is a percentage beside an autoscaler and rounds up, so that an update may run one task more than maximumPercent allows", "run the operator, which writes exact numbers, or choose a percentage without a remainder";
        SwappinessUnused => "swappiness has no effect without maxSwap, as in ECS", "";
        TargetTrackingAlarmIgnored { name } => "{name} is a target tracking policy, which has alarms of its own", "";
        TaskDefinitionAssumed { name } => "no task definition is named, so {name} is run, the only one given", "give taskDefinition";
        TaskDefinitionUnused { name, used } => "{name} is not converted, because {used} is the one that runs", "";
        TaskSizeIgnoredOnWindows => "the task size has no effect on Windows, as in ECS", "";
        TemplateNested { names } => "the template is read with the parameters that these nested stacks pass: {names}", "";
        TerminatingPodsNotCounted => "terminating pods do not count toward maximumPercent", "";
        VolumeLabelsIgnored => "labels of a Docker volume have no object to be on", "";
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.name() == name)
            .ok_or_else(|| UnknownReason(name.to_owned()))
    }
}

/// A name that no reason has.
#[derive(Debug, thiserror::Error)]
#[error("no reason is named {0:?}")]
pub struct UnknownReason(String);

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn facts_read_as_something_to_fill_in() {
        for (template, expected) in [
            (
                "pass --user {option}, or not",
                "pass --user <option>, or not",
            ),
            (
                "{{\"count\": {n}}} {{{{ NAME }}}}",
                "{\"count\": <n>} {{ NAME }}",
            ),
            ("", ""),
        ] {
            assert_eq!(readable(template), expected);
        }
    }
}

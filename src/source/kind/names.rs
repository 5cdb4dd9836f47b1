//! The names of members by which a document may be one of ECS.

use std::{collections::BTreeSet, sync::LazyLock};

use strsim::osa_distance;

use crate::fields::Api;

/// Members that ECS documents have elsewhere: in Terraform, in templates and in other requests.
const MORE_OF_ECS: &[&str] = &[
    "container_definitions",
    "desired_count",
    "ecsParameters",
    "ecsTaskParameters",
    "scalingTargetId",
    "serviceArn",
    "serviceArns",
    "task_definition",
    "taskArns",
    "taskDefinitionArn",
    "taskDefinitionArns",
];

/// Members of ECS requests that documents of other tools have too.
const COMMON: &[&str] = &[
    "accountId",
    "action",
    "add",
    "alarm",
    "alarms",
    "appProtocol",
    "base",
    "capabilities",
    "clientToken",
    "cluster",
    "clusterName",
    "command",
    "condition",
    "configuration",
    "containerPort",
    "cooldown",
    "count",
    "cpu",
    "dependsOn",
    "devices",
    "dimensions",
    "dnsName",
    "domain",
    "driver",
    "drop",
    "effect",
    "enable",
    "enabled",
    "encrypted",
    "endTime",
    "entryPoint",
    "environment",
    "exact",
    "expose",
    "expression",
    "extraHosts",
    "family",
    "field",
    "filters",
    "format",
    "group",
    "header",
    "healthCheck",
    "host",
    "hostname",
    "hostPath",
    "hostPort",
    "hosts",
    "httpCode",
    "iam",
    "id",
    "image",
    "interactive",
    "interval",
    "iops",
    "ipAddress",
    "key",
    "kind",
    "kmsKey",
    "kmsKeyId",
    "kubernetes",
    "label",
    "labels",
    "limits",
    "links",
    "loadBalancers",
    "logging",
    "logLevel",
    "matcher",
    "max",
    "memory",
    "metric",
    "metricName",
    "metrics",
    "min",
    "mode",
    "monitoring",
    "mountOptions",
    "name",
    "namespace",
    "nodeSelector",
    "okActions",
    "operator",
    "options",
    "overrides",
    "path",
    "period",
    "permissions",
    "policyName",
    "port",
    "privileged",
    "properties",
    "protocol",
    "query",
    "readOnly",
    "readonlyRootFilesystem",
    "referenceId",
    "resourceId",
    "resourceType",
    "restartPolicy",
    "retries",
    "role",
    "roleArn",
    "rollback",
    "schedule",
    "scheme",
    "scope",
    "secrets",
    "securityGroups",
    "service",
    "services",
    "settings",
    "size",
    "sourcePath",
    "startTime",
    "stat",
    "statistic",
    "status",
    "strategy",
    "subnets",
    "tags",
    "taints",
    "targetType",
    "threshold",
    "throughput",
    "timeout",
    "timezone",
    "tls",
    "tmpfs",
    "tolerations",
    "type",
    "ulimits",
    "unit",
    "user",
    "value",
    "valueFrom",
    "volumes",
    "volumesFrom",
    "weight",
    "workingDirectory",
];

/// Members in lower case.
pub(super) struct Members {
    /// Those by which a document may be one of ECS.
    pub(super) telling: BTreeSet<String>,
    common: BTreeSet<String>,
}

pub(super) static MEMBERS: LazyLock<Members> = LazyLock::new(|| {
    // A schedule, a rule or a pipe may call anything of AWS; one that starts tasks has `ecsParameters`. App Runner is not
    // ECS.
    let others = [
        Api::Schedule,
        Api::Rule,
        Api::Pipe,
        Api::AppRunnerService,
        Api::AutoScalingConfiguration,
    ];
    let apis = Api::ALL.iter().filter(|api| !others.contains(api));
    let fields = apis.flat_map(|api| api.fields());
    // What a pod has is in many files that have nothing to do with ECS.
    let fields = fields.filter(|field| !field.path.starts_with("pod."));
    let members = fields.flat_map(|field| field.path.split('.'));
    let members = members.map(|member| member.trim_end_matches("[]"));
    let members = members.chain(MORE_OF_ECS.iter().copied());
    let common: BTreeSet<String> = COMMON
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .collect();
    let telling = members.map(str::to_ascii_lowercase);
    Members {
        telling: telling.filter(|name| !common.contains(name)).collect(),
        common,
    }
});

/// The length from which a misspelled name is compared with others: short names resemble too many. One character in so
/// many may be wrong; a longer distance is that of words with other meanings, such as `references`.
const COMPARED: usize = 8;

/// Whether a member has a name of ECS, perhaps misspelled.
pub(super) fn tells(key: &str) -> bool {
    let Members { telling, common } = &*MEMBERS;
    let key = key.to_ascii_lowercase();
    // Others write the same two words with a character between them.
    let is_joined = |byte: u8| !byte.is_ascii_alphanumeric();
    let joints = |name: &str| name.bytes().filter(|it| is_joined(*it)).count();
    let may_be_wrong = || key.len() >= COMPARED && !common.contains(&key);
    let most = key.len() / COMPARED;
    let is_near = |name: &String| {
        name.len().abs_diff(key.len()) <= most
            && joints(name) == joints(&key)
            && osa_distance(name, &key) <= most
    };
    telling.contains(&key) || (may_be_wrong() && telling.iter().any(is_near))
}

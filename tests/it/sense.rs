//! Makes random requests sensible: references to existing names, numbers that fit together.

use ecs_operator::fields::Field;
use serde_json::{Map, Value, json};

use crate::generate::Requests;

const CONTAINERS: [&str; 4] = ["app", "db", "Log_1", "init"];
const VOLUMES: [&str; 3] = ["data", "Cache_1", "logs"];

/// Returns usual values of a number.
pub fn numbers(name: &str) -> &'static [i64] {
    match name {
        "containerPort" | "hostPort" => &[80, 443, 8080, 9000],
        "port" => &[80, 8080],
        "cpu" => &[0, 1, 2, 10, 128, 256, 512],
        "memory" => &[6, 64, 256, 512],
        "memoryReservation" => &[6, 64, 128],
        "desiredCount" | "count" => &[0, 1, 2, 3, 4, 10],
        "minimumHealthyPercent" => &[0, 33, 50, 100],
        "maximumPercent" => &[100, 150, 200],
        "MinCapacity" => &[0, 1, 2],
        "MaxCapacity" => &[2, 5, 10],
        "TargetValue" => &[10, 50, 75],
        "stopTimeout" | "startTimeout" => &[2, 30, 120],
        "base" => &[0, 1, 2],
        "weight" => &[0, 1, 3],
        _ => &[0, 1, 2, 3, 5, 10, 30, 60, 100, 120, 300, 1000],
    }
}

/// Returns usual values of a text; empty if any text is allowed.
pub fn strings(field: &Field) -> Vec<&'static str> {
    let pool: &[&str] = match field.name() {
        "image" => &[
            "nginx",
            "nginx:1.27",
            "public.ecr.aws/docker/library/redis@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
        "family" | "serviceName" | "taskDefinition" => &["web"],
        "cluster" => &[
            "default",
            "shop",
            "arn:aws:ecs:eu-central-1:123456789012:cluster/shop",
        ],
        "cpu" if field.path == "cpu" => &["256", "512", "1024", "2048", "1 vCPU", ".5 vcpu"],
        "memory" if field.path == "memory" => &["1024", "2048", "4096", "2 GB", "4GB"],
        "taskRoleArn" | "executionRoleArn" | "roleArn" | "role" | "infrastructureRoleArn" => &[
            "arn:aws:iam::123456789012:role/web",
            "arn:aws:iam::123456789012:role/team/Web_Role",
        ],
        "targetGroupArn" | "alternateTargetGroupArn" => &[
            "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/0123456789abcdef",
            "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/api/fedcba9876543210",
        ],
        "credentialsParameter" => {
            &["arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-AbCdEf"]
        }
        "valueFrom" => &[
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:password::",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:user:AWSPREVIOUS:",
            "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/key",
        ],
        "registryArn" => {
            &["arn:aws:servicediscovery:eu-central-1:123456789012:service/srv-0123456789abcdef"]
        }
        "containerName" | "sourceContainer" => &CONTAINERS,
        "sourceVolume" => &VOLUMES,
        "add" | "drop" if field.path.contains("capabilities") => &["SYS_PTRACE", "NET_RAW"],
        "dnsSearchDomains" => &["example.com", "internal"],
        "dockerSecurityOptions" => &["no-new-privileges", "apparmor:shop", "label:type:web_t"],
        "containerPath" if field.path.contains("tmpfs") => &["/run/a", "/run/b", "/tmp"],
        "containerPath" | "mountPath" => &["/data", "/var/lib/app", "/tmp", "/data/inner"],
        "sourcePath" => &["/mnt/data", "/var/run/docker.sock"],
        "rootDirectory" => &["/", "/export"],
        "fileSystemId" => &["fs-0123456789abcdef0", "fs-01234567"],
        "accessPointId" => &["fsap-0123456789abcdef0"],
        "expression" => &[
            "attribute:ecs.instance-type == m5.large",
            "attribute:ecs.availability-zone in [eu-central-1a, eu-central-1b]",
            "not(attribute:stack == prod) and (attribute:gpu exists or attribute:ecs.os-type == linux)",
            "task:group == service:db",
        ],
        "field" => &[
            "instanceId",
            "attribute:ecs.availability-zone",
            "cpu",
            "memory",
            "host",
        ],
        "key" if field.path.contains("tags") => &["team", "cost-center", "Name"],
        "name" if field.path.ends_with("environment[].name") => {
            &["LOG_LEVEL", "JAVA_OPTS", "a.b", "X_1", "PATH"]
        }
        "name" if field.path.ends_with("secrets[].name") => &["PASSWORD", "API_KEY"],
        "namespace" if field.path.contains("systemControls") => {
            &["net.core.somaxconn", "net.ipv4.tcp_keepalive_time"]
        }
        "value" if field.path.contains("systemControls") => &["1024", "0"],
        "hostname" => &["db", "db-1"],
        "portName" => &["http", "grpc"],
        "name" if field.path == "containerDefinitions[].portMappings[].name" => &["http", "grpc"],
        "containerPortRange" => &["7000-7010"],
        "capacityProvider" => &["FARGATE", "FARGATE_SPOT", "workers"],
        "user" => &["0", "1000", "1000:1000"],
        "dnsServers" | "ipAddress" => &["10.0.0.2", "fd00::2"],
        "subnets" => &["subnet-0123456789abcdef0"],
        "securityGroups" => &["sg-0123456789abcdef0"],
        "ServiceNamespace" => &["ecs"],
        "ScalableDimension" => &["ecs:service:DesiredCount"],
        "ResourceId" => &["service/default/web"],
        "ResourceLabel" => &["app/web/0123456789abcdef/targetgroup/web/0123456789abcdef"],
        "Schedule" => &[
            "rate(5 minutes)",
            "cron(0 8 * * ? *)",
            "at(2026-03-01T08:00:00)",
        ],
        _ => &[],
    };
    pool.to_vec()
}

/// Makes the requests consistent.
pub fn make(requests: &mut Requests) {
    task_definition(&mut requests.task_definition);
    let definition = requests.task_definition.clone();
    if let Some(service) = &mut requests.service {
        service_of(&definition, service);
    }
    if let Some(Value::Object(task)) = &mut requests.task {
        task.insert("taskDefinition".to_owned(), json!("web"));
        without(
            task,
            &[
                "overrides",
                "launchType",
                "volumeConfigurations",
                "networkConfiguration",
            ],
        );
        placement(task);
        distinct(task, "tags", "key");
        task.insert("count".to_owned(), json!(1));
        if task.get("propagateTags") == Some(&json!("SERVICE")) {
            task.remove("propagateTags");
        }
    }
    for (number, document) in requests.scaling.iter_mut().enumerate() {
        document["ResourceId"] = json!("service/default/web");
        if number == 0 {
            document["MinCapacity"] = json!(1);
            document["MaxCapacity"] = json!(10);
        } else {
            let metric = [
                "ECSServiceAverageCPUUtilization",
                "ECSServiceAverageMemoryUtilization",
            ];
            document["PolicyType"] = json!("TargetTrackingScaling");
            document["PolicyName"] = json!(format!("policy-{number}"));
            let policy = &mut document["TargetTrackingScalingPolicyConfiguration"];
            policy["TargetValue"] = json!(75);
            policy["PredefinedMetricSpecification"] =
                json!({"PredefinedMetricType": metric[number % 2]});
            if let Some(document) = document.as_object_mut() {
                without(
                    document,
                    &[
                        "StepScalingPolicyConfiguration",
                        "PredictiveScalingPolicyConfiguration",
                        "Alarm",
                    ],
                );
            }
            let policy = document["TargetTrackingScalingPolicyConfiguration"].as_object_mut();
            without(
                policy.expect("it was made above"),
                &["CustomizedMetricSpecification"],
            );
        }
    }
    alarms(&mut requests.alarms);
}

/// Makes the alarms those of a policy that needs none, without what no alarm may have.
fn alarms(alarms: &mut [Value]) {
    for (number, alarm) in alarms.iter_mut().enumerate() {
        alarm["AlarmName"] = json!(format!("alarm-{number}"));
        alarm["AlarmActions"] = json!(["policy-1"]);
        if let Some(alarm) = alarm.as_object_mut() {
            without(
                alarm,
                &[
                    "EvaluationCriteria",
                    "EvaluationInterval",
                    "EvaluationWindow",
                    "ThresholdMetricId",
                    "WarmUpConfiguration",
                ],
            );
        }
    }
}

/// Removes elements with duplicate names.
fn distinct(object: &mut Map<String, Value>, list: &str, name: &str) {
    let mut seen = std::collections::BTreeSet::new();
    if let Some(Value::Array(elements)) = object.get_mut(list) {
        elements.retain(|element| seen.insert(element[name].to_string()));
    }
}

fn without(object: &mut Map<String, Value>, names: &[&str]) {
    object.retain(|name, _| !names.contains(&name.as_str()));
}

fn elements<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = object.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Sets the members that the type of a constraint or strategy requires.
fn placement(request: &mut Map<String, Value>) {
    for constraint in elements(request, "placementConstraints") {
        let member = constraint.contains_key("expression");
        let kind = if member {
            "memberOf"
        } else {
            "distinctInstance"
        };
        constraint.insert("type".to_owned(), json!(kind));
    }
    for strategy in elements(request, "placementStrategy") {
        let field = match strategy.get("type").and_then(Value::as_str) {
            Some("binpack") => json!("memory"),
            Some("random") => Value::Null,
            _ => {
                strategy.insert("type".to_owned(), json!("spread"));
                json!("instanceId")
            }
        };
        strategy.insert("field".to_owned(), field);
    }
}

/// Members of a container that are also allowed on Fargate.
const ON_FARGATE: &[&str] = &[
    "name",
    "image",
    "essential",
    "command",
    "entryPoint",
    "environment",
    "secrets",
    "portMappings",
    "healthCheck",
    "logConfiguration",
    "dependsOn",
    "startTimeout",
    "stopTimeout",
    "user",
    "workingDirectory",
    "readonlyRootFilesystem",
    "restartPolicy",
    "dockerLabels",
];

fn task_definition(definition: &mut Value) {
    let fargate = definition["requiresCompatibilities"]
        .as_array()
        .is_some_and(|list| list.contains(&json!("FARGATE")));
    let Some(definition) = definition.as_object_mut() else {
        return;
    };
    definition.insert("family".to_owned(), json!("web"));
    without(
        definition,
        &["trustedExecutionConfiguration", "inferenceAccelerators"],
    );
    if let Some(platform) = definition.get_mut("runtimePlatform") {
        platform["operatingSystemFamily"] = json!("LINUX");
    }
    if fargate {
        definition.insert("networkMode".to_owned(), json!("awsvpc"));
        definition.insert("cpu".to_owned(), json!("1024"));
        definition.insert("memory".to_owned(), json!("4096"));
        without(
            definition,
            &["placementConstraints", "volumes", "pidMode", "ipcMode"],
        );
    }
    for constraint in elements(definition, "placementConstraints") {
        constraint.insert("type".to_owned(), json!("memberOf"));
        constraint
            .entry("expression")
            .or_insert(json!("attribute:ecs.availability-zone == eu-central-1a"));
    }
    let volumes = volumes(definition.get_mut("volumes"));
    let mode = definition
        .get("networkMode")
        .and_then(Value::as_str)
        .unwrap_or("bridge")
        .to_owned();
    let sized = definition.contains_key("memory");
    let mut checked = false;
    for (index, container) in elements(definition, "containerDefinitions").enumerate() {
        container_of(container, index, &volumes, &mode, sized);
        if fargate {
            container.retain(|name, _| ON_FARGATE.contains(&name.as_str()));
        }
        for dependency in elements(container, "dependsOn") {
            if dependency.get("condition") == Some(&json!("HEALTHY")) && !checked {
                dependency.insert("condition".to_owned(), json!("START"));
            }
        }
        checked = container.contains_key("healthCheck");
    }
}

/// Keeps one source for each volume, and returns the names.
fn volumes(volumes: Option<&mut Value>) -> Vec<&'static str> {
    let mut names = Vec::new();
    let all = volumes.and_then(Value::as_array_mut).into_iter().flatten();
    for (volume, name) in all.zip(VOLUMES) {
        if let Some(volume) = volume.as_object_mut() {
            let mut sources = 0;
            volume.retain(|member, _| {
                sources += 1;
                matches!(
                    member.as_str(),
                    "host" | "dockerVolumeConfiguration" | "efsVolumeConfiguration"
                ) && sources == 1
            });
            volume.insert("name".to_owned(), json!(name));
            names.push(name);
        }
    }
    names
}

fn container_of(
    container: &mut Map<String, Value>,
    index: usize,
    volumes: &[&str],
    mode: &str,
    sized: bool,
) {
    container.insert(
        "name".to_owned(),
        json!(CONTAINERS[index % CONTAINERS.len()]),
    );
    if index == 0 {
        container.insert("essential".to_owned(), json!(true));
    }
    let number =
        |container: &Map<String, Value>, name: &str| container.get(name).and_then(Value::as_i64);
    match (
        number(container, "memory"),
        number(container, "memoryReservation"),
    ) {
        (Some(memory), Some(reservation)) if memory < reservation => {
            container.insert("memory".to_owned(), json!(reservation));
        }
        (None, None) if !sized => {
            container.insert("memory".to_owned(), json!(128));
        }
        _ => {}
    }
    // Dependencies are only on earlier containers, so that there is no cycle.
    for (list, name) in [
        ("dependsOn", "containerName"),
        ("volumesFrom", "sourceContainer"),
    ] {
        if index == 0 {
            container.remove(list);
        }
        for reference in container
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            reference[name] = json!(CONTAINERS[index - 1]);
        }
        truncate(container.get_mut(list), 1);
    }
    without(
        container,
        &[
            "links",
            "disableNetworking",
            "resourceRequirements",
            "firelensConfiguration",
            "credentialSpecs",
            "dockerSecurityOptions",
            "environmentFiles",
        ],
    );
    if let Some(log) = container.get_mut("logConfiguration") {
        *log = json!({"logDriver": "awslogs", "options": {
            "awslogs-group": "/ecs/web", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "ecs"
        }});
    }
    if let Some(linux) = container
        .get_mut("linuxParameters")
        .and_then(Value::as_object_mut)
    {
        without(linux, &["devices"]);
    }
    if volumes.is_empty() {
        container.remove("mountPoints");
    }
    let mounts = container
        .get_mut("mountPoints")
        .and_then(Value::as_array_mut);
    for (mount, number) in mounts.into_iter().flatten().zip(0..) {
        mount["sourceVolume"] = json!(volumes[number % volumes.len()]);
        mount["containerPath"] = json!(format!("/mnt/{number}"));
    }
    let ports = container
        .get_mut("portMappings")
        .and_then(Value::as_array_mut);
    for (port, number) in ports.into_iter().flatten().zip(0..) {
        if let Some(port) = port.as_object_mut() {
            port.remove("containerPortRange");
            port.remove("name");
            port.insert(
                "containerPort".to_owned(),
                json!(8000 + 10 * index + number),
            );
            if mode != "bridge" {
                port.remove("hostPort");
            }
        }
    }
    if mode == "none" {
        container.remove("portMappings");
    }
    if mode != "bridge" {
        container.retain(|name, _| {
            !matches!(
                name.as_str(),
                "hostname" | "dnsServers" | "dnsSearchDomains" | "extraHosts"
            )
        });
    }
}

fn truncate(list: Option<&mut Value>, length: usize) {
    if let Some(Value::Array(list)) = list {
        list.truncate(length);
    }
}

fn service_of(definition: &Value, service: &mut Value) {
    let container = &definition["containerDefinitions"][0];
    let port = container["portMappings"][0]["containerPort"].clone();
    let Some(service) = service.as_object_mut() else {
        return;
    };
    let count = service
        .get("desiredCount")
        .and_then(Value::as_i64)
        .unwrap_or(2);
    service.insert("serviceName".to_owned(), json!("web"));
    service.insert("taskDefinition".to_owned(), json!("web"));
    service.insert("desiredCount".to_owned(), json!(count));
    without(
        service,
        &[
            "deploymentController",
            "volumeConfigurations",
            "serviceConnectConfiguration",
            "serviceRegistries",
            "schedulingStrategy",
            "launchType",
            "vpcLatticeConfigurations",
            "gatewayConnectors",
        ],
    );
    if let Some(deployment) = service
        .get_mut("deploymentConfiguration")
        .and_then(Value::as_object_mut)
    {
        deployment.retain(|name, _| {
            matches!(
                name.as_str(),
                "maximumPercent" | "minimumHealthyPercent" | "deploymentCircuitBreaker"
            )
        });
    }
    if let Some(strategy) = service.get_mut("capacityProviderStrategy") {
        *strategy = json!([{"capacityProvider": "workers", "weight": 1}]);
    }
    placement(service);
    distinct(service, "tags", "key");
    if definition["networkMode"] != "awsvpc" {
        service.remove("networkConfiguration");
    }
    if definition.get("requiresCompatibilities").is_some() {
        without(service, &["placementConstraints", "placementStrategy"]);
    }
    if port.is_null() {
        service.remove("loadBalancers");
    }
    for balancer in elements(service, "loadBalancers") {
        *balancer = Map::from_iter([
            (
                "targetGroupArn".to_owned(),
                json!(
                    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/0123456789abcdef"
                ),
            ),
            ("containerName".to_owned(), container["name"].clone()),
            ("containerPort".to_owned(), port.clone()),
        ]);
    }
    truncate(service.get_mut("loadBalancers"), 1);
}

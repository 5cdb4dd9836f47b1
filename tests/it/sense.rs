//! What makes random requests sensible: names that lead somewhere, numbers that fit together.

use ecs_operator::fields::Field;
use serde_json::{Map, Value, json};

use crate::generate::Requests;

const CONTAINERS: [&str; 4] = ["app", "db", "Log_1", "init"];
const VOLUMES: [&str; 3] = ["data", "Cache_1", "logs"];

/// Usual values of a number.
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
        "base" => &[0, 1, 2],
        "weight" => &[0, 1, 3],
        _ => &[0, 1, 2, 3, 5, 10, 30, 60, 100, 120, 300, 1000],
    }
}

/// Usual values of a text; none where anything goes.
pub fn strings(field: &Field) -> Vec<&'static str> {
    let pool: &[&str] = match field.name() {
        "image" => &["nginx", "nginx:1.27", "public.ecr.aws/docker/library/redis@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],
        "family" | "serviceName" | "taskDefinition" => &["web"],
        "cluster" => &["default", "shop", "arn:aws:ecs:eu-central-1:123456789012:cluster/shop"],
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
        "valueFrom" | "credentialsParameter" => &[
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:password::",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:user:AWSPREVIOUS:",
            "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/key",
            "/shop/key",
        ],
        "registryArn" => &["arn:aws:servicediscovery:eu-central-1:123456789012:service/srv-0123456789abcdef"],
        "containerName" | "sourceContainer" => &CONTAINERS,
        "sourceVolume" => &VOLUMES,
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
        "field" => &["instanceId", "attribute:ecs.availability-zone", "cpu", "memory", "host"],
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
        "Schedule" => &["rate(5 minutes)", "cron(0 8 * * ? *)", "at(2026-03-01T08:00:00)"],
        _ => &[],
    };
    pool.to_vec()
}

/// Makes the requests fit together.
pub fn make(requests: &mut Requests) {
    task_definition(&mut requests.task_definition);
    let definition = requests.task_definition.clone();
    if let Some(service) = &mut requests.service {
        service_of(&definition, service);
    }
    if let Some(Value::Object(task)) = &mut requests.task {
        task.insert("taskDefinition".to_owned(), json!("web"));
        for name in ["overrides", "launchType"] {
            task.remove(name);
        }
    }
    requests.scaling.retain_mut(|document| {
        let complete = document["PolicyType"] != "TargetTrackingScaling"
            || document["TargetTrackingScalingPolicyConfiguration"].is_object();
        document["ResourceId"] = json!("service/default/web");
        complete
    });
}

fn task_definition(definition: &mut Value) {
    definition["family"] = json!("web");
    let fargate = definition["requiresCompatibilities"]
        .as_array()
        .is_some_and(|list| list.contains(&json!("FARGATE")));
    let Some(definition) = definition.as_object_mut() else {
        return;
    };
    if fargate {
        definition.insert("networkMode".to_owned(), json!("awsvpc"));
        definition.insert("cpu".to_owned(), json!("1024"));
        definition.insert("memory".to_owned(), json!("4096"));
        definition.remove("placementConstraints");
        definition.remove("volumes");
        definition.remove("pidMode");
        definition.remove("ipcMode");
    }
    let volumes = volumes(definition.get_mut("volumes"));
    let mode = definition.get("networkMode").and_then(Value::as_str).unwrap_or("bridge").to_owned();
    let sized = definition.contains_key("memory");
    let containers = definition.get_mut("containerDefinitions").and_then(Value::as_array_mut);
    for (index, container) in containers.into_iter().flatten().enumerate() {
        if let Some(container) = container.as_object_mut() {
            container_of(container, index, &volumes, &mode, sized);
            if fargate {
                for name in ["links", "linuxParameters", "extraHosts", "hostname", "privileged", "resourceRequirements", "dnsServers", "dnsSearchDomains", "dockerSecurityOptions", "systemControls"] {
                    container.remove(name);
                }
                container.retain(|name, _| !matches!(name.as_str(), "cpu" | "memory" | "memoryReservation"));
            }
        }
    }
}

/// One source for each volume, and the names.
fn volumes(volumes: Option<&mut Value>) -> Vec<&'static str> {
    let mut names = Vec::new();
    let all = volumes.and_then(Value::as_array_mut).into_iter().flatten();
    for (volume, name) in all.zip(VOLUMES) {
        if let Some(volume) = volume.as_object_mut() {
            let mut sources = 0;
            volume.retain(|member, _| {
                sources += 1;
                matches!(member.as_str(), "host" | "dockerVolumeConfiguration" | "efsVolumeConfiguration") && sources == 1
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
    container.insert("name".to_owned(), json!(CONTAINERS[index % CONTAINERS.len()]));
    if index == 0 {
        container.insert("essential".to_owned(), json!(true));
    }
    let number = |container: &Map<String, Value>, name: &str| container.get(name).and_then(Value::as_i64);
    match (number(container, "memory"), number(container, "memoryReservation")) {
        (Some(memory), Some(reservation)) if memory < reservation => {
            container.insert("memory".to_owned(), json!(reservation));
        }
        (None, None) if !sized => {
            container.insert("memory".to_owned(), json!(128));
        }
        _ => {}
    }
    // What depends on another one depends on an earlier one, so that there is no circle.
    for (list, name) in [("dependsOn", "containerName"), ("volumesFrom", "sourceContainer")] {
        if index == 0 {
            container.remove(list);
        }
        for reference in container.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            reference[name] = json!(CONTAINERS[index - 1]);
        }
        truncate(container.get_mut(list), 1);
    }
    container.remove("links");
    if volumes.is_empty() {
        container.remove("mountPoints");
    }
    let mounts = container.get_mut("mountPoints").and_then(Value::as_array_mut);
    for (mount, number) in mounts.into_iter().flatten().zip(0..) {
        mount["sourceVolume"] = json!(volumes[number % volumes.len()]);
        mount["containerPath"] = json!(format!("/mnt/{number}"));
    }
    let ports = container.get_mut("portMappings").and_then(Value::as_array_mut);
    for (port, number) in ports.into_iter().flatten().zip(0..) {
        if let Some(port) = port.as_object_mut() {
            port.remove("containerPortRange");
            port.remove("name");
            port.insert("containerPort".to_owned(), json!(8000 + 10 * index + number));
            if mode != "bridge" {
                port.remove("hostPort");
            }
        }
    }
    if mode == "none" {
        container.remove("portMappings");
    }
    if mode != "bridge" {
        container.retain(|name, _| !matches!(name.as_str(), "hostname" | "dnsServers" | "dnsSearchDomains" | "extraHosts"));
    }
}

fn truncate(list: Option<&mut Value>, length: usize) {
    if let Some(Value::Array(list)) = list {
        list.truncate(length);
    }
}

fn service_of(definition: &Value, service: &mut Value) {
    service["serviceName"] = json!("web");
    service["taskDefinition"] = json!("web");
    service["desiredCount"] = json!(service["desiredCount"].as_i64().unwrap_or(2));
    let container = &definition["containerDefinitions"][0];
    let port = container["portMappings"][0]["containerPort"].clone();
    let Some(service) = service.as_object_mut() else {
        return;
    };
    service.retain(|name, _| {
        !matches!(name.as_str(), "deploymentController" | "volumeConfigurations" | "serviceConnectConfiguration" | "serviceRegistries")
    });
    if service.contains_key("launchType") {
        service.remove("capacityProviderStrategy");
    }
    if definition["networkMode"] != "awsvpc" {
        service.remove("networkConfiguration");
    }
    if port.is_null() {
        service.remove("loadBalancers");
    }
    for balancer in service.get_mut("loadBalancers").and_then(Value::as_array_mut).into_iter().flatten() {
        balancer["containerName"] = container["name"].clone();
        balancer["containerPort"] = port.clone();
    }
}

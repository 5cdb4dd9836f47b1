//! Documents in the style of real teams, combined from a few parts. The n-th document is always the same.

use serde_json::{Map, Value, json};

/// An input file and its number of documents.
pub struct Input {
    pub text: String,
    pub documents: usize,
}

/// Returns the `number`-th input: a task definition, with a service in every second file and scaling in every third.
pub fn input(number: usize) -> Input {
    let mut dice = Dice(number as u64 + 1);
    let family = format!(
        "{}-{number}",
        dice.pick(&["web", "api", "worker", "billing", "search", "mail"])
    );
    let fargate = dice.one_in(2);
    let task_definition = task_definition(&family, fargate, &mut dice);
    let mut documents = vec![task_definition];
    if dice.one_in(2) {
        documents.push(service(&family, fargate, &mut dice));
        if dice.one_in(3) {
            let resource = format!("service/shop/{family}");
            documents.push(scalable_target(&resource));
            documents.push(scaling_policy(&resource, &mut dice));
        }
    }
    let pretty = dice.one_in(2);
    let texts: Vec<String> = documents
        .iter()
        .map(|document| {
            if pretty {
                format!("{document:#}")
            } else {
                document.to_string()
            }
        })
        .collect();
    Input {
        documents: texts.len(),
        text: texts.join("\n"),
    }
}

/// Returns the same documents as a template of CloudFormation that also makes the roles and the target group, and whose
/// resources refer to each other.
pub fn template(input: &Input) -> String {
    let documents = serde_json::Deserializer::from_str(&input.text).into_iter::<Value>();
    let mut resources = Map::new();
    for (id, kind) in [
        ("TaskRole", "AWS::IAM::Role"),
        ("ExecutionRole", "AWS::IAM::Role"),
        ("TargetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup"),
    ] {
        let properties = match kind {
            "AWS::IAM::Role" => {
                json!({"RoleName": {"Fn::Sub": format!("${{AWS::StackName}}-{id}")}})
            }
            _ => json!({"TargetType": "ip", "Port": 8080}),
        };
        let resource = json!({"Type": kind, "Properties": properties});
        resources.insert(id.to_owned(), resource);
    }
    for (number, document) in documents.enumerate() {
        let mut properties = document.expect("it is JSON");
        let has = |key: &str| properties.get(key).is_some();
        let kind = if has("containerDefinitions") {
            "AWS::ECS::TaskDefinition"
        } else if has("serviceName") {
            "AWS::ECS::Service"
        } else if has("PolicyName") {
            "AWS::ApplicationAutoScaling::ScalingPolicy"
        } else {
            "AWS::ApplicationAutoScaling::ScalableTarget"
        };
        if kind == "AWS::ECS::Service" {
            properties["taskDefinition"] = json!({"Ref": "Resource0"});
            for target in list(&mut properties["loadBalancers"]) {
                target["targetGroupArn"] = json!({"Ref": "TargetGroup"});
            }
        }
        if kind == "AWS::ECS::TaskDefinition" {
            properties["taskRoleArn"] = json!({"Fn::GetAtt": ["TaskRole", "Arn"]});
            properties["executionRoleArn"] = json!({"Fn::GetAtt": ["ExecutionRole", "Arn"]});
            for container in list(&mut properties["containerDefinitions"]) {
                let image = container["image"].as_str().unwrap_or_default();
                let image = image.split(':').next().unwrap_or_default();
                container["image"] = json!({"Fn::Sub": format!("{image}:${{Tag}}")});
            }
        }
        let resource = json!({"Type": kind, "Properties": capitalized(properties)});
        resources.insert(format!("Resource{number}"), resource);
    }
    let parameters = json!({"Tag": {"Type": "String", "Default": "latest"}});
    json!({"Parameters": parameters, "Resources": resources}).to_string()
}

/// Returns a value with the names of members as CloudFormation spells them.
fn capitalized(value: Value) -> Value {
    match value {
        Value::Array(elements) => elements.into_iter().map(capitalized).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| {
                // Somebody chose the names of these members.
                let is_map = matches!(&*key, "dockerLabels" | "options" | "Fn::Sub");
                let value = if is_map { value } else { capitalized(value) };
                let (first, rest) = key.split_at(1);
                (first.to_ascii_uppercase() + rest, value)
            });
            members.collect()
        }
        value => value,
    }
}

/// Returns the elements of a list, if it is one.
fn list(value: &mut Value) -> &mut [Value] {
    value.as_array_mut().map_or(&mut [], Vec::as_mut_slice)
}

fn task_definition(family: &str, fargate: bool, dice: &mut Dice) -> Value {
    let mut containers = vec![main_container(family, fargate, dice)];
    let volume = dice.one_in(3);
    if volume {
        containers[0]["mountPoints"] = json!([{"sourceVolume": "data", "containerPath": "/data"}]);
    }
    if dice.one_in(3) {
        containers.push(log_router());
    }
    if dice.one_in(3) {
        containers.push(migration(family));
        containers[0]["dependsOn"] = json!([{"containerName": "migrate", "condition": "SUCCESS"}]);
    }
    if dice.one_in(4) {
        containers.push(proxy());
    }
    let mut definition = json!({
        "family": family,
        "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
        "taskRoleArn": format!("arn:aws:iam::123456789012:role/{family}"),
        "networkMode": if fargate { "awsvpc" } else { "bridge" },
        "containerDefinitions": containers,
        "tags": [{"key": "team", "value": "shop"}, {"key": "cost-center", "value": "4711"}],
    });
    if fargate {
        definition["requiresCompatibilities"] = json!(["FARGATE"]);
        definition["cpu"] = json!("1024");
        definition["memory"] = json!("4096");
        definition["runtimePlatform"] = json!({
            "cpuArchitecture": dice.pick(&["X86_64", "ARM64"]),
            "operatingSystemFamily": "LINUX",
        });
    } else if dice.one_in(4) {
        definition["placementConstraints"] = json!([{
            "type": "memberOf",
            "expression": "attribute:ecs.instance-type in [m5.large, m5.xlarge] and attribute:ecs.availability-zone != eu-central-1c"
        }]);
    }
    if volume {
        definition["volumes"] = json!([if dice.one_in(2) {
            json!({"name": "data", "efsVolumeConfiguration": {
                "fileSystemId": "fs-0123456789abcdef0",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0", "iam": "ENABLED"}
            }})
        } else {
            json!({"name": "data"})
        }]);
    }
    definition
}

fn main_container(family: &str, fargate: bool, dice: &mut Dice) -> Value {
    let mut environment = Vec::new();
    for number in 0..dice.below(40) {
        environment.push(json!({
            "name": format!("{}_SETTING_{number}", family.to_uppercase().replace('-', "_")),
            "value": dice.pick(&[
                "true", "8080", "https://api.example.com/v1", "postgres://db.example.internal:5432/shop",
                "-Xmx512m -XX:+UseG1GC $JAVA_OPTS", "info", "eu-central-1",
            ]),
        }));
    }
    let mut container = json!({
        "name": "app",
        "image": format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/{family}:1.{}", dice.below(100)),
        "essential": true,
        "cpu": 256,
        "memoryReservation": 512,
        "portMappings": [{"containerPort": 8080, "protocol": "tcp", "name": "http"}],
        "logConfiguration": {"logDriver": "awslogs", "options": {
            "awslogs-group": format!("/ecs/{family}"),
            "awslogs-region": "eu-central-1",
            "awslogs-stream-prefix": "ecs"
        }},
    });
    let members: &mut Map<String, Value> = container.as_object_mut().expect("it is an object");
    if !environment.is_empty() {
        members.insert("environment".to_owned(), environment.into());
    }
    if dice.one_in(2) {
        let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/db-AbCdEf";
        let secrets = json!([
            {"name": "DB_PASSWORD", "valueFrom": format!("{secret}:password::")},
            {"name": "API_KEY", "valueFrom": "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/key"},
        ]);
        members.insert("secrets".to_owned(), secrets);
    }
    if dice.one_in(2) {
        let check = json!({
            "command": ["CMD-SHELL", "curl -f http://localhost:8080/health || exit 1"],
            "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 60
        });
        members.insert("healthCheck".to_owned(), check);
    }
    if !fargate && dice.one_in(3) {
        let ulimits = json!([{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}]);
        members.insert("ulimits".to_owned(), ulimits);
    }
    if dice.one_in(4) {
        members.insert(
            "command".to_owned(),
            json!(["java", "-jar", "/app/app.jar", "--port=8080"]),
        );
        members.insert("stopTimeout".to_owned(), json!(60));
    }
    container
}

fn log_router() -> Value {
    json!({
        "name": "log_router",
        "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable",
        "essential": true,
        "cpu": 32,
        "memoryReservation": 50,
        "firelensConfiguration": {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true"}},
    })
}

fn migration(family: &str) -> Value {
    json!({
        "name": "migrate",
        "image": format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/{family}:migrate"),
        "essential": false,
        "cpu": 64,
        "memory": 256,
        "command": ["./migrate", "up"],
        "environment": [{"name": "DATABASE_URL", "value": "postgres://db.example.internal/shop"}],
    })
}

fn proxy() -> Value {
    json!({
        "name": "nginx",
        "image": "nginx:1.27",
        "essential": true,
        "cpu": 128,
        "memory": 128,
        "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
        "dependsOn": [{"containerName": "app", "condition": "START"}],
    })
}

fn service(family: &str, fargate: bool, dice: &mut Dice) -> Value {
    let mut service = json!({
        "serviceName": family,
        "cluster": "shop",
        "taskDefinition": family,
        "desiredCount": dice.below(8) + 1,
        "launchType": if fargate { "FARGATE" } else { "EC2" },
        "deploymentConfiguration": {
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": true, "rollback": true}
        },
        "propagateTags": "SERVICE",
    });
    if fargate {
        service["networkConfiguration"] = json!({"awsvpcConfiguration": {
            "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "securityGroups": ["sg-0123456789abcdef0"],
            "assignPublicIp": "DISABLED"
        }});
        service["loadBalancers"] = json!([{
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/0123456789abcdef",
            "containerName": "app",
            "containerPort": 8080
        }]);
    } else {
        service["placementStrategy"] = json!([
            {"type": "spread", "field": "attribute:ecs.availability-zone"},
            {"type": "spread", "field": "instanceId"}
        ]);
    }
    service
}

fn scalable_target(resource: &str) -> Value {
    json!({
        "ServiceNamespace": "ecs",
        "ResourceId": resource,
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 2,
        "MaxCapacity": 10
    })
}

fn scaling_policy(resource: &str, dice: &mut Dice) -> Value {
    json!({
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "ServiceNamespace": "ecs",
        "ResourceId": resource,
        "ScalableDimension": "ecs:service:DesiredCount",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": dice.below(40) + 40,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 60
        }
    })
}

/// Pseudorandom numbers, which are the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed >> 33) % end
    }

    fn one_in(&mut self, end: u64) -> bool {
        self.below(end) == 0
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[usize::try_from(self.below(from.len() as u64)).expect("it is small")]
    }
}

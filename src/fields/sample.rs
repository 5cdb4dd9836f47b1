//! Requests that set a field, for fields without an example.

use super::{Field, Kind};

/// The smallest request that sets the field.
pub(super) fn smallest(field: &Field) -> String {
    let sample = field
        .limits
        .values
        .first()
        .map(|value| format!("{value:?}"));
    let mut json = sample.unwrap_or_else(|| match field.kind {
        Kind::Integer | Kind::Number => field.limits.min.unwrap_or(1.0).max(1.0).to_string(),
        Kind::Boolean => "true".to_owned(),
        Kind::StringMap => r#"{"key": "value"}"#.to_owned(),
        Kind::Document | Kind::Kubernetes => "{}".to_owned(),
        Kind::Timestamp => r#""2026-01-15T10:30:00Z""#.to_owned(),
        Kind::String => format!("{:?}", sample_text(field.name())),
    });
    for part in field.path.split('.').rev() {
        for _ in 0..part.matches("[]").count() {
            json = format!("[{json}]");
        }
        json = format!("{{\"{}\": {json}}}", part.trim_end_matches("[]"));
    }
    json
}

fn sample_text(name: &str) -> &'static str {
    match name {
        "image" => "nginx:1.29",
        "containerPortRange" => "9000-9010",
        "valueFrom" | "credentialsParameter" => {
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
        }
        "taskRoleArn" | "executionRoleArn" | "roleArn" | "RoleARN" => {
            "arn:aws:iam::123456789012:role/web"
        }
        "targetGroupArn" => {
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/943f017f100becff"
        }
        "expression" => "attribute:ecs.instance-type == g4dn.xlarge",
        "containerPath" | "sourcePath" | "rootDirectory" | "workingDirectory" => "/data",
        "fileSystemId" => "fs-0123456789abcdef0",
        "cpu" => "256",
        "memory" => "512",
        "user" => "1000:1000",
        "Schedule" => "cron(0 22 * * ? *)",
        "Timezone" => "Europe/Berlin",
        "ResourceId" => "service/prod/web",
        "ServiceNamespace" => "ecs",
        "ScalableDimension" => "ecs:service:DesiredCount",
        "PredefinedMetricType" => "ECSServiceAverageCPUUtilization",
        _ => "web",
    }
}

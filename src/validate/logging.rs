//! Log drivers and FireLens.

use std::collections::BTreeMap;

use super::{Scope, SecretVariable, firelens, secret::validate_secret};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// The destination of a container's logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// Whether the logs go to the FireLens log router of the task.
    pub firelens: bool,
    /// The driver, if one is given.
    pub driver: Option<LogDriver>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// Options of the FireLens output with values from a secret store.
    pub secret_options: Vec<SecretVariable>,
    /// Whether there are secret options that are not used because the driver is not FireLens.
    pub unread_secret_options: bool,
}

/// A log driver of ECS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDriver {
    /// The files of the container runtime.
    JsonFile,
    /// CloudWatch Logs.
    Awslogs,
    /// The FireLens log router of the task.
    Awsfirelens,
    /// Any other.
    Other(String),
}

impl LogDriver {
    /// Returns the name in ECS.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::JsonFile => "json-file",
            Self::Awslogs => "awslogs",
            Self::Awsfirelens => "awsfirelens",
            Self::Other(name) => name,
        }
    }
}

/// Validates `logConfiguration`.
pub(crate) fn validate_logging(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Logging {
    let Some(configuration) = &raw.log_configuration else {
        return Logging::default();
    };
    let path = path.field("logConfiguration");
    let ecs::LogConfiguration {
        log_driver,
        options,
        secret_options,
    } = configuration;
    let driver = match log_driver.as_deref() {
        None | Some("") => {
            let name = "logDriver";
            let message = Message::RequiredField {
                name: name.to_owned(),
            };
            sink.report(path.field(name), message);
            return Logging::default();
        }
        Some("json-file") => LogDriver::JsonFile,
        Some("awslogs") => LogDriver::Awslogs,
        Some("awsfirelens") => LogDriver::Awsfirelens,
        Some(other) => LogDriver::Other(other.to_owned()),
    };
    let on_fargate = ["awslogs", "splunk", "awsfirelens"];
    if scope.fargate && !on_fargate.contains(&driver.name()) {
        let value = driver.name().to_owned();
        sink.report(path.field("logDriver"), Message::FargateLogDriver { value });
    }
    let firelens = driver == LogDriver::Awsfirelens;
    let mut read_secret_options = Vec::new();
    if firelens {
        let secrets = path.field("secretOptions");
        for (index, secret) in secret_options.iter().enumerate() {
            let path = secrets.index(index);
            read_secret_options.extend(validate_secret(secret, scope, &path, sink));
        }
        firelens::check_source(raw, configuration, scope, &path, sink);
    } else if driver == LogDriver::Awslogs {
        check_awslogs(configuration, scope, &path, sink);
    }
    Logging {
        firelens,
        driver: Some(driver),
        options: options.clone(),
        secret_options: read_secret_options,
        unread_secret_options: !firelens && !secret_options.is_empty(),
    }
}

/// Checks the options that ECS requires
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html>).
fn check_awslogs(
    raw: &ecs::LogConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let prefix = scope.fargate.then_some("awslogs-stream-prefix");
    let needed = ["awslogs-group", "awslogs-region"]
        .into_iter()
        .chain(prefix);
    for name in needed.filter(|name| !raw.options.contains_key(*name)) {
        let name = name.to_owned();
        sink.report(
            path.field("options"),
            Message::AwslogsOptionMissing { name },
        );
    }
}

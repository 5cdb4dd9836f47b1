//! The fields of the AWS API models, as lines of `src/fields/aws.tsv`.
//!
//! The models are included in botocore, the AWS library for Python, as one compressed JSON file per service. Only
//! names, types and limits are used, not the documentation.

use std::{collections::BTreeSet, fmt::Write as _, fs::File, path::Path};

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use crate::Result;

/// The service, the version of its API, and the operations whose requests are read.
const MODELS: &[(&str, &str, &[&str])] = &[
    (
        "ecs",
        "2014-11-13",
        &[
            "RegisterTaskDefinition",
            "CreateService",
            "UpdateService",
            "RunTask",
            "CreateCluster",
            "CreateCapacityProvider",
        ],
    ),
    (
        "application-autoscaling",
        "2016-02-06",
        &[
            "RegisterScalableTarget",
            "PutScalingPolicy",
            "PutScheduledAction",
        ],
    ),
    ("cloudwatch", "2010-08-01", &["PutMetricAlarm"]),
    ("scheduler", "2021-06-30", &["CreateSchedule"]),
    (
        "apprunner",
        "2020-05-15",
        &["CreateService", "CreateAutoScalingConfiguration"],
    ),
    ("events", "2015-10-07", &["PutRule", "PutTargets"]),
    ("pipes", "2015-10-07", &["CreatePipe"]),
];

/// The operations of other services that have the name of one of ECS.
const OTHER_OPERATIONS: &[(&str, &str, &str)] =
    &[("apprunner", "CreateService", "CreateAppRunnerService")];

/// The structures of other services that have the name of one of ECS.
const RENAMED: &[(&str, &str, &str)] = &[
    (
        "apprunner",
        "NetworkConfiguration",
        "AppRunnerNetworkConfiguration",
    ),
    ("apprunner", "Tag", "AppRunnerTag"),
    ("cloudwatch", "Tag", "AlarmTag"),
    (
        "scheduler",
        "AwsVpcConfiguration",
        "ScheduleVpcConfiguration",
    ),
    (
        "scheduler",
        "NetworkConfiguration",
        "ScheduleNetworkConfiguration",
    ),
    ("scheduler", "Target", "ScheduleTarget"),
    ("events", "AwsVpcConfiguration", "ScheduleVpcConfiguration"),
    ("events", "EcsParameters", "RuleEcsParameters"),
    (
        "events",
        "NetworkConfiguration",
        "ScheduleNetworkConfiguration",
    ),
    ("events", "Tag", "RuleTag"),
    ("events", "Target", "RuleTarget"),
    ("pipes", "AwsVpcConfiguration", "ScheduleVpcConfiguration"),
    (
        "pipes",
        "NetworkConfiguration",
        "ScheduleNetworkConfiguration",
    ),
    ("pipes", "Tag", "PipeTag"),
];

/// The structures that only say how something else than ECS is called or read. They are refused as a whole, so their
/// members are not listed.
const REFUSED: &[(&str, &str)] = &[
    ("events", "AppSyncParameters"),
    ("events", "BatchParameters"),
    ("events", "HttpParameters"),
    ("events", "KinesisParameters"),
    ("events", "RedshiftDataParameters"),
    ("events", "RunCommandParameters"),
    ("events", "SageMakerPipelineParameters"),
    ("events", "SqsParameters"),
    ("pipes", "PipeEnrichmentParameters"),
    ("pipes", "PipeSourceActiveMQBrokerParameters"),
    ("pipes", "PipeSourceDynamoDBStreamParameters"),
    ("pipes", "PipeSourceKinesisStreamParameters"),
    ("pipes", "PipeSourceManagedStreamingKafkaParameters"),
    ("pipes", "PipeSourceRabbitMQBrokerParameters"),
    ("pipes", "PipeSourceSelfManagedKafkaParameters"),
    ("pipes", "PipeTargetBatchJobParameters"),
    ("pipes", "PipeTargetCloudWatchLogsParameters"),
    ("pipes", "PipeTargetEventBridgeEventBusParameters"),
    ("pipes", "PipeTargetHttpParameters"),
    ("pipes", "PipeTargetKinesisStreamParameters"),
    ("pipes", "PipeTargetLambdaFunctionParameters"),
    ("pipes", "PipeTargetRedshiftDataParameters"),
    ("pipes", "PipeTargetSageMakerPipelineParameters"),
    ("pipes", "PipeTargetSqsQueueParameters"),
    ("pipes", "PipeTargetStateMachineParameters"),
    ("pipes", "PipeTargetTimestreamParameters"),
];

/// Returns the lines for the models in `folder`, which is `botocore/data` of a version.
///
/// # Errors
///
/// Returns an error if a model cannot be read or is not as expected.
pub(super) fn lines(folder: &str, version: &str) -> Result<String> {
    let versions: Vec<String> = MODELS
        .iter()
        .map(|(service, version, _)| format!("{service} {version}"))
        .collect();
    let mut text = format!(
        "# botocore {version}: {}\n# operation\tpath\tstructure\ttype\trequired\tmin\tmax\tvalues\n",
        versions.join(", ")
    );
    for (service, version, operations) in MODELS {
        let path = Path::new(folder)
            .join(service)
            .join(version)
            .join("service-2.json.gz");
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let model: Value = serde_json::from_reader(GzDecoder::new(file))?;
        for operation in *operations {
            let input = &model["operations"][operation]["input"]["shape"];
            let mut others = OTHER_OPERATIONS.iter();
            let other = others.find(|(of, from, _)| of == service && from == operation);
            let operation = other.map_or(*operation, |(_, _, to)| to);
            let mut walk = Walk {
                shapes: &model["shapes"],
                service,
                operation,
                open: BTreeSet::new(),
                text: &mut text,
            };
            let name = input.as_str().ok_or("an operation without input")?;
            walk.members(name, operation, "")?;
        }
    }
    Ok(text)
}

/// The path from a request to its leaves.
struct Walk<'a> {
    shapes: &'a Value,
    service: &'a str,
    operation: &'a str,
    /// The structures on this path: one that contains itself would never end.
    open: BTreeSet<String>,
    text: &'a mut String,
}

/// A member of a structure, or the elements of a list, which are in no structure.
struct Place<'a> {
    path: &'a str,
    structure: &'a str,
    required: bool,
}

impl Walk<'_> {
    fn shape(&mut self, name: &str, place: &Place<'_>) -> Result<()> {
        let shape = &self.shapes[name];
        let kind = match shape["type"].as_str() {
            Some("structure") if shape["document"] == true || self.is_refused(name) => "Document",
            Some("structure") if self.open.contains(name) => {
                // This is the case for metric math: a structure that contains itself is listed once.
                return Ok(());
            }
            // A structure without members says something by its presence.
            Some("structure") if shape["members"].as_object().is_none_or(Map::is_empty) => {
                "Document"
            }
            Some("structure") => {
                let title = self.title(name);
                self.line(place, &format!("Object {title}"), shape)?;
                return self.members(name, title, place.path);
            }
            Some("list") => {
                self.line(place, "List", shape)?;
                let element = member_shape(&shape["member"])?;
                let place = Place {
                    path: &format!("{}[]", place.path),
                    structure: "",
                    required: false,
                };
                return self.shape(element, &place);
            }
            Some("string") => "String",
            Some("integer" | "long") => "Integer",
            Some("double" | "float") => "Number",
            Some("boolean") => "Boolean",
            Some("timestamp") => "Timestamp",
            Some("map") => "StringMap",
            other => {
                let path = place.path;
                return Err(format!("{path}: shape {name} has the type {other:?}").into());
            }
        };
        self.line(place, kind, shape)
    }

    /// Whether a structure is refused as a whole.
    fn is_refused(&self, name: &str) -> bool {
        REFUSED.contains(&(self.service, name))
    }

    /// Returns what a structure is called here.
    fn title<'n>(&self, name: &'n str) -> &'n str {
        let mut renamed = RENAMED.iter();
        let is_it =
            |(service, from, _): &&(&str, &str, &str)| *service == self.service && *from == name;
        renamed.find(is_it).map_or(name, |(_, _, to)| to)
    }

    fn line(&mut self, place: &Place<'_>, kind: &str, shape: &Value) -> Result<()> {
        let number = |name: &str| {
            shape[name]
                .as_number()
                .map_or_else(String::new, ToString::to_string)
        };
        let values: Vec<&str> = texts(&shape["enum"]).collect();
        writeln!(
            self.text,
            "{}\t{}\t{}\t{kind}\t{}\t{}\t{}\t{}",
            self.operation,
            place.path,
            place.structure,
            if place.required { "required" } else { "" },
            number("min"),
            number("max"),
            values.join(",")
        )?;
        Ok(())
    }

    /// Writes the members of a structure, which the documentation calls `title`.
    fn members(&mut self, name: &str, title: &str, path: &str) -> Result<()> {
        self.open.insert(name.to_owned());
        let shape = &self.shapes[name];
        for (member, reference) in shape["members"].as_object().into_iter().flatten() {
            let place = Place {
                path: &match path {
                    "" => member.clone(),
                    path => format!("{path}.{member}"),
                },
                structure: title,
                required: texts(&shape["required"]).any(|it| it == member),
            };
            self.shape(member_shape(reference)?, &place)?;
        }
        self.open.remove(name);
        Ok(())
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn member_shape(reference: &Value) -> Result<&str> {
    Ok(reference["shape"]
        .as_str()
        .ok_or("a member without shape")?)
}

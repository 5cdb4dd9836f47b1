//! The schemas of what the requests of AWS do not have.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSON, JSONSchemaProps};

use super::{
    definition::described,
    schema::{list, object, of_type, schema},
};
use crate::fields::Api;

/// The member of an EcsTask that says how long it is kept.
pub(super) const KEPT_SECONDS: &str = "ttlSecondsAfterFinished";
const CONCURRENCY_POLICY: &str = "concurrencyPolicy";
const CATCH_UP: &str = "catchUp";
const SUCCESSFUL_LIMIT: &str = "successfulTasksHistoryLimit";
const FAILED_LIMIT: &str = "failedTasksHistoryLimit";
const MAX_IN_FLIGHT: &str = "maxInFlight";
const MAX_RUNNING_TASKS: &str = "maxRunningTasks";
const WAIT_FOR_TASK: &str = "waitForTask";

/// How long an EcsTask is kept.
pub(super) fn kept_seconds() -> JSONSchemaProps {
    JSONSchemaProps {
        description: Some(
            "An extension of this operator: seconds until the object is deleted after its last task has stopped. Without it, the object stays until someone deletes it, and only its pods are deleted after an hour; its status keeps how they ended."
                .to_owned(),
        ),
        format: Some("int32".to_owned()),
        minimum: Some(0.0),
        ..of_type("integer")
    }
}

/// What CreateService of App Runner does not have.
pub(super) fn app_runner_extensions() -> [(String, JSONSchemaProps); 4] {
    let mut configuration = described(
        "An extension of this operator: how the service is scaled, as CreateAutoScalingConfiguration takes it, instead of what AutoScalingConfigurationArn names.",
        schema(Api::AutoScalingConfiguration.tree()),
    );
    // Nothing refers to it by its name.
    configuration.required = None;
    [
        ("AutoScalingConfiguration".to_owned(), configuration),
        (
            "paused".to_owned(),
            described(
                "An extension of this operator: whether no instance runs, as between PauseService and ResumeService. Default: false.",
                of_type("boolean"),
            ),
        ),
        ("builtBy".to_owned(), built_by()),
        ("CustomDomains".to_owned(), custom_domains()),
    ]
}

fn custom_domains() -> JSONSchemaProps {
    let name = JSONSchemaProps {
        max_length: Some(255),
        min_length: Some(1),
        ..described("The domain, or *. and a domain.", of_type("string"))
    };
    let www = described(
        "Whether www. before the domain is one too. Default: true.",
        of_type("boolean"),
    );
    let domain = JSONSchemaProps {
        required: Some(vec!["DomainName".to_owned()]),
        ..object(
            "A domain.",
            [("DomainName", name), ("EnableWWWSubdomain", www)],
        )
    };
    described(
        "An extension of this operator: the domains that requests come to, as AssociateCustomDomain takes them. Each is a host of the Ingress.",
        list(domain, Some(25)),
    )
}

fn built_by() -> JSONSchemaProps {
    let kinds = ["Image", "Build"].map(|kind| JSON(kind.into()));
    let kind = JSONSchemaProps {
        enum_: Some(kinds.into()),
        ..described(
            "Image of kpack (kpack.io/v1alpha2), or Build of Shipwright (shipwright.io/v1beta1).",
            of_type("string"),
        )
    };
    let name = JSONSchemaProps {
        max_length: Some(253),
        min_length: Some(1),
        ..described("Its name.", of_type("string"))
    };
    JSONSchemaProps {
        required: Some(vec!["kind".to_owned(), "name".to_owned()]),
        ..object(
            "An extension of this operator: what builds the image of a service with CodeRepository, an object in the same namespace.",
            [("kind", kind), ("name", name)],
        )
    }
}

/// What CreateSchedule does not have.
pub(super) fn schedule_extensions() -> [(String, JSONSchemaProps); 4] {
    let words = |description: &str, words: &[&str]| JSONSchemaProps {
        enum_: Some(words.iter().map(|word| JSON((*word).into())).collect()),
        ..described(description, of_type("string"))
    };
    let limit = |which: &str| JSONSchemaProps {
        format: Some("int32".to_owned()),
        minimum: Some(0.0),
        maximum: Some(100.0),
        ..described(
            &format!(
                "An extension of this operator: how many EcsTasks that {which} are kept. Default: 3."
            ),
            of_type("integer"),
        )
    };
    [
        (
            CONCURRENCY_POLICY.to_owned(),
            words(
                "An extension of this operator: what happens when the schedule is due and tasks that it started before still run. Allow starts the new ones beside them, as AWS does; Forbid starts none; Replace stops the others when the new ones are there. Default: Allow.",
                &["Allow", "Forbid", "Replace"],
            ),
        ),
        (
            CATCH_UP.to_owned(),
            words(
                "An extension of this operator: what happens to times that were missed because no operator ran. Latest starts the tasks of the newest one late, if it is not older than MaximumEventAgeInSeconds; None starts none. Default: Latest.",
                &["Latest", "None"],
            ),
        ),
        (SUCCESSFUL_LIMIT.to_owned(), limit("succeeded")),
        (FAILED_LIMIT.to_owned(), limit("failed")),
    ]
}

/// What CreatePipe does not have.
pub(super) fn pipe_extensions() -> [(String, JSONSchemaProps); 3] {
    let number = |description: &str, most: f64| JSONSchemaProps {
        format: Some("int32".to_owned()),
        minimum: Some(1.0),
        maximum: Some(most),
        ..described(description, of_type("integer"))
    };
    [
        (
            MAX_IN_FLIGHT.to_owned(),
            number(
                "An extension of this operator: how many messages are in progress at once. Default: 10.",
                10.0,
            ),
        ),
        (
            MAX_RUNNING_TASKS.to_owned(),
            number(
                "An extension of this operator: no more messages are received while this many EcsTasks of the pipe have not ended. Without it, each message starts tasks at once, as in AWS.",
                100_000.0,
            ),
        ),
        (
            WAIT_FOR_TASK.to_owned(),
            described(
                "An extension of this operator: whether a message is deleted only when its tasks have succeeded, and comes again when they have failed. Without it, a message is deleted as soon as its EcsTask exists, as in AWS. Default: false.",
                of_type("boolean"),
            ),
        ),
    ]
}

/// The scaling of a service.
pub(super) fn auto_scaling() -> JSONSchemaProps {
    object(
        "An extension of this operator: the requests of Application Auto Scaling for the service, in that API's own spelling.",
        [
            (
                "scalableTarget",
                described(
                    "The range of the count, as RegisterScalableTarget takes it.",
                    schema(Api::ScalableTarget.tree()),
                ),
            ),
            (
                "scalingPolicies",
                described(
                    "Scaling policies, as PutScalingPolicy takes them.",
                    list(schema(Api::ScalingPolicy.tree()), None),
                ),
            ),
            (
                "alarms",
                described(
                    "The CloudWatch alarms that trigger step scaling policies, as PutMetricAlarm takes them.",
                    list(schema(Api::MetricAlarm.tree()), None),
                ),
            ),
            (
                "scheduledActions",
                described(
                    "Scheduled actions, as PutScheduledAction takes them.",
                    list(schema(Api::ScheduledAction.tree()), None),
                ),
            ),
            (
                "scaler",
                JSONSchemaProps {
                    enum_: Some(vec![JSON(serde_json::json!("operator"))]),
                    ..described(
                        "Who runs the policies. `operator` does it as ECS does, with its cooldowns. Without it, a HorizontalPodAutoscaler or a ScaledObject does, unless one of them is step scaling.",
                        of_type("string"),
                    )
                },
            ),
        ],
    )
}

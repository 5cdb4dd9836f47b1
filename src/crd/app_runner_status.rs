//! The status of a service of App Runner.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    WarningStatus,
    status::{is_absent, lenient, statuses},
};

statuses! {
    /// The status of the service, as DescribeService of App Runner returns it.
    AppRunnerServiceStatus {
        /// Accepted and Ready; Built if a builder makes its image.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// RUNNING, OPERATION_IN_PROGRESS, PAUSED, or CREATE_FAILED if nothing of it has ever run; absent as long as no
        /// spec of it was accepted.
        status: Option<String>,
        /// The host that it is reached by: its first custom domain, else the address of its Ingress.
        service_url: Option<String>,
        /// What was done to it, newest first, at most 10, as ListOperations returns it.
        operations: Vec<OperationStatus>,
        /// What the newest operation was for.
        requested: RequestedStatus,
        /// The differences from AWS.
        warnings: Vec<WarningStatus>,
    }

    /// Something that was done to a service.
    OperationStatus {
        /// Its identity, a UUID.
        id: String,
        /// CREATE_SERVICE, UPDATE_SERVICE, START_DEPLOYMENT, PAUSE_SERVICE or RESUME_SERVICE.
        r#type: String,
        /// IN_PROGRESS, SUCCEEDED, FAILED, ROLLBACK_IN_PROGRESS, ROLLBACK_SUCCEEDED or ROLLBACK_FAILED.
        status: String,
        /// When it began.
        started_at: Option<Time>,
        /// When it ended.
        ended_at: Option<Time>,
    }

    /// What an operation is for.
    RequestedStatus {
        /// The generation of the spec.
        generation: Option<i64>,
        /// Whether no instance should run.
        paused: bool,
        /// The value of the annotation `ecs-operator.dev/start-deployment`.
        start_deployment: Option<String>,
        /// The image that a builder has made, by its digest.
        image: Option<String>,
    }
}

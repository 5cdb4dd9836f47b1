//! Schedules that `ecs-operator convert` has made CronJobs of, in a cluster without the operator.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use ecs_operator_testbed::{ControlPlane, Options, until};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{Api, ResourceExt as _, api::ListParams};
use serde_json::{Value, json};

use crate::support::{LIMIT, program, task_definition};

/// Returns what `convert` makes of documents.
fn converted(namespace: &str, documents: &[Value]) -> String {
    let mut convert = Command::new(program())
        .args(["convert", "--namespace", namespace, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    let mut input = convert.stdin.take().unwrap();
    input.write_all(texts.join("\n").as_bytes()).unwrap();
    drop(input);
    let output = convert.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_schedule_of_several_tasks_starts_all_of_them_when_it_is_due() {
    let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
    let namespace = plane.namespace("schedules").await.unwrap();
    let mut definition = task_definition("testbed/report:1");
    definition["family"] = json!("report");
    let schedule = json!({
        "Name": "reports",
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
            "EcsParameters": {
                "TaskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/report",
                "TaskCount": 2,
            },
            "Input": "{\"containerOverrides\": [{\"name\": \"app\", \"command\": [\"all\"]}]}",
        },
    });
    let manifests = converted(namespace.name(), &[definition, schedule]);
    plane.apply(namespace.name(), &manifests).await.unwrap();

    let client = plane.client().await.unwrap();
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace.name());
    let first = until("a Job of the schedule", LIMIT, async || {
        Ok(jobs.list(&ListParams::default()).await?.items.pop())
    })
    .await
    .unwrap();
    let of_it = ListParams::default().labels(&format!("job-name={}", first.name_any()));
    let pods: Api<Pod> = Api::namespaced(client, namespace.name());
    let tasks = until("its tasks", LIMIT, async || {
        let pods = pods.list(&of_it).await?.items;
        Ok((pods.len() == 2).then_some(pods))
    })
    .await
    .unwrap();
    for task in tasks {
        let containers = task.spec.unwrap().containers;
        assert_eq!(containers[0].args.as_deref(), Some(&["all".to_owned()][..]));
    }
}

//! Services of App Runner, which run as services of ECS.

use std::{fs, path::Path, process::Command};

use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::api::{
    apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, networking::v1::Ingress,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PropagationPolicy},
};
use serde_json::{Value, json};

use crate::{
    bed,
    deployments::{appear, write_status},
    support::{Bed, LIMIT, Operator, at_rest, condition, install, program, task_definition, uid},
};

/// A service of two or three instances.
pub fn hello(image: &str) -> Value {
    json!({
        "SourceConfiguration": {"ImageRepository": {
            "ImageIdentifier": image, "ImageRepositoryType": "ECR_PUBLIC",
        }},
        "InstanceConfiguration": {"Cpu": "256", "Memory": "512"},
        "AutoScalingConfiguration": {"MinSize": 2, "MaxSize": 3},
    })
}

/// Waits until the service has this status, and its newest operation has ended.
pub async fn until_status(bed: &Bed, name: &str, status: &str) -> Value {
    let what = format!("AppRunnerService {name} to be {status}");
    bed.until("AppRunnerService", name, &what, |object| {
        object["status"]["status"] == status
            && object["status"]["requested"]["generation"] == object["metadata"]["generation"]
    })
    .await
}

/// The operations, newest first.
pub fn operations(object: &Value) -> Vec<String> {
    let list = object["status"]["operations"].as_array();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.into_iter()
        .flatten()
        .map(|it| format!("{} {}", text(&it["type"]), text(&it["status"])))
        .collect()
}

async fn pods(bed: &Bed, name: &str) -> Vec<String> {
    let mut uids: Vec<String> = bed.tasks(name).await.iter().map(uid).collect();
    uids.sort();
    uids
}

/// What `convert` makes of documents, by kind.
fn converted(folder: &Path, documents: &[Value]) -> Vec<Value> {
    let mut command = Command::new(program());
    command.args(["convert", "--as=resources", "--platform=kubernetes"]);
    for (number, document) in documents.iter().enumerate() {
        let file = folder.join(format!("{number}.json"));
        fs::write(&file, document.to_string()).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = text.split("\n---\n");
    documents
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

#[tokio::test]
async fn a_service_becomes_what_convert_makes_of_it_and_runs() {
    let bed = bed("apprunner").await;
    let mut request = json!({
        "ServiceName": "shop-api",
        "SourceConfiguration": {
            "ImageRepository": {
                "ImageIdentifier": "testbed/web", "ImageRepositoryType": "ECR_PUBLIC",
                "ImageConfiguration": {
                    "Port": "3000",
                    "StartCommand": "serve --all",
                    "RuntimeEnvironmentVariables": {"LOG_LEVEL": "info"},
                },
            },
            "AutoDeploymentsEnabled": false,
        },
        "InstanceConfiguration": {"Cpu": "0.25 vCPU", "Memory": "0.5 GB"},
        "HealthCheckConfiguration": {"Protocol": "HTTP", "Path": "/health"},
        "Tags": [{"Key": "team", "Value": "shop"}],
    });
    let configuration = json!({"AutoScalingConfigurationName": "shop", "MinSize": 1, "MaxSize": 3});
    let mut spec = request.clone();
    spec["AutoScalingConfiguration"] = configuration.clone();
    bed.must_apply("AppRunnerService", "shop-api", spec).await;
    let object = until_status(&bed, "shop-api", "RUNNING").await;
    assert_eq!(operations(&object), ["CREATE_SERVICE SUCCEEDED"]);
    assert_eq!(condition(&object, "Ready")["reason"], "SteadyState");
    assert_eq!(condition(&object, "Accepted")["status"], "True");
    let warnings = object["status"]["warnings"].to_string();
    assert!(
        warnings.contains("ConcurrencyScalingNeedsMetric"),
        "{warnings}"
    );

    let arn = "arn:aws:apprunner:eu-west-1:111122223333:autoscalingconfiguration/shop";
    request["AutoScalingConfigurationArn"] = json!(arn);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("app-runner");
    fs::create_dir_all(&folder).unwrap();
    let expected = converted(&folder, &[request, configuration]);
    let kinds: Vec<&str> = expected
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["EcsTaskDefinition", "EcsService"]);
    for mut expected in expected {
        let kind = expected["kind"].as_str().unwrap().to_owned();
        let found = bed.resources(&kind).get("shop-api").await.unwrap();
        let mut found = json!(found);
        // The count that an autoscaler would set, and a number that the API server writes in another way.
        found["spec"]
            .as_object_mut()
            .unwrap()
            .remove("desiredCount");
        if kind == "EcsService" {
            let policy =
                "/spec/autoScaling/scalingPolicies/0/TargetTrackingScalingPolicyConfiguration";
            let value = expected.pointer_mut(policy).unwrap();
            value["TargetValue"] = json!(value["TargetValue"].as_f64().unwrap() as i64);
        }
        assert_eq!(found["spec"], expected["spec"]);
        assert_eq!(found["metadata"]["labels"], expected["metadata"]["labels"]);
        let annotations = found["metadata"]["annotations"].as_object().unwrap();
        let names: Vec<_> = annotations.keys().collect();
        assert_eq!(names, ["app-runner.ecs-operator.dev/converted"]);
        let owner = &found["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], object["metadata"]["uid"]);
        assert_eq!(owner["controller"], true);
    }
    assert_eq!(bed.tasks("shop-api").await.len(), 1);
}

#[tokio::test]
async fn a_paused_service_has_no_instance_and_runs_again_afterwards() {
    let bed = bed("pause").await;
    bed.must_apply("AppRunnerService", "hello", hello("testbed/web:1"))
        .await;
    until_status(&bed, "hello", "RUNNING").await;
    assert_eq!(bed.tasks("hello").await.len(), 2);
    let scaler = bed.api::<HorizontalPodAutoscaler>();
    assert!(scaler.get_opt("hello").await.unwrap().is_some());

    let mut paused = hello("testbed/web:1");
    paused["paused"] = json!(true);
    bed.must_apply("AppRunnerService", "hello", paused.clone())
        .await;
    let object = until_status(&bed, "hello", "PAUSED").await;
    assert_eq!(condition(&object, "Ready")["reason"], "ServicePaused");
    assert!(bed.tasks("hello").await.is_empty());
    bed.gone::<HorizontalPodAutoscaler>("hello").await;

    // The tasks of the same deployment come back.
    bed.must_apply("AppRunnerService", "hello", hello("testbed/web:1"))
        .await;
    let object = until_status(&bed, "hello", "RUNNING").await;
    assert_eq!(
        operations(&object),
        [
            "RESUME_SERVICE SUCCEEDED",
            "PAUSE_SERVICE SUCCEEDED",
            "CREATE_SERVICE SUCCEEDED"
        ]
    );
    assert_eq!(bed.tasks("hello").await.len(), 2);
    let service = json!(bed.resources("EcsService").get("hello").await.unwrap());
    assert_eq!(
        service["status"]["deployments"].as_array().unwrap().len(),
        1
    );
    assert!(scaler.get_opt("hello").await.unwrap().is_some());

    // An edit meanwhile runs afterwards.
    bed.must_apply("AppRunnerService", "hello", paused.clone())
        .await;
    until_status(&bed, "hello", "PAUSED").await;
    paused["SourceConfiguration"] = hello("testbed/web:2")["SourceConfiguration"].clone();
    bed.must_apply("AppRunnerService", "hello", paused).await;
    let object = until_status(&bed, "hello", "PAUSED").await;
    assert_eq!(operations(&object)[0], "UPDATE_SERVICE SUCCEEDED");
    assert!(bed.tasks("hello").await.is_empty());
    bed.must_apply("AppRunnerService", "hello", hello("testbed/web:2"))
        .await;
    until_status(&bed, "hello", "RUNNING").await;
    for pod in bed.tasks("hello").await {
        let image = pod.spec.unwrap().containers[0].image.clone();
        assert_eq!(image.as_deref(), Some("testbed/web:2"));
    }
}

#[tokio::test]
async fn a_service_can_be_created_paused() {
    let bed = bed("asleep").await;
    let mut paused = hello("testbed/web");
    paused["paused"] = json!(true);
    bed.must_apply("AppRunnerService", "hello", paused).await;
    let object = until_status(&bed, "hello", "PAUSED").await;
    assert_eq!(operations(&object), ["CREATE_SERVICE SUCCEEDED"]);
    assert!(bed.tasks("hello").await.is_empty());
    bed.must_apply("AppRunnerService", "hello", hello("testbed/web"))
        .await;
    until_status(&bed, "hello", "RUNNING").await;
    assert_eq!(bed.tasks("hello").await.len(), 2);
}

#[tokio::test]
async fn an_edit_that_is_invalid_changes_nothing_and_says_where() {
    let bed = bed("invalid").await;
    let mut named = hello("testbed/web:1");
    named["ServiceName"] = json!("hello");
    bed.must_apply("AppRunnerService", "hello", named.clone())
        .await;
    until_status(&bed, "hello", "RUNNING").await;
    let before = pods(&bed, "hello").await;
    let mut wrong = named.clone();
    wrong["SourceConfiguration"] = hello("testbed/web:2")["SourceConfiguration"].clone();
    wrong["InstanceConfiguration"]["Cpu"] = json!("7");
    wrong["AutoScalingConfiguration"]["MaxSize"] = json!(1);
    bed.must_apply("AppRunnerService", "hello", wrong).await;
    let accepted = bed
        .condition("AppRunnerService", "hello", "Accepted", "False")
        .await;
    let message = accepted["message"].as_str().unwrap();
    assert!(message.contains("InstanceConfiguration"), "{message}");
    assert!(
        message.contains("AutoScalingConfiguration.MaxSize: "),
        "{message}"
    );
    let service = json!(
        bed.resources("AppRunnerService")
            .get("hello")
            .await
            .unwrap()
    );
    assert_eq!(service["status"]["status"], "RUNNING");
    let definition = json!(
        bed.resources("EcsTaskDefinition")
            .get("hello")
            .await
            .unwrap()
    );
    assert_eq!(definition["metadata"]["generation"], 1);
    assert_eq!(pods(&bed, "hello").await, before);

    // These can never change.
    let mut renamed = named.clone();
    renamed["ServiceName"] = json!("Hello");
    let mut from_source = named;
    from_source["SourceConfiguration"] = json!({"CodeRepository": {
        "RepositoryUrl": "https://example.com/a",
        "SourceCodeVersion": {"Type": "BRANCH", "Value": "main"},
    }});
    for (spec, why) in [
        (renamed, "ServiceName cannot be changed"),
        (from_source, "a service from source code cannot become"),
    ] {
        let refused = bed.apply("AppRunnerService", "hello", spec).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

/// An object without what others may have changed: its status and its versions.
fn as_written(object: &DynamicObject) -> Value {
    json!([
        object.data["spec"],
        object.metadata.generation,
        object.metadata.owner_references,
        object.metadata.labels
    ])
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_not_touched() {
    let bed = bed("taken").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    // Without its task definition, this runs nothing.
    let foreign = json!({"taskDefinition": "hello", "desiredCount": 1});
    bed.must_apply("EcsService", "hello", foreign).await;
    bed.must_apply("EcsTaskDefinition", "other", task_definition("testbed/web"))
        .await;
    let service = bed.resources("EcsService").get("hello").await.unwrap();
    let definition = bed
        .resources("EcsTaskDefinition")
        .get("other")
        .await
        .unwrap();
    for name in ["hello", "other"] {
        bed.must_apply("AppRunnerService", name, hello("testbed/web"))
            .await;
        let ready = bed
            .condition("AppRunnerService", name, "Ready", "False")
            .await;
        assert_eq!(ready["reason"], "ObjectNotOwned", "{ready}");
        let message = ready["message"].as_str().unwrap();
        assert!(
            message.contains(&format!(" {name} exists and ")),
            "{message}"
        );
    }
    let still = bed.resources("EcsService").get("hello").await.unwrap();
    assert_eq!(as_written(&still), as_written(&service));
    let still = bed
        .resources("EcsTaskDefinition")
        .get("other")
        .await
        .unwrap();
    assert_eq!(as_written(&still), as_written(&definition));
    let made = bed.resources("EcsTaskDefinition").get_opt("hello").await;
    assert!(made.unwrap().is_none(), "the other service would run it");
    let made = bed.resources("EcsService").get_opt("other").await.unwrap();
    assert!(made.is_none());

    let services = bed.resources("EcsService");
    services
        .delete("hello", &DeleteParams::default())
        .await
        .unwrap();
    until_status(&bed, "hello", "RUNNING").await;
}

#[tokio::test]
async fn what_others_edit_is_put_back() {
    let bed = bed("edited").await;
    let mut fixed = hello("testbed/web");
    fixed["AutoScalingConfiguration"] = json!({"MinSize": 2, "MaxSize": 2});
    bed.must_apply("AppRunnerService", "hello", fixed).await;
    until_status(&bed, "hello", "RUNNING").await;
    let spec_of = async |kind: &str| {
        let object = bed.resources(kind).get("hello").await.unwrap();
        json!([object.data["spec"], object.metadata.annotations])
    };
    for (kind, edit) in [
        ("EcsService", json!({"spec": {"desiredCount": 1}})),
        ("EcsService", json!({"spec": {"propagateTags": "SERVICE"}})),
        (
            "EcsService",
            json!({"metadata": {"annotations": {"ecs-operator.dev/iam": "irsa"}}}),
        ),
        (
            "EcsTaskDefinition",
            json!({"spec": {"runtimePlatform": {"cpuArchitecture": "ARM64"}}}),
        ),
    ] {
        let expected = spec_of(kind).await;
        let params = PatchParams::default();
        let edited = bed
            .resources(kind)
            .patch("hello", &params, &Patch::Merge(edit))
            .await;
        let generation = edited.unwrap().metadata.resource_version;
        until("the edit to be put back", LIMIT, async || {
            let object = bed.resources(kind).get("hello").await?;
            let is_written = object.metadata.resource_version != generation;
            Ok((is_written && spec_of(kind).await == expected).then_some(()))
        })
        .await
        .unwrap();
    }
    // An edit that was there for long enough has begun a deployment, and its end another one.
    bed.condition("EcsService", "hello", "Ready", "True").await;
    until("two tasks", LIMIT, async || {
        Ok((pods(&bed, "hello").await.len() == 2).then_some(()))
    })
    .await
    .unwrap();
    let object = until_status(&bed, "hello", "RUNNING").await;
    assert_eq!(operations(&object), ["CREATE_SERVICE SUCCEEDED"]);

    // One that is deleted is made again.
    let services = bed.resources("EcsService");
    let deleted = uid(&services.get("hello").await.unwrap());
    services
        .delete("hello", &DeleteParams::default())
        .await
        .unwrap();
    bed.until("EcsService", "hello", "another EcsService", |object| {
        !object.is_null() && object["metadata"]["uid"] != deleted.as_str()
    })
    .await;
    bed.condition("AppRunnerService", "hello", "Ready", "True")
        .await;
}

#[tokio::test]
async fn a_service_goes_with_everything_that_it_made_or_without_it() {
    let bed = bed("deleted").await;
    for name in ["hello", "stays"] {
        bed.must_apply("AppRunnerService", name, hello("testbed/web"))
            .await;
    }
    for name in ["hello", "stays"] {
        until_status(&bed, name, "RUNNING").await;
    }
    let before = pods(&bed, "stays").await;
    let services = bed.resources("AppRunnerService");
    services
        .delete("hello", &DeleteParams::default())
        .await
        .unwrap();
    for kind in ["AppRunnerService", "EcsService", "EcsTaskDefinition"] {
        bed.gone_resource(kind, "hello").await;
    }
    bed.gone::<Deployment>("hello").await;
    until("the pods to be gone", LIMIT, async || {
        Ok(bed.tasks("hello").await.is_empty().then_some(()))
    })
    .await
    .unwrap();
    // The garbage collector knows these kinds by now.
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    services.delete("stays", &orphan).await.unwrap();
    bed.gone_resource("AppRunnerService", "stays").await;
    let left = bed.resources("EcsService").get("stays").await.unwrap();
    assert!(left.owner_references().is_empty());
    bed.condition("EcsService", "stays", "Ready", "True").await;
    assert_eq!(pods(&bed, "stays").await, before);
}

#[tokio::test]
async fn a_deployment_is_started_by_an_annotation_and_only_by_its_change() {
    let bed = bed("start").await;
    bed.must_apply("AppRunnerService", "hello", hello("testbed/web"))
        .await;
    until_status(&bed, "hello", "RUNNING").await;
    let before = pods(&bed, "hello").await;
    let annotate = async |value: Value| {
        let annotation =
            json!({"metadata": {"annotations": {"ecs-operator.dev/start-deployment": value}}});
        let params = PatchParams::default();
        let services = bed.resources("AppRunnerService");
        services
            .patch("hello", &params, &Patch::Merge(annotation))
            .await
            .unwrap();
    };
    annotate(json!("1")).await;
    let object = bed
        .until("AppRunnerService", "hello", "the deployment", |object| {
            operations(object)
                .first()
                .is_some_and(|it| it == "START_DEPLOYMENT SUCCEEDED")
        })
        .await;
    assert_eq!(object["status"]["status"], "RUNNING");
    let after = pods(&bed, "hello").await;
    assert!(after.len() == 2 && !after.iter().any(|it| before.contains(it)));
    annotate(Value::Null).await;
    bed.until("AppRunnerService", "hello", "that to be seen", |object| {
        object["status"]["requested"]["startDeployment"].is_null()
    })
    .await;
    at_rest("the tasks", async || pods(&bed, "hello").await).await;
    assert_eq!(pods(&bed, "hello").await, after);
}

/// Has the tasks of an image wait for it in vain until the deployment has failed.
pub async fn fail(bed: &Bed, service: &str, image: &str) {
    for pod in appear(bed, image, 3).await {
        let status = json!({"status": {"phase": "Pending", "containerStatuses": [{
            "name": service, "image": image, "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
        }]}});
        write_status(bed, &pod, status).await;
    }
}

#[tokio::test]
async fn a_deployment_that_fails_is_rolled_back_or_was_the_first() {
    let bed = bed("failed").await;
    let of_image = |image: &str| {
        let mut spec = hello(image);
        spec["AutoScalingConfiguration"] = json!({"MinSize": 3, "MaxSize": 3});
        spec
    };
    bed.must_apply("AppRunnerService", "good", of_image("testbed/web"))
        .await;
    bed.must_apply("AppRunnerService", "never", of_image("testbed/hold:1"))
        .await;
    fail(&bed, "never", "testbed/hold:1").await;
    let object = until_status(&bed, "never", "CREATE_FAILED").await;
    assert_eq!(operations(&object), ["CREATE_SERVICE FAILED"]);
    assert_eq!(condition(&object, "Ready")["reason"], "DeploymentFailed");

    until_status(&bed, "good", "RUNNING").await;
    bed.must_apply("AppRunnerService", "good", of_image("testbed/hold:2"))
        .await;
    fail(&bed, "good", "testbed/hold:2").await;
    let object = until_status(&bed, "good", "RUNNING").await;
    let expected = [
        "UPDATE_SERVICE ROLLBACK_SUCCEEDED",
        "CREATE_SERVICE SUCCEEDED",
    ];
    assert_eq!(operations(&object), expected);
    assert_eq!(condition(&object, "Ready")["reason"], "RolledBack");
    for pod in bed.tasks("good").await {
        let image = pod.spec.unwrap().containers[0].image.clone();
        assert_eq!(image.as_deref(), Some("testbed/web"));
    }
}

#[tokio::test]
async fn another_setting_of_the_operator_changes_nothing_until_the_service_does() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let class = |class: &str| format!("--ingress-class={class}");
    let operator = Operator::start(&plane, "operator", &[&class("alb")]).await;
    let bed = Bed::new(&plane.kubeconfig(), "app-runner").await;
    // Only a load balancer of AWS can be kept private.
    let mut private = hello("testbed/web");
    private["NetworkConfiguration"] =
        json!({"IngressConfiguration": {"IsPubliclyAccessible": false}});
    bed.must_apply("AppRunnerService", "hello", private.clone())
        .await;
    until_status(&bed, "hello", "RUNNING").await;
    let made = async || json!(bed.resources("EcsService").get("hello").await.unwrap());
    let before = made().await;
    assert!(before["spec"]["kubernetes"]["expose"].is_object());

    drop(operator);
    let _operator = Operator::start(&plane, "operator", &[&class("nginx")]).await;
    let is_said = |object: &Value| {
        let warnings = object["status"]["warnings"].as_array();
        let mut warnings = warnings.into_iter().flatten();
        warnings.any(|warning| warning["reason"] == "PrivateIngressNotProvided")
    };
    bed.until("AppRunnerService", "hello", "the warning", is_said)
        .await;
    let after = made().await;
    assert_eq!(before["spec"], after["spec"]);
    assert_eq!(
        before["metadata"]["annotations"],
        after["metadata"]["annotations"]
    );

    private["HealthCheckConfiguration"] = json!({"Protocol": "TCP", "Interval": 7});
    bed.must_apply("AppRunnerService", "hello", private).await;
    let is_converted = |object: &Value| object["spec"]["kubernetes"]["expose"].is_null();
    bed.until(
        "EcsService",
        "hello",
        "the conversion of today",
        is_converted,
    )
    .await;
}

#[tokio::test]
async fn requests_come_to_the_custom_domains_or_to_the_address_of_the_ingress() {
    let bed = bed("domains").await;
    bed.must_apply("AppRunnerService", "hello", hello("testbed/web"))
        .await;
    let object = until_status(&bed, "hello", "RUNNING").await;
    assert_eq!(object["status"]["serviceUrl"], Value::Null);
    let before = pods(&bed, "hello").await;
    let ingresses = bed.api::<Ingress>();
    let address =
        json!({"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}});
    ingresses
        .patch_status("hello", &PatchParams::default(), &Patch::Merge(address))
        .await
        .unwrap();
    let has_url = |url: &'static str| move |object: &Value| object["status"]["serviceUrl"] == url;
    bed.until(
        "AppRunnerService",
        "hello",
        "the address",
        has_url("lb.example.com"),
    )
    .await;

    let mut named = hello("testbed/web");
    named["CustomDomains"] = json!([
        {"DomainName": "*.example.com"},
        {"DomainName": "shop.example.com"},
        {"DomainName": "api.example.com", "EnableWWWSubdomain": false},
    ]);
    bed.must_apply("AppRunnerService", "hello", named).await;
    bed.until(
        "AppRunnerService",
        "hello",
        "the domain",
        has_url("shop.example.com"),
    )
    .await;
    until_status(&bed, "hello", "RUNNING").await;
    until("the hosts", LIMIT, async || {
        let spec = ingresses.get("hello").await?.spec.unwrap();
        let rules = spec.rules.into_iter().flatten();
        let hosts: Vec<String> = rules.filter_map(|rule| rule.host).collect();
        let expected = [
            "*.example.com",
            "shop.example.com",
            "www.shop.example.com",
            "api.example.com",
        ];
        Ok((hosts == expected).then_some(()))
    })
    .await
    .unwrap();
    // The pods are the same.
    assert_eq!(pods(&bed, "hello").await, before);
}

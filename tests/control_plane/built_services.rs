//! App Runner services from source code, whose images the objects of builders have.

use std::{collections::BTreeMap, fs, path::Path};

use ecs_operator_testbed::{ControlPlane, until};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::{
    app_runner::{fail, operations, until_status},
    auto_deployments::{edit, operations_at_rest, running, until_operations},
    bed,
    deployments::{appear, write_status},
    images::runs,
    support::{Bed, LIMIT, Operator, condition, install},
};

const CREATED: &str = "CREATE_SERVICE SUCCEEDED";
const DEPLOYED: &str = "START_DEPLOYMENT SUCCEEDED";

/// What a builder has pushed as its version of this number.
fn image(repository: &str, version: u8) -> String {
    format!(
        "{repository}@sha256:{}",
        format!("{version:02x}").repeat(32)
    )
}

/// A service from source code of this many instances.
fn from_source(kind: &str, count: u32) -> Value {
    json!({
        "SourceConfiguration": {
            "CodeRepository": {
                "RepositoryUrl": "https://github.com/example/site",
                "SourceCodeVersion": {"Type": "BRANCH", "Value": "main"},
                "CodeConfiguration": {
                    "ConfigurationSource": "API",
                    "CodeConfigurationValues": {
                        "Runtime": "PYTHON_311",
                        "BuildCommand": "pip install -r requirements.txt",
                        "StartCommand": "python app.py",
                        "Port": "8000",
                        "RuntimeEnvironmentVariables": {"STAGE": "prod"},
                    },
                },
            },
        },
        "InstanceConfiguration": {"Cpu": "256", "Memory": "512"},
        "AutoScalingConfiguration": {"MinSize": count, "MaxSize": count},
        "builtBy": {"kind": kind, "name": "site"},
    })
}

/// The definition of a kind that keeps everything, as that of kpack does.
fn definition(group: &str, version: &str, kind: &str) -> String {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular},
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
                "subresources": {"status": {}},
            }],
        },
    })
    .to_string()
}

/// The rules that the chart adds to the operator's role with a value.
fn rules(value: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("charts/ecs-operator/templates/_rules.tpl");
    let text = fs::read_to_string(file).unwrap();
    let begin = format!("{{{{- if .Values.{value} }}}}\n");
    let (_, rest) = text.split_once(&begin).unwrap();
    let (rules, _) = rest.split_once("{{- end }}").unwrap();
    rules.to_owned()
}

/// The rights that these values of the chart give.
async fn allow(plane: &ControlPlane, values: &[&str]) {
    let rules: String = values.iter().map(|value| rules(value)).collect();
    let rights = format!(
        r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: builders}}
rules:
{rules}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: builders}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: builders}}
subjects: [{{kind: ServiceAccount, name: ecs-operator, namespace: ecs-operator}}]
"#
    );
    plane.apply("default", &rights).await.unwrap();
}

async fn define(plane: &ControlPlane) {
    let folder = plane.folder().join("builders");
    fs::create_dir_all(&folder).unwrap();
    for (group, version, kind) in [
        ("kpack.io", "v1alpha2", "Image"),
        ("shipwright.io", "v1beta1", "Build"),
        ("shipwright.io", "v1beta1", "BuildRun"),
    ] {
        let file = folder.join(format!("{kind}.json"));
        fs::write(file, definition(group, version, kind)).unwrap();
    }
    plane.install_crds(folder).await.unwrap();
}

/// A control plane with the builders, and an operator that may read what they have built.
async fn built(prefix: &str) -> (ControlPlane, Operator, Bed) {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    define(&plane).await;
    allow(&plane, &["builders.kpack", "builders.shipwright"]).await;
    let operator = start(&plane).await;
    let bed = Bed::new(&plane.kubeconfig(), prefix).await;
    (plane, operator, bed)
}

async fn start(plane: &ControlPlane) -> Operator {
    // No registry is asked; the interval is that of builders too.
    let flags = [
        "--digest-registry=registry.invalid",
        "--auto-deployment-seconds=1",
    ];
    Operator::start(plane, "operator", &flags).await.unwrap()
}

fn api(bed: &Bed, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let of = GroupVersionKind::gvk(group, version, kind);
    let of = ApiResource::from_gvk_with_plural(&of, &format!("{}s", kind.to_lowercase()));
    Api::namespaced_with(bed.client.clone(), bed.namespace.name(), &of)
}

fn images_of(bed: &Bed) -> Api<DynamicObject> {
    api(bed, "kpack.io", "v1alpha2", "Image")
}

async fn write(api: &Api<DynamicObject>, name: &str, body: Value, status: Option<Value>) {
    let params = PatchParams::apply("builder").force();
    api.patch(name, &params, &Patch::Apply(body)).await.unwrap();
    if let Some(status) = status {
        let params = PatchParams::default();
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status(name, &params, &patch).await.unwrap();
    }
}

/// Has kpack build this image, or none yet.
async fn build(bed: &Bed, latest: Option<&str>) {
    let body = json!({
        "apiVersion": "kpack.io/v1alpha2", "kind": "Image", "metadata": {"name": "site"},
        "spec": {"tag": "testbed/web"},
    });
    let status = latest.map(|latest| json!({"latestImage": latest}));
    write(&images_of(bed), "site", body, status).await;
}

/// Waits until what is said of the builder has this reason; returns the service.
async fn until_built(bed: &Bed, status: &str, reason: &str) -> Value {
    bed.until("AppRunnerService", "site", reason, |object| {
        let found = condition(object, "Built");
        found["status"] == status && found["reason"] == reason
    })
    .await
}

/// The operations of a service of which only the last counts.
async fn until_newest(bed: &Bed, expected: &str) {
    bed.until("AppRunnerService", "site", expected, |object| {
        operations(object).first().is_some_and(|it| it == expected)
    })
    .await;
}

/// The pods of the service, and when its objects were written.
async fn untouched(bed: &Bed) -> BTreeMap<String, String> {
    let pods = bed.tasks("site").await;
    let pods = pods.iter().map(|pod| {
        let meta = &pod.metadata;
        (meta.name.clone().unwrap(), meta.uid.clone().unwrap())
    });
    let mut found: BTreeMap<String, String> = pods.collect();
    for kind in ["EcsService", "EcsTaskDefinition"] {
        let object = bed.resources(kind).get("site").await.unwrap();
        let generation = object.metadata.generation.unwrap();
        found.insert(kind.to_owned(), generation.to_string());
    }
    found
}

#[tokio::test]
async fn a_service_from_source_waits_for_its_image_and_follows_it() {
    let (_plane, operator, bed) = built("kpack").await;
    bed.must_apply("AppRunnerService", "site", from_source("Image", 1))
        .await;
    let object = until_built(&bed, "False", "NotFound").await;
    assert_eq!(object["status"]["status"], "OPERATION_IN_PROGRESS");
    let ready = condition(&object, "Ready");
    assert_eq!(ready["reason"], "NotFound");
    assert_eq!(condition(&object, "Accepted")["status"], "True");
    build(&bed, None).await;
    let object = until_built(&bed, "False", "ImageNotBuilt").await;
    assert_eq!(object["status"]["status"], "OPERATION_IN_PROGRESS");
    assert_eq!(operations(&object), ["CREATE_SERVICE IN_PROGRESS"]);
    assert!(
        bed.resources("EcsService")
            .get_opt("site")
            .await
            .unwrap()
            .is_none()
    );

    let first = image("testbed/web", 1);
    build(&bed, Some(&first)).await;
    let object = until_operations(&bed, "site", &[CREATED]).await;
    assert_eq!(object["status"]["requested"]["image"], first);
    let deployment = runs((&bed, "site"), &first).await;
    let pod = json!(deployment.spec.unwrap().template.spec.unwrap());
    let container = &pod["containers"][0];
    assert_eq!(container["args"], json!(["python", "app.py"]));
    assert_eq!(container["ports"][0]["containerPort"], 8000);
    let warnings = object["status"]["warnings"].to_string();
    assert!(warnings.contains("BuilderDecidesSource"), "{warnings}");
    assert!(!warnings.contains("ImageOutsideEcr"), "{warnings}");

    let second = image("testbed/web", 2);
    build(&bed, Some(&second)).await;
    runs((&bed, "site"), &second).await;
    until_operations(&bed, "site", &[DEPLOYED, CREATED]).await;
    // One that is built while no operator runs.
    drop(operator);
    let third = image("testbed/web", 3);
    build(&bed, Some(&third)).await;
    let _operator = start(&_plane).await;
    runs((&bed, "site"), &third).await;
    let all = [DEPLOYED, DEPLOYED, CREATED];
    until_operations(&bed, "site", &all).await;
    assert_eq!(operations_at_rest(&bed, "site").await, all);
    // An edit is one operation, whatever was built meanwhile.
    let other = json!({"spec": {"InstanceConfiguration": {"Memory": "1024"}}});
    edit(&bed, "site", other).await;
    until_newest(&bed, "UPDATE_SERVICE SUCCEEDED").await;
    assert_eq!(operations_at_rest(&bed, "site").await.len(), 4);
}

#[tokio::test]
async fn nothing_changes_what_runs_without_being_asked_for() {
    let (_plane, _operator, bed) = built("manual").await;
    let first = image("testbed/web", 1);
    build(&bed, Some(&first)).await;
    let mut manual = from_source("Image", 2);
    manual["SourceConfiguration"]["AutoDeploymentsEnabled"] = json!(false);
    bed.must_apply("AppRunnerService", "site", manual).await;
    until_operations(&bed, "site", &[CREATED]).await;
    let before = untouched(&bed).await;
    let second = image("testbed/web", 2);
    build(&bed, Some(&second)).await;
    bed.until("AppRunnerService", "site", "the other image", |object| {
        let message = condition(object, "Built")["message"].clone();
        message.as_str().is_some_and(|it| it.contains(&second))
    })
    .await;
    assert_eq!(untouched(&bed).await, before);

    // The object of the builder is gone.
    let params = DeleteParams::default();
    images_of(&bed).delete("site", &params).await.unwrap();
    let object = until_built(&bed, "False", "NotFound").await;
    assert_eq!(condition(&object, "Ready")["status"], "True");
    assert_eq!(object["status"]["status"], "RUNNING");
    assert_eq!(untouched(&bed).await, before);
    // An edit runs what was there.
    let other = json!({"spec": {"InstanceConfiguration": {"Memory": "1024"}}});
    edit(&bed, "site", other).await;
    until_operations(&bed, "site", &["UPDATE_SERVICE SUCCEEDED", CREATED]).await;
    runs((&bed, "site"), &first).await;

    build(&bed, Some(&second)).await;
    until_built(&bed, "True", "ImageBuilt").await;
    assert_eq!(operations_at_rest(&bed, "site").await.len(), 2);
    let start = json!({"metadata": {"annotations": {"ecs-operator.dev/start-deployment": "1"}}});
    edit(&bed, "site", start).await;
    runs((&bed, "site"), &second).await;
    let all = [DEPLOYED, "UPDATE_SERVICE SUCCEEDED", CREATED];
    until_operations(&bed, "site", &all).await;
    assert_eq!(operations_at_rest(&bed, "site").await, all);
    // The end of the annotation starts nothing.
    build(&bed, Some(&image("testbed/web", 3))).await;
    let over = json!({"metadata": {"annotations": {"ecs-operator.dev/start-deployment": null}}});
    edit(&bed, "site", over).await;
    bed.until("AppRunnerService", "site", "that to be seen", |object| {
        object["status"]["requested"]["startDeployment"].is_null()
    })
    .await;
    assert_eq!(operations_at_rest(&bed, "site").await, all);
    runs((&bed, "site"), &second).await;
}

#[tokio::test]
async fn an_image_that_fails_is_rolled_back_and_not_tried_again() {
    let (_plane, _operator, bed) = built("failing").await;
    let run = async |image: &str| {
        for pod in appear(&bed, image, 3).await {
            write_status(&bed, &pod, running(&pod)).await;
        }
    };
    // Nothing becomes of the containers of such images by itself.
    let [first, second, third] = [1, 2, 3].map(|version| image("testbed/hold", version));
    build(&bed, Some(&first)).await;
    bed.must_apply("AppRunnerService", "site", from_source("Image", 3))
        .await;
    run(&first).await;
    until_operations(&bed, "site", &[CREATED]).await;
    build(&bed, Some(&second)).await;
    fail(&bed, "site", &second).await;
    let rolled_back = "START_DEPLOYMENT ROLLBACK_SUCCEEDED";
    until_operations(&bed, "site", &[rolled_back, CREATED]).await;
    assert_eq!(
        operations_at_rest(&bed, "site").await,
        [rolled_back, CREATED]
    );
    runs((&bed, "site"), &first).await;
    build(&bed, Some(&third)).await;
    run(&third).await;
    until_operations(&bed, "site", &[DEPLOYED, rolled_back, CREATED]).await;
}

#[tokio::test]
async fn the_newest_run_of_a_build_that_has_succeeded_counts() {
    let (_plane, _operator, bed) = built("shipwright").await;
    let builds = api(&bed, "shipwright.io", "v1beta1", "Build");
    let of = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "shipwright.io/v1beta1", "kind": kind,
            "metadata": {"name": name, "labels": {"build.shipwright.io/name": "site"}},
            "spec": spec,
        })
    };
    let output = json!({"output": {"image": "testbed/web:latest"}});
    write(&builds, "site", of("Build", "site", output), None).await;
    let run = async |name: &str, of_build: &str, status: &str, version: u8| {
        let runs = api(&bed, "shipwright.io", "v1beta1", "BuildRun");
        let spec = json!({"build": {"name": of_build}});
        let (_, digest) = image("", version)
            .split_once('@')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let status = json!({
            "conditions": [{"type": "Succeeded", "status": status, "message": "no such branch"}],
            "output": {"digest": digest},
        });
        write(&runs, name, of("BuildRun", name, spec), Some(status)).await;
    };
    run("b", "site", "False", 1).await;
    // Somebody gives another build's run the label.
    run("a", "other", "True", 2).await;
    bed.must_apply("AppRunnerService", "site", from_source("Build", 1))
        .await;
    let object = until_built(&bed, "False", "ImageNotBuilt").await;
    let message = condition(&object, "Built")["message"].to_string();
    assert!(
        message.contains("the newest is b: no such branch"),
        "{message}"
    );

    run("c", "site", "True", 3).await;
    let third = image("testbed/web:latest", 3);
    runs((&bed, "site"), &third).await;
    until_operations(&bed, "site", &[CREATED]).await;
    // One that has not ended, and one that has failed, change nothing.
    next_second(&bed).await;
    run("d", "site", "Unknown", 4).await;
    run("e", "site", "False", 4).await;
    assert_eq!(operations_at_rest(&bed, "site").await, [CREATED]);
    run("d", "site", "True", 4).await;
    runs((&bed, "site"), &image("testbed/web:latest", 4)).await;
    until_operations(&bed, "site", &[DEPLOYED, CREATED]).await;
}

/// Waits until objects that are created now are newer than those that there are: their times are in seconds.
async fn next_second(bed: &Bed) {
    let newest = images_of(bed);
    let body = |name: &str| json!({"apiVersion": "kpack.io/v1alpha2", "kind": "Image", "metadata": {"name": name}});
    write(&newest, "clock-0", body("clock-0"), None).await;
    let at = newest
        .get("clock-0")
        .await
        .unwrap()
        .metadata
        .creation_timestamp;
    let mut tick = 0;
    until("the next second", LIMIT, async || {
        tick += 1;
        let name = format!("clock-{tick}");
        let params = PatchParams::apply("builder");
        let made = newest
            .patch(&name, &params, &Patch::Apply(body(&name)))
            .await?;
        Ok((made.metadata.creation_timestamp > at).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn without_rights_or_kinds_the_service_says_so_and_goes_on_when_it_has_them() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let _operator = start(&plane).await;
    let bed = Bed::new(&plane.kubeconfig(), "missing").await;
    bed.must_apply("AppRunnerService", "site", from_source("Image", 1))
        .await;
    let object = until_built(&bed, "False", "Forbidden").await;
    let message = condition(&object, "Ready")["message"].to_string();
    assert!(message.contains("builders.kpack"), "{message}");
    allow(&plane, &["builders.kpack"]).await;
    let object = until_built(&bed, "False", "NotFound").await;
    let message = condition(&object, "Ready")["message"].to_string();
    assert!(
        message.contains("the cluster has no Image of kpack.io/v1alpha2"),
        "{message}"
    );
    define(&plane).await;
    build(&bed, Some(&image("testbed/web", 1))).await;
    until_status(&bed, "site", "RUNNING").await;
    // The rights are taken away again.
    let before = untouched(&bed).await;
    let roles: Api<k8s_openapi::api::rbac::v1::ClusterRole> = Api::all(bed.client.clone());
    roles
        .delete("builders", &DeleteParams::default())
        .await
        .unwrap();
    until_built(&bed, "False", "Forbidden").await;
    assert_eq!(untouched(&bed).await, before);
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_said_before_there_is_an_image() {
    let bed = bed("wrong").await;
    let mut wrong = from_source("Image", 1);
    let code = &mut wrong["SourceConfiguration"]["CodeRepository"]["CodeConfiguration"];
    code["CodeConfigurationValues"]["Port"] = json!("0");
    bed.must_apply("AppRunnerService", "site", wrong.clone())
        .await;
    let accepted = bed
        .condition("AppRunnerService", "site", "Accepted", "False")
        .await;
    let message = accepted["message"].as_str().unwrap();
    let place = "SourceConfiguration.CodeRepository.CodeConfiguration.CodeConfigurationValues.Port";
    assert!(message.contains(place), "{message}");

    let code = &mut wrong["SourceConfiguration"]["CodeRepository"]["CodeConfiguration"];
    *code = json!({"ConfigurationSource": "REPOSITORY"});
    bed.must_apply("AppRunnerService", "site", wrong.clone())
        .await;
    bed.until("AppRunnerService", "site", "the other reason", |object| {
        condition(object, "Accepted")["reason"] == "AppRunnerFileNotRead"
    })
    .await;
    wrong.as_object_mut().unwrap().remove("builtBy");
    bed.must_apply("AppRunnerService", "site", wrong).await;
    bed.until("AppRunnerService", "site", "no builder", |object| {
        condition(object, "Accepted")["reason"] == "CodeRepositoryNeedsBuild"
    })
    .await;
}

//! What `ecs-operator diff` says before an apply, and what the operator then does.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use ecs_operator_testbed::until;
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment},
    core::v1::ServiceAccount,
    rbac::v1::RoleBinding,
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    bed, shared,
    support::{Bed, LIMIT, at_rest, cpu_policy, ready, task_definition, uid},
};

/// A manifest of a custom resource.
fn manifest(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    })
}

fn definition(image: &str) -> Value {
    manifest("EcsTaskDefinition", "web", task_definition(image))
}

fn service(spec: Value) -> Value {
    let mut all = json!({"taskDefinition": "web", "desiredCount": 2});
    for (name, value) in spec.as_object().unwrap() {
        all[name] = value.clone();
    }
    manifest("EcsService", "web", all)
}

/// A user who may only view the namespace.
async fn viewer(bed: &Bed) -> PathBuf {
    let (_, plane) = shared().await;
    let name = bed.namespace.name();
    let account: ServiceAccount =
        serde_json::from_value(json!({"metadata": {"name": "viewer"}})).unwrap();
    let params = PostParams::default();
    bed.api().create(&params, &account).await.unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": name}],
    }))
    .unwrap();
    bed.api().create(&params, &binding).await.unwrap();
    plane
        .kubeconfig_for_service_account(name, "viewer")
        .await
        .unwrap()
}

/// What the program says, and its exit status.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    /// The lines that differ, without headings.
    fn lines(&self) -> Vec<&str> {
        let lines = self.out.lines();
        lines
            .filter(|line| line.starts_with(['+', '-']))
            .filter(|line| !line.starts_with("+++") && !line.starts_with("---"))
            .collect()
    }

    fn says(&self, text: &str) {
        assert!(self.out.contains(text), "{text} is missing:\n{self}");
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}\nexit {}", self.out, self.err, self.code)
    }
}

/// Compares manifests with the cluster, as a user who may only view the namespace.
async fn diff(bed: &Bed, viewer: &Path, manifests: &[Value]) -> Said {
    diff_with(bed, viewer, manifests, &["--settings-from=revision"]).await
}

async fn diff_with(bed: &Bed, viewer: &Path, manifests: &[Value], options: &[&str]) -> Said {
    let mut run = Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
        .args(["diff", "--filename=-", "--namespace", bed.namespace.name()])
        .arg("--kubeconfig")
        .arg(viewer)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let texts: Vec<String> = manifests.iter().map(Value::to_string).collect();
    let mut input = run.stdin.take().unwrap();
    input
        .write_all(texts.join("\n---\n").as_bytes())
        .await
        .unwrap();
    drop(input);
    let output = run.wait_with_output().await.unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The settings of the operator that all tests share.
const OPERATOR: &[&str] = &[
    "--image-pull-policy=if-not-present",
    "--platform=kubernetes",
    "--iam=none",
    "--steady-seconds=0",
];

async fn apply(bed: &Bed, manifests: &[Value]) {
    for manifest in manifests {
        let (kind, name) = (&manifest["kind"], &manifest["metadata"]["name"]);
        let (kind, name) = (kind.as_str().unwrap(), name.as_str().unwrap());
        bed.must_apply(kind, name, manifest["spec"].clone()).await;
    }
}

/// Everything that a service consists of: the UIDs of its tasks, and the generation of its Deployment.
async fn tasks(bed: &Bed) -> Vec<String> {
    let mut tasks: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    tasks.sort();
    tasks
}

/// The versions of everything in the namespace that someone could have written.
async fn versions(bed: &Bed) -> Vec<Option<String>> {
    let all = ListParams::default();
    let revisions: Api<ControllerRevision> = bed.api();
    let deployments: Api<Deployment> = bed.api();
    let mut versions = Vec::new();
    for object in revisions.list(&all).await.unwrap() {
        versions.push(object.metadata.resource_version);
    }
    for object in deployments.list(&all).await.unwrap() {
        versions.push(object.metadata.resource_version);
    }
    for kind in ["EcsService", "EcsTaskDefinition"] {
        for object in bed.resources(kind).list(&all).await.unwrap() {
            versions.push(object.metadata.resource_version);
        }
    }
    versions
}

/// Waits until the service has done what its spec asks for.
async fn settled(bed: &Bed, count: usize) {
    ready(&bed.client, bed.namespace.name(), "web").await;
    let what = format!("{count} tasks of a completed deployment");
    bed.until("EcsService", "web", &what, |object| {
        let deployments = object["status"]["deployments"].as_array();
        object["status"]["runningCount"] == count
            && deployments.is_some_and(|all| all[0]["rolloutState"] == "COMPLETED")
    })
    .await;
    until(&what, LIMIT, async || {
        Ok((bed.tasks("web").await.len() == count).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_diff_is_what_the_operator_then_does() {
    let bed = bed("diff").await;
    let viewer = viewer(&bed).await;
    let new = [definition("testbed/web:1"), service(json!({}))];
    let said = diff_with(&bed, &viewer, &new, OPERATOR).await;
    assert_eq!(said.code, 1, "{said}");
    said.says("+++ Deployment web");
    said.says("EcsService web: starts 2 tasks");

    apply(&bed, &new).await;
    settled(&bed, 2).await;
    let before = (versions(&bed).await, tasks(&bed).await);
    let said = diff(&bed, &viewer, &new).await;
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said}");

    // Each is compared, applied, and then seen to do exactly that.
    let policy = cpu_policy();
    let scaling = json!({"autoScaling": {
        "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 4}, "scalingPolicies": [policy],
    }});
    let images = [definition("testbed/web:2")];
    for (what, manifests, replaces, shows) in [
        (
            "an image",
            &images[..],
            true,
            "+      - image: testbed/web:2",
        ),
        (
            "a count",
            &[service(json!({"desiredCount": 3}))][..],
            false,
            "+  replicas: 3",
        ),
        (
            "scaling",
            &[service(scaling)][..],
            false,
            "+++ HorizontalPodAutoscaler web",
        ),
        (
            "a tag",
            &[service(json!({"tags": [{"key": "team", "value": "shop"}]}))][..],
            false,
            "shop",
        ),
        (
            "a label",
            &[service(
                json!({"kubernetes": {"pod": {"labels": {"team": "shop"}}}}),
            )][..],
            true,
            "+        team: shop",
        ),
    ] {
        let earlier = at_rest("the objects", async || versions(&bed).await).await;
        let running = tasks(&bed).await;
        let said = diff(&bed, &viewer, manifests).await;
        assert_eq!(said.code, 1, "{what}: {said}");
        let all = said.out.contains("EcsService web: all tasks are replaced");
        let none = said.out.contains("EcsService web: no task is replaced");
        assert_eq!((all, none), (replaces, !replaces), "{what}: {said}");
        assert!(
            said.out.contains(shows.trim_start_matches("+      - ")),
            "{what}: {said}"
        );
        assert_eq!(versions(&bed).await, earlier, "{what} was written");

        apply(&bed, manifests).await;
        let count = if what == "a count" { 3 } else { 2 };
        bed.until("EcsService", "web", what, |object| {
            let seen = &object["status"]["observedGeneration"];
            *seen == object["metadata"]["generation"]
        })
        .await;
        if replaces {
            until("other tasks", LIMIT, async || {
                let now = tasks(&bed).await;
                Ok(now.iter().all(|task| !running.contains(task)).then_some(()))
            })
            .await
            .unwrap();
        }
        settled(&bed, count).await;
        let now = tasks(&bed).await;
        let kept = now.iter().any(|task| running.contains(task));
        assert_eq!(kept, !replaces, "{what}");
        let said = diff(&bed, &viewer, manifests).await;
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{what}: {said}");
    }
    assert_ne!(versions(&bed).await, before.0);
}

#[tokio::test]
async fn what_would_be_refused_is_said() {
    let bed = bed("diff-odd").await;
    let viewer = viewer(&bed).await;
    let all = [definition("testbed/web:1"), service(json!({}))];
    apply(&bed, &all).await;
    settled(&bed, 2).await;

    let wrong = service(json!({"taskDefinition": "web:7"}));
    let said = diff(&bed, &viewer, &[wrong]).await;
    assert_eq!(said.code, 2, "{said}");
    said.says("EcsService web: rejected, and what runs continues: web has no revision 7; existing revisions: 1");

    let mut wrong = task_definition("testbed/web:1");
    wrong["volumes"] = json!([{"name": "data", "host": {"sourcePath": "relative"}}]);
    let missing = service(json!({"taskDefinition": "nope"}));
    let wrong = manifest("EcsTaskDefinition", "web", wrong);
    let said = diff(&bed, &viewer, &[wrong, missing]).await;
    assert_eq!(said.code, 2, "{said}");
    said.says("EcsTaskDefinition web: rejected");
    said.says("there is no EcsTaskDefinition nope in the namespace");

    // Without the operator's Deployment, its settings come from what it has rendered.
    let said = diff_with(&bed, &viewer, &[service(json!({}))], &[]).await;
    assert!(
        said.err.contains("cannot read the operator's Deployment"),
        "{said}"
    );
    assert!(
        said.err.contains("ControllerRevision web.service."),
        "{said}"
    );
    assert_eq!(said.code, 0, "{said}");

    // Whoever may read that Deployment has them from it.
    let labels =
        json!({"app.kubernetes.io/name": "ecs-operator", "app.kubernetes.io/version": "0.0.1"});
    let arguments: Vec<&str> = ["controller"]
        .into_iter()
        .chain(OPERATOR.iter().copied())
        .collect();
    let operator = json!({
        "metadata": {"name": "ecs-operator", "labels": labels},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "operator", "image": "testbed/web", "args": arguments}]},
            },
        },
    });
    let operator: Deployment = serde_json::from_value(operator).unwrap();
    bed.api()
        .create(&PostParams::default(), &operator)
        .await
        .unwrap();
    let at = ["--operator-namespace", bed.namespace.name()];
    let said = diff_with(&bed, &viewer, &[service(json!({}))], &at).await;
    assert_eq!(said.code, 0, "{said}");
    assert!(
        said.err.contains("the operator has version 0.0.1"),
        "{said}"
    );
    assert!(!said.err.contains("ControllerRevision"), "{said}");

    // Something of that name belongs to somebody else.
    let taken = json!({
        "metadata": {"name": "taken"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "a", "image": "testbed/web"}]},
            },
        },
    });
    let taken: Deployment = serde_json::from_value(taken).unwrap();
    bed.api()
        .create(&PostParams::default(), &taken)
        .await
        .unwrap();
    let spec = json!({"taskDefinition": "web", "desiredCount": 1});
    let said = diff(&bed, &viewer, &[manifest("EcsService", "taken", spec)]).await;
    assert_eq!(said.code, 2, "{said}");
    said.says("EcsService taken: cannot be carried out: Deployment taken exists and");

    let once = manifest("EcsTask", "once", json!({"taskDefinition": "web"}));
    let said = diff(&bed, &viewer, &[once]).await;
    assert_eq!(said.code, 1, "{said}");
    said.says("+++ Pod once-0");

    // An EcsTask that has run does not run again.
    let once = json!({"taskDefinition": "web"});
    bed.must_apply("EcsTask", "once", once.clone()).await;
    let said = diff(&bed, &viewer, &[manifest("EcsTask", "once", once)]).await;
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said}");
    let other = manifest(
        "EcsTask",
        "once",
        json!({"taskDefinition": "web", "count": 2}),
    );
    let said = diff(&bed, &viewer, &[other]).await;
    assert_eq!(said.code, 2, "{said}");
    said.says("EcsTask once: rejected");
}

#[tokio::test]
async fn an_edit_is_shown_although_nothing_else_changes() {
    let bed = bed("diff-edit").await;
    let viewer = viewer(&bed).await;
    let all = [definition("testbed/web:1"), service(json!({}))];
    apply(&bed, &all).await;
    settled(&bed, 2).await;
    let deployments: Api<Deployment> = bed.api();
    let edit = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    // The operator undoes it at once, so the edit is repeated while the diff reads.
    let change = Patch::Merge(json!({"spec": {"revisionHistoryLimit": 3}}));
    let said = until("a diff that sees an edit", 3 * LIMIT, async || {
        let edits = async {
            loop {
                deployments.patch("web", &edit, &change).await?;
            }
        };
        tokio::select! {
            edited = edits => edited,
            said = diff(&bed, &viewer, &all) => Ok((said.code == 1).then_some(said)),
        }
    })
    .await
    .unwrap();
    said.says("+++ Deployment web (also without this apply: edited, or still under way)");
    assert!(
        said.lines().contains(&"-  revisionHistoryLimit: 3"),
        "{said}"
    );
    said.says("EcsService web: no task is replaced");
}

#[tokio::test]
async fn what_policies_would_refuse_is_said() {
    let bed = bed("diff-policy").await;
    let viewer = viewer(&bed).await;
    let (_, plane) = shared().await;
    let admin = plane.kubeconfig();
    let mut files = task_definition("testbed/web:1");
    files["volumes"] = json!([{
        "name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-0123abcd"},
    }]);
    let files = manifest("EcsTaskDefinition", "web", files);
    let task = manifest("EcsTask", "once", json!({"taskDefinition": "web"}));
    let all = [files.clone(), service(json!({})), task.clone()];
    let of_several = [OPERATOR, &["--tenancy=multiple"]].concat();

    // A task needs the revision of its task definition.
    apply(&bed, &[files]).await;
    bed.until("EcsTaskDefinition", "web", "a revision", |object| {
        object["status"]["revision"] == 1
    })
    .await;
    let said = diff_with(&bed, &admin, &all, &of_several).await;
    assert_eq!(said.code, 2, "{said}");
    for what in ["EcsService web: rejected", "EcsTask once: rejected"] {
        said.says(what);
    }
    said.says("fileSystems: [\"fs-0123abcd\"]");
    assert!(!said.out.contains("+++ Deployment"), "{said}");

    // The policy may be part of the same change, for each namespace that it selects.
    let namespace = json!({"kubernetes.io/metadata.name": bed.namespace.name()});
    let policy = |labels: &Value| {
        let spec = json!({
            "namespaceSelector": {"matchLabels": labels}, "allow": {"fileSystems": ["fs-0123abcd"]},
        });
        manifest("EcsPolicy", "files", spec)
    };
    let allowed = [&all[..], &[policy(&namespace)]].concat();
    let said = diff_with(&bed, &admin, &allowed, &of_several).await;
    assert_eq!(said.code, 1, "{said}");
    said.says("EcsService web: starts 2 tasks");
    let elsewhere = [&all[..], &[policy(&json!({"team": "other"}))]].concat();
    let said = diff_with(&bed, &admin, &elsewhere, &of_several).await;
    assert_eq!(said.code, 2, "{said}");

    // Whoever cannot read policies gets the rest, and reads what was not checked.
    let said = diff_with(&bed, &viewer, &all, &of_several).await;
    assert_eq!(said.code, 1, "{said}");
    said.says("You may not read EcsPolicies");
    let said = diff_with(&bed, &admin, &all, OPERATOR).await;
    assert_eq!(said.code, 2, "as the operator does by default: {said}");
    let single = [OPERATOR, &["--tenancy=single"]].concat();
    let said = diff_with(&bed, &admin, &all, &single).await;
    assert_eq!(said.code, 1, "{said}");

    // What runs is not judged.
    apply(&bed, &all[..2]).await;
    bed.until("EcsService", "web", "a deployment", |object| {
        object["status"]["deployments"].is_array()
    })
    .await;
    let more = [service(json!({"desiredCount": 3}))];
    let said = diff_with(&bed, &admin, &more, &of_several).await;
    assert!(!said.out.contains("rejected"), "{said}");
    said.says("+  replicas: 3");
}

//! What an editor of one namespace cannot do with the operator that the editor cannot do alone.
//!
//! The table of `docs/tenancy.md` names these tests. They have a control plane of their own, whose operator judges.

use std::{collections::BTreeMap, path::PathBuf};

use ecs_operator_testbed::{ControlPlane, until};
use futures::future::join_all;
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment},
    core::v1::{Namespace, PersistentVolume, Pod, ServiceAccount},
    rbac::v1::{ClusterRole, RoleBinding},
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, Config, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use regex::Regex;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::{
    Bed, LIMIT, OPERATOR, Operator,
    addons::{ACK_EKS, ADDONS, SNAPSHOTS, install_addons},
    apply, condition, install, policies, task_definition, uid,
};

/// The arguments of an operator in a cluster of AWS that several teams share.
const SHARED: &[&str] = &[
    "--tenancy=multiple",
    "--platform=eks",
    "--iam=irsa",
    "--aws-account-id=111122223333",
    "--aws-region=eu-west-1",
    "--eks-cluster-name=shop",
    "--allow-s3-files",
    "--ecr-pull-secrets",
    "--fsx-host=fs-0123abcd=files.example.com",
];

struct Cluster {
    operator: Operator,
    plane: ControlPlane,
}

/// The control plane of these tests.
async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let start = async || -> anyhow::Result<Cluster> {
        let plane = ControlPlane::start().await?;
        install(&plane).await?;
        install_addons(&plane, ADDONS).await;
        install_addons(&plane, &SNAPSHOTS).await;
        install_addons(&plane, &[ACK_EKS]).await;
        let operator = Operator::start(&plane, "operator", SHARED).await?;
        Ok(Cluster { operator, plane })
    };
    CLUSTER.get_or_try_init(start).await.unwrap()
}

/// A namespace, and someone who may edit it and nothing else.
struct Tenant {
    bed: Bed,
    editor: Client,
}

impl Tenant {
    async fn new(prefix: &str) -> Self {
        Self::of(&cluster().await.plane.kubeconfig(), prefix).await
    }

    async fn of(kubeconfig: &PathBuf, prefix: &str) -> Self {
        let bed = Bed::new(kubeconfig, prefix).await;
        let user = format!("editor-of-{}", bed.namespace.name());
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": {"name": "editor"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }))
        .unwrap();
        bed.api()
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
        let file = Kubeconfig::read_from(kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(file, &options)
            .await
            .unwrap();
        config.auth_info.impersonate = Some(user);
        let editor = Client::try_from(config).unwrap();
        Self { bed, editor }
    }

    fn namespace(&self) -> &str {
        self.bed.namespace.name()
    }

    /// Applies a custom resource as the editor. The right to do so may take a moment.
    async fn apply(&self, kind: &str, name: &str, spec: &Value) {
        until("the editor to have the right", LIMIT, async || match apply(
            &self.editor,
            self.namespace(),
            kind,
            name,
            spec.clone(),
        )
        .await
        {
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
            applied => Ok(Some(applied?)),
        })
        .await
        .unwrap();
    }

    /// Annotates a custom resource as the editor.
    async fn annotate(&self, kind: &str, name: &str, annotations: &Value) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        let kind = GroupVersionKind::gvk("ecs-operator.dev", "v1alpha1", kind);
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.editor.clone(),
            self.namespace(),
            &ApiResource::from_gvk(&kind),
        );
        api.patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Creates a policy for the namespace as an administrator.
    async fn permit(&self, name: &str, lists: &Value) {
        let namespace = self.namespace();
        let mut spec = lists.clone();
        spec["namespaceSelector"] =
            json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
        let policy = json!({
            "apiVersion": "ecs-operator.dev/v1alpha1",
            "kind": "EcsPolicy",
            "metadata": {"name": format!("{namespace}-{name}")},
            "spec": spec,
        });
        let params = PatchParams {
            field_validation: Some(kube::api::ValidationDirective::Strict),
            ..PatchParams::apply("administrator")
        };
        policies(&self.bed.client)
            .patch(
                &format!("{namespace}-{name}"),
                &params,
                &Patch::Apply(policy),
            )
            .await
            .unwrap();
    }

    async fn forbid(&self, name: &str) {
        policies(&self.bed.client)
            .delete(
                &format!("{}-{name}", self.namespace()),
                &DeleteParams::default(),
            )
            .await
            .unwrap();
    }

    /// Waits until the newest spec of a service runs.
    async fn ready(&self, name: &str) {
        self.bed
            .condition("EcsService", name, "Ready", "True")
            .await;
    }

    /// Waits until the newest spec of a service is accepted.
    async fn accepted(&self, name: &str) {
        self.bed
            .condition("EcsService", name, "Accepted", "True")
            .await;
    }

    /// Waits until the service is refused, and returns why.
    async fn refused(&self, kind: &str, name: &str, reason: &str) -> String {
        let object = self
            .bed
            .until(kind, name, "the refusal", |object| {
                let accepted = condition(object, "Accepted");
                accepted["status"] == "False" && accepted["reason"] == reason
            })
            .await;
        let message = condition(&object, "Accepted")["message"].clone();
        message.as_str().unwrap().to_owned()
    }

    /// What the operator has created for the namespace, except revisions.
    async fn created(&self) -> Vec<String> {
        const OURS: &str = "app.kubernetes.io/managed-by=ecs-operator";
        let ours = ListParams::default().labels(OURS);
        let mut names = Vec::new();
        let accounts = self.bed.api::<ServiceAccount>().list(&ours).await.unwrap();
        names.extend(
            accounts
                .iter()
                .map(|it| format!("account {}", it.name_any())),
        );
        let workloads = self.bed.api::<Deployment>().list(&ours).await.unwrap();
        names.extend(
            workloads
                .iter()
                .map(|it| format!("workload {}", it.name_any())),
        );
        let pods = self.bed.api::<Pod>().list(&ours).await.unwrap();
        names.extend(pods.iter().map(|it| format!("pod {}", it.name_any())));
        let volumes: Api<PersistentVolume> = Api::all(self.bed.client.clone());
        let volumes = volumes.list(&ours).await.unwrap();
        let of_it = |volume: &&PersistentVolume| {
            let claim = volume.spec.as_ref().and_then(|it| it.claim_ref.as_ref());
            claim.and_then(|it| it.namespace.as_deref()) == Some(self.namespace())
        };
        names.extend(
            volumes
                .iter()
                .filter(of_it)
                .map(|it| format!("volume {}", it.name_any())),
        );
        for (group, version, kind, plural) in ADDONS.iter().chain([&ACK_EKS, &SNAPSHOTS[0]]) {
            let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            (*plural).clone_into(&mut resource.plural);
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.bed.client.clone(), self.namespace(), &resource);
            let list = api.list(&ours).await.unwrap();
            names.extend(list.iter().map(|it| format!("{kind} {}", it.name_any())));
        }
        names
    }
}

/// The policy that has each line that a refusal names.
fn policy_of(message: &str) -> Value {
    let line = Regex::new(r#"spec\.(allow|limitTo)\.(\w+): \[("[^"]*")\]"#).unwrap();
    let mut lists: BTreeMap<String, BTreeMap<String, Vec<Value>>> = BTreeMap::new();
    for found in line.captures_iter(message) {
        let list = lists.entry(found[1].to_owned()).or_default();
        let value = serde_json::from_str(&found[3]).unwrap();
        list.entry(found[2].to_owned()).or_default().push(value);
    }
    assert!(!lists.is_empty(), "{message}");
    json!(lists)
}

/// Something that an editor tries.
struct Attempt {
    prefix: &'static str,
    /// The default capacity provider of the namespace.
    provider: Option<&'static str>,
    definition: Value,
    service: Value,
    annotations: Value,
    /// What the refusal says, apart from what a policy would need.
    says: &'static [&'static str],
}

fn attempt(prefix: &'static str, says: &'static [&'static str]) -> Attempt {
    Attempt {
        prefix,
        provider: None,
        definition: task_definition("testbed/web"),
        service: json!({"taskDefinition": "web", "desiredCount": 1}),
        annotations: json!({}),
        says,
    }
}

impl Attempt {
    fn definition(mut self, member: &str, value: Value) -> Self {
        self.definition[member] = value;
        self
    }

    fn container(mut self, member: &str, value: Value) -> Self {
        self.definition["containerDefinitions"][0][member] = value;
        self
    }

    fn service(mut self, member: &str, value: Value) -> Self {
        self.service[member] = value;
        self
    }

    const fn cluster(mut self, provider: &'static str) -> Self {
        self.provider = Some(provider);
        self
    }

    fn annotated(mut self, name: &str, value: &str) -> Self {
        self.annotations[format!("ecs-operator.dev/{name}")] = json!(value);
        self
    }

    fn secrets(self) -> Self {
        let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf";
        self.container(
            "secrets",
            json!([{"name": "PASSWORD", "valueFrom": secret}]),
        )
    }

    fn volume(self, source: Value) -> Self {
        let mut volume = source;
        volume["name"] = json!("data");
        self.definition("volumes", json!([volume])).container(
            "mountPoints",
            json!([{"sourceVolume": "data", "containerPath": "/data"}]),
        )
    }

    fn disk(self, configuration: Value) -> Self {
        let mut disk = configuration;
        disk["roleArn"] = json!("arn:aws:iam::111122223333:role/ecsInfrastructureRole");
        self.volume(json!({"configuredAtLaunch": true})).service(
            "volumeConfigurations",
            json!([{"name": "data", "managedEBSVolume": disk}]),
        )
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/orders";

/// What no editor can do alone.
fn beyond_an_editor() -> Vec<Attempt> {
    let efs = |configuration: Value| json!({"efsVolumeConfiguration": configuration});
    vec![
        attempt("task-role", &["task definition: taskRoleArn: the task role arn:aws:iam::111122223333:role/orders is not allowed"])
            .definition("taskRoleArn", json!(ROLE)),
        attempt("role-by-name", &["task definition: taskRoleArn: the task role arn:aws:iam::111122223333:role/orders is not allowed"])
            .definition("taskRoleArn", json!("orders")),
        attempt("execution-role", &["task definition: executionRoleArn: the execution role arn:aws:iam::111122223333:role/orders"])
            .definition("executionRoleArn", json!(ROLE))
            .secrets(),
        attempt("registry", &["task definition: executionRoleArn: the execution role"])
            .definition("executionRoleArn", json!(ROLE))
            .container("repositoryCredentials", json!({
                "credentialsParameter": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry-AbCdEf",
            })),
        attempt("pod-identity", &["task definition: taskRoleArn: the task role", "metadata.annotations[\"ecs-operator.dev/iam\"]: the annotation iam is not allowed"])
            .definition("taskRoleArn", json!(ROLE))
            .annotated("iam", "pod-identity"),
        attempt("assumed-role", &["task definition: executionRoleArn: the execution role"])
            .definition("executionRoleArn", json!(ROLE))
            .annotated("iam", "pod-identity")
            .secrets(),
        attempt("pull", &["task definition: executionRoleArn: the execution role arn:aws:iam::111122223333:role/orders"])
            .definition("executionRoleArn", json!(ROLE))
            .container("image", json!("111122223333.dkr.ecr.eu-west-1.amazonaws.com/orders:1")),
        attempt("assumed-pull", &["task definition: executionRoleArn: the execution role"])
            .definition("executionRoleArn", json!(ROLE))
            .container("image", json!("111122223333.dkr.ecr.eu-west-1.amazonaws.com/orders:1"))
            .annotated("iam", "pod-identity"),
        attempt("store", &[
            "the ClusterSecretStore ecs-sm-eu-west-1 is not allowed",
            "task definition: containerDefinitions[0].secrets[0].valueFrom: the secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf",
        ])
        .secrets(),
        attempt("target-group", &["loadBalancers[0].targetGroupArn: the target group arn:aws:elasticloadbalancing"])
            .service("loadBalancers", json!([{
                "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/orders/0123456789abcdef",
                "containerName": "app",
                "containerPort": 80,
            }])),
        attempt("security-group", &["networkConfiguration.awsvpcConfiguration.securityGroups[0]: the security group sg-0123456789abcdef0"])
            .service("networkConfiguration", json!({"awsvpcConfiguration": {
                "subnets": ["subnet-0123456789abcdef0"],
                "securityGroups": ["sg-0123456789abcdef0"],
            }})),
        attempt("file-system", &["task definition: volumes[0].efsVolumeConfiguration.fileSystemId: the file system fs-0123456789abcdef0"])
            .volume(efs(json!({"fileSystemId": "fs-0123456789abcdef0"}))),
        attempt("access-point", &["the file system fs-0123456789abcdef0/fsap-0123456789abcdef0 is not allowed"])
            .volume(efs(json!({
                "fileSystemId": "fs-0123456789abcdef0",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0"},
            }))),
        attempt("s3-files", &["the file system fs-0123456789abcdef0/fsap-0123456789abcdef0 is not allowed"])
            .volume(json!({"s3filesVolumeConfiguration": {
                "fileSystemArn": "arn:aws:s3files:eu-west-1:111122223333:file-system/fs-0123456789abcdef0",
                "accessPointArn": "arn:aws:s3files:eu-west-1:111122223333:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0",
            }})),
        attempt("share", &["the file system files.example.com is not allowed", "task definition: executionRoleArn"])
            .definition("runtimePlatform", json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}))
            .definition("executionRoleArn", json!(ROLE))
            .volume(json!({"fsxWindowsFileServerVolumeConfiguration": {
                "fileSystemId": "fs-0123abcd",
                "rootDirectory": "share",
                "authorizationConfig": {
                    "credentialsParameter": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:share-AbCdEf",
                    "domain": "example.com",
                },
            }}))
            .container("mountPoints", json!([{"sourceVolume": "data", "containerPath": "C:\\data"}])),
        attempt("disk", &["the volume type gp3 is not allowed", "managedEBSVolume.kmsKeyId: the KMS key alias/orders"])
            .disk(json!({"sizeInGiB": 8, "volumeType": "gp3", "encrypted": true, "kmsKeyId": "alias/orders"})),
        attempt("snapshot", &["managedEBSVolume.snapshotId: the snapshot snap-0123456789abcdef0"])
            .disk(json!({"sizeInGiB": 8, "volumeType": "gp3", "snapshotId": "snap-0123456789abcdef0"})),
        attempt("metric", &["CustomizedMetricSpecification.Namespace: the CloudWatch namespace Orders"])
            .service("autoScaling", scaling("Orders")),
        attempt("setting", &["metadata.annotations[\"ecs-operator.dev/steady-seconds\"]: the annotation steady-seconds"])
            .annotated("steady-seconds", "3"),
        attempt("exclusive", &["the annotation target-groups is not allowed"])
            .annotated("target-groups", "exclusive"),
    ]
}

/// Scaling by a metric of CloudWatch.
fn scaling(namespace: &str) -> Value {
    json!({
        "scalableTarget": {"MinCapacity": 1, "MaxCapacity": 3},
        "scalingPolicies": [{
            "PolicyName": "backlog",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 10,
                "CustomizedMetricSpecification": {
                    "MetricName": "Backlog",
                    "Namespace": namespace,
                    "Statistic": "Average",
                    "Dimensions": [{"Name": "Queue", "Value": "jobs"}],
                },
            },
        }],
    })
}

/// What an editor can do alone, unless Kubernetes forbids it, and what a policy can still limit.
fn limited() -> Vec<Attempt> {
    vec![
        attempt("host-path", &["task definition: volumes[0].host.sourcePath: the path of the host /var/log/app"])
            .volume(json!({"host": {"sourcePath": "/var/log/app/"}})),
        attempt("privileged", &["task definition: containerDefinitions: the privilege privileged"])
            .container("privileged", json!(true)),
        attempt("capability", &["task definition: containerDefinitions[0].linuxParameters.capabilities.add[0]: the privilege NET_ADMIN"])
            .container("linuxParameters", json!({"capabilities": {"add": ["NET_ADMIN"]}})),
        attempt("host-network", &["the privilege hostNetwork is not allowed", "the privilege hostPort"])
            .definition("networkMode", json!("host")),
        attempt("host-processes", &["task definition: containerDefinitions: the privilege hostPID", "the privilege hostIPC"])
            .definition("networkMode", json!("bridge"))
            .definition("pidMode", json!("host"))
            .definition("ipcMode", json!("host")),
        attempt("sysctl", &["containerDefinitions[0].systemControls[0].namespace: the privilege net.core.somaxconn"])
            .container("systemControls", json!([{"namespace": "net.core.somaxconn", "value": "1024"}])),
        attempt("scheme", &["the load balancer scheme internet-facing is not allowed"])
            .service("kubernetes", json!({"expose": {"type": "nlb", "containerName": "app", "containerPort": 80}})),
        attempt("provider", &["capacityProviderStrategy[0].capacityProvider: the capacity provider orders"])
            .service("capacityProviderStrategy", json!([{"capacityProvider": "orders", "weight": 1}])),
        attempt("cluster", &["capacityProviderStrategy: the capacity provider orders"]).cluster("orders"),
        attempt("patch", &["the patched member spec.hostAliases[].ip is not allowed", "the patched member spec.containers[].stdin"])
            .service("kubernetes", json!({"pod": {"patch": {"spec": {
                "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["orders"]}],
                "containers": [{"name": "app", "stdin": true}],
            }}}})),
    ]
}

/// Applies what an editor tries, and sees that nothing comes of it but a refusal that says what would permit it. That is
/// so, whatever else the cluster allows.
async fn try_it(attempt: Attempt, limits: Option<&Value>) {
    let tenant = Tenant::new(attempt.prefix).await;
    if let Some(limits) = limits {
        tenant.permit("limits", limits).await;
    }
    tenant
        .apply("EcsTaskDefinition", "web", &attempt.definition)
        .await;
    if let Some(provider) = attempt.provider {
        let strategy = json!([{"capacityProvider": provider, "weight": 1}]);
        let cluster =
            json!({"capacityProviders": [provider], "defaultCapacityProviderStrategy": strategy});
        tenant.apply("EcsCluster", "shop", &cluster).await;
        tenant
            .bed
            .condition("EcsCluster", "shop", "Accepted", "True")
            .await;
    }
    let mut service = attempt.service.clone();
    service["desiredCount"] = json!(0);
    if attempt.annotations != json!({}) {
        // Annotations come later than the object, which asks for nothing before.
        service["taskDefinition"] = json!("later");
    }
    tenant.apply("EcsService", "web", &service).await;
    if attempt.annotations != json!({}) {
        tenant
            .annotate("EcsService", "web", &attempt.annotations)
            .await;
        service["taskDefinition"] = json!("web");
        tenant.apply("EcsService", "web", &service).await;
    }
    let message = tenant
        .refused("EcsService", "web", "NotAllowedByPolicy")
        .await;
    for expected in attempt.says {
        assert!(message.contains(expected), "{expected}\nnot in {message}");
    }
    assert_eq!(tenant.created().await, [""; 0], "{}", attempt.prefix);
    let policy = policy_of(&message);
    tenant.permit("allowed", &policy).await;
    tenant
        .bed
        .until("EcsService", "web", &format!("{policy}"), |object| {
            condition(object, "Accepted")["status"] == "True"
        })
        .await;
    tenant
        .bed
        .eventually("web", "the Deployment", |_: &Deployment| true)
        .await;
    tenant.forbid("allowed").await;
}

#[tokio::test]
async fn what_an_editor_cannot_do_alone_is_refused_with_the_line_that_would_allow_it() {
    join_all(beyond_an_editor().into_iter().map(|it| try_it(it, None))).await;
}

#[tokio::test]
async fn a_policy_limits_what_an_editor_can_do_alone() {
    let limits = json!({"limitTo": {
        "hostPaths": ["/var/log/other/*"],
        "privileges": [],
        "loadBalancerSchemes": ["internal"],
        "capacityProviders": ["shop-*"],
        "patchedMembers": ["metadata.*"],
    }});
    join_all(limited().into_iter().map(|it| try_it(it, Some(&limits)))).await;
}

#[tokio::test]
async fn without_a_policy_an_editor_uses_what_pods_can_use() {
    let all = join_all(limited().into_iter().map(async |attempt| {
        let tenant = Tenant::new(attempt.prefix).await;
        tenant
            .apply("EcsTaskDefinition", "web", &attempt.definition)
            .await;
        tenant.apply("EcsService", "web", &attempt.service).await;
        tenant.accepted("web").await;
    }));
    all.await;
}

#[tokio::test]
async fn an_editor_cannot_write_what_the_operator_trusts() {
    let tenant = Tenant::new("alone").await;
    tenant
        .apply("EcsTaskDefinition", "web", &task_definition("testbed/web"))
        .await;
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    tenant.apply("EcsService", "web", &service).await;
    tenant.ready("web").await;
    let forbidden = |what: &str, result: kube::Result<()>| match result {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        other => panic!("{what}: {other:?}"),
    };
    let policy = json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsPolicy",
        "metadata": {"name": "mine"},
        "spec": {"namespaceSelector": {}, "allow": {"taskRoles": ["*"]}},
    });
    let create = PostParams::default();
    let made = policies(&tenant.editor)
        .create(&create, &serde_json::from_value(policy).unwrap())
        .await;
    forbidden("a policy", made.map(drop));
    let label = json!({"metadata": {"labels": {"team": "other"}}});
    let namespaces: Api<Namespace> = Api::all(tenant.editor.clone());
    let made = namespaces
        .patch(
            tenant.namespace(),
            &PatchParams::default(),
            &Patch::Merge(label),
        )
        .await;
    forbidden("labels of the namespace", made.map(drop));
    let kind = GroupVersionKind::gvk("ecs-operator.dev", "v1alpha1", "EcsService");
    let services: Api<DynamicObject> = Api::namespaced_with(
        tenant.editor.clone(),
        tenant.namespace(),
        &ApiResource::from_gvk(&kind),
    );
    let status = Patch::Merge(json!({"status": {"conditions": []}}));
    let made = services
        .patch_status("web", &PatchParams::default(), &status)
        .await;
    forbidden("the status of a service", made.map(drop));
    let revisions: Api<ControllerRevision> =
        Api::namespaced(tenant.editor.clone(), tenant.namespace());
    let kept = tenant
        .bed
        .api::<ControllerRevision>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let kept = kept.items[0].name_any();
    let made = revisions.delete(&kept, &DeleteParams::default()).await;
    forbidden("a revision", made.map(drop));
    let volume = json!({"metadata": {"name": "mine"}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "hostPath": {"path": "/"},
    }});
    let volumes: Api<PersistentVolume> = Api::all(tenant.editor.clone());
    let made = volumes
        .create(&create, &serde_json::from_value(volume).unwrap())
        .await;
    forbidden("a volume", made.map(drop));
    let class = json!({"metadata": {"name": "mine"}, "provisioner": "ebs.csi.aws.com"});
    let classes: Api<StorageClass> = Api::all(tenant.editor.clone());
    let made = classes
        .create(&create, &serde_json::from_value(class).unwrap())
        .await;
    forbidden("a storage class", made.map(drop));
    let other = Tenant::new("other").await;
    let made = apply(
        &tenant.editor,
        other.namespace(),
        "EcsService",
        "web",
        service,
    )
    .await;
    forbidden("a service of another namespace", made.map(drop));
}

/// Returns the UIDs of the pods of the service.
async fn pods(tenant: &Tenant) -> Vec<String> {
    let mut uids: Vec<String> = tenant.bed.tasks("web").await.iter().map(uid).collect();
    uids.sort();
    uids
}

#[tokio::test]
async fn what_runs_goes_on_when_its_policy_is_gone() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let operator = Operator::start(&plane, "first", SHARED).await.unwrap();
    let tenant = Tenant::of(&plane.kubeconfig(), "runs").await;
    tenant
        .permit("roles", &json!({"allow": {"taskRoles": [ROLE]}}))
        .await;
    let mut definition = task_definition("testbed/web:1");
    definition["taskRoleArn"] = json!(ROLE);
    tenant.apply("EcsTaskDefinition", "web", &definition).await;
    let mut service = json!({"taskDefinition": "web", "desiredCount": 2});
    tenant.apply("EcsService", "web", &service).await;
    tenant.ready("web").await;
    let plain = json!({"taskDefinition": "plain", "desiredCount": 1});
    tenant
        .apply(
            "EcsTaskDefinition",
            "plain",
            &task_definition("testbed/web:1"),
        )
        .await;
    tenant.apply("EcsService", "plain", &plain).await;
    tenant.ready("plain").await;
    let before = pods(&tenant).await;
    tenant.forbid("roles").await;
    // Another operator starts with what it finds, and renews what it would render differently and may deploy.
    operator.terminate();
    let renews = [
        SHARED,
        &[
            "--renewal=automatic",
            "--renewal-max-in-flight=5",
            "--image-pull-policy=always-for-tags",
        ],
    ]
    .concat();
    let operator = Operator::start(&plane, "second", &renews).await.unwrap();
    let policy = |deployment: &Deployment| {
        let spec = &json!(deployment)["spec"]["template"]["spec"];
        spec["containers"][0]["imagePullPolicy"].clone()
    };
    tenant
        .bed
        .eventually("plain", "its renewal", |it| policy(it) == "Always")
        .await;
    service["desiredCount"] = json!(3);
    tenant.apply("EcsService", "web", &service).await;
    tenant.ready("web").await;
    tenant.accepted("web").await;
    let after = pods(&tenant).await;
    assert_eq!(after.len(), 3);
    let web: Deployment = tenant.bed.api().get("web").await.unwrap();
    assert_eq!(policy(&web), "IfNotPresent");
    assert!(before.iter().all(|uid| after.contains(uid)));
    // An object of it is restored.
    let accounts = tenant.bed.api::<ServiceAccount>();
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=ecs-operator");
    let account = accounts.list(&ours).await.unwrap().items[0].name_any();
    accounts
        .delete(&account, &DeleteParams::default())
        .await
        .unwrap();
    tenant
        .bed
        .eventually(&account, "the account again", |_: &ServiceAccount| true)
        .await;
    // Who asks for a renewal learns why there is none.
    let current = tenant.bed.resources("EcsService").get("web").await.unwrap();
    let id = json!(current)["status"]["deployments"][0]["id"].clone();
    tenant
        .annotate(
            "EcsService",
            "web",
            &json!({"ecs-operator.dev/renew-deployment": id}),
        )
        .await;
    tenant
        .refused("EcsService", "web", "NotAllowedByPolicy")
        .await;
    tenant
        .annotate(
            "EcsService",
            "web",
            &json!({"ecs-operator.dev/renew-deployment": null}),
        )
        .await;
    tenant.accepted("web").await;
    // What is new is not deployed, and the rest stays.
    definition["containerDefinitions"][0]["image"] = json!("testbed/web:2");
    tenant.apply("EcsTaskDefinition", "web", &definition).await;
    let message = tenant
        .refused("EcsService", "web", "NotAllowedByPolicy")
        .await;
    assert!(
        message.contains("no EcsPolicy selects the namespace"),
        "{message}"
    );
    service["desiredCount"] = json!(2);
    tenant.apply("EcsService", "web", &service).await;
    until("two tasks", LIMIT, async || {
        Ok((pods(&tenant).await.len() == 2).then_some(()))
    })
    .await
    .unwrap();
    tenant
        .permit("roles", &json!({"allow": {"taskRoles": [ROLE]}}))
        .await;
    tenant.ready("web").await;
    let image = |pod: &Pod| pod.spec.as_ref().unwrap().containers[0].image.clone();
    let tasks = tenant.bed.tasks("web").await;
    assert!(
        tasks
            .iter()
            .all(|pod| image(pod).as_deref() == Some("testbed/web:2"))
    );
    drop(operator);
}

#[tokio::test]
async fn a_preview_of_a_policy_shows_what_waits_for_it() {
    let tenant = Tenant::new("waits").await;
    let mut definition = task_definition("testbed/web:1");
    definition["taskRoleArn"] = json!(ROLE);
    tenant.apply("EcsTaskDefinition", "web", &definition).await;
    let service = json!({"taskDefinition": "web", "desiredCount": 2});
    tenant.apply("EcsService", "web", &service).await;
    let job = json!({"taskDefinition": "web"});
    tenant.apply("EcsTask", "job", &job).await;
    for (kind, name) in [("EcsService", "web"), ("EcsTask", "job")] {
        tenant.bed.condition(kind, name, "Accepted", "False").await;
    }
    let diff = async |namespace: &str| {
        let policy = json!({
            "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsPolicy", "metadata": {"name": "roles"},
            "spec": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "allow": {"taskRoles": [ROLE]},
            },
        });
        let file = std::env::temp_dir().join(format!("{}-{namespace}.json", tenant.namespace()));
        std::fs::write(&file, policy.to_string()).unwrap();
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
            .args(["diff", "--namespace", tenant.namespace(), "--filename"])
            .arg(&file)
            .arg("--kubeconfig")
            .arg(cluster().await.plane.kubeconfig())
            .args(SHARED)
            .output()
            .await
            .unwrap();
        std::fs::remove_file(&file).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = diff(tenant.namespace()).await;
    assert_eq!(code, Some(1), "{said}");
    for what in [
        "+++ Deployment web",
        "EcsService web: starts 2 tasks",
        "+++ Pod job-0",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let (code, said) = diff("elsewhere").await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_task_begins_only_with_what_is_allowed_and_gets_nothing_later() {
    let tenant = Tenant::new("task").await;
    let mut definition = task_definition("testbed/hold");
    definition["taskRoleArn"] = json!("orders");
    tenant.apply("EcsTaskDefinition", "job", &definition).await;
    tenant
        .apply("EcsTask", "job", &json!({"taskDefinition": "job"}))
        .await;
    let message = tenant.refused("EcsTask", "job", "NotAllowedByPolicy").await;
    assert_eq!(tenant.created().await, [""; 0]);
    tenant.permit("roles", &policy_of(&message)).await;
    let begun = |object: &Value| object["status"]["tasks"][0]["lastStatus"] == "PENDING";
    tenant.bed.until("EcsTask", "job", "the task", begun).await;
    tenant
        .bed
        .eventually("job-0", "the pod", |_: &Pod| true)
        .await;
    // The same name is another role in another account.
    let other = json!({"ecs-operator.dev/aws-account-id": "444455556666"});
    tenant.annotate("EcsTask", "job", &other).await;
    tenant.forbid("roles").await;
    // The next step of the task comes after all of this. Neither the policy nor the annotation makes a difference to it:
    // what it needs is restored, and is what it was.
    let api = tenant.bed.api::<ServiceAccount>();
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=ecs-operator");
    let account = api.list(&ours).await.unwrap().items[0].name_any();
    api.delete(&account, &DeleteParams::default())
        .await
        .unwrap();
    tenant
        .bed
        .eventually(&account, "the account again", |_: &ServiceAccount| true)
        .await;
    let running = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{
        "name": "app", "image": "testbed/hold", "imageID": "", "ready": true, "started": true, "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }]}});
    let pods = tenant.bed.api::<Pod>();
    pods.patch_status("job-0", &PatchParams::default(), &Patch::Merge(running))
        .await
        .unwrap();
    let runs = |object: &Value| object["status"]["tasks"][0]["lastStatus"] == "RUNNING";
    tenant.bed.until("EcsTask", "job", "it to run", runs).await;
    let accounts = tenant
        .bed
        .api::<ServiceAccount>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let roles: Vec<&String> = accounts
        .iter()
        .filter_map(|account| account.annotations().get("eks.amazonaws.com/role-arn"))
        .collect();
    assert_eq!(roles, [ROLE]);
}

/// Somebody makes what only looks as if the operator had made it.
#[tokio::test]
async fn what_looks_like_a_service_that_runs_is_judged() {
    let tenant = Tenant::new("forged").await;
    let definition = task_definition("testbed/web");
    tenant.apply("EcsTaskDefinition", "web", &definition).await;
    let mut service = json!({"taskDefinition": "web", "desiredCount": 1});
    tenant.apply("EcsService", "web", &service).await;
    tenant.ready("web").await;
    let deployments: Api<Deployment> = Api::namespaced(tenant.editor.clone(), tenant.namespace());
    let mut copy = deployments.get("web").await.unwrap();
    tenant
        .bed
        .resources("EcsService")
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    tenant.bed.gone::<Deployment>("web").await;
    copy.metadata.uid = None;
    copy.metadata.resource_version = None;
    copy.metadata.owner_references = None;
    copy.metadata.managed_fields = None;
    deployments
        .create(&PostParams::default(), &copy)
        .await
        .unwrap();
    // The pods are the same, so the revision that they would have is known.
    service["networkConfiguration"] = json!({"awsvpcConfiguration": {
        "subnets": ["subnet-0123456789abcdef0"],
        "securityGroups": ["sg-0123456789abcdef0"],
    }});
    tenant.apply("EcsService", "web", &service).await;
    let refused = |object: &Value| {
        let conditions = object["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|it| it["reason"] == "NotAllowedByPolicy")
    };
    tenant
        .bed
        .until("EcsService", "web", "the refusal", refused)
        .await;
    let made = tenant.created().await;
    let groups = made
        .iter()
        .filter(|it| it.starts_with("SecurityGroupPolicy"));
    assert_eq!(groups.count(), 0, "{made:?}");
}

/// Somebody writes the annotation that says which pods have run.
#[tokio::test]
async fn what_looks_like_a_task_that_has_begun_is_judged() {
    let tenant = Tenant::new("forged-task").await;
    let spec = json!({"taskDefinition": "job", "count": 2});
    tenant.apply("EcsTask", "job", &spec).await;
    tenant
        .refused("EcsTask", "job", "TaskDefinitionNotFound")
        .await;
    let begun = json!({"ecs-operator.dev/begun": "job-0"});
    tenant.annotate("EcsTask", "job", &begun).await;
    let mut definition = task_definition("testbed/hold");
    definition["taskRoleArn"] = json!(ROLE);
    tenant.apply("EcsTaskDefinition", "job", &definition).await;
    let refused = |object: &Value| {
        let why = object["status"]["tasks"][1]["statusReason"].as_str();
        why.is_some_and(|why| why.contains("spec.allow.taskRoles"))
    };
    tenant
        .bed
        .until("EcsTask", "job", "the refusal", refused)
        .await;
    assert_eq!(tenant.created().await, [""; 0]);
}

#[tokio::test]
async fn the_autoscaler_of_what_runs_reads_no_metric_that_is_not_allowed() {
    let tenant = Tenant::new("scaler").await;
    tenant
        .permit("metrics", &json!({"allow": {"metricNamespaces": ["Mine"]}}))
        .await;
    tenant
        .apply("EcsTaskDefinition", "web", &task_definition("testbed/web"))
        .await;
    let mut service = json!({"taskDefinition": "web", "autoScaling": scaling("Mine")});
    tenant.apply("EcsService", "web", &service).await;
    tenant.ready("web").await;
    let before = pods(&tenant).await;
    service["autoScaling"] = scaling("Orders");
    tenant.apply("EcsService", "web", &service).await;
    let message = tenant
        .refused("EcsService", "web", "NotAllowedByPolicy")
        .await;
    assert!(
        message.contains("the CloudWatch namespace Orders"),
        "{message}"
    );
    let read = async || {
        let mut kind = ApiResource::from_gvk(&GroupVersionKind::gvk(
            "keda.sh",
            "v1alpha1",
            "ScaledObject",
        ));
        "scaledobjects".clone_into(&mut kind.plural);
        let api: Api<DynamicObject> =
            Api::namespaced_with(tenant.bed.client.clone(), tenant.namespace(), &kind);
        let scaler = api.get("web").await.unwrap();
        scaler.data["spec"]["triggers"][0]["metadata"]["namespace"].clone()
    };
    assert_eq!(read().await, "Mine");
    assert_eq!(pods(&tenant).await, before);
    tenant.permit("more", &policy_of(&message)).await;
    tenant.accepted("web").await;
    until("the other metric", LIMIT, async || {
        Ok((read().await == "Orders").then_some(()))
    })
    .await
    .unwrap();
    // What it reads now stays permitted, also when something else of it changes.
    tenant.forbid("metrics").await;
    tenant.forbid("more").await;
    service["autoScaling"]["scalableTarget"]["MaxCapacity"] = json!(5);
    tenant.apply("EcsService", "web", &service).await;
    tenant.accepted("web").await;
    tenant.ready("web").await;
    assert_eq!(pods(&tenant).await, before);
}

#[tokio::test]
async fn pods_that_pod_security_forbids_are_refused_before_anything_is_made() {
    let tenant = Tenant::new("restricted").await;
    let namespaces: Api<Namespace> = Api::all(tenant.bed.client.clone());
    let level = async |level: &str| {
        let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
        namespaces
            .patch(
                tenant.namespace(),
                &PatchParams::default(),
                &Patch::Merge(label),
            )
            .await
            .unwrap();
    };
    level("restricted").await;
    tenant
        .permit("roles", &json!({"allow": {"taskRoles": [ROLE]}}))
        .await;
    let mut definition = task_definition("testbed/web");
    definition["taskRoleArn"] = json!(ROLE);
    tenant.apply("EcsTaskDefinition", "web", &definition).await;
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    tenant.apply("EcsService", "web", &service).await;
    tenant
        .apply("EcsTask", "job", &json!({"taskDefinition": "web"}))
        .await;
    for (kind, name) in [("EcsService", "web"), ("EcsTask", "job")] {
        let message = tenant.refused(kind, name, "PodSecurityViolated").await;
        assert!(
            message.contains("violates PodSecurity \"restricted:latest\""),
            "{message}"
        );
    }
    assert_eq!(tenant.created().await, [""; 0]);
    level("baseline").await;
    tenant.ready("web").await;
    tenant
        .bed
        .eventually("job-0", "the task", |_: &Pod| true)
        .await;
    // What runs is not judged again.
    let before = pods(&tenant).await;
    level("restricted").await;
    tenant
        .apply(
            "EcsService",
            "web",
            &json!({"taskDefinition": "web", "desiredCount": 0}),
        )
        .await;
    tenant.accepted("web").await;
    assert_eq!(before.len(), 1);
}

#[tokio::test]
async fn an_operator_that_cannot_list_policies_keeps_what_runs() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let client = plane.client().await.unwrap();
    let roles: Api<ClusterRole> = Api::all(client.clone());
    let mut role = roles.get(OPERATOR).await.unwrap();
    let tenant = Tenant::of(&plane.kubeconfig(), "blind").await;
    let mut definition = task_definition("testbed/web");
    tenant.apply("EcsTaskDefinition", "web", &definition).await;
    let mut service = json!({"taskDefinition": "web", "desiredCount": 1});
    tenant.apply("EcsService", "web", &service).await;
    let rules = role.rules.clone();
    let is_of_policies = |resources: &Option<Vec<String>>| {
        let mut resources = resources.iter().flatten();
        resources.any(|it| it == "ecspolicies" || it == "namespaces")
    };
    role.rules
        .as_mut()
        .unwrap()
        .retain(|rule| !is_of_policies(&rule.resources));
    role.metadata.managed_fields = None;
    let role = roles
        .replace(OPERATOR, &PostParams::default(), &role)
        .await
        .unwrap();
    let _operator = Operator::start(&plane, "operator", SHARED).await.unwrap();
    // What needs no policy is deployed, scaled and changed.
    tenant.ready("web").await;
    service["desiredCount"] = json!(2);
    tenant.apply("EcsService", "web", &service).await;
    tenant.ready("web").await;
    definition["taskRoleArn"] = json!(ROLE);
    tenant.apply("EcsTaskDefinition", "web", &definition).await;
    let message = tenant
        .refused("EcsService", "web", "NotAllowedByPolicy")
        .await;
    assert!(
        message.contains("cannot list EcsPolicies and Namespaces"),
        "{message}"
    );
    assert_eq!(pods(&tenant).await.len(), 2);
    // With the right, it goes on by itself.
    tenant
        .permit("roles", &json!({"allow": {"taskRoles": ["*"]}}))
        .await;
    let mut role = role;
    role.rules = rules;
    role.metadata.managed_fields = None;
    roles
        .replace(OPERATOR, &PostParams::default(), &role)
        .await
        .unwrap();
    tenant.ready("web").await;
    tenant.accepted("web").await;
}

#[tokio::test]
async fn the_api_server_takes_the_policy_of_the_documentation_and_none_that_cannot_be_read() {
    let text = include_str!("../../docs/tenancy.md");
    let (_, block) = text.split_once("```yaml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let policy: Value = serde_saphyr::from_str(block).unwrap();
    let client = &cluster().await.plane.client().await.unwrap();
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply("administrator")
    };
    let dry_run = async |spec: &Value| {
        let mut policy = policy.clone();
        policy["spec"] = spec.clone();
        let policies = policies(client);
        policies
            .patch("payments", &params, &Patch::Apply(policy))
            .await
    };
    let spec = &policy["spec"];
    dry_run(spec).await.unwrap();
    ecs_operator::policy::Policy::read("payments", &spec.to_string()).unwrap();
    let selector =
        |expression: Value| json!({"namespaceSelector": {"matchExpressions": [expression]}});
    for wrong in [
        json!({}),
        json!({"namespaceSelector": {}, "allow": {"hostPaths": ["*"]}}),
        json!({"namespaceSelector": {}, "limitTo": {"taskRoles": ["*"]}}),
        json!({"namespaceSelector": {}, "allow": {"taskRoles": [""]}}),
        json!({"namespaceSelector": {}, "allows": {}}),
        selector(json!({"key": "team", "operator": "Like", "values": ["a"]})),
        selector(json!({"key": "team", "operator": "In"})),
        selector(json!({"key": "team", "operator": "Exists", "values": ["a"]})),
    ] {
        assert!(dry_run(&wrong).await.is_err(), "{wrong}");
    }
}

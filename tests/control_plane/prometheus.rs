//! Scaling policies on metrics that a real Prometheus has scraped. A program of the test serves the counters that an
//! ingress controller would.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::TcpListener as StdListener,
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{Router, routing::get};
use ecs_operator_testbed::{ControlPlane, Options, Process, find, until};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Bed, LIMIT, Operator,
    addons::serve_addons,
    condition, install,
    scaling::{has_tasks, is_unknown, step_policy},
    task_definition,
};

/// A name that would end its quotes, and match more than itself, if it were a part of the query.
const POOL: &str = r#"or"ders\.*"#;
/// The target group of the service with target tracking.
const GROUP: &str = "targetgroup/api/943f017f100becff";
/// The pool of the service with metric math.
const JOBS: &str = "jobs";

const SCALED_OBJECT: (&str, &str, &str, &str) =
    ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects");

/// What sends requests: so many in a second, by the labels of their counter.
#[derive(Clone)]
struct Load(Arc<Mutex<BTreeMap<String, Counter>>>);

struct Counter {
    begun: Instant,
    before: f64,
    rate: f64,
}

impl Counter {
    fn count(&self) -> f64 {
        self.before + self.rate * self.begun.elapsed().as_secs_f64()
    }
}

impl Load {
    fn send(&self, labels: &str, rate: f64) {
        let mut counters = self.0.lock().unwrap();
        let before = counters.get(labels).map_or(0.0, Counter::count);
        let begun = Instant::now();
        let counter = Counter {
            begun,
            before,
            rate,
        };
        counters.insert(labels.to_owned(), counter);
    }

    fn exposition(&self) -> String {
        let mut text = "# TYPE requests_total counter\n".to_owned();
        for (labels, counter) in self.0.lock().unwrap().iter() {
            writeln!(text, "requests_total{{{labels}}} {}", counter.count()).unwrap();
        }
        text
    }
}

/// Returns the labels of a counter, as they are exposed.
fn labels(namespace: &str, service: &str, pool: &str) -> String {
    let pool = pool.replace('\\', r"\\").replace('"', r#"\""#);
    format!(r#"ns="{namespace}",svc="{service}",pool="{pool}""#)
}

/// Starts a Prometheus with the certificate of the API server, which scrapes the load each second. Returns it with its URL.
async fn prometheus(plane: &ControlPlane, load: &Load) -> (Process, String) {
    let shown = load.clone();
    let metrics = get(async move || shown.exposition());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let app = Router::new().route("/metrics", metrics);
    tokio::spawn(async { axum::serve(listener, app).await });
    let free = StdListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let folder = plane.folder().join("prometheus");
    fs::create_dir_all(&folder).unwrap();
    let config = json!({
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "load", "static_configs": [{"targets": [target]}]}],
    });
    fs::write(folder.join("prometheus.yml"), config.to_string()).unwrap();
    let pki = |file: &str| plane.folder().join("pki").join(file);
    let web = json!({"tls_server_config": {
        "cert_file": pki("kube-apiserver.crt"),
        "key_file": pki("kube-apiserver.key"),
    }});
    fs::write(folder.join("web.yml"), web.to_string()).unwrap();
    let program = tokio::task::spawn_blocking(|| find("prometheus"));
    let program = program.await.unwrap().unwrap();
    let url = format!("https://{address}/prometheus");
    let line = [
        program.into_os_string(),
        format!("--config.file={}/prometheus.yml", folder.display()).into(),
        format!("--web.config.file={}/web.yml", folder.display()).into(),
        format!("--storage.tsdb.path={}/data", folder.display()).into(),
        format!("--web.external-url={url}").into(),
        format!("--web.listen-address={address}").into(),
    ];
    (
        Process::start("prometheus", plane.folder(), &line).unwrap(),
        url,
    )
}

fn step(name: &str, metric: &str, threshold: i64, comparison: &str, by: i64) -> Value {
    step_policy(
        (name, by, 0),
        ["Shop", metric, "Pool", POOL],
        (comparison, threshold),
    )
}

fn requests_policy() -> Value {
    json!({
        "PolicyName": "requests",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 600,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ALBRequestCountPerTarget",
                "ResourceLabel": format!("app/shop/778d41231b141a0f/{GROUP}"),
            },
        },
    })
}

/// A policy that keeps the requests to a pool for each running task at a value, as metric math.
fn math_policy() -> Value {
    let metric = |namespace: &str, name: &str, dimension: &str, value: &str| {
        let dimensions = json!([{"Name": dimension, "Value": value}]);
        let metric = json!({"Namespace": namespace, "MetricName": name, "Dimensions": dimensions});
        json!({"Metric": metric, "Stat": "Average"})
    };
    let running = ("ECS/ContainerInsights", "RunningTaskCount");
    json!({
        "PolicyName": "per-task",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 600,
            "CustomizedMetricSpecification": {"Metrics": [
                {"Id": "m1", "ReturnData": false, "MetricStat": metric("Shop", "Requests", "Pool", JOBS)},
                {"Id": "m2", "ReturnData": false,
                    "MetricStat": metric(running.0, running.1, "ServiceName", "jobs")},
                {"Id": "e1", "Expression": "m1 / m2"},
            ]},
        },
    })
}

fn service(policies: &[Value]) -> Value {
    json!({
        "taskDefinition": "web",
        "autoScaling": {
            "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 4},
            "scalingPolicies": policies,
        },
    })
}

/// Returns how many events say that the metrics of a service are missing, as soon as there is one: events follow the status.
async fn events(bed: &Bed, name: &str) -> i32 {
    let what = format!("an event of {name}");
    until(&what, LIMIT, async || {
        let count = events_so_far(bed, name).await;
        Ok((count > 0).then_some(count))
    })
    .await
    .unwrap()
}

async fn events_so_far(bed: &Bed, name: &str) -> i32 {
    let events = bed.api::<Event>().list(&Default::default()).await.unwrap();
    let of_it = events.into_iter().filter(|event| {
        event.involved_object.name.as_deref() == Some(name)
            && event.reason.as_deref() == Some("MetricsUnavailable")
    });
    of_it.map(|event| event.count.unwrap_or(1)).sum()
}

async fn scaled_objects(bed: &Bed) -> Vec<String> {
    let (group, version, kind, plural) = SCALED_OBJECT;
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    let api: Api<DynamicObject> =
        Api::namespaced_with(bed.client.clone(), bed.namespace.name(), &resource);
    let list = api.list(&Default::default()).await.unwrap();
    list.iter().map(|object| object.name_any()).collect()
}

/// Returns the flags of the operator.
fn flags(plane: &ControlPlane, url: &str, tenancy: &str) -> Vec<String> {
    let ca = plane.folder().join("pki/ca.crt");
    let ca: &Path = &ca;
    let rate = |selector: &str| format!("sum(increase(requests_total{{{selector}}}[1m]))");
    let of_service = r#"ns="<<namespace>>",svc="<<service>>",pool="<<dimension.TargetGroup>>""#;
    let of_pool = r#"ns="<<namespace>>",pool="<<dimension.Pool>>",pool=~"<<dimension.Pool>>""#;
    vec![
        format!("--tenancy={tenancy}"),
        "--aws-region=eu-west-1".to_owned(),
        format!("--prometheus-url={url}"),
        format!("--prometheus-ca-file={}", ca.display()),
        format!(
            "--metric-query=AWS/ApplicationELB/RequestCountPerTarget={} / <<tasks>>",
            rate(of_service)
        ),
        format!("--metric-query=Shop/Requests={}", rate(of_pool)),
        r#"--metric-query=Shop/Series=requests_total{ns="<<namespace>>"}"#.to_owned(),
    ]
}

async fn operator(plane: &ControlPlane, name: &str, flags: &[String], more: &[&str]) -> Operator {
    let flags = flags.iter().map(String::as_str);
    let flags: Vec<&str> = flags.chain(more.iter().copied()).collect();
    Operator::start(plane, name, &flags).await.unwrap()
}

#[tokio::test]
#[ignore = "it builds Prometheus and waits for minutes: `cargo xtask test metrics` runs it"]
async fn services_follow_metrics_of_prometheus_and_stay_when_it_is_gone() {
    let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
    install(&plane).await.unwrap();
    let load = Load(Arc::default());
    let (prometheus, url) = prometheus(&plane, &load).await;
    let bed = Bed::new(&plane.kubeconfig(), "prometheus").await;
    serve_addons(&bed.client, &[SCALED_OBJECT]).await.unwrap();
    let flags = flags(&plane, &url, "multiple");
    let first = operator(&plane, "first", &flags, &[]).await;
    let namespace = bed.namespace.name();
    let (web, api) = (
        labels(namespace, "web", POOL),
        labels(namespace, "api", GROUP),
    );
    load.send(&web, 5.0);
    load.send(&api, 28.0);
    load.send(&labels(namespace, "jobs", JOBS), 28.0);
    // What others do would be seen by a query that selects more than it should.
    load.send(&labels("other", "web", POOL), 1000.0);
    load.send(&labels(namespace, "web", "orders"), 1000.0);
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:1"))
        .await;
    let steps = [
        step("out", "Requests", 600, "GreaterThanThreshold", 2),
        step("in", "Requests", 200, "LessThanThreshold", -1),
    ];
    bed.must_apply("EcsService", "web", service(&steps)).await;
    let mut tracked = service(&[requests_policy()]);
    tracked["autoScaling"]["scaler"] = json!("operator");
    bed.must_apply("EcsService", "api", tracked).await;
    // Nothing but the operator has metric math.
    bed.must_apply("EcsService", "jobs", service(&[math_policy()]))
        .await;
    let several = [step("out", "Series", 0, "GreaterThanThreshold", 2)];
    bed.must_apply("EcsService", "several", service(&several))
        .await;
    // 300 requests a minute are between the thresholds.
    let object = bed
        .until("EcsService", "web", "both alarms", |object| {
            let alarms = object["status"]["autoScaling"]["alarms"].as_array();
            let mut states = alarms
                .into_iter()
                .flatten()
                .map(|alarm| &alarm["stateValue"]);
            alarms.is_some_and(|alarms| alarms.len() == 2) && states.all(|state| state == "OK")
        })
        .await;
    assert_eq!(object["spec"]["desiredCount"], 2);

    // 1680 requests a minute are 3 tasks of at most 600, and target tracking finds that after three minutes.
    load.send(&web, 20.0);
    has_tasks(&bed, "web", 4).await;
    load.send(&web, 1.0);
    let object = has_tasks(&bed, "web", 2).await;
    let activity = &object["status"]["autoScaling"]["activities"][0];
    assert_eq!(
        activity["cause"],
        "monitor alarm in in state ALARM triggered policy in"
    );
    assert_eq!(condition(&object, "ScalingActive")["status"], "True");
    has_tasks(&bed, "api", 3).await;
    let object = has_tasks(&bed, "jobs", 3).await;
    let alarm = &object["status"]["autoScaling"]["alarms"][0];
    assert_eq!(alarm["metricName"], "m1 / m2");

    // A query with several series scales nothing, and says so once.
    let (_, why) = is_unknown(&bed, "several").await;
    assert!(why.contains("the query has several series"), "{why}");
    assert_eq!(scaled_objects(&bed).await, [""; 0]);

    // Another operator continues.
    let queries = first.metric("ecs_operator_metric_queries_total", "success");
    assert!(queries.await > 0);
    assert_eq!(first.terminate(), Some(0));
    let second = operator(&plane, "second", &flags, &[]).await;
    second.leads().await;
    until("everything to be reconciled", LIMIT, async || {
        let reconciled = second.metric("ecs_operator_reconciles_total", "EcsService");
        let waiting = second.metric("ecs_operator_queue_depth", "");
        Ok((reconciled.await >= 4 && waiting.await == 0).then_some(()))
    })
    .await
    .unwrap();

    // Without Prometheus, counts stay, also while there are more requests.
    load.send(&web, 100.0);
    drop(prometheus);
    for name in ["web", "api", "jobs"] {
        let (_, why) = is_unknown(&bed, name).await;
        let expected = "Prometheus does not report a metric: it cannot be reached";
        assert!(why.contains(expected), "{why}");
        let object = json!(bed.resources("EcsService").get(name).await.unwrap());
        let count = if name == "web" { 2 } else { 3 };
        assert_eq!(object["spec"]["desiredCount"], count, "{name}");
        assert_eq!(events(&bed, name).await, 1, "{name}");
    }
    assert_eq!(events(&bed, "several").await, 1);
    let failures = second.metric("ecs_operator_metric_queries_total", "failure");
    assert!(failures.await > 0);
}

#[tokio::test]
#[ignore = "it builds Prometheus and waits for minutes: `cargo xtask test metrics` runs it"]
async fn an_operator_with_other_settings_leaves_no_count_to_two_writers() {
    let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
    install(&plane).await.unwrap();
    let load = Load(Arc::default());
    let (_prometheus, url) = prometheus(&plane, &load).await;
    let bed = Bed::new(&plane.kubeconfig(), "prometheus-settings").await;
    serve_addons(&bed.client, &[SCALED_OBJECT]).await.unwrap();
    load.send(&labels(bed.namespace.name(), "api", GROUP), 19.0);
    let flags = flags(&plane, &url, "single");
    let first = operator(&plane, "first", &flags, &[]).await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:1"))
        .await;
    let mut tracked = service(&[requests_policy()]);
    tracked["autoScaling"]["scaler"] = json!("operator");
    bed.must_apply("EcsService", "api", tracked.clone()).await;
    has_tasks(&bed, "api", 2).await;
    assert_eq!(first.terminate(), Some(0));

    // The settings of the deployment, which do not include queries, are not those of today.
    let second = operator(&plane, "second", &flags, &["--steady-seconds=1"]).await;
    let name = "ecs_operator_metric_queries_total";
    until("two measured minutes", LIMIT * 3, async || {
        Ok((second.metric(name, "success").await >= 2).then_some(()))
    })
    .await
    .unwrap();
    tracked["autoScaling"]["scalableTarget"]["MaxCapacity"] = json!(5);
    bed.must_apply("EcsService", "api", tracked).await;
    bed.condition("EcsService", "api", "Accepted", "True").await;
    until("everything to be reconciled", LIMIT, async || {
        let waiting = second.metric("ecs_operator_queue_depth", "").await;
        Ok((waiting == 0).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(scaled_objects(&bed).await, [""; 0]);
    let object = json!(bed.resources("EcsService").get("api").await.unwrap());
    assert_eq!(object["status"]["autoScaling"]["scaler"], "operator");
}

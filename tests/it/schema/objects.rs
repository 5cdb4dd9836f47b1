//! Rules of the API server that are not in its schemas, for everything except pods.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    identity, kind, pods,
    values::{
        is_data_key, is_label, is_label_value, is_port_name, is_qualified_name, is_subdomain,
        items, members, milli, selects, text,
    },
};

type Report<'a> = &'a mut dyn FnMut(String);

const RECOMMENDED_LABELS: &[&str] = &[
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
];

/// Reports invalid names, labels and annotations, and missing labels.
pub fn check_metadata(object: &Value, namespaced: bool, report: Report) {
    let metadata = &object["metadata"];
    let name = text(&metadata["name"]);
    let dns_label = matches!(text(&object["kind"]), "Service" | "Namespace");
    if !is_subdomain(name) || (dns_label && !is_label(name)) {
        report(format!("{name:?} is not a name"));
    }
    match (&metadata["namespace"], namespaced) {
        (Value::String(namespace), true) if is_label(namespace) => {}
        (Value::Null, false) => {}
        // Where kubectl applies it.
        (Value::Null, true) if text(&object["apiVersion"]).starts_with("ecs-operator.dev/") => {}
        (namespace, _) => report(format!("the namespace is {namespace}")),
    }
    labels(&metadata["labels"], report);
    for label in RECOMMENDED_LABELS {
        if metadata["labels"][label].is_null() {
            report(format!("no label {label}"));
        }
    }
    annotations(&metadata["annotations"], report);
}

/// Reports invalid labels.
pub fn labels(labels: &Value, report: Report) {
    for (key, value) in members(labels) {
        if !is_qualified_name(key) || !value.as_str().is_some_and(is_label_value) {
            report(format!("{key}: {value} is not a label"));
        }
    }
}

/// Reports invalid annotations.
pub fn annotations(annotations: &Value, report: Report) {
    let mut size = 0;
    for (key, value) in members(annotations) {
        size += key.len() + text(value).len();
        if !is_qualified_name(key) || !value.is_string() {
            report(format!("{key}: {value} is not an annotation"));
        }
    }
    if size > 256 * 1024 {
        report(format!("{size} bytes of annotations"));
    }
}

/// Reports problems of one object.
pub fn check(object: &Value, report: Report) {
    let spec = &object["spec"];
    match text(&object["kind"]) {
        "Pod" => pods::check_spec(spec, report),
        "Deployment" => deployment(spec, report),
        "DaemonSet" => daemon_set(spec, report),
        "CronJob" => cron_job(object, report),
        "Service" => service(spec, report),
        "HorizontalPodAutoscaler" => autoscaler(spec, report),
        "PodDisruptionBudget" => {
            if spec["minAvailable"].is_null() == spec["maxUnavailable"].is_null() {
                report("not exactly one of minAvailable and maxUnavailable".to_owned());
            }
        }
        "PersistentVolume" => persistent_volume(spec, report),
        "PersistentVolumeClaim" => claim(spec, report),
        "ConfigMap" | "Secret" => data(object, report),
        "ScaledObject" => scaled_object(spec, report),
        "StorageClass" => one_of(
            object,
            "volumeBindingMode",
            &["Immediate", "WaitForFirstConsumer"],
            report,
        ),
        "Ingress" => ingress(spec, report),
        "NetworkPolicy" => {
            for kind in items(&spec["policyTypes"]) {
                if !matches!(text(kind), "Ingress" | "Egress") {
                    report(format!("policyTypes has {kind}"));
                }
            }
        }
        _ => {}
    }
}

/// Reports a member that exists and is not one of `values`.
pub fn one_of(object: &Value, name: &str, values: &[&str], report: Report) {
    let value = &object[name];
    if !value.is_null() && !values.contains(&text(value)) {
        report(format!("{name} is {value}"));
    }
}

/// Reports an integer that exists and is out of range.
pub fn within(object: &Value, name: &str, range: std::ops::RangeInclusive<i64>, report: Report) {
    let value = &object[name];
    if !value.is_null() && !value.as_i64().is_some_and(|number| range.contains(&number)) {
        report(format!("{name} is {value}"));
    }
}

fn template(spec: &Value, report: Report) {
    let template = &spec["template"];
    labels(&template["metadata"]["labels"], report);
    annotations(&template["metadata"]["annotations"], report);
    let selector = &spec["selector"]["matchLabels"];
    if members(selector).next().is_none() || !selects(selector, &template["metadata"]["labels"]) {
        report(format!(
            "the selector {selector} does not match the template"
        ));
    }
    if !matches!(text(&template["spec"]["restartPolicy"]), "" | "Always") {
        report("the pods are not restarted".to_owned());
    }
    if !template["spec"]["activeDeadlineSeconds"].is_null() {
        report("the pods have a deadline".to_owned());
    }
    within(spec, "minReadySeconds", 0..=i64::MAX, report);
    within(spec, "revisionHistoryLimit", 0..=i64::MAX, report);
    pods::check_spec(&template["spec"], report);
}

fn deployment(spec: &Value, report: Report) {
    template(spec, report);
    within(spec, "replicas", 0..=i64::MAX, report);
    one_of(
        &spec["strategy"],
        "type",
        &["Recreate", "RollingUpdate"],
        report,
    );
    let rolling = &spec["strategy"]["rollingUpdate"];
    if spec["strategy"]["type"] == "Recreate" && !rolling.is_null() {
        report("rollingUpdate of a strategy that is not rolling".to_owned());
    }
    if is_zero(&rolling["maxSurge"]) && is_zero(&rolling["maxUnavailable"]) {
        report("maxSurge and maxUnavailable are both 0".to_owned());
    }
    let ready = spec["minReadySeconds"].as_i64().unwrap_or(0);
    if spec["progressDeadlineSeconds"].as_i64().unwrap_or(600) <= ready {
        report(format!(
            "progressDeadlineSeconds is not above minReadySeconds {ready}"
        ));
    }
}

fn daemon_set(spec: &Value, report: Report) {
    template(spec, report);
    one_of(
        &spec["updateStrategy"],
        "type",
        &["OnDelete", "RollingUpdate"],
        report,
    );
    let rolling = &spec["updateStrategy"]["rollingUpdate"];
    let surge = !rolling["maxSurge"].is_null() && !is_zero(&rolling["maxSurge"]);
    if surge != is_zero(&rolling["maxUnavailable"]) {
        report("not exactly one of maxSurge and maxUnavailable is 0".to_owned());
    }
}

/// A CronJob appends 11 characters to its name for those of its Jobs
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/>).
fn cron_job(object: &Value, report: Report) {
    let spec = &object["spec"];
    if text(&object["metadata"]["name"]).len() > 52 {
        report("the name is longer than 52 characters".to_owned());
    }
    if text(&spec["schedule"]).split(' ').count() != 5 {
        report(format!("schedule is {}", spec["schedule"]));
    }
    let policies = &["Allow", "Forbid", "Replace"];
    one_of(spec, "concurrencyPolicy", policies, report);
    within(spec, "startingDeadlineSeconds", 0..=i64::MAX, report);
    within(spec, "successfulJobsHistoryLimit", 0..=i64::MAX, report);
    within(spec, "failedJobsHistoryLimit", 0..=i64::MAX, report);
    let template = &spec["jobTemplate"];
    labels(&template["metadata"]["labels"], report);
    let job = &template["spec"];
    let is_indexed = job["completionMode"] == "Indexed";
    if job["backoffLimitPerIndex"].is_null() == is_indexed {
        report("backoffLimitPerIndex and completionMode Indexed go together here".to_owned());
    }
    within(job, "backoffLimit", 0..=i64::MAX, report);
    within(job, "backoffLimitPerIndex", 0..=i64::MAX, report);
    within(job, "completions", 1..=10, report);
    within(job, "parallelism", 1..=10, report);
    let pods = &job["template"];
    labels(&pods["metadata"]["labels"], report);
    annotations(&pods["metadata"]["annotations"], report);
    if text(&pods["spec"]["restartPolicy"]) != "Never" {
        report("the pods are restarted".to_owned());
    }
    pods::check_spec(&pods["spec"], report);
}

fn is_zero(value: &Value) -> bool {
    *value == 0 || *value == "0%"
}

fn service(spec: &Value, report: Report) {
    one_of(
        spec,
        "type",
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        report,
    );
    let ports: Vec<&Value> = items(&spec["ports"]).collect();
    if ports.is_empty() && spec["clusterIP"] != "None" && spec["type"] != "ExternalName" {
        report("no ports".to_owned());
    }
    let mut names = BTreeSet::new();
    for port in &ports {
        within(port, "port", 1..=65535, report);
        one_of(port, "protocol", &["TCP", "UDP", "SCTP"], report);
        let name = text(&port["name"]);
        if (ports.len() > 1 || !name.is_empty()) && !(is_label(name) && names.insert(name)) {
            report(format!(
                "{name:?} is not a name of a port, or is there twice"
            ));
        }
        match &port["targetPort"] {
            Value::String(name) if is_port_name(name) => {}
            Value::Null => {}
            number => {
                if !number
                    .as_i64()
                    .is_some_and(|number| (1..=65535).contains(&number))
                {
                    report(format!("targetPort is {number}"));
                }
            }
        }
    }
    labels(&spec["selector"], report);
}

fn autoscaler(spec: &Value, report: Report) {
    let minimum = spec["minReplicas"].as_i64().unwrap_or(1);
    let maximum = spec["maxReplicas"].as_i64().unwrap_or(0);
    if minimum < 1 || maximum < minimum {
        report(format!(
            "minReplicas is {minimum}, maxReplicas is {maximum}"
        ));
    }
    for metric in items(&spec["metrics"]) {
        let target = metric
            .as_object()
            .and_then(|metric| metric.values().find_map(|source| source.get("target")))
            .unwrap_or(&Value::Null);
        let value = match text(&target["type"]) {
            "Utilization" => &target["averageUtilization"],
            "AverageValue" => &target["averageValue"],
            _ => &target["value"],
        };
        if value.is_null() {
            report(format!("the target of {metric} has no value of its type"));
        }
    }
    behavior(&spec["behavior"], report);
}

fn behavior(behavior: &Value, report: Report) {
    for (_, rules) in members(behavior) {
        within(rules, "stabilizationWindowSeconds", 0..=3600, report);
        one_of(rules, "selectPolicy", &["Max", "Min", "Disabled"], report);
        for policy in items(&rules["policies"]) {
            within(policy, "periodSeconds", 1..=1800, report);
            within(policy, "value", 1..=i64::MAX, report);
            one_of(policy, "type", &["Percent", "Pods"], report);
        }
    }
}

fn scaled_object(spec: &Value, report: Report) {
    let minimum = spec["minReplicaCount"].as_i64().unwrap_or(0);
    let maximum = spec["maxReplicaCount"].as_i64().unwrap_or(100);
    if maximum < minimum {
        report(format!(
            "minReplicaCount is {minimum}, maxReplicaCount is {maximum}"
        ));
    }
    within(spec, "idleReplicaCount", 0..=minimum - 1, report);
    behavior(
        &spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
        report,
    );
    let mut names = BTreeSet::new();
    for trigger in items(&spec["triggers"]) {
        let name = text(&trigger["name"]);
        if !name.is_empty() && !names.insert(name) {
            report(format!("two triggers are named {name}"));
        }
    }
}

const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

fn access_modes(spec: &Value, report: Report) {
    let modes: Vec<&str> = items(&spec["accessModes"]).map(text).collect();
    if modes.is_empty() || !modes.iter().all(|mode| ACCESS_MODES.contains(mode)) {
        report(format!("accessModes are {modes:?}"));
    }
}

fn persistent_volume(spec: &Value, report: Report) {
    access_modes(spec, report);
    if !milli(&spec["capacity"]["storage"]).is_some_and(|size| size > 0) {
        report("no capacity".to_owned());
    }
    let sources = ["csi", "hostPath", "local", "nfs", "iscsi", "fc"];
    if sources
        .iter()
        .filter(|name| !spec[**name].is_null())
        .count()
        != 1
    {
        report("not exactly one source".to_owned());
    }
    if !spec["csi"].is_null() && text(&spec["csi"]["volumeHandle"]).is_empty() {
        report("no volumeHandle".to_owned());
    }
    one_of(
        spec,
        "persistentVolumeReclaimPolicy",
        &["Delete", "Retain"],
        report,
    );
}

/// Reports problems of the specification of a claim or of a claim's template.
pub fn claim(spec: &Value, report: Report) {
    access_modes(spec, report);
    if !milli(&spec["resources"]["requests"]["storage"]).is_some_and(|size| size > 0) {
        report("the claim asks for no storage".to_owned());
    }
}

fn data(object: &Value, report: Report) {
    let mut size = 0;
    for name in ["data", "stringData", "binaryData"] {
        for (key, value) in members(&object[name]) {
            size += text(value).len();
            if !is_data_key(key) {
                report(format!("{key:?} is not a key"));
            }
        }
    }
    if size > 1024 * 1024 {
        report(format!("{size} bytes of data"));
    }
    let docker = ".dockerconfigjson";
    if object["type"] == "kubernetes.io/dockerconfigjson"
        && object["data"][docker].is_null()
        && object["stringData"][docker].is_null()
    {
        report(format!("no {docker}"));
    }
}

fn ingress(spec: &Value, report: Report) {
    for path in items(&spec["rules"]).flat_map(|rule| items(&rule["http"]["paths"])) {
        one_of(
            path,
            "pathType",
            &["Exact", "ImplementationSpecific", "Prefix"],
            report,
        );
        let service = &path["backend"]["service"];
        if service["port"]["name"].is_null() == service["port"]["number"].is_null() {
            report(format!("the backend {service} has not exactly one port"));
        }
    }
}

/// Reports inconsistencies between objects: duplicate names, references to missing objects.
pub fn check_together(objects: &[Value], report: Report) {
    let mut seen = BTreeMap::new();
    for object in objects {
        let name = (
            kind(object),
            text(&object["metadata"]["namespace"]),
            text(&object["metadata"]["name"]),
        );
        if seen.insert(name, object).is_some() {
            report(format!("{} is there twice", identity(object)));
        }
    }
    let named = |name: &str, kind: &str| {
        objects
            .iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    };
    for object in objects {
        let mut missing = |kind: &str, name: &Value| {
            // A case may refer to something that the cluster has already.
            let is_there = text(name).starts_with("existing-");
            if name.is_string() && !is_there && named(text(name), kind).is_none() {
                report(format!("{}: there is no {kind} {name}", identity(object)));
            }
        };
        let spec = &object["spec"];
        match text(&object["kind"]) {
            "HorizontalPodAutoscaler" | "ScaledObject" => {
                let target = &spec["scaleTargetRef"];
                if matches!(text(&target["kind"]), "Deployment" | "") {
                    missing("Deployment", &target["name"]);
                }
            }
            "TargetGroupBinding" => missing("Service", &spec["serviceRef"]["name"]),
            "PersistentVolumeClaim" => missing("PersistentVolume", &spec["volumeName"]),
            _ => {}
        }
        if let Some(pod) = pods::spec_of(object) {
            missing("ServiceAccount", &pod["serviceAccountName"]);
            for volume in items(&pod["volumes"]) {
                missing(
                    "PersistentVolumeClaim",
                    &volume["persistentVolumeClaim"]["claimName"],
                );
                missing("ConfigMap", &volume["configMap"]["name"]);
            }
        }
        selectors(object, objects, report);
    }
}

/// Checks that Services, budgets and policies select printed pods, and that a named port is one of theirs.
fn selectors(object: &Value, objects: &[Value], report: Report) {
    let spec = &object["spec"];
    let selector = match text(&object["kind"]) {
        "Service" if !spec["selector"].is_null() => &spec["selector"],
        "PodDisruptionBudget" => &spec["selector"]["matchLabels"],
        "NetworkPolicy" | "SecurityGroupPolicy" => &spec["podSelector"]["matchLabels"],
        _ => return,
    };
    let selected: Vec<&Value> = objects
        .iter()
        .filter(|object| pods::labels_of(object).is_some_and(|labels| selects(selector, labels)))
        .filter_map(pods::spec_of)
        .collect();
    if selected.is_empty() {
        report(format!("{}: selects none of the pods", identity(object)));
    }
    for name in items(&spec["ports"]).filter_map(|port| port["targetPort"].as_str()) {
        let known = |pod: &&Value| pods::ports(pod).any(|port| port["name"] == name);
        if !selected.iter().any(known) {
            report(format!("{}: no port is named {name}", identity(object)));
        }
    }
}

//! Rules of the API server for the specification of pods.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    objects::{claim, one_of, within},
    values::{
        is_label, is_label_value, is_port_name, is_qualified_name, is_variable_name, items,
        members, milli, text,
    },
};

type Report<'a> = &'a mut dyn FnMut(String);

/// Returns the specification of the pods that `object` is or creates.
pub fn spec_of(object: &Value) -> Option<&Value> {
    match text(&object["kind"]) {
        "Pod" => Some(&object["spec"]),
        "Deployment" | "DaemonSet" => Some(&object["spec"]["template"]["spec"]),
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]["spec"]),
        _ => None,
    }
}

/// Returns the labels of the pods that `object` is or creates.
pub fn labels_of(object: &Value) -> Option<&Value> {
    match text(&object["kind"]) {
        "Pod" => Some(&object["metadata"]["labels"]),
        "Deployment" | "DaemonSet" => Some(&object["spec"]["template"]["metadata"]["labels"]),
        "CronJob" => {
            let template = &object["spec"]["jobTemplate"]["spec"]["template"];
            Some(&template["metadata"]["labels"])
        }
        _ => None,
    }
}

/// Returns the ports of all containers.
pub fn ports(spec: &Value) -> impl Iterator<Item = &Value> {
    containers(spec).flat_map(|container| items(&container["ports"]))
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    items(&spec["initContainers"]).chain(items(&spec["containers"]))
}

/// Reports problems of the specification of a pod.
pub fn check_spec(spec: &Value, report: Report) {
    let mut names = BTreeSet::new();
    let volumes: BTreeSet<&str> = items(&spec["volumes"])
        .map(|volume| text(&volume["name"]))
        .collect();
    for container in containers(spec) {
        let name = text(&container["name"]);
        let mut report = |problem: String| report(format!("container {name}: {problem}"));
        if !is_label(name) || !names.insert(name) {
            report("not a name, or there twice".to_owned());
        }
        check_container(spec, container, &volumes, &mut report);
    }
    if items(&spec["containers"]).next().is_none() {
        report("no containers".to_owned());
    }
    for container in items(&spec["initContainers"]) {
        let ends = container["restartPolicy"] != "Always";
        let has = |name: &str| !container[name].is_null();
        if ends
            && (has("livenessProbe")
                || has("readinessProbe")
                || has("startupProbe")
                || has("lifecycle"))
        {
            report(format!(
                "init container {} has a probe or a hook",
                container["name"]
            ));
        }
    }
    check_volumes(spec, report);
    check_pod_resources(spec, report);
    check_pod(spec, report);
    check_network(spec, report);
    check_placement(spec, report);
    if spec["os"]["name"] == "windows" {
        check_windows(spec, report);
    }
}

fn check_container(spec: &Value, container: &Value, volumes: &BTreeSet<&str>, report: Report) {
    let image = text(&container["image"]);
    if image.is_empty() || image.trim() != image {
        report(format!("the image is {image:?}"));
    }
    one_of(
        container,
        "imagePullPolicy",
        &["Always", "IfNotPresent", "Never"],
        report,
    );
    one_of(
        container,
        "restartPolicy",
        &["Always", "Never", "OnFailure"],
        report,
    );
    for variable in items(&container["env"]) {
        if !is_variable_name(text(&variable["name"])) {
            report(format!("{} is not a variable", variable["name"]));
        }
        if !variable["value"].is_null() && !variable["valueFrom"].is_null() {
            report(format!("{} has a value and a source", variable["name"]));
        }
    }
    check_ports(spec, container, report);
    check_mounts(container, volumes, report);
    check_limits(&container["resources"], report);
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get(name) {
            check_probe(name, probe, report);
        }
    }
    check_hooks(spec, container, report);
    check_restart_rules(container, report);
    let security = &container["securityContext"];
    if security["privileged"] == true && security["allowPrivilegeEscalation"] == false {
        report("privileged and not allowed to escalate".to_owned());
    }
    within(security, "runAsUser", 0..=i64::from(i32::MAX), report);
    within(security, "runAsGroup", 0..=i64::from(i32::MAX), report);
}

fn check_ports(spec: &Value, container: &Value, report: Report) {
    let mut names = BTreeSet::new();
    for port in items(&container["ports"]) {
        within(port, "containerPort", 1..=65535, report);
        within(port, "hostPort", 1..=65535, report);
        one_of(port, "protocol", &["TCP", "UDP", "SCTP"], report);
        if let Some(name) = port["name"].as_str()
            && !(is_port_name(name) && names.insert(name))
        {
            report(format!(
                "{name:?} is not a name of a port, or is there twice"
            ));
        }
        let host = &port["hostPort"];
        if spec["hostNetwork"] == true && !host.is_null() && *host != port["containerPort"] {
            report(format!(
                "hostPort {host} differs from the port on the host's network"
            ));
        }
    }
}

fn check_mounts(container: &Value, volumes: &BTreeSet<&str>, report: Report) {
    for mount in items(&container["volumeMounts"]) {
        let name = text(&mount["name"]);
        if !volumes.contains(name) {
            report(format!("there is no volume {name}"));
        }
        let path = text(&mount["mountPath"]);
        if path.is_empty() {
            report(format!("mountPath is {path:?}"));
        }
        let inner = text(&mount["subPath"]);
        if inner.starts_with('/') || inner.split('/').any(|part| part == "..") {
            report(format!("subPath is {inner:?}"));
        }
    }
}

fn check_limits(resources: &Value, report: Report) {
    for (name, request) in members(&resources["requests"]) {
        let limit = &resources["limits"][name];
        if !limit.is_null() && milli(request) > milli(limit) {
            report(format!("{name}: request {request} is above limit {limit}"));
        }
    }
}

fn check_probe(name: &str, probe: &Value, report: Report) {
    let mut report = |problem: String| report(format!("{name}: {problem}"));
    for number in [
        "failureThreshold",
        "periodSeconds",
        "successThreshold",
        "timeoutSeconds",
    ] {
        within(probe, number, 1..=i64::from(i32::MAX), &mut report);
    }
    within(
        probe,
        "initialDelaySeconds",
        0..=i64::from(i32::MAX),
        &mut report,
    );
    let grace = if name == "readinessProbe" {
        1..=0
    } else {
        1..=i64::from(i32::MAX)
    };
    within(probe, "terminationGracePeriodSeconds", grace, &mut report);
    if name != "readinessProbe" {
        within(probe, "successThreshold", 1..=1, &mut report);
    }
    if count(probe, &["exec", "grpc", "httpGet", "tcpSocket"]) != 1 {
        report("not exactly one action".to_owned());
    }
}

fn check_hooks(spec: &Value, container: &Value, report: Report) {
    for name in ["postStart", "preStop"] {
        let hook = &container["lifecycle"][name];
        if !hook.is_null() && count(hook, &["exec", "httpGet", "sleep"]) != 1 {
            report(format!("{name} has not exactly one action"));
        }
    }
    let grace = spec["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    let sleep = &container["lifecycle"]["preStop"]["sleep"]["seconds"];
    if !sleep.is_null()
        && !sleep
            .as_i64()
            .is_some_and(|seconds| seconds >= 1 && seconds < grace)
    {
        report(format!("sleeps {sleep} s of {grace} s"));
    }
}

fn check_restart_rules(container: &Value, report: Report) {
    let rules = &container["restartPolicyRules"];
    if !rules.is_null() && container["restartPolicy"].is_null() {
        report("restartPolicyRules without restartPolicy".to_owned());
    }
    if items(rules).count() > 20 {
        report("more than 20 restartPolicyRules".to_owned());
    }
    for rule in items(rules) {
        one_of(rule, "action", &["Restart", "RestartAllContainers"], report);
        one_of(&rule["exitCodes"], "operator", &["In", "NotIn"], report);
        let values: Vec<_> = items(&rule["exitCodes"]["values"]).collect();
        let fits = |code: &&Value| code.as_i64().is_some_and(|code| (0..=255).contains(&code));
        if values.len() > 255 || !values.iter().all(fits) {
            report(format!("exit codes {values:?}"));
        }
    }
}

const VOLUME_SOURCES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "hostPath",
    "image",
    "nfs",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn check_volumes(spec: &Value, report: Report) {
    for volume in items(&spec["volumes"]) {
        let name = text(&volume["name"]);
        if !is_label(name) {
            report(format!("{name:?} is not a name of a volume"));
        }
        if count(volume, VOLUME_SOURCES) != 1 {
            report(format!("volume {name} has not exactly one source"));
        }
        let host = &volume["hostPath"];
        if !host.is_null()
            && (text(&host["path"]).is_empty()
                || text(&host["path"]).split('/').any(|part| part == ".."))
        {
            report(format!("volume {name} is {host}"));
        }
        let template = &volume["ephemeral"]["volumeClaimTemplate"]["spec"];
        if !template.is_null() {
            claim(template, report);
        }
    }
}

/// Checks that the requests of all containers fit the pod's, and that no container's limit is above the pod's.
fn check_pod_resources(spec: &Value, report: Report) {
    let resources = &spec["resources"];
    check_limits(resources, report);
    for (name, request) in members(&resources["requests"]) {
        let of = |container: &Value| milli(&container["resources"]["requests"][name]).unwrap_or(0);
        let mut sidecars = 0;
        let mut peak = 0;
        for container in items(&spec["initContainers"]) {
            if container["restartPolicy"] == "Always" {
                sidecars += of(container);
                peak = peak.max(sidecars);
            } else {
                peak = peak.max(sidecars + of(container));
            }
        }
        let sum = items(&spec["containers"]).map(of).sum::<i128>() + sidecars;
        if milli(request).is_none_or(|request| request < sum.max(peak)) {
            report(format!(
                "{name}: the containers ask for more than the pod's {request}"
            ));
        }
    }
    for (name, limit) in members(&resources["limits"]) {
        if !matches!(name.as_str(), "cpu" | "memory") && !name.starts_with("hugepages-") {
            report(format!("{name} is not a resource of pods"));
        }
        for container in containers(spec) {
            if milli(&container["resources"]["limits"][name]) > milli(limit) {
                report(format!(
                    "{name}: the limit of {} is above the pod's {limit}",
                    container["name"]
                ));
            }
        }
    }
}

fn check_pod(spec: &Value, report: Report) {
    one_of(
        spec,
        "dnsPolicy",
        &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
        report,
    );
    one_of(
        spec,
        "restartPolicy",
        &["Always", "Never", "OnFailure"],
        report,
    );
    one_of(&spec["os"], "name", &["linux", "windows"], report);
    within(spec, "terminationGracePeriodSeconds", 0..=i64::MAX, report);
    within(
        spec,
        "activeDeadlineSeconds",
        1..=i64::from(i32::MAX),
        report,
    );
    if spec["shareProcessNamespace"] == true && spec["hostPID"] == true {
        report("shares its processes and the host's".to_owned());
    }
    if spec["hostUsers"] == false
        && ["hostNetwork", "hostPID", "hostIPC"]
            .iter()
            .any(|name| spec[*name] == true)
    {
        report("its own users in a namespace of the host".to_owned());
    }
    for sysctl in items(&spec["securityContext"]["sysctls"]) {
        let name = text(&sysctl["name"]);
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
        if name.is_empty() || !name.chars().all(known) {
            report(format!("{name:?} is not a kernel parameter"));
        }
    }
    for name in items(&spec["imagePullSecrets"]) {
        if text(&name["name"]).is_empty() {
            report("a pull secret without a name".to_owned());
        }
    }
}

/// Checks that no two ports of containers that run together are the same port of the node.
fn check_host_ports(containers: &[&Value], report: Report) {
    let mut used = BTreeSet::new();
    let ports = containers
        .iter()
        .flat_map(|container| items(&container["ports"]));
    for port in ports.filter(|port| !port["hostPort"].is_null()) {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        if !used.insert((
            port["hostPort"].to_string(),
            protocol,
            text(&port["hostIP"]),
        )) {
            report(format!("hostPort {} is there twice", port["hostPort"]));
        }
    }
}

fn check_network(spec: &Value, report: Report) {
    for name in ["hostname", "subdomain"] {
        if spec[name].as_str().is_some_and(|name| !is_label(name)) {
            report(format!("{name} is {}", spec[name]));
        }
    }
    // Init containers run one by one; sidecars run together with the containers after them.
    let (long, ending): (Vec<&Value>, Vec<&Value>) = items(&spec["initContainers"])
        .partition(|container| container["restartPolicy"] == "Always");
    let together: Vec<&Value> = items(&spec["containers"]).chain(long).collect();
    check_host_ports(&together, report);
    for container in ending {
        check_host_ports(&[container], report);
    }
    for alias in items(&spec["hostAliases"]) {
        let ip = text(&alias["ip"]);
        if ip.parse::<std::net::IpAddr>().is_err() {
            report(format!("{ip:?} is not an address"));
        }
    }
    let dns = &spec["dnsConfig"];
    let servers: Vec<&str> = items(&dns["nameservers"]).map(text).collect();
    if servers.len() > 3
        || servers
            .iter()
            .any(|ip| ip.parse::<std::net::IpAddr>().is_err())
    {
        report(format!("the name servers are {servers:?}"));
    }
    if spec["dnsPolicy"] == "None" && servers.is_empty() {
        report("no name server".to_owned());
    }
    if items(&dns["searches"]).count() > 32 {
        report("more than 32 search domains".to_owned());
    }
}

fn check_placement(spec: &Value, report: Report) {
    for (key, value) in members(&spec["nodeSelector"]) {
        if !is_qualified_name(key) || !is_label_value(text(value)) {
            report(format!("nodeSelector has {key}: {value}"));
        }
    }
    let node = &spec["affinity"]["nodeAffinity"];
    let required = &node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    let preferred = items(&node["preferredDuringSchedulingIgnoredDuringExecution"])
        .map(|term| &term["preference"]);
    for expression in items(required)
        .chain(preferred)
        .flat_map(|term| items(&term["matchExpressions"]))
    {
        check_expression(expression, report);
    }
    let mut spreads = BTreeMap::new();
    for spread in items(&spec["topologySpreadConstraints"]) {
        within(spread, "maxSkew", 1..=i64::from(i32::MAX), report);
        one_of(
            spread,
            "whenUnsatisfiable",
            &["DoNotSchedule", "ScheduleAnyway"],
            report,
        );
        let key = text(&spread["topologyKey"]);
        if !is_qualified_name(key)
            || spreads
                .insert((key, text(&spread["whenUnsatisfiable"])), ())
                .is_some()
        {
            report(format!("topologyKey {key:?}"));
        }
    }
    for toleration in items(&spec["tolerations"]) {
        one_of(
            toleration,
            "operator",
            &["Equal", "Exists", "Gt", "Lt"],
            report,
        );
        one_of(
            toleration,
            "effect",
            &["NoExecute", "NoSchedule", "PreferNoSchedule"],
            report,
        );
        if toleration["operator"] == "Exists" && !text(&toleration["value"]).is_empty() {
            report("a toleration of a key has a value".to_owned());
        }
    }
}

fn check_expression(expression: &Value, report: Report) {
    let values: Vec<&str> = items(&expression["values"]).map(text).collect();
    let fits = match text(&expression["operator"]) {
        "In" | "NotIn" => !values.is_empty() && values.iter().all(|value| is_label_value(value)),
        "Exists" | "DoesNotExist" => values.is_empty(),
        "Gt" | "Lt" => matches!(values[..], [value] if value.parse::<i64>().is_ok()),
        _ => false,
    };
    if !fits || !is_qualified_name(text(&expression["key"])) {
        report(format!("{expression} does not match nodes"));
    }
}

/// Reports what pods on Windows cannot have.
fn check_windows(spec: &Value, report: Report) {
    for name in ["hostIPC", "hostPID", "hostUsers", "shareProcessNamespace"] {
        if !spec[name].is_null() {
            report(format!("{name} on Windows"));
        }
    }
    let linux = [
        "allowPrivilegeEscalation",
        "appArmorProfile",
        "capabilities",
        "fsGroup",
        "privileged",
        "procMount",
        "readOnlyRootFilesystem",
        "runAsGroup",
        "runAsUser",
        "seLinuxOptions",
        "seccompProfile",
        "supplementalGroups",
        "sysctls",
    ];
    let contexts = containers(spec)
        .chain([spec])
        .map(|part| &part["securityContext"]);
    for (context, name) in contexts.flat_map(|context| linux.map(|name| (context, name))) {
        if !context[name].is_null() {
            report(format!("{name} on Windows"));
        }
    }
}

fn count(object: &Value, names: &[&str]) -> usize {
    names
        .iter()
        .filter(|name| !object[**name].is_null())
        .count()
}

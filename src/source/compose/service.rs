//! The task definition and the service that a service of Compose becomes.

use super::{
    super::{
        manifest::{Object, Report, Section, list, text},
        tree::Node,
    },
    container, deployment,
    file_mount::add_file_mounts,
    host_name::host_aliases,
    linux,
    port::Ports,
    project::{Project, drop_extensions},
    size::Size,
    volume::Volumes,
};

/// What has no meaning in a cluster.
const UNUSED: &[(&[&str], &str)] = &[
    (
        &["depends_on", "links", "external_links"],
        "services start independently: let a program try again until the others answer",
    ),
    (
        &["networks"],
        "pods reach each other: restrict them with a NetworkPolicy",
    ),
    (
        &["container_name", "hostname", "domainname"],
        "each pod has a name of its own, and a service is found by its name",
    ),
    (
        &[
            "develop",
            "pull_policy",
            "pull_refresh_after",
            "attach",
            "annotations",
            "runtime",
        ],
        "it is about how Docker runs the containers",
    ),
];

/// What is to be done otherwise.
const UNREAD: &[(&[&str], &str)] = &[
    (
        &["profiles"],
        "the service is converted, whatever its profiles are: leave it out of the output if it is not wanted",
    ),
    (
        &["extends"],
        "write what it extends into the service: only this file is read",
    ),
    (&["network_mode"], "pods have a network of their own"),
    (&["stop_signal"], "set STOPSIGNAL in the image"),
    (
        &["x-aws-role", "x-aws-policies"],
        "give the policies to a role, and pass it as taskRoleArn of the EcsTaskDefinition",
    ),
    (
        &["post_start", "pre_stop"],
        "set lifecycle in spec.kubernetes.pod of the EcsService",
    ),
    (
        &["pre_start"],
        "add an init container in spec.kubernetes.pod of the EcsService",
    ),
    (
        &["models", "provider"],
        "Compose starts it beside the services: run it otherwise, and give its address in environment",
    ),
    (
        &[
            "blkio_config",
            "credential_spec",
            "device_cgroup_rules",
            "isolation",
            "mac_address",
            "storage_opt",
            "use_api_socket",
        ],
        "a container of a pod cannot have it: check that the program does without",
    ),
    (
        &["dns_opt"],
        "set dnsConfig.options in spec.kubernetes.pod of the EcsService",
    ),
    (
        &["group_add"],
        "set supplementalGroups in spec.kubernetes.pod of the EcsService",
    ),
    (&["volumes_from"], "mount the volumes in this service too"),
    (&["label_file"], "write the labels of the file into labels"),
];

/// Returns the task definition and the service.
pub(super) fn requests<'a>(
    project: &mut Project<'a>,
    name: Node<'a>,
    mut section: Section<'a>,
    report: &mut Report<'_>,
) -> Vec<Node<'a>> {
    let span = name.span;
    drop_extensions(&mut section);
    let deploy = section.section("deploy");
    let mut deploy = deploy.unwrap_or_else(|| Section::empty(span));
    let mut spec = Object::new(span);
    spec.put("serviceName", name.clone());
    spec.put("taskDefinition", name.clone());
    spec.maybe("cluster", project.cluster.clone());
    let is_global = deploy.peek("mode").and_then(Node::scalar) == Some("global");
    deployment::add(&mut spec, &mut section, &mut deploy, report);
    let ports = Ports::take(&mut section, report);
    let task = task_definition(
        project,
        &name,
        &mut section,
        &mut deploy,
        &ports,
        is_global,
        report,
    );
    let launch_type = if task.needs_node { "EC2" } else { "FARGATE" };
    spec.put("launchType", text(span, launch_type));
    spec.maybe(
        "serviceConnectConfiguration",
        ports.service_connect(&name, project.namespace()),
    );
    if !ports.is_reached() {
        report.unread(
            span,
            section.path("expose"),
            "without a port, nothing reaches the service by its name: give its ports in expose if others do",
        );
    }
    let mut kubernetes = Object::new(span);
    let path = section.path("ports");
    kubernetes.maybe("expose", ports.expose(&name, path, report));
    let mut pod = Object::new(span);
    add_file_mounts(&mut pod, &name, &mut section, report);
    pod.maybe("patch", host_aliases(&mut section, report));
    if !pod.is_empty() {
        kubernetes.put("pod", pod.node());
    }
    if !kubernetes.is_empty() {
        spec.put("kubernetes", kubernetes.node());
    }
    for (keys, why) in UNUSED {
        section.unused(keys, why, report);
    }
    for (keys, advice) in UNREAD {
        section.unread(keys, advice, report);
    }
    deploy.finish(report);
    section.finish(report);
    project.assume(task.is_assumed, &name);
    vec![task.node, resource(name, spec.node())]
}

/// Returns the service as an `EcsService`.
pub(super) fn resource<'a>(name: Node<'a>, spec: Node<'a>) -> Node<'a> {
    let span = name.span;
    let mut metadata = Object::new(span);
    metadata.put("name", name);
    let mut made = Object::new(span);
    made.put("apiVersion", text(span, "ecs-operator.dev/v1alpha1"));
    made.put("kind", text(span, "EcsService"));
    made.put("metadata", metadata.node());
    made.put("spec", spec);
    made.node()
}

/// The task definition of a service.
struct TaskDefinition<'a> {
    node: Node<'a>,
    /// Whether Fargate cannot run it.
    needs_node: bool,
    /// Whether the file does not say how much memory it has.
    is_assumed: bool,
}

/// Returns the task definition.
fn task_definition<'a>(
    project: &Project<'a>,
    name: &Node<'a>,
    section: &mut Section<'a>,
    deploy: &mut Section<'a>,
    ports: &Ports,
    is_global: bool,
    report: &mut Report<'_>,
) -> TaskDefinition<'a> {
    let span = name.span;
    let mut one = Object::new(span);
    one.put("name", name.clone());
    let around = container::Around {
        name,
        project: project.namespace(),
        ports,
    };
    let needs = container::add(&mut one, &around, section, report);
    let needs_linux = linux::add(&mut one, section, report);
    let volumes = Volumes::take(project, section, report);
    one.elements("mountPoints", volumes.mount_points);
    let size = Size::take(section, deploy, report);
    let needs_node =
        needs.node || needs_linux || volumes.needs_node || is_global || size.gpus.is_some();
    let mut task = Object::new(span);
    task.put("family", name.clone());
    task.put("networkMode", text(span, "awsvpc"));
    let launch_type = if needs_node { "EC2" } else { "FARGATE" };
    task.put(
        "requiresCompatibilities",
        list(span, vec![text(span, launch_type)]),
    );
    let is_assumed = size.add(span, !needs_node, &mut task, &mut one);
    task.maybe("runtimePlatform", platform(section));
    if needs.execution_role {
        let role = format!("{}.ExecutionRole", name.text().unwrap_or_default());
        task.put("executionRoleArn", report.open(span, &role));
    }
    task.put("containerDefinitions", list(span, vec![one.node()]));
    task.elements("volumes", volumes.sources);
    TaskDefinition {
        node: task.node(),
        needs_node,
        is_assumed,
    }
}

/// Takes the platform, such as `linux/arm64`.
pub(super) fn platform<'a>(section: &mut Section<'a>) -> Option<Node<'a>> {
    let is_linux = |node: &Node<'a>| architecture(node).is_some();
    let node = section.take_if("platform", is_linux)?;
    let span = node.span;
    let mut made = Object::new(span);
    made.put("operatingSystemFamily", text(span, "LINUX"));
    made.put("cpuArchitecture", text(span, architecture(&node)?));
    Some(made.node())
}

fn architecture(node: &Node<'_>) -> Option<&'static str> {
    let (system, architecture) = node.scalar()?.split_once('/')?;
    match (system, architecture) {
        ("linux", "arm64" | "aarch64" | "arm64/v8") => Some("ARM64"),
        ("linux", "amd64" | "x86_64") => Some("X86_64"),
        _ => None,
    }
}

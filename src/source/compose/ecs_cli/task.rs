//! The task definition of all services of a file.

use super::{
    super::{
        container::Around,
        linux,
        port::Ports,
        project::{Project, Source},
        service::platform,
        size::mib,
        volume::Volumes,
    },
    BTreeMap, BTreeSet, Node, Object, Report, Section, container, list, renamed, text,
};

/// What one service of ECS needs of the task definition that it runs.
pub(super) struct Made<'a> {
    pub(super) node: Node<'a>,
    pub(super) launch_type: &'static str,
    /// Whether its tasks have addresses of their own.
    pub(super) has_own_network: bool,
}

/// Takes the volumes that have a driver or a file system. A volume without is a directory of the task.
pub(super) fn volumes<'a>(
    definition: &mut Section<'a>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Source<'a>> {
    let mut made = BTreeMap::new();
    let path = definition.path("docker_volumes");
    for element in definition.elements("docker_volumes").unwrap_or_default() {
        let Ok(mut volume) = Section::of(path.clone(), element) else {
            continue;
        };
        let name = volume.text("name");
        let mut docker = Object::new(volume.span);
        let names = [
            ("autoprovision", "autoprovision"),
            ("driver", "driver"),
            ("driver_opts", "driverOpts"),
            ("labels", "labels"),
            ("scope", "scope"),
        ];
        for (from, to) in names {
            docker.maybe(to, volume.take(from));
        }
        volume.finish(report);
        if let Some(name) = name.as_ref().and_then(Node::text) {
            made.insert(
                name.to_owned(),
                ("dockerVolumeConfiguration", docker.node()),
            );
        }
    }
    let path = definition.path("efs_volumes");
    for element in definition.elements("efs_volumes").unwrap_or_default() {
        if let Ok(volume) = Section::of(path.clone(), element)
            && let Some((name, source)) = file_system(volume, report)
        {
            made.insert(name, ("efsVolumeConfiguration", source));
        }
    }
    made
}

/// Takes a volume that is a file system.
fn file_system<'a>(mut volume: Section<'a>, report: &mut Report<'_>) -> Option<(String, Node<'a>)> {
    let name = volume.text("name");
    let span = volume.span;
    let mut made = Object::new(span);
    let names = [
        ("filesystem_id", "fileSystemId"),
        ("root_directory", "rootDirectory"),
        ("transit_encryption", "transitEncryption"),
    ];
    for (from, to) in names {
        made.maybe(to, volume.text(from));
    }
    made.maybe(
        "transitEncryptionPort",
        volume.take("transit_encryption_port"),
    );
    let mut authorization = Object::new(span);
    authorization.maybe("accessPointId", volume.text("access_point"));
    authorization.maybe("iam", volume.text("iam"));
    if !authorization.is_empty() {
        made.put("authorizationConfig", authorization.node());
    }
    volume.finish(report);
    Some((name?.text()?.to_owned(), made.node()))
}

/// Returns the task definition, with what the parameters say of it.
pub(super) fn add<'a>(
    family: &Node<'a>,
    project: &Project<'a>,
    services: Option<Section<'a>>,
    mut definition: Section<'a>,
    report: &mut Report<'_>,
) -> Made<'a> {
    let span = family.span;
    let network = definition.text("ecs_network_mode");
    let has_own_network = network.as_ref().and_then(Node::text) == Some("awsvpc");
    let mut size = definition.section("task_size");
    let cpu = size.as_mut().and_then(|size| size.text("cpu_limit"));
    let memory = size.as_mut().and_then(|size| size.text("mem_limit"));
    if let Some(size) = size {
        size.finish(report);
    }
    let mut containers = Containers {
        project,
        family,
        has_own_network,
        has_memory: memory.is_some(),
        overrides: definition.section("services"),
        needs_node: false,
        sources: Vec::new(),
        known: BTreeSet::new(),
    };
    let (made, runtime) = containers.all(services, report);
    let runs_on_fargate =
        has_own_network && cpu.is_some() && memory.is_some() && !containers.needs_node;
    let launch_type = if runs_on_fargate { "FARGATE" } else { "EC2" };
    let mut task = Object::new(span);
    task.put("family", family.clone());
    task.maybe("networkMode", network);
    task.put(
        "requiresCompatibilities",
        list(span, vec![text(span, launch_type)]),
    );
    task.maybe("cpu", cpu);
    task.maybe("memory", memory);
    task.maybe("taskRoleArn", definition.text("task_role_arn"));
    task.maybe("executionRoleArn", definition.text("task_execution_role"));
    task.maybe("pidMode", definition.text("pid_mode"));
    task.maybe("ipcMode", definition.text("ipc_mode"));
    task.maybe("runtimePlatform", runtime);
    let names = [("type", "type"), ("expression", "expression")];
    let constraints = renamed(&mut definition, "placement_constraints", &names, report);
    task.elements("placementConstraints", constraints);
    task.put("containerDefinitions", list(span, made));
    task.elements("volumes", std::mem::take(&mut containers.sources));
    containers.finish(report);
    definition.finish(report);
    Made {
        node: task.node(),
        launch_type,
        has_own_network,
    }
}

/// The containers of a task definition.
struct Containers<'c, 'a> {
    project: &'c Project<'a>,
    family: &'c Node<'a>,
    has_own_network: bool,
    /// Whether the task has a limit of memory.
    has_memory: bool,
    /// What the parameters say of services.
    overrides: Option<Section<'a>>,
    needs_node: bool,
    sources: Vec<Node<'a>>,
    /// The names of the volumes.
    known: BTreeSet<String>,
}

impl<'a> Containers<'_, 'a> {
    /// Returns the containers of all services, and the platform that one of them names.
    fn all(
        &mut self,
        services: Option<Section<'a>>,
        report: &mut Report<'_>,
    ) -> (Vec<Node<'a>>, Option<Node<'a>>) {
        let mut made = Vec::new();
        let mut runtime = None;
        let Some(mut services) = services else {
            return (made, runtime);
        };
        for member in services.take_all() {
            let path = services.path(&member.key);
            let name = text(member.key_span, member.key);
            if let Ok(mut service) = Section::of(path, member.value) {
                let own = platform(&mut service);
                runtime = runtime.or(own);
                made.push(self.add(&name, service, report));
            }
        }
        (made, runtime)
    }

    /// Names what the parameters say of services that the file does not have.
    fn finish(self, report: &mut Report<'_>) {
        let Some(mut others) = self.overrides else {
            return;
        };
        let advice = "give the name of a service of the Compose file";
        for member in others.take_all() {
            report.unread(member.key_span, others.path(&member.key), advice);
        }
    }

    /// Returns the container of a service.
    fn add(
        &mut self,
        name: &Node<'a>,
        mut service: Section<'a>,
        report: &mut Report<'_>,
    ) -> Node<'a> {
        super::super::project::drop_extensions(&mut service);
        let mut one = Object::new(name.span);
        let called = name.text().unwrap_or_default().to_owned();
        one.put("name", name.clone());
        let ports = Ports::take_all(&mut service, report);
        let around = Around {
            name,
            project: self.family.text().unwrap_or_default(),
            ports: &ports,
        };
        let needs = super::super::container::add(&mut one, &around, &mut service, report);
        one.replace("portMappings", ports.published(self.has_own_network));
        let needs_linux = linux::add(&mut one, &mut service, report);
        let volumes = Volumes::take_of(self.project, &called, &mut service, report);
        one.elements("mountPoints", volumes.mount_points);
        self.needs_node |= needs.node || needs_linux || volumes.needs_node;
        for source in volumes.sources {
            let name = source.get("name").and_then(Node::text);
            if name.is_some_and(|name| self.known.insert(name.to_owned())) {
                self.sources.push(source);
            }
        }
        container::own(&mut one, &mut service, self.has_own_network, report);
        let overrides = self.overrides.as_mut();
        if let Some(overrides) = overrides.and_then(|all| all.section(&called)) {
            self.needs_node |= container::overriding(&mut one, overrides, report);
        }
        // The tool gives a container 512 MiB if nothing else limits it.
        if !self.has_memory && !one.has("memory") && !one.has("memoryReservation") {
            one.put("memory", super::number(name.span, 512));
        }
        service.finish(report);
        one.node()
    }
}

/// Takes a size of memory in MiB. What is none stays as it is, so that its place is rejected.
pub(super) fn memory<'a>(section: &mut Section<'a>, key: &str) -> Option<Node<'a>> {
    let node = section.text(key)?;
    Some(match node.text().and_then(mib) {
        Some(size) => super::number(node.span, size),
        None => node,
    })
}

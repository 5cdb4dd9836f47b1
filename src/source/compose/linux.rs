//! What a container may do on the kernel that it runs on.

use super::{
    super::{
        manifest::{Object, Report, Section, boolean, is_true, list, number, text},
        tree::Node,
    },
    pairs::pairs,
    size::mib,
};

/// Adds the members of a container that are about Linux. Returns whether only a node of its own can have them.
pub(super) fn add<'a>(
    container: &mut Object<'a>,
    section: &mut Section<'a>,
    report: &mut Report<'_>,
) -> bool {
    let span = section.span;
    let mut needs_node = false;
    let mut linux = Object::new(span);
    let mut capabilities = Object::new(span);
    let added = capability_names(section, "cap_add");
    // Fargate adds no other one.
    needs_node |= added.iter().any(|it| it.text() != Some("SYS_PTRACE"));
    capabilities.elements("add", added);
    capabilities.elements("drop", capability_names(section, "cap_drop"));
    if !capabilities.is_empty() {
        linux.put("capabilities", capabilities.node());
    }
    if let Some(init) = section.take("init") {
        linux.put("initProcessEnabled", boolean(init.span, is_true(&init)));
    }
    if let Some(size) = section.take_if("shm_size", |node| node.scalar().and_then(mib).is_some()) {
        let mib = size.scalar().and_then(mib).unwrap_or_default();
        linux.put("sharedMemorySize", number(size.span, mib));
        needs_node = true;
    }
    let devices = devices(section);
    needs_node |= !devices.is_empty();
    linux.elements("devices", devices);
    if !linux.is_empty() {
        container.put("linuxParameters", linux.node());
    }
    container.elements("ulimits", ulimits(section));
    let settings = pairs(section, "sysctls", &['=']).into_iter();
    let settings = settings.map(|pair| {
        let mut made = Object::new(pair.span);
        made.put("namespace", text(pair.span, pair.name));
        made.maybe("value", pair.value);
        made.node()
    });
    container.elements("systemControls", settings.collect());
    if section
        .take("privileged")
        .is_some_and(|node| is_true(&node))
    {
        container.put("privileged", boolean(span, true));
        needs_node = true;
    }
    let options = section.elements("security_opt").unwrap_or_default();
    needs_node |= !options.is_empty();
    container.elements("dockerSecurityOptions", options);
    section.unread(
        &["cgroup", "cgroup_parent", "ipc", "oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "userns_mode", "uts"],
        "set it in the task definition or in spec.kubernetes.pod of the EcsService, if it is needed",
        report,
    );
    section.unread(
        &["memswap_limit", "mem_swappiness"],
        "raise the memory instead: swap cannot be set for a container",
        report,
    );
    needs_node
}

/// Takes the names of capabilities, as ECS has them: Docker reads `cap_net_admin` too.
fn capability_names<'a>(section: &mut Section<'a>, key: &str) -> Vec<Node<'a>> {
    let names = section.elements(key).unwrap_or_default().into_iter();
    let names = names.map(|node| match node.text().map(str::to_ascii_uppercase) {
        Some(name) => {
            let name = name.strip_prefix("CAP_").unwrap_or(&name).to_owned();
            text(node.span, name)
        }
        None => node,
    });
    names.collect()
}

/// Takes devices of the host: `/dev/fuse:/dev/fuse:rwm`.
fn devices<'a>(section: &mut Section<'a>) -> Vec<Node<'a>> {
    let is_text = |node: &Node<'a>| {
        node.elements()
            .is_some_and(|all| all.iter().all(|it| it.text().is_some()))
    };
    let Some(node) = section.take_if("devices", is_text) else {
        return Vec::new();
    };
    let elements = node.elements().unwrap_or_default().iter();
    let made = elements.map(|element| {
        let span = element.span;
        let mut parts = element.text().unwrap_or_default().split(':');
        let mut one = Object::new(span);
        let part = |it: Option<&str>| it.map(|it| text(span, it.to_owned()));
        one.maybe("hostPath", part(parts.next()));
        one.maybe("containerPath", part(parts.next()));
        let permissions = parts.next().map(|letters| {
            let names = [('r', "read"), ('w', "write"), ('m', "mknod")];
            let names = names.iter().filter(|(letter, _)| letters.contains(*letter));
            list(span, names.map(|(_, name)| text(span, *name)).collect())
        });
        one.maybe("permissions", permissions);
        one.node()
    });
    made.collect()
}

/// Takes limits of a process, of which each has one number or two.
fn ulimits<'a>(section: &mut Section<'a>) -> Vec<Node<'a>> {
    let Some(mut limits) = section.section("ulimits") else {
        return Vec::new();
    };
    let mut made = Vec::new();
    for member in limits.take_all() {
        let value = member.value;
        let of = |key: &str| value.get(key).cloned().unwrap_or_else(|| value.clone());
        let mut one = Object::new(value.span);
        one.put("name", text(member.key_span, member.key));
        one.put("softLimit", of("soft"));
        one.put("hardLimit", of("hard"));
        made.push(one.node());
    }
    made
}

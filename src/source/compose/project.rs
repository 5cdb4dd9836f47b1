//! What a file has besides its services.

use std::collections::BTreeMap;

use super::super::{
    manifest::{Report, Section},
    text::Span,
    tree::Node,
};
use crate::diagnostic::Message;

/// What a volume is: the member of ECS, and its value.
pub(super) type Source<'a> = (&'static str, Node<'a>);

/// The parts of a file that services refer to.
#[derive(Debug, Default)]
pub(super) struct Project<'a> {
    /// The name of the project, which names its namespace.
    pub(super) name: Option<String>,
    pub(super) cluster: Option<Node<'a>>,
    /// The IDs of file systems, by the names of the volumes that are made already.
    pub(super) file_systems: BTreeMap<String, Node<'a>>,
    /// What named volumes are, if all services are in one task: others are directories of the task.
    pub(super) sources: Option<BTreeMap<String, Source<'a>>>,
    /// The services without a limit of memory.
    assumed: Vec<String>,
    span: Span,
}

impl<'a> Project<'a> {
    /// Takes what is not a service.
    pub(super) fn take(top: &mut Section<'a>, report: &mut Report<'_>) -> Self {
        let mut made = Self {
            span: top.span,
            ..Self::default()
        };
        made.name = top
            .text("name")
            .and_then(|node| node.text().map(str::to_owned));
        made.cluster = top.text("x-aws-cluster");
        top.take("version");
        if let Some(mut volumes) = top.section("volumes") {
            for member in volumes.take_all() {
                let path = volumes.path(&member.key);
                if let Ok(volume) = Section::of(path, member.value) {
                    made.volume(member.key.into_owned(), volume, report);
                }
            }
        }
        // What is mounted of them is said where they are mounted.
        top.take("secrets");
        top.take("configs");
        top.unused(
            &["networks"],
            "pods reach each other: restrict them with a NetworkPolicy",
            report,
        );
        top.unread(&["include"], "convert the files that it names too", report);
        let advice = "Compose starts it beside the services: run it otherwise, and give its address in environment";
        top.unread(&["models"], advice, report);
        top.unread(
            &["x-aws-vpc", "x-aws-loadbalancer", "x-aws-cloudformation"],
            "pods run in the network of the cluster, and an Ingress has a load balancer of its own",
            report,
        );
        top.unused(
            &["x-aws-logs_retention"],
            "the log group keeps what it has",
            report,
        );
        drop_extensions(top);
        made
    }

    /// Takes a volume that is made already: its name is the ID of a file system.
    fn volume(&mut self, key: String, mut volume: Section<'a>, report: &mut Report<'_>) {
        let external = volume.take("external");
        let name = volume.text("name");
        let is_file_system = |node: &Node<'a>| node.text().is_some_and(|it| it.starts_with("fs-"));
        if external.is_some()
            && let Some(id) = name.filter(is_file_system)
        {
            self.file_systems.insert(key, id);
        }
        volume.unread(
            &["driver", "driver_opts"],
            "set it in the file system of EFS that takes the place of the volume",
            report,
        );
        volume.unused(
            &["labels"],
            "no object is made for the volume alone",
            report,
        );
        drop_extensions(&mut volume);
        volume.finish(report);
    }

    /// Notes whether the memory of a service is assumed.
    pub(super) fn assume(&mut self, is_assumed: bool, name: &Node<'a>) {
        if is_assumed {
            if self.assumed.is_empty() {
                self.span = name.span;
            }
            self.assumed
                .push(name.text().unwrap_or_default().to_owned());
        }
    }

    /// Says for which services memory is assumed.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        if !self.assumed.is_empty() {
            let names = self.assumed.join(", ");
            report.say(self.span, Message::TaskSizeAssumed { names });
        }
    }

    /// Returns the namespace in which services find each other.
    pub(super) fn namespace(&self) -> &str {
        self.name.as_deref().unwrap_or("compose")
    }
}

/// Drops members that begin with `x-` and are not of AWS: by themselves they mean nothing.
pub(super) fn drop_extensions(section: &mut Section<'_>) {
    section.retain(|key| !key.starts_with("x-") || key.starts_with("x-aws-"));
}

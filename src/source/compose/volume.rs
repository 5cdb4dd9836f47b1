//! The volumes of a service (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#volumes>).

use std::collections::BTreeSet;

use super::{
    super::{
        manifest::{Object, Report, Section, boolean, is_true, text},
        text::Span,
        tree::Node,
    },
    project::{Project, drop_extensions},
};

/// What to do about a folder beside the file.
const BESIDE: &str =
    "put the files into the image, or mount a ConfigMap with spec.kubernetes.pod of the EcsService";
const IN_MEMORY: &str = "the directory is on the disk of the node, and as empty for each task";

/// The volumes of a task, and where its container has them.
#[derive(Debug, Default)]
pub(super) struct Volumes<'a> {
    pub(super) sources: Vec<Node<'a>>,
    pub(super) mount_points: Vec<Node<'a>>,
    /// Whether one is a directory of the node.
    pub(super) needs_node: bool,
    names: BTreeSet<String>,
    /// What the names of directories begin with that only this container has.
    prefix: String,
}

/// A mount as a file writes it.
#[derive(Debug)]
struct Mount {
    source: Option<String>,
    target: String,
    is_read_only: bool,
    span: Span,
}

impl<'a> Volumes<'a> {
    /// Takes the volumes and the directories in memory of a service that is a task of its own.
    pub(super) fn take(
        project: &Project<'a>,
        section: &mut Section<'a>,
        report: &mut Report<'_>,
    ) -> Self {
        Self::default().with(project, section, report)
    }

    /// Takes those of a service that is one of several containers of a task.
    pub(super) fn take_of(
        project: &Project<'a>,
        service: &str,
        section: &mut Section<'a>,
        report: &mut Report<'_>,
    ) -> Self {
        let made = Self {
            prefix: format!("{service}-"),
            ..Self::default()
        };
        made.with(project, section, report)
    }

    fn with(
        mut self,
        project: &Project<'a>,
        section: &mut Section<'a>,
        report: &mut Report<'_>,
    ) -> Self {
        let made = &mut self;
        let path = section.path("volumes");
        for element in section.elements("volumes").unwrap_or_default() {
            let span = element.span;
            let mount = match Section::of(path.clone(), element) {
                Ok(long) => long_form(long, report),
                Err(short) => short.scalar().and_then(|it| short_form(it, span)),
            };
            match mount {
                Some(mount) => made.add(project, mount, &path, report),
                None => report.unread(span, path.clone(), "write SOURCE:TARGET"),
            }
        }
        let path = section.path("tmpfs");
        let directories = match section.elements("tmpfs") {
            Some(elements) => elements,
            None => section.text("tmpfs").into_iter().collect(),
        };
        for directory in directories {
            let written = directory.text().unwrap_or_default();
            let target = written.split(':').next().unwrap_or(written).to_owned();
            report.unused(directory.span, path.clone(), IN_MEMORY);
            made.scratch(&target, false, directory.span);
        }
        self
    }

    fn add(&mut self, project: &Project<'a>, mount: Mount, path: &str, report: &mut Report<'_>) {
        let Mount {
            source,
            target,
            is_read_only,
            span,
        } = mount;
        match source {
            None => self.scratch(&target, is_read_only, span),
            Some(source) if source.starts_with('/') => {
                let mut host = Object::new(span);
                host.put("sourcePath", text(span, source.clone()));
                let name = name_of(&source);
                self.needs_node = true;
                self.volume(&name, span, Some(("host", host.node())));
                self.mount(&name, &target, is_read_only, span);
            }
            Some(source) if source.starts_with(['.', '~']) || source.contains('/') => {
                report.unread(span, path.to_owned(), BESIDE);
            }
            Some(source) if project.sources.is_some() => {
                let sources = project.sources.as_ref();
                let known = sources.and_then(|all| all.get(&source)).cloned();
                self.volume(&source, span, known);
                self.mount(&source, &target, is_read_only, span);
            }
            Some(source) => {
                let id = project.file_systems.get(&source).cloned();
                let open = || report.open(span, &format!("{source}.FileSystem"));
                let mut efs = Object::new(span);
                efs.put("fileSystemId", id.unwrap_or_else(open));
                efs.put("transitEncryption", text(span, "ENABLED"));
                self.volume(&source, span, Some(("efsVolumeConfiguration", efs.node())));
                self.mount(&source, &target, is_read_only, span);
            }
        }
    }

    /// Adds a directory that is empty when a task starts.
    fn scratch(&mut self, target: &str, is_read_only: bool, span: Span) {
        let name = format!("{}{}", self.prefix, name_of(target));
        self.volume(&name, span, None);
        self.mount(&name, target, is_read_only, span);
    }

    fn volume(&mut self, name: &str, span: Span, source: Option<(&'static str, Node<'a>)>) {
        if !self.names.insert(name.to_owned()) {
            return;
        }
        let mut made = Object::new(span);
        made.put("name", text(span, name.to_owned()));
        if let Some((key, source)) = source {
            made.put(key, source);
        }
        self.sources.push(made.node());
    }

    fn mount(&mut self, name: &str, target: &str, is_read_only: bool, span: Span) {
        let mut made = Object::new(span);
        made.put("sourceVolume", text(span, name.to_owned()));
        made.put("containerPath", text(span, target.to_owned()));
        made.put("readOnly", boolean(span, is_read_only));
        self.mount_points.push(made.node());
    }
}

/// Returns a name for the volume of a path.
fn name_of(path: &str) -> String {
    let name = path
        .trim_matches('/')
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    if name.is_empty() {
        "root".to_owned()
    } else {
        name
    }
}

/// Reads `[SOURCE:]TARGET[:OPTIONS]`.
fn short_form(written: &str, span: Span) -> Option<Mount> {
    let parts: Vec<&str> = written.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, options] => (Some(*source), *target, *options),
        _ => return None,
    };
    target.starts_with('/').then(|| Mount {
        source: source.map(str::to_owned),
        target: target.to_owned(),
        is_read_only: options.split(',').any(|option| option == "ro"),
        span,
    })
}

fn long_form(mut long: Section<'_>, report: &mut Report<'_>) -> Option<Mount> {
    let span = long.span;
    let own = |node: Option<Node<'_>>| node.and_then(|node| node.text().map(str::to_owned));
    let kind = own(long.text("type"));
    let source = own(long.text("source"));
    let target = own(long.text("target"));
    let read_only = long.take("read_only");
    if kind.as_deref() == Some("tmpfs") {
        report.unused(span, long.path("type"), IN_MEMORY);
    }
    let why = "it is a setting of Docker on one machine";
    long.unused(&["bind", "consistency", "tmpfs"], why, report);
    long.unread(
        &["volume"],
        "copy the files that the image has there into the volume, and mount the whole volume",
        report,
    );
    drop_extensions(&mut long);
    long.finish(report);
    Some(Mount {
        source: source.filter(|_| kind.as_deref() != Some("tmpfs")),
        target: target?,
        is_read_only: read_only.is_some_and(|node| is_true(&node)),
        span,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_read() {
        let table = [
            ("/data", Some((None, "/data", false))),
            ("data:/data", Some((Some("data"), "/data", false))),
            ("data:/data:ro", Some((Some("data"), "/data", true))),
            ("./a:/b:ro,z", Some((Some("./a"), "/b", true))),
            ("data", None),
            ("a:b:c:d", None),
        ];
        for (written, expected) in table {
            let mount = short_form(written, Span::default());
            let read = mount
                .as_ref()
                .map(|it| (it.source.as_deref(), &*it.target, it.is_read_only));
            assert_eq!(read, expected, "{written}");
        }
    }
}

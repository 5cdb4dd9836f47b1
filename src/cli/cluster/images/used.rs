//! The images that services use: what they run, what a rollback returns to, and what they ran before.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde_json::Value;

use super::super::documents::documents;
use crate::{
    cli::Error,
    crd::{API_VERSION, EcsService},
    decide::deployment::INACTIVE,
    ecr::Repository,
    image::TaggedImage,
    rendering::Kept,
    settings::SERVICE_REVISION,
    source::texts,
    translate::SERVICE,
};

/// What is read of a cluster.
#[derive(Default)]
pub(super) struct Objects {
    services: Vec<EcsService>,
    revisions: Vec<ControllerRevision>,
}

/// An image of a repository that a service uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    /// The namespace and the name of the service.
    pub(super) service: String,
    /// For what it uses the image.
    pub(super) purpose: Purpose,
    /// The task definition, such as `web:3`; empty if it is not known.
    pub(super) task_definition: String,
    /// The AWS region that the name of the image has.
    pub(super) region: String,
    /// The tag; `None` if the image is named by its digest only.
    pub(super) tag: Option<String>,
    /// The digest; `None` if each pull asks for the tag.
    pub(super) digest: Option<String>,
}

/// For what a service uses an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    Running,
    Rollback,
    Earlier,
}

impl Purpose {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Rollback => "rollback",
            Self::Earlier => "earlier",
        }
    }
}

impl Objects {
    /// Reads the services of a namespace, or of all.
    pub(super) async fn in_cluster(
        client: &Client,
        namespace: Option<&str>,
    ) -> Result<Self, Error> {
        let (services, revisions): (Api<EcsService>, Api<ControllerRevision>) = match namespace {
            Some(namespace) => (
                Api::namespaced(client.clone(), namespace),
                Api::namespaced(client.clone(), namespace),
            ),
            None => (Api::all(client.clone()), Api::all(client.clone())),
        };
        let all = ListParams::default();
        let services = services.list(&all).await;
        let of_services = all.labels(SERVICE);
        let revisions = revisions.list(&of_services).await;
        Ok(Self {
            services: services
                .map_err(Error::request("list the EcsServices"))?
                .items,
            revisions: revisions
                .map_err(Error::request("list the ControllerRevisions"))?
                .items,
        })
    }

    /// Reads the services in files, folders and `-`.
    pub(super) fn in_files(paths: &[PathBuf]) -> Result<Self, String> {
        let mut unread = Vec::new();
        let found = texts(paths, &mut |problem| {
            unread.push(format!("{}: {}", problem.source.name(), problem.message));
        });
        if !unread.is_empty() {
            return Err(unread.join("; "));
        }
        let mut objects = Self::default();
        for text in found {
            for document in documents(&text)? {
                objects
                    .add(document)
                    .map_err(|why| format!("{}: {why}", text.name()))?;
            }
        }
        if objects.services.is_empty() {
            return Err("there is no EcsService in the files".to_owned());
        }
        Ok(objects)
    }

    fn add(&mut self, mut object: Value) -> Result<(), String> {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let (version, kind) = (text("apiVersion"), text("kind"));
        let is_list = kind.is_some_and(|kind| kind.ends_with("List"));
        match (version, kind) {
            (Some(API_VERSION), Some("EcsService")) => {
                let service = serde_json::from_value(object).map_err(|error| error.to_string())?;
                self.services.push(service);
            }
            (Some("apps/v1"), Some("ControllerRevision")) => {
                let revision = serde_json::from_value(object).map_err(|error| error.to_string())?;
                self.revisions.push(revision);
            }
            _ => {
                if let Some(Value::Array(items)) = object.get_mut("items").filter(|_| is_list) {
                    for item in std::mem::take(items) {
                        self.add(item)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns which images of a repository services use, with so many revisions of each before those that run, and of which
/// services that is not known.
pub(super) fn uses(
    objects: &Objects,
    repository: &Repository,
    earlier: usize,
) -> (Vec<Use>, Vec<String>) {
    let (mut found, mut unknown) = (BTreeSet::new(), Vec::new());
    let all = stored(&objects.revisions);
    for service in &objects.services {
        let place = (service.namespace().unwrap_or_default(), service.name_any());
        let name = format!("{}/{}", place.0, place.1);
        let stored = all.get(&place).map_or(&[][..], Vec::as_slice);
        let mut add = |purpose, task_definition: &str, images: BTreeMap<String, Option<String>>| {
            found.extend(images.iter().filter_map(|(image, digest)| {
                let image = of_repository(image, digest.as_deref(), repository)?;
                Some(Use {
                    service: name.clone(),
                    purpose,
                    task_definition: task_definition.to_owned(),
                    ..image
                })
            }));
        };
        unknown.extend(without_revision(service, &name));
        let purposes = purposes(service, stored, earlier);
        for (purpose, id) in &purposes {
            match stored.iter().find(|(of, _)| of == id) {
                Some((_, kept)) => {
                    let label = format!("{}:{}", kept.inputs.family, kept.inputs.revision);
                    add(*purpose, &label, kept.images());
                }
                // Of what runs, the status has what matters.
                None if *purpose == Purpose::Running && !service.status.resolved_images.is_empty() => {
                    let images = service.status.resolved_images.iter();
                    let images = images.map(|it| (it.image.clone(), Some(it.image_digest.clone())));
                    let label = service.status.task_definition.as_deref();
                    add(*purpose, label.unwrap_or_default(), images.collect());
                }
                None => unknown.push(format!(
                    "the images of {name} ({}) are not known, because its ControllerRevision {id} is not there",
                    purpose.name()
                )),
            }
        }
    }
    (found.into_iter().collect(), unknown)
}

/// The revisions of services by their namespaces and names, the newest first, with their names.
type Stored = BTreeMap<(String, String), Vec<(String, Kept)>>;

fn stored(revisions: &[ControllerRevision]) -> Stored {
    let mut newest_first: Vec<&ControllerRevision> = revisions.iter().collect();
    newest_first.sort_by_key(|revision| std::cmp::Reverse(revision.revision));
    let mut stored = Stored::new();
    for revision in newest_first {
        let read = || {
            let service = revision.labels().get(SERVICE)?.clone();
            let id = revision.labels().get(SERVICE_REVISION)?.clone();
            let kept = Kept::read(&revision.data.as_ref()?.0)?;
            Some((service, (id, kept)))
        };
        if let Some((service, kept)) = read() {
            let place = (revision.namespace().unwrap_or_default(), service);
            stored.entry(place).or_default().push(kept);
        }
    }
    stored
}

/// Returns that it is not known what a service runs, if its status does not say so: the operator has not looked at it yet, or
/// holds it back.
fn without_revision(service: &EcsService, name: &str) -> Option<String> {
    let mut deployments = service.status.deployments.iter();
    let why = if service.status.deployments.is_empty() {
        "its status has no deployments"
    } else if deployments.any(|it| it.status != INACTIVE && it.service_revision.is_none()) {
        "a deployment in its status has no service revision"
    } else {
        return None;
    };
    Some(format!(
        "the images of {name} (running) are not known, because {why}"
    ))
}

/// Returns for what a service uses which of its revisions.
fn purposes(
    service: &EcsService,
    stored: &[(String, Kept)],
    earlier: usize,
) -> Vec<(Purpose, String)> {
    let status = &service.status;
    let runs = status.deployments.iter().filter(|it| it.status != INACTIVE);
    let runs = runs.filter_map(|it| it.service_revision.clone());
    let mut purposes: Vec<(Purpose, String)> = runs.map(|id| (Purpose::Running, id)).collect();
    let is_new = |known: &[(Purpose, String)], id: &String| !known.iter().any(|(_, it)| it == id);
    if let Some(id) = status
        .completed_revision
        .clone()
        .filter(|id| is_new(&purposes, id))
    {
        purposes.push((Purpose::Rollback, id));
    }
    let others = stored
        .iter()
        .map(|(id, _)| id)
        .filter(|id| is_new(&purposes, id));
    let others: Vec<_> = others.take(earlier).cloned().collect();
    purposes.extend(others.into_iter().map(|id| (Purpose::Earlier, id)));
    purposes
}

/// Returns the use of an image, without what uses it; `None` if it is not one of a repository.
fn of_repository(image: &str, digest: Option<&str>, repository: &Repository) -> Option<Use> {
    let (name, own) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let read = TaggedImage::read(name)?;
    let registry = read.ecr()?;
    let is_it = registry.account == repository.account && read.repository == repository.name;
    // Without a tag, a digest is all there is, and otherwise a tag is `latest`.
    let has_tag = own.is_none() || name.ends_with(&format!(":{}", read.tag));
    is_it.then(|| Use {
        service: String::new(),
        purpose: Purpose::Running,
        task_definition: String::new(),
        region: registry.region,
        tag: has_tag.then_some(read.tag),
        digest: own.or(digest).map(str::to_owned),
    })
}

//! What becomes of a service and its objects.

use kube::ResourceExt as _;
use serde_json::Value;

use super::{
    Change, NO_REVISION, ObjectChange, Replacement, Worlds,
    compare::{compare, content},
    snapshot::{Resources, read},
};
use crate::{
    controller::{
        apply::check,
        caches::children::Key,
        context::Context,
        error::Error,
        service::{Outlook, outlook, owner_of},
        wanted::Wanted,
    },
    crd::EcsService,
    rendering::differences,
    translate::SERVICE,
};

/// The part of a path to a field of a pod template that says nothing.
const TEMPLATE: &str = "spec.template.";

impl Worlds<'_> {
    /// Learns what the services want of each other: only those of Service Connect share names.
    pub(super) async fn hear(&self, after: &Resources) {
        let worlds = [
            (&self.before, &self.snapshot.resources),
            (&self.after, after),
        ];
        for (cx, resources) in worlds {
            let services = resources
                .iter()
                .filter(|((kind, _), _)| kind == "EcsService");
            for service in services.filter_map(|(_, object)| read::<EcsService>(object)) {
                if service
                    .spec
                    .text()
                    .contains("\"serviceConnectConfiguration\"")
                {
                    // What is not known of it is reported where it matters.
                    let _known = known(&service, cx).await;
                }
            }
        }
    }

    /// Adds what becomes of the objects and the tasks of a service.
    pub(super) async fn service(
        &self,
        mut change: Change,
        after: Option<&Value>,
    ) -> Result<Change, Error> {
        let Some(service) = after.and_then(read::<EcsService>) else {
            return Ok(change);
        };
        if service.metadata.deletion_timestamp.is_some() {
            let message = "it is being deleted: apply it again when it is gone";
            change.rejected = Some(message.to_owned());
            return Ok(change);
        }
        if self.has_left_tasks(&service) {
            // The operator decides that from the tasks, and records it, before anything else.
            let message = "it has no status of its deployments, but tasks of its name run: the operator takes them over if they are what the spec asks for";
            change.unknown.push(message.to_owned());
            return Ok(change);
        }
        let place = (change.kind.clone(), change.name.clone());
        let before = self.snapshot.resources.get(&place);
        let before = before.and_then(read::<EcsService>);
        let usual = match &before {
            Some(before) => known(before, &self.before).await.ok(),
            None => None,
        };
        let outlook = match known(&service, &self.after).await {
            Ok(outlook) => outlook,
            Err(why) => {
                change.unknown.push(why);
                return Ok(change);
            }
        };
        if let Some(refusal) = &outlook.refusal
            && change.refused(refusal)
        {
            return Ok(change);
        }
        change.was_rejected = usual.as_ref().is_some_and(|it| it.refusal.is_some());
        change.runs = outlook.runs;
        change.obstacles.extend(outlook.obstacles.iter().cloned());
        change.later.extend(outlook.later.iter().map(|key| {
            let Key { kind, name, .. } = key;
            format!("{kind} {name} leads to the new tasks once they serve")
        }));
        let of_service = OfService {
            worlds: self,
            service: &service,
            usual: usual.as_ref(),
        };
        for wanted in &outlook.objects {
            of_service.wanted(wanted, &mut change).await?;
        }
        if !change.obstacles.is_empty() {
            // What cannot be carried out holds back what depends on it.
            return Ok(change);
        }
        for key in outlook.unwanted(&service, &self.after) {
            change.objects.extend(of_service.unwanted(&key));
        }
        change.objects.extend(of_service.unread(&outlook));
        if !outlook.objects.is_empty() {
            change.replacement = Some(of_service.replacement(&outlook, &change));
        }
        Ok(change)
    }
}

impl Worlds<'_> {
    /// Whether a lost status, or a service of this name that was deleted without its tasks, has left some.
    fn has_left_tasks(&self, service: &EcsService) -> bool {
        let name = service.name_any();
        let is_of_it = |key: &Key, object: &Value| {
            let label = object
                .pointer("/metadata/labels")
                .and_then(|it| it.get(SERVICE));
            is_workload(key.kind.kind) && label.and_then(Value::as_str) == Some(name.as_str())
        };
        let mut objects = self.snapshot.objects.iter();
        service.status.deployments.is_empty() && objects.any(|(key, object)| is_of_it(key, object))
    }
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "DaemonSet")
}

/// Returns the outlook of a service, or why that is not known.
async fn known(service: &EcsService, cx: &Context) -> Result<Outlook, String> {
    match Box::pin(outlook(service, cx)).await {
        Ok(Some(outlook)) => Ok(outlook),
        Ok(None) => Err(NO_REVISION.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

struct OfService<'a> {
    worlds: &'a Worlds<'a>,
    service: &'a EcsService,
    /// What would be applied without the manifests.
    usual: Option<&'a Outlook>,
}

impl OfService<'_> {
    /// Adds the change of an object that is wanted.
    async fn wanted(&self, wanted: &Wanted, change: &mut Change) -> Result<(), Error> {
        let cx = &self.worlds.after;
        let (key, owner) = (&wanted.key, owner_of(self.service));
        match check(&cx.client, &cx.children, wanted, &owner).await {
            Err(error) if error.code() == Some(403) => {}
            Err(error) if error.code().is_some() || error.is_transient() => return Err(error),
            Err(error) => {
                change.obstacles.push(error.to_string());
                return Ok(());
            }
            Ok(()) => {}
        }
        let usual = self.usual_body(key);
        let after = content(&wanted.body);
        let is_usual = usual.map(content).as_ref() == Some(&after);
        let parts = if self.worlds.snapshot.unreadable.contains(&key.kind) {
            // Nobody may have edited it, so it is what is usual.
            let before = usual.map(content);
            (!is_usual).then_some((before, after))
        } else if let Some(live) = self.worlds.snapshot.objects.get(key) {
            let known = cx.children.get(key);
            let digest = crate::controller::caches::owned_fields::digest_of_wanted(
                &wanted.body(&owner, known.as_ref()),
            );
            let is_done = known.as_ref().is_none_or(|known| known.is(digest));
            let is_joined = wanted.shared().filter(|_| wanted.selector().is_none());
            let is_joined = is_joined
                .zip(known.as_ref())
                .is_some_and(|((key, of), known)| {
                    cx.children.shaped_by(&key, known, &owner, of).is_some()
                });
            let parts = compare(live, &wanted.body, usual).filter(|_| !is_done && !is_joined);
            parts.map(|parts| (Some(parts.before), parts.after))
        } else {
            Some((None, after))
        };
        if let Some((before, after)) = parts {
            change.objects.push(ObjectChange {
                kind: key.kind.to_string(),
                name: key.name.to_string(),
                before,
                after: Some(after),
                anyway: is_usual,
            });
        }
        Ok(())
    }

    /// Returns the deletion of an object, unless that is under way anyway.
    fn unwanted(&self, key: &Key) -> Option<ObjectChange> {
        let live = self.worlds.snapshot.objects.get(key)?;
        let body = self.usual_body(key)?;
        let before = compare(live, body, None).map_or_else(|| content(body), |it| it.before);
        Some(ObjectChange {
            kind: key.kind.to_string(),
            name: key.name.to_string(),
            before: Some(before),
            after: None,
            anyway: false,
        })
    }

    /// Returns the deletions of objects of kinds that may not be read: what is wanted without the manifests and not with
    /// them.
    fn unread(&self, outlook: &Outlook) -> Vec<ObjectChange> {
        let unreadable = &self.worlds.snapshot.unreadable;
        let stays = |key: &Key| {
            let mut keys = outlook.objects.iter().map(|it| &it.key);
            keys.any(|it| it == key) || outlook.later.contains(key)
        };
        let usual = self.usual.iter().flat_map(|usual| &usual.objects);
        let gone = usual.filter(|it| unreadable.contains(&it.key.kind) && !stays(&it.key));
        gone.map(|wanted| ObjectChange {
            kind: wanted.key.kind.to_string(),
            name: wanted.key.name.to_string(),
            before: Some(content(&wanted.body)),
            after: None,
            anyway: false,
        })
        .collect()
    }

    fn usual_body(&self, key: &Key) -> Option<&Value> {
        let mut objects = self.usual?.objects.iter();
        objects.find(|usual| usual.key == *key).map(|it| &it.body)
    }

    /// Returns what happens to the tasks.
    fn replacement(&self, outlook: &Outlook, change: &Change) -> Replacement {
        let uid = self.service.uid().unwrap_or_default();
        let children = self.worlds.after.children.of_owner(&uid);
        let mut live = children
            .iter()
            .filter(|(key, _)| is_workload(key.kind.kind));
        if live.next().is_none() {
            return Replacement::Starts(outlook.desired);
        }
        let mut pods = Vec::new();
        let workloads = change.objects.iter().filter(|it| is_workload(&it.kind));
        for object in workloads {
            let part = |part: &Option<Value>| part.clone().into_iter().collect::<Vec<_>>();
            let fields = differences(&part(&object.before), &part(&object.after));
            pods.extend(fields.into_iter().filter_map(|field| {
                let (of, path) = field.split_once(": ")?;
                match path.strip_prefix(TEMPLATE) {
                    Some(path) => Some(path.to_owned()),
                    // The tasks of another workload are others.
                    None => matches!(path, "added" | "removed").then(|| format!("{of} is {path}")),
                }
            }));
        }
        pods.sort_unstable();
        pods.dedup();
        if pods.is_empty() {
            let usual = self.usual.and_then(|usual| usual.desired);
            return Replacement::No {
                begins: outlook.begins,
                desired: (usual, outlook.desired),
            };
        }
        let before = self.usual.and_then(|usual| usual.inputs.as_ref());
        let inputs = before.zip(outlook.inputs.as_ref());
        Replacement::Yes {
            pods,
            inputs: inputs.map_or_else(Vec::new, |(before, after)| before.differences(after)),
        }
    }
}

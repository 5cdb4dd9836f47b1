//! A client that makes the same writes as the operator, and does nothing else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use ecs_operator_testbed::Namespace;
use futures::{StreamExt as _, channel::mpsc, stream};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    shop::{self, CHILDREN},
};

/// The default number of services that the operator reconciles concurrently; the plain client processes the same
/// number.
pub const CONCURRENCY: usize = 16;

/// How the plain client creates children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With server-side apply, as the operator does.
    Apply,
    Post,
}

/// Returns the API of the services of a namespace.
pub fn services(client: &Client, namespace: &str) -> Api<DynamicObject> {
    api(client, namespace, "ecs-operator.dev/v1alpha1", "EcsService")
}

/// Returns the API of a kind in a namespace.
pub fn api(client: &Client, namespace: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = GroupVersionKind::gvk(group, version, kind);
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

/// Creates services as fast as the API server accepts them, and sends them on in their created state.
pub async fn create(
    client: &Client,
    namespace: &str,
    names: &[String],
    made: mpsc::UnboundedSender<DynamicObject>,
) -> Result<()> {
    let api = services(client, namespace);
    let mut requests = stream::iter(names.to_vec())
        .map(|name| {
            let api = api.clone();
            tokio::spawn(async move {
                let object = serde_json::from_value(shop::resource(&name))?;
                anyhow::Ok(api.create(&PostParams::default(), &object).await?)
            })
        })
        .buffer_unordered(CONCURRENCY);
    while let Some(answer) = requests.next().await {
        // A caller that only waits for the operator does not read them.
        let _ended = made.unbounded_send(answer??);
    }
    Ok(())
}

/// The objects that the plain client writes: those that the operator creates for one service, with another name.
pub struct Sample {
    /// The name of that service and its namespace, neither of which occurs in any other text of the objects.
    name: String,
    namespace: String,
    /// The kinds, versions and texts of the children.
    children: Vec<(&'static str, &'static str, String)>,
    /// The inputs of its tasks, as the operator stores them.
    revision: String,
    status: String,
}

/// The label of objects that belong to a service revision.
const SERVICE_REVISION: &str = "ecs-operator.dev/service-revision";

impl Sample {
    pub fn new(namespace: &str, name: &str, status: &Value, revision: &Value) -> Result<Self> {
        let labels = &revision["metadata"]["labels"];
        let children = shop::children(namespace, name)?
            .into_iter()
            .map(|mut child| {
                if child["kind"] == "Deployment" {
                    let metadata = &mut child["spec"]["template"]["metadata"];
                    metadata["labels"][SERVICE_REVISION] = labels[SERVICE_REVISION].clone();
                }
                let mut known = CHILDREN.into_iter();
                let kind = known.find(|(kind, _)| child["kind"] == *kind);
                let (kind, version) = kind.context("an unknown kind")?;
                Ok((kind, version, child.to_string()))
            });
        Ok(Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            children: children.collect::<Result<_>>()?,
            revision: json!({
                "metadata": {"name": revision["metadata"]["name"], "labels": labels},
                "revision": 1,
                "data": revision["data"],
            })
            .to_string(),
            status: status.to_string(),
        })
    }

    /// Returns the revision of a service and its status.
    pub fn of(&self, namespace: &str, name: &str) -> Result<(Value, Value)> {
        Ok((
            self.renamed(&self.revision, namespace, name)?,
            self.renamed(&self.status, namespace, name)?,
        ))
    }

    /// Returns the child of a kind of a service.
    pub fn child(&self, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        let mut children = self.children.iter();
        let (.., child) = children.find(|(of, ..)| *of == kind).context("no child")?;
        self.renamed(child, namespace, name)
    }

    fn renamed(&self, text: &str, namespace: &str, name: &str) -> Result<Value> {
        let text = text
            .replace(&self.name, name)
            .replace(&self.namespace, namespace);
        Ok(serde_json::from_str(&text)?)
    }
}

/// Creates services, their children and their statuses in a namespace. Returns the duration.
pub async fn run(
    bed: &Bed,
    namespace: &Namespace,
    names: &[String],
    sample: &Arc<Sample>,
    method: Method,
) -> Result<Duration> {
    let begun = Instant::now();
    let (sender, made) = mpsc::unbounded();
    let user = create(&bed.user, namespace.name(), names, sender);
    let work = async {
        let mut work = made
            .map(|service| {
                let (client, sample) = (bed.plain.clone(), sample.clone());
                let namespace = namespace.name().to_owned();
                tokio::spawn(async move {
                    carry_out(&client, &namespace, service, &sample, method).await
                })
            })
            .buffer_unordered(CONCURRENCY);
        let mut count = 0;
        while let Some(result) = work.next().await {
            result??;
            count += 1;
        }
        ensure!(count == names.len(), "{count} services were made");
        Ok(())
    };
    futures::try_join!(user, work)?;
    Ok(begun.elapsed())
}

/// Stores the inputs of one service, creates its children, one after another, and writes its status.
async fn carry_out(
    client: &Client,
    namespace: &str,
    service: DynamicObject,
    sample: &Sample,
    method: Method,
) -> Result<()> {
    let name = service.metadata.name.context("a service without a name")?;
    let uid = service.metadata.uid.context("a service without a uid")?;
    let owners = json!([{
        "apiVersion": "ecs-operator.dev/v1alpha1",
        "kind": "EcsService",
        "name": name,
        "uid": uid,
        "controller": true,
    }]);
    let mut revision = sample.renamed(&sample.revision, namespace, &name)?;
    revision["metadata"]["ownerReferences"] = owners.clone();
    api(client, namespace, "apps/v1", "ControllerRevision")
        .create(&PostParams::default(), &serde_json::from_value(revision)?)
        .await?;
    for (kind, version, child) in &sample.children {
        let mut child = sample.renamed(child, namespace, &name)?;
        child["metadata"]["ownerReferences"] = owners.clone();
        let api = api(client, namespace, version, kind);
        let own = child["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match method {
            Method::Apply => {
                let params = PatchParams::apply("ecs-operator").force();
                api.patch(&own, &params, &Patch::Apply(&child)).await?;
            }
            Method::Post => {
                let child = serde_json::from_value(child)?;
                api.create(&PostParams::default(), &child).await?;
            }
        }
    }
    let status = json!({"metadata": {"uid": uid}, "status": sample.renamed(&sample.status, namespace, &name)?});
    services(client, namespace)
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(())
}

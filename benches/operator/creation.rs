//! Creates many services at once, with the operator and with the plain client.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use ecs_operator_testbed::until;
use futures::{StreamExt as _, TryStreamExt as _, channel::mpsc, stream};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    bed::{Bed, LIMIT},
    fan_out,
    numbers::{Counts, verdict},
    plain::{self, CONCURRENCY, Method, Sample},
    process,
    shop::{self, CHILDREN, COUNT},
    support,
};

/// The maximum time of the operator relative to that of the plain client.
const TARGET: f64 = 1.10;
/// The interval at which the operator is asked for its progress, which takes it some time: the result may be too long
/// by this.
const PAUSE: Duration = Duration::from_millis(100);
/// The name of the service that both create first.
const SAMPLE: &str = "the-sample";

/// Creates services, with the operator and with the plain client, each on control planes of its own. Returns the last one
/// with the operator and all services, their names, and what a change of all of them takes the plain client.
pub async fn run(services: usize) -> Result<(Bed, Vec<String>, fan_out::Plainly)> {
    let sample = Arc::new(sample(&Bed::new().await?).await?);
    let names = names(services);
    let plainly = async |method| -> Result<(f64, fan_out::Plainly)> {
        let bed = Bed::without_operator().await?;
        let time = plain::run(&bed, &bed.namespace, &names, &sample, method).await?;
        let changes = fan_out::plainly(&bed, &names, &sample).await?;
        Ok((time.as_secs_f64(), changes))
    };
    // By turns, so that neither has the warmer machine.
    let (before, _) = plainly(Method::Apply).await?;
    let first = operated(&begun().await?, &names).await?;
    let (after, changes) = plainly(Method::Apply).await?;
    let bed = begun().await?;
    let second = operated(&bed, &names).await?;
    let (plain, seconds) = (
        f64::midpoint(before, after),
        f64::midpoint(first.seconds, second.seconds),
    );
    let ratio = seconds / plain;
    println!(
        "  creation: {services} services, each with {} children and a status: the operator {:.2} s and {:.2} s ({:.2} ms a service), a plain client {before:.2} s and {after:.2} s",
        CHILDREN.len(),
        first.seconds,
        second.seconds,
        1000.0 * seconds / services as f64,
    );
    println!(
        "    {ratio:.2} times the plain client; target of at most {TARGET}: {}",
        verdict(ratio <= TARGET)
    );
    println!(
        "    the operator: {} requests, {} reconciles, {:.1} s of a processor, the last event after {:.2} s",
        second.requests, second.reconciles, second.processor, second.last
    );
    crate::start::memory(&bed, "with all services");
    Ok((bed, names, changes))
}

/// Creates many services with the operator alone.
pub async fn alone(services: usize) -> Result<(Bed, Vec<String>)> {
    let (bed, names) = (begun().await?, names(services));
    operated(&bed, &names).await?;
    Ok((bed, names))
}

fn names(services: usize) -> Vec<String> {
    let numbers = 0..services;
    numbers.map(|number| format!("web-{number:05}")).collect()
}

/// Returns a control plane with an operator that has created the first service.
async fn begun() -> Result<Bed> {
    let bed = Bed::new().await?;
    create_first(&bed).await?;
    Ok(bed)
}

/// The measurements of the creation by the operator.
struct Operated {
    seconds: f64,
    /// When the last write was made that nothing waited for: events.
    last: f64,
    processor: f64,
    requests: Counts,
    reconciles: u64,
}

async fn operated(bed: &Bed, names: &[String]) -> Result<Operated> {
    let (requests, processor) = (bed.requests().await?, processor(bed)?);
    let before = reconciles(bed).await;
    let begun = Instant::now();
    let (sender, _nobody) = mpsc::unbounded();
    let user = plain::create(&bed.user, bed.namespace.name(), names, sender);
    let done = async {
        while !is_done(bed, names.len() + 1).await? {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(begun.elapsed().as_secs_f64())
    };
    let ((), seconds) = futures::try_join!(user, done)?;
    check(bed, names.len() + 1).await?;
    let (after, last) = bed.quiet().await?;
    Ok(Operated {
        seconds,
        last: last.saturating_duration_since(begun).as_secs_f64(),
        processor: self::processor(bed)? - processor,
        requests: after.since(&requests),
        reconciles: reconciles(bed).await - before,
    })
}

async fn reconciles(bed: &Bed) -> u64 {
    let name = "ecs_operator_reconciles_total";
    bed.operator().metric(name, "EcsService").await
}

fn processor(bed: &Bed) -> Result<f64> {
    let id = bed.operator().process().context("the operator has ended")?;
    process::processor_seconds(id).context("Linux tells no times")
}

/// Whether the caches of the operator, which contain what the API server has sent, contain everything. Constantly
/// asking the API server would slow it down.
async fn is_done(bed: &Bed, services: usize) -> Result<bool> {
    let states = states(bed).await?;
    let count = |name: &str| states.0.get(name).copied().unwrap_or(0) as usize;
    let reported = count("InProgress") + count("Ready");
    Ok(reported == services && count("children") == services * CHILDREN.len())
}

/// Returns the number of services by state, and the number of children.
async fn states(bed: &Bed) -> Result<Counts> {
    let answer = bed.operator().get("/metrics").await;
    let (_, text) = answer.context("the operator tells no metrics")?;
    let mut states = Counts::of(&text, "ecs_operator_resources", |label| {
        (label("kind") == "EcsService").then(|| label("state"))
    });
    let children = text
        .lines()
        .find_map(|line| line.strip_prefix("ecs_operator_children ")?.parse().ok());
    states
        .0
        .insert("children".to_owned(), children.unwrap_or(0));
    Ok(states)
}

/// Checks with the API server that everything exists.
async fn check(bed: &Bed, services: usize) -> Result<()> {
    let namespace = bed.namespace.name();
    for (kind, version) in CHILDREN {
        let api = plain::api(&bed.user, namespace, version, kind);
        let list = api.list_metadata(&ListParams::default()).await?;
        let ours = list
            .iter()
            .filter(|object| object.metadata.owner_references.is_some());
        ensure!(ours.count() == services, "some {kind} is missing");
    }
    let list = plain::services(&bed.user, namespace)
        .list(&ListParams::default())
        .await?;
    let reported = |object: &&_| json!(object)["status"]["observedGeneration"] == 1;
    let count = list.iter().filter(reported).count();
    ensure!(
        count == services,
        "{count} services of {services} have a status"
    );
    Ok(())
}

/// Lets the operator create a service, as it does the first time more slowly.
async fn create_first(bed: &Bed) -> Result<()> {
    let (sender, _nobody) = mpsc::unbounded();
    let names = [SAMPLE.to_owned()];
    plain::create(&bed.user, bed.namespace.name(), &names, sender).await?;
    until("the first service", support::LIMIT, async || {
        Ok(is_done(bed, 1).await?.then_some(()))
    })
    .await?;
    bed.quiet().await.map(drop)
}

/// Lets the operator create a service, and checks that the plain client creates the same objects.
async fn sample(bed: &Bed) -> Result<Sample> {
    let names = [SAMPLE.to_owned()];
    create_first(bed).await?;
    // The objects that the operator should create.
    shop::children(bed.namespace.name(), SAMPLE)?;
    let object = json!(
        plain::services(&bed.user, bed.namespace.name())
            .get(SAMPLE)
            .await?
    );
    let revisions = plain::api(
        &bed.user,
        bed.namespace.name(),
        "apps/v1",
        "ControllerRevision",
    );
    let of_service = ListParams::default().labels(&format!("ecs-operator.dev/service={SAMPLE}"));
    let revisions = revisions.list(&of_service).await?;
    let revision = revisions.items.first().context("no service revision")?;
    let sample = Arc::new(Sample::new(
        bed.namespace.name(),
        SAMPLE,
        &object["status"],
        &json!(revision),
    )?);
    let mut namespace = bed.plane.namespace("compared").await?;
    namespace.keep();
    plain::run(bed, &namespace, &names, &sample, Method::Apply).await?;
    for (kind, version) in CHILDREN {
        let written = async |namespace: &str| -> Result<Value> {
            let api = plain::api(&bed.user, namespace, version, kind);
            Ok(significant(json!(api.get(SAMPLE).await?)))
        };
        let (ours, theirs) = (
            written(bed.namespace.name()).await?,
            written(namespace.name()).await?,
        );
        ensure!(ours == theirs, "not the same {kind}: {ours:#}\n{theirs:#}");
    }
    Arc::into_inner(sample).context("the plain client has ended")
}

/// Returns an object without the fields that the API server generates, and with the fields that the operator owns.
fn significant(mut object: Value) -> Value {
    for field in ["clusterIP", "clusterIPs"] {
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove(field);
        }
    }
    let fields = object["metadata"]["managedFields"][0]["fieldsV1"].to_string();
    // One of the fields has the UID of the owner in its name.
    let uid = object["metadata"]["ownerReferences"][0]["uid"]
        .as_str()
        .unwrap_or_default();
    json!({
        "labels": object["metadata"]["labels"],
        "annotations": object["metadata"]["annotations"],
        "fields": fields.replace(uid, "UID"),
        "spec": object["spec"],
    })
}

/// Reports in place of Kubernetes that all tasks are running, and waits until the operator has reported it.
pub async fn settle(bed: &Bed, names: &[String]) -> Result<()> {
    let requests = bed.requests().await?;
    let begun = Instant::now();
    let api = plain::api(&bed.user, bed.namespace.name(), "apps/v1", "Deployment");
    let status = json!({"status": {
        "observedGeneration": 1,
        "replicas": COUNT,
        "updatedReplicas": COUNT,
        "readyReplicas": COUNT,
        "availableReplicas": COUNT,
    }});
    stream::iter(names.iter().map(String::as_str).chain([SAMPLE]))
        .map(Ok)
        .try_for_each_concurrent(CONCURRENCY, async |name| {
            let (params, patch) = (PatchParams::default(), Patch::Merge(&status));
            api.patch_status(name, &params, &patch).await.map(drop)
        })
        .await?;
    let ready = names.len() as u64 + 1;
    until("all services to be ready", LIMIT, async || {
        Ok((states(bed).await?.0.get("Ready") == Some(&ready)).then_some(()))
    })
    .await?;
    let seconds = begun.elapsed().as_secs_f64();
    let (after, last) = bed.quiet().await?;
    println!(
        "  rollout: all Deployments become steady at once; every status tells so after {seconds:.2} s, the last event after {:.2} s; the operator: {} requests",
        last.saturating_duration_since(begun).as_secs_f64(),
        after.since(&requests)
    );
    Ok(())
}

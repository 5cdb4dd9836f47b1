//! Names of Service Connect that several services offer.

use std::collections::{BTreeMap, BTreeSet};

use ecs_operator_testbed::until;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, LIMIT, condition, task_definition, uid},
};

/// A service that offers the name `backend` at a port.
fn backend(port: u16) -> Value {
    json!({
        "taskDefinition": "web",
        "desiredCount": 2,
        "serviceConnectConfiguration": {"enabled": true, "services": [{
            "portName": "http", "discoveryName": "backend",
            "clientAliases": [{"port": port, "dnsName": "backend"}],
        }]},
    })
}

async fn definition(bed: &Bed) {
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["portMappings"][0]["name"] = json!("http");
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
}

/// Waits until clients of `backend` reach the tasks of these services, and no others.
async fn reaches(bed: &Bed, services: &[&str]) {
    let what = format!("backend to lead to {services:?}");
    until(&what, LIMIT, async || {
        let mut expected = BTreeSet::new();
        for service in services {
            expected.extend(bed.tasks(service).await.iter().map(|task| task.name_any()));
        }
        let of_backend = ListParams::default().labels("kubernetes.io/service-name=backend");
        let slices = bed.api::<EndpointSlice>().list(&of_backend).await?;
        let endpoints = slices
            .into_iter()
            .flat_map(|slice| slice.endpoints)
            .flatten();
        let found: BTreeSet<String> = endpoints
            .filter(|endpoint| endpoint.conditions.as_ref().unwrap().ready == Some(true))
            .map(|endpoint| endpoint.target_ref.unwrap().name.unwrap())
            .collect();
        Ok((found == expected && found.len() == 2 * services.len()).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn services_that_offer_one_name_are_reached_by_it_together() {
    let bed = bed("names").await;
    definition(&bed).await;
    bed.must_apply("EcsService", "one", backend(80)).await;
    bed.condition("EcsService", "one", "Ready", "True").await;
    reaches(&bed, &["one"]).await;
    let first: Service = bed.api().get("backend").await.unwrap();
    bed.must_apply("EcsService", "two", backend(80)).await;
    bed.condition("EcsService", "two", "Ready", "True").await;
    bed.condition("EcsService", "one", "Ready", "True").await;
    reaches(&bed, &["one", "two"]).await;

    // The name stays when whoever had it first is gone.
    let services = bed.resources("EcsService");
    let params = DeleteParams::default();
    services.delete("one", &params).await.unwrap();
    reaches(&bed, &["two"]).await;
    let last: Service = bed.api().get("backend").await.unwrap();
    assert_eq!(uid(&first), uid(&last));
    let address = |service: &Service| service.spec.clone().unwrap().cluster_ip;
    assert_eq!(address(&first), address(&last));
}

/// The `hostAliases` of a service's pods, by name.
async fn hosts(bed: &Bed, service: &str) -> BTreeMap<String, String> {
    let deployment: Deployment = bed.api().get(service).await.unwrap();
    let template = deployment.spec.unwrap().template.spec.unwrap();
    let aliases = template.host_aliases.unwrap_or_default().into_iter();
    aliases
        .flat_map(|alias| {
            let names = alias.hostnames.unwrap();
            names.into_iter().map(move |name| (name, alias.ip.clone()))
        })
        .collect()
}

#[tokio::test]
async fn names_with_dots_are_hosts_of_clients_that_begin_later() {
    let bed = bed("dots").await;
    definition(&bed).await;
    let offer = |name: &str| {
        json!({
            "taskDefinition": "web",
            "desiredCount": 1,
            // Without a dnsName clients use <discoveryName>.<namespace>.
            "serviceConnectConfiguration": {"enabled": true, "namespace": "internal", "services": [
                {"portName": "http", "discoveryName": name, "clientAliases": [{"port": 80}]},
            ]},
        })
    };
    let client = |force: &str| {
        json!({
            "taskDefinition": "web",
            "desiredCount": 1,
            "kubernetes": {"forceNewDeployment": force},
            "serviceConnectConfiguration": {"enabled": true, "namespace": "internal"},
        })
    };
    let address = async |name: &str| {
        let service: Service = bed.api().get(name).await.unwrap();
        service.spec.unwrap().cluster_ip.unwrap()
    };
    bed.must_apply("EcsService", "one", offer("orders")).await;
    let object = bed.condition("EcsService", "one", "Ready", "True").await;
    assert!(
        !object["status"]["warnings"]
            .to_string()
            .contains("ServiceConnectAlias"),
        "{object}"
    );
    bed.must_apply("EcsService", "client", client("")).await;
    bed.condition("EcsService", "client", "Ready", "True").await;
    let orders = ("orders.internal".to_owned(), address("orders").await);
    assert_eq!(hosts(&bed, "client").await, [orders.clone()].into());

    // As in ECS, what runs does not hear of a new name, and nothing is replaced because of it.
    let before = bed.tasks("client").await;
    bed.must_apply("EcsService", "two", offer("stock")).await;
    bed.condition("EcsService", "two", "Ready", "True").await;
    let change = Patch::Merge(json!({"metadata": {"labels": {"looked": "at"}}}));
    let services = bed.resources("EcsService");
    let params = PatchParams::default();
    services.patch("client", &params, &change).await.unwrap();
    let object = bed.condition("EcsService", "client", "Ready", "True").await;
    assert_ne!(
        object["status"]["renewal"]["state"], "available",
        "{object}"
    );
    assert_eq!(hosts(&bed, "client").await, [orders.clone()].into());
    let uids = |tasks: &[Pod]| tasks.iter().map(uid).collect::<BTreeSet<_>>();
    assert_eq!(uids(&bed.tasks("client").await), uids(&before));

    bed.must_apply("EcsService", "client", client("new names"))
        .await;
    let stock = ("stock.internal".to_owned(), address("stock").await);
    let both: BTreeMap<_, _> = [orders, stock].into();
    until("both names", LIMIT, async || {
        Ok((hosts(&bed, "client").await == both).then_some(()))
    })
    .await
    .unwrap();
    bed.condition("EcsService", "client", "Ready", "True").await;
}

#[tokio::test]
async fn a_name_that_leads_to_other_ports_stays_with_whoever_had_it_first() {
    let bed = bed("ports").await;
    definition(&bed).await;
    bed.must_apply("EcsService", "one", backend(80)).await;
    bed.condition("EcsService", "one", "Ready", "True").await;
    let before: Service = bed.api().get("backend").await.unwrap();
    bed.must_apply("EcsService", "two", backend(81)).await;
    let refused = |object: &Value| condition(object, "Ready")["reason"] == "ObjectNotOwned";
    let object = bed.until("EcsService", "two", "the refusal", refused).await;
    let message = condition(&object, "Ready")["message"].clone();
    let message = message.as_str().unwrap();
    assert!(
        message.contains("Service backend is shared with EcsService one"),
        "{message}"
    );
    for name in ["one", "two", "one"] {
        let change = Patch::Merge(json!({"metadata": {"labels": {"looked": name}}}));
        let services = bed.resources("EcsService");
        let params = PatchParams::default();
        services.patch(name, &params, &change).await.unwrap();
        bed.condition("EcsService", "one", "Ready", "True").await;
    }
    reaches(&bed, &["one"]).await;
    let now: Service = bed.api().get("backend").await.unwrap();
    assert_eq!(now.spec, before.spec);
    // With the same ports it is reached too.
    bed.must_apply("EcsService", "two", backend(80)).await;
    bed.condition("EcsService", "two", "Ready", "True").await;
    reaches(&bed, &["one", "two"]).await;
}

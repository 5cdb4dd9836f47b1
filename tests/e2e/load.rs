//! Requests without pause, and how many of them fail.

use std::time::Duration;

use ecs_operator_testbed::until;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use serde::Deserialize;
use serde_json::json;

use crate::{container::container, support::Bed};

/// What was asked, and how often in vain.
#[derive(Clone, Debug, Deserialize)]
pub struct Counts {
    /// How many requests were answered or failed.
    pub sent: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Why.
    pub errors: serde_json::Value,
}

/// A task that sends requests for as long as it runs.
pub struct Load {
    client: Client,
    path: String,
}

impl Load {
    /// Starts one that asks this, and waits until it does.
    pub async fn start(bed: &Bed, url: &str) -> Self {
        let mut asks = container("load", &["load", url]);
        asks["portMappings"] = json!([{"containerPort": 8080}]);
        asks["memory"] = json!(128);
        let definition = json!({"containerDefinitions": [asks]});
        bed.must_apply("EcsTaskDefinition", "load", definition)
            .await;
        bed.must_apply("EcsTask", "load", json!({"taskDefinition": "load"}))
            .await;
        bed.until("EcsTask", "load", "the load to begin", |object| {
            object["status"]["lastStatus"] == "RUNNING"
        })
        .await;
        let pods: Api<Pod> = bed.api();
        let of_load = ListParams::default().labels("ecs-operator.dev/task=load");
        let pod = pods.list(&of_load).await.unwrap().items.remove(0);
        let (name, namespace) = (pod.metadata.name.unwrap(), bed.namespace.name());
        let load = Self {
            client: bed.client.clone(),
            path: format!("/api/v1/namespaces/{namespace}/pods/{name}:8080/proxy/"),
        };
        load.reach(1).await;
        load
    }

    async fn ask(&self) -> anyhow::Result<Counts> {
        let request = Request::get(&self.path).body(Vec::new())?;
        Ok(serde_json::from_str(
            &self.client.request_text(request).await?,
        )?)
    }

    /// The counts by now.
    pub async fn counts(&self) -> Counts {
        self.ask().await.unwrap()
    }

    /// Waits until so many requests were sent.
    pub async fn reach(&self, sent: u64) -> Counts {
        until("requests", Duration::from_mins(5), async || {
            // It may not listen yet.
            Ok(self.ask().await.ok().filter(|counts| counts.sent >= sent))
        })
        .await
        .unwrap()
    }
}

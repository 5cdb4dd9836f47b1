//! `ecs-operator scaling explain`: who sets the number of tasks of a service, and what would have to happen for the next
//! change.

mod autoscaler;
mod policies;
mod schedule;
mod text;
mod words;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use k8s_openapi::{api::autoscaling::v2::HorizontalPodAutoscaler, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};

use self::text::text;
use super::{ClusterOptions, block_on, show, target::missing};
use crate::{cli::Error, crd::EcsService};

#[derive(Debug, Args)]
pub(in crate::cli) struct ScalingOptions {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say who sets the number of tasks of a service, and what would have to happen for the next change
    Explain(ExplainOptions),
}

#[derive(Debug, Args)]
struct ExplainOptions {
    /// The name of an EcsService
    #[arg(value_name = "SERVICE")]
    name: String,
    #[command(flatten)]
    cluster: ClusterOptions,
}

/// Explains the scaling of a service.
pub(in crate::cli) fn run(options: &ScalingOptions) -> Result<ExitCode, Error> {
    let What::Explain(options) = &options.what;
    block_on(async {
        let (client, namespace) = options.cluster.connect().await?;
        let name = options.name.strip_prefix("service/");
        let name = name.unwrap_or(&options.name);
        let services: Api<EcsService> = Api::namespaced(client.clone(), &namespace);
        let found = services.get_opt(name).await;
        let Some(service) = found.map_err(Error::request("get the EcsService"))? else {
            return Err(missing(&client, &namespace, name).await);
        };
        let autoscalers = Autoscalers::of(&service, &client, &namespace).await;
        show(&text(&service, &autoscalers, Timestamp::now()))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// What else sets the number of tasks of a service.
#[derive(Clone, Debug, Default)]
struct Autoscalers {
    /// The name of its ScaledObject.
    scaled_object: Option<String>,
    /// Its autoscaler, or that of its ScaledObject.
    horizontal: Option<HorizontalPodAutoscaler>,
    /// Why these may not be all.
    unread: Vec<String>,
}

impl Autoscalers {
    /// Reads those of a service. Users without permission for them see the service alone.
    async fn of(service: &EcsService, client: &Client, namespace: &str) -> Self {
        let mut found = Self::default();
        let all = ListParams::default();
        let kind = GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject");
        let resource = ApiResource::from_gvk(&kind);
        let objects: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), namespace, &resource);
        let mut owners: Vec<String> = service.uid().into_iter().collect();
        match objects.list(&all).await {
            Ok(listed) => {
                let mut listed = listed.into_iter();
                if let Some(object) = listed.find(|it| is_owned(it, &owners)) {
                    owners.extend(object.uid());
                    found.scaled_object = Some(object.name_any());
                }
            }
            // Without KEDA, the API server does not know the kind.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => found.unread.push(crate::cli::said(&error)),
        }
        let horizontal: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
        match horizontal.list(&all).await {
            Ok(listed) => {
                let mut listed = listed.into_iter();
                found.horizontal = listed.find(|it| is_owned(it, &owners));
            }
            Err(error) => found.unread.push(crate::cli::said(&error)),
        }
        found
    }
}

/// Whether one of these objects owns another one.
fn is_owned(object: &impl kube::Resource, owners: &[String]) -> bool {
    let of = object.meta().owner_references.iter().flatten();
    of.into_iter().any(|owner| owners.contains(&owner.uid))
}

//! `ecs-operator run`: starts the tasks of a schedule now.

use std::process::ExitCode;

use clap::Args;
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, PostParams},
    core::ApiResource,
};

use super::{ClusterOptions, block_on, show};
use crate::{
    cli::Error,
    controller::task_now,
    crd::{EcsSchedule, EcsTask},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct RunOptions {
    /// The name of an EcsSchedule
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    cluster: ClusterOptions,
}

/// Creates the EcsTask of a schedule, with the user's own permissions, and prints its name.
pub(in crate::cli) fn run(options: &RunOptions) -> Result<ExitCode, Error> {
    block_on(async {
        let (client, namespace) = options.cluster.connect().await?;
        let api: Api<EcsSchedule> = Api::namespaced(client.clone(), &namespace);
        let name = &options.schedule;
        let schedule = api.get_opt(name).await;
        let Some(schedule) = schedule.map_err(Error::request("get the EcsSchedule"))? else {
            let listed = api.list_metadata(&ListParams::default()).await;
            let listed = listed.map_err(Error::request("list the EcsSchedules"))?;
            let there: Vec<String> = listed.iter().map(ResourceExt::name_any).collect();
            return Err(Error::NoSuchSchedule {
                name: name.clone(),
                namespace,
                there: if there.is_empty() {
                    "none".to_owned()
                } else {
                    there.join(", ")
                },
            });
        };
        let task = task_now(&schedule, Timestamp::now()).map_err(|message| {
            let name = name.clone();
            Error::ScheduleRejected { name, message }
        })?;
        let resource = ApiResource::erase::<EcsTask>(&());
        let tasks: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
        let created = tasks.create(&PostParams::default(), &task).await;
        let created = created.map_err(Error::request("create the EcsTask"))?;
        let name = created.name_any();
        show(&format!(
            "ecstask/{name} created; follow it: ecs-operator logs {name}\n"
        ))?;
        Ok(ExitCode::SUCCESS)
    })
}

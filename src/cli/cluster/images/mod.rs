//! `ecs-operator images`: which images that services run, or return to, ECR deletes or archives.

mod outcome;
mod text;
mod used;

use std::{collections::BTreeSet, fs, path::PathBuf, process::ExitCode};

use clap::Args;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Client;

use self::{
    outcome::outcomes,
    text::text,
    used::{Objects, Use, uses},
};
use super::{ClusterOptions, block_on, say, show, terminal::harmless};
use crate::{
    cli::Error,
    controller::read_only,
    diagnostic::render::{Finding, full},
    ecr::{LifecyclePolicy, Repository},
};

/// The exit status if an image is gone, or will be within the days that count.
const LOST: u8 = 1;
/// The exit status if what becomes of an image is not known.
const FAILURE: u8 = 2;

#[derive(Debug, Args)]
pub(in crate::cli) struct ImagesOptions {
    /// The output of `aws ecr describe-images` for one repository
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    images: Vec<PathBuf>,
    /// The output of `aws ecr get-lifecycle-policy`, or the policy in it [default: the repository has none]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Read `kubectl get ecsservices,controllerrevisions -o yaml` from files, folders, or - for standard input [default: read the cluster]
    #[arg(long = "filename", short = 'f', num_args = 1.., value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Read the services of all namespaces
    #[arg(long, short = 'A', conflicts_with_all = ["namespace", "inputs"])]
    all_namespaces: bool,
    /// How many earlier revisions of each service count, besides what runs and what a rollback returns to
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    earlier: usize,
    /// The region of the repository [default: the only one of its images]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Exit with 1 also for images that are deleted or archived within this many days
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    days: u16,
    /// Say what is so at this time [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    cluster: ClusterOptions,
}

/// Says what becomes of the images that services use.
pub(in crate::cli) fn run(options: &ImagesOptions) -> Result<ExitCode, Error> {
    let repository = repository(&options.images)?;
    let policy = match &options.policy {
        Some(path) => match policy(path, &repository.name)? {
            Some(policy) => Some(policy),
            None => return Ok(ExitCode::from(FAILURE)),
        },
        None => None,
    };
    let objects = if options.inputs.is_empty() {
        block_on(in_cluster(options))?
    } else {
        Objects::in_files(&options.inputs).map_err(Error::Images)?
    };
    let (used, unknown) = uses(&objects, &repository, options.earlier);
    let used = of_region(used, options.region.as_deref())?;
    for line in &unknown {
        say(&format!("error: {}", harmless(line)))?;
    }
    let now = options.at.unwrap_or_else(Timestamp::now);
    let outcomes = outcomes(&repository, policy.as_ref(), used, now);
    show(&text(&repository, &outcomes))?;
    let soon = SignedDuration::from_hours(24 * i64::from(options.days));
    let until = now.checked_add(soon).unwrap_or(Timestamp::MAX);
    let is_lost = outcomes.iter().any(|it| it.becomes.is_lost(until));
    Ok(match (unknown.is_empty(), is_lost) {
        (false, _) => ExitCode::from(FAILURE),
        (true, true) => ExitCode::from(LOST),
        (true, false) => ExitCode::SUCCESS,
    })
}

fn read(path: &PathBuf) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })
}

/// Reads the images of a repository.
fn repository(paths: &[PathBuf]) -> Result<Repository, Error> {
    let pages = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let repository = Repository::read(pages.iter().map(String::as_str));
    let repository = repository.map_err(|(page, why)| {
        let path = paths.get(page).map(|path| path.display().to_string());
        let path = path.unwrap_or_default();
        Error::Images(format!(
            "{path} is no output of aws ecr describe-images: {why}"
        ))
    })?;
    repository.ok_or_else(|| {
        let why = "there are no images in --images, so nothing says which repository it is";
        Error::Images(why.to_owned())
    })
}

/// Reads the policy of a repository. `None` if it is not valid, which is said.
fn policy(path: &PathBuf, repository: &str) -> Result<Option<LifecyclePolicy>, Error> {
    let file = path.display().to_string();
    match LifecyclePolicy::read(&read(path)?) {
        Ok((_, Some(of))) if of != repository => Err(Error::Images(format!(
            "{file} has the policy of {of}, and --images has the images of {repository}"
        ))),
        Ok((policy, _)) => Ok(Some(policy)),
        Err(findings) => {
            for finding in findings.into_sorted() {
                say(full(&Finding::new(&finding, &file), false).trim_end())?;
            }
            Ok(None)
        }
    }
}

async fn in_cluster(options: &ImagesOptions) -> Result<Objects, Error> {
    let (client, namespace) = options.cluster.connect().await?;
    let client: Client = read_only(client);
    let namespace = (!options.all_namespaces).then_some(&*namespace);
    Objects::in_cluster(&client, namespace).await
}

/// Returns the uses of images of one region. The images of a repository are not known to be the same elsewhere.
fn of_region(mut used: Vec<Use>, region: Option<&str>) -> Result<Vec<Use>, Error> {
    if let Some(region) = region {
        used.retain(|it| it.region == region);
        return Ok(used);
    }
    let regions: BTreeSet<&str> = used.iter().map(|it| &*it.region).collect();
    if regions.len() > 1 {
        let regions: Vec<_> = regions.into_iter().collect();
        return Err(Error::Images(format!(
            "services use such a repository in {}: say with --region which one --images is about",
            regions.join(" and ")
        )));
    }
    Ok(used)
}

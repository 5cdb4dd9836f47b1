//! The settings of the operator, and how they are known.

use clap::Parser as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use super::{DiffOptions, SettingsFrom};
use crate::{
    cli::{
        Error,
        arguments::{Arguments, Command},
        controller::ControllerOptions,
    },
    controller::{Operator, Snapshot},
    policy::Tenancy,
    settings::Settings,
};

/// The label of the operator's Deployment.
const OPERATOR: &str = "app.kubernetes.io/name=ecs-operator";
/// The label with the version of the operator.
const VERSION: &str = "app.kubernetes.io/version";

/// The settings, and what a user should know about them.
pub(super) struct Given {
    pub(super) operator: Operator,
    pub(super) said: Vec<String>,
}

/// Returns the settings of the operator for a namespace.
pub(super) async fn given(
    options: &DiffOptions,
    client: &Client,
    snapshot: &Snapshot,
    namespace: &str,
) -> Result<Given, Error> {
    let own = options.settings.settings();
    let tenancy = options.tenancy.map(Tenancy::from);
    let are_given = own != Settings::default();
    let of_options = |settings| Given {
        operator: Operator {
            settings,
            tenancy: tenancy.unwrap_or_default(),
            renews: false,
        },
        said: ["the settings are those of the options of this command".to_owned()]
            .into_iter()
            .chain(assumed(tenancy))
            .collect(),
    };
    match options.settings_from {
        Some(SettingsFrom::Options) => Ok(of_options(own)),
        None if are_given => Ok(of_options(own)),
        Some(SettingsFrom::Deployment) => of_deployment(options, client, namespace)
            .await
            .map_err(Error::Preview),
        Some(SettingsFrom::Revision) => {
            of_revision(snapshot, namespace, tenancy).map_err(Error::Preview)
        }
        None => match of_deployment(options, client, namespace).await {
            Ok(given) => Ok(given),
            Err(why) => match of_revision(snapshot, namespace, tenancy) {
                Ok(mut given) => {
                    given.said.insert(0, why);
                    Ok(given)
                }
                Err(neither) => Err(Error::Preview(format!(
                    "the settings of the operator are not known: {why}, and {neither} (give them as options, or --settings-from options if it has the default ones)"
                ))),
            },
        },
    }
}

/// Returns the settings that the arguments of the operator's Deployment give.
async fn of_deployment(
    options: &DiffOptions,
    client: &Client,
    namespace: &str,
) -> Result<Given, String> {
    let (at, tenancy) = (
        &options.operator_namespace,
        options.tenancy.map(Tenancy::from),
    );
    let api: Api<Deployment> = Api::namespaced(client.clone(), at);
    let listed = api.list(&ListParams::default().labels(OPERATOR)).await;
    let listed = listed.map_err(|error| {
        format!(
            "cannot read the operator's Deployment: {}",
            crate::cli::said(&error)
        )
    })?;
    let [deployment] = listed.items.as_slice() else {
        return Err(format!(
            "there are {} Deployments of the operator in the namespace {at}",
            listed.items.len()
        ));
    };
    let name = deployment.name_any();
    let operator = understood(deployment).map_err(|why| {
        format!("cannot understand the arguments of Deployment {at}/{name}: {why}")
    })?;
    let mut said = Vec::new();
    let version = deployment.labels().get(VERSION).map(String::as_str);
    let own = env!("CARGO_PKG_VERSION");
    if let Some(version) = version.filter(|version| *version != own) {
        said.push(format!(
            "the operator has version {version} and this program {own}, so it may render other objects"
        ));
    }
    if !operator.watches(namespace) {
        said.push(format!(
            "the operator does not watch the namespace {namespace}, so nothing happens there"
        ));
    }
    Ok(Given {
        operator: Operator {
            settings: operator.settings(),
            tenancy: tenancy.unwrap_or_else(|| operator.tenancy()),
            renews: operator.renews(),
        },
        said,
    })
}

/// Returns the options of a Deployment's operator.
fn understood(deployment: &Deployment) -> Result<Box<ControllerOptions>, String> {
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|it| it.template.spec.as_ref());
    let containers = pod.map_or(&[][..], |pod| &pod.containers);
    let arguments = containers
        .iter()
        .filter_map(|container| container.args.as_ref())
        .find(|arguments| arguments.first().is_some_and(|it| it == "controller"));
    let arguments = arguments.ok_or("it has no container that runs the operator")?;
    let all = ["ecs-operator"]
        .into_iter()
        .chain(arguments.iter().map(String::as_str));
    match Arguments::try_parse_from(all) {
        Ok(Arguments {
            command: Command::Controller(options),
        }) => Ok(options),
        Ok(_) => Err("they are those of another command".to_owned()),
        Err(error) => Err(error
            .render()
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()),
    }
}

/// Returns the settings that the newest service revision was rendered with.
fn of_revision(
    snapshot: &Snapshot,
    namespace: &str,
    tenancy: Option<Tenancy>,
) -> Result<Given, String> {
    let (settings, name, operator) = snapshot.stored_settings().ok_or_else(|| {
        format!("the namespace {namespace} has no service revision that could tell them")
    })?;
    let mut said = vec![format!(
        "the settings are those with which the operator {operator} rendered ControllerRevision {name}; if they have changed since, the operator may do something else"
    )];
    let renewable = snapshot.renewable();
    if !renewable.is_empty() {
        said.push(format!(
            "the operator or its settings have changed: it would render {} differently now",
            renewable.join(", ")
        ));
    }
    said.extend(assumed(tenancy));
    let operator = Operator {
        settings,
        tenancy: tenancy.unwrap_or_default(),
        renews: false,
    };
    Ok(Given { operator, said })
}

/// Says what is assumed of an operator whose arguments are not known.
fn assumed(tenancy: Option<Tenancy>) -> Vec<String> {
    let shared = "the cluster is taken to be that of several teams (--tenancy multiple)";
    let renewal = "the operator is taken to start no renewals by itself";
    let shared = tenancy.is_none().then_some(shared);
    shared
        .into_iter()
        .chain([renewal])
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(arguments: &[&str]) -> Deployment {
        serde_json::from_value(json!({"metadata": {"name": "ecs-operator"}, "spec": {
            "selector": {}, "template": {"spec": {"containers": [
                {"name": "operator", "args": arguments},
            ]}},
        }}))
        .expect("it is a Deployment")
    }

    #[test]
    fn the_arguments_of_the_operator_are_its_settings() {
        let arguments = [
            "controller",
            "--iam=none",
            "--namespaces=shop",
            "--steady-seconds=7",
        ];
        let operator = understood(&deployment(&arguments)).expect("they are understood");
        assert_eq!(operator.settings().steady_seconds, 7);
        assert!(operator.watches("shop") && !operator.watches("other"));
    }

    #[test]
    fn arguments_of_a_newer_operator_are_not_guessed() {
        let error = understood(&deployment(&["controller", "--tomorrow=yes"]));
        let error = error.expect_err("nothing is known of it");
        assert!(error.contains("--tomorrow"), "{error}");
        assert!(understood(&deployment(&["convert", "a"])).is_err());
        assert!(understood(&deployment(&[])).is_err());
    }
}

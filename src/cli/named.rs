//! What options say about single things, and whether the input names them.

use std::collections::BTreeSet;

use crate::{
    diagnostic::Message,
    ecs::{ContainerDefinition, TaskDefinition},
    settings::Settings,
    source::{Content, Unit, Values},
    validate::credential_spec_location,
};

/// An option that says something about one thing, and that thing.
pub(super) type Named = (&'static str, String);

const DEVICE: &str = "--device";
const ENV_FILE: &str = "--env-file";
const FIRELENS_CONFIG: &str = "--firelens-config";
const FSX_HOST: &str = "--fsx-host";
const GMSA_CREDENTIAL_SPEC: &str = "--gmsa-credential-spec";
const IMAGE: &str = "--image";
const USER: &str = "--user";

/// Returns everything that options say something about.
pub(super) fn given(settings: &Settings, values: &Values) -> BTreeSet<Named> {
    let devices = settings.devices.keys().map(|it| (DEVICE, it));
    let environment = settings.environment_files.keys().map(|it| (ENV_FILE, it));
    let firelens = settings.firelens_files.keys();
    let firelens = firelens.map(|it| (FIRELENS_CONFIG, it));
    let shares = settings.fsx_hosts.keys().map(|it| (FSX_HOST, it));
    let accounts = settings.gmsa_credential_specs.keys();
    let accounts = accounts.map(|it| (GMSA_CREDENTIAL_SPEC, it));
    let images = values.images.keys().map(|it| (IMAGE, it));
    let users = settings.users.keys().map(|it| (USER, it));
    let all = devices.chain(environment).chain(firelens);
    let all = all.chain(shares).chain(accounts).chain(images).chain(users);
    all.map(|(option, key)| (option, key.clone())).collect()
}

/// Returns what a unit names of what options can say something about.
pub(super) fn named(unit: &Unit) -> BTreeSet<Named> {
    let (definition, overrides) = match &unit.content {
        Content::Service(input) => (&input.task_definition.request, None),
        Content::Task(input) => (
            &input.task_definition.request,
            input.request.overrides.as_ref(),
        ),
        Content::Schedule(input) => (&input.task_definition.request, input.overrides.as_ref()),
        Content::Rule(input) => match &input.task_definition {
            Some(definition) => (&definition.request, input.overrides.as_ref()),
            None => return BTreeSet::new(),
        },
        Content::AppRunner(_)
        | Content::CapacityProvider(_)
        | Content::Pipe(_)
        | Content::Nothing => {
            return BTreeSet::new();
        }
    };
    let overridden = overrides.map_or(&[][..], |overrides| &overrides.container_overrides);
    let files = overridden.iter().flat_map(|it| &it.environment_files);
    let files = files.filter_map(|file| file.value.as_deref());
    let of_containers = definition
        .container_definitions
        .iter()
        .flat_map(of_container);
    files
        .map(|file| (ENV_FILE, file))
        .chain(of_containers)
        .chain(of_volumes(definition))
        .map(|(option, key)| (option, key.to_owned()))
        .collect()
}

fn of_container(container: &ContainerDefinition) -> impl Iterator<Item = (&'static str, &str)> {
    let files = container.environment_files.iter();
    let files = files.filter_map(|file| file.value.as_deref());
    let router = container.firelens_configuration.as_ref();
    let configuration = router.and_then(|router| router.options.get("config-file-value"));
    let devices = container.linux_parameters.iter();
    let devices = devices.flat_map(|parameters| &parameters.devices);
    let accounts = container
        .credential_specs
        .iter()
        .chain(&container.docker_security_options);
    // A user and a group, each of which may be given by its name.
    let users = container.user.iter().flat_map(|user| user.split(':'));
    files
        .map(|file| (ENV_FILE, file))
        .chain(configuration.map(|file| (FIRELENS_CONFIG, file.as_str())))
        .chain(devices.filter_map(|device| Some((DEVICE, device.host_path.as_deref()?))))
        .chain(
            accounts
                .filter_map(|text| Some((GMSA_CREDENTIAL_SPEC, credential_spec_location(text)?))),
        )
        .chain(container.name.as_deref().map(|name| (IMAGE, name)))
        .chain(users.map(|user| (USER, user)))
}

fn of_volumes(definition: &TaskDefinition) -> impl Iterator<Item = (&'static str, &str)> {
    definition.volumes.iter().filter_map(|volume| {
        let share = volume
            .fsx_windows_file_server_volume_configuration
            .as_ref()?;
        Some((FSX_HOST, share.file_system_id.as_deref()?))
    })
}

/// Says that the input names nothing that an option says something about.
pub(super) fn unused((option, key): &Named) -> Message {
    let arn = key.clone();
    match *option {
        ENV_FILE => Message::EnvironmentFileUnused { arn },
        FIRELENS_CONFIG => Message::FirelensFileUnused { arn },
        option => Message::OptionUnused {
            option: option.to_owned(),
            value: key.clone(),
        },
    }
}

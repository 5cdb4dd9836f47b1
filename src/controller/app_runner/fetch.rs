//! What an App Runner service says, as the service of ECS that it is equal to.

use kube::ResourceExt as _;

use super::start::Start;
use crate::{
    app_runner::{placed, validate_app_runner},
    controller::{
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{AppRunnerService, RequestedStatus, WarningStatus},
    diagnostic::{FieldPath, Reason, Subject},
    image::TaggedImage,
    input::{AppRunnerInput, ServiceInput},
    settings::START_DEPLOYMENT,
    source::read_app_runner_service,
    translate::{WORKLOAD_LENGTH, kname, translate_service},
};

/// An App Runner service that is not rejected.
pub(super) struct Accepted {
    /// The ECS requests.
    pub(super) equal: ServiceInput,
    /// What it asks for besides.
    pub(super) requested: RequestedStatus,
    /// What begins a deployment besides an edit.
    pub(super) start: Start,
    /// The image whose tag is looked up, if the service deploys what is pushed.
    pub(super) watched: Option<String>,
    /// The differences from AWS.
    pub(super) warnings: Vec<WarningStatus>,
    /// Those that there are while what is pushed is deployed.
    pub(super) watched_warnings: Vec<WarningStatus>,
}

/// Returns what an App Runner service says, or everything that is wrong with it.
pub(super) fn read(cx: &Context, service: &AppRunnerService) -> Result<Accepted, Refusal> {
    let name = service.name_any();
    let (request, extensions, mut findings) = read_app_runner_service(&name, service.spec.text());
    let path = FieldPath::root(Subject::AppRunnerService).field("metadata");
    let path = path.field("annotations");
    let settings = cx.settings(&service.namespace().unwrap_or_default());
    let settings = settings.with_annotations(service.annotations(), &path, &mut findings);
    let input = AppRunnerInput {
        request,
        auto_scaling: None,
        extensions,
    };
    // What is left out has a default here, so that what is said of the rest may not be so.
    let checked = validate_app_runner(&input, &settings);
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let checked = checked.map_err(refused)?;
    let own = input.request.service_name.as_deref().unwrap_or(&name);
    let expected = kname(own, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("ServiceName", own, &expected));
    }
    let (_, notes) = translate_service(&checked.service, &settings);
    findings.append(checked.notes);
    findings.append(placed(&notes, &input));
    // The one that says so is reported wherever a service would deploy by itself.
    let deploys_itself = findings.has(Reason::AutoDeploymentsNotWatched);
    let source = input.request.source_configuration.as_ref();
    let is_asked_for = source.is_some_and(|it| it.auto_deployments_enabled == Some(true));
    let watched = image(&input).filter(|image| {
        deploys_itself
            && is_looked_up(cx, image)
            && (is_asked_for || is_of_account(image, settings.aws_account_id.as_deref()))
    });
    let warnings = Refusal::warnings(findings.clone());
    findings.forget(Reason::AutoDeploymentsNotWatched);
    Ok(Accepted {
        equal: checked.input,
        requested: RequestedStatus {
            generation: service.metadata.generation,
            paused: input.is_paused(),
            start_deployment: service.annotations().get(START_DEPLOYMENT).cloned(),
        },
        start: Start::default(),
        watched: watched.cloned(),
        warnings,
        watched_warnings: Refusal::warnings(findings),
    })
}

fn image(input: &AppRunnerInput) -> Option<&String> {
    let source = input.request.source_configuration.as_ref()?;
    source.image_repository.as_ref()?.image_identifier.as_ref()
}

/// Whether an image is in ECR in this account. App Runner deploys only such images by itself where it is not said
/// (<https://docs.aws.amazon.com/apprunner/latest/api/API_SourceConfiguration.html>).
fn is_of_account(image: &str, account: Option<&str>) -> bool {
    let image = TaggedImage::read(image);
    let registry = image.as_ref().and_then(TaggedImage::ecr);
    registry.is_some_and(|registry| Some(registry.account.as_str()) == account)
}

/// Whether the operator looks up what the tag of an image names.
fn is_looked_up(cx: &Context, image: &str) -> bool {
    let registries = cx.registries.as_ref().filter(|_| cx.lookups.is_some());
    registries.is_some_and(|registries| registries.asks(image))
}

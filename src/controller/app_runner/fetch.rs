//! What an App Runner service says, as the service of ECS that it is equal to.

use kube::ResourceExt as _;

use super::start::Start;
use crate::{
    app_runner::{Checked, of_source, placed, validate_app_runner, with_image},
    controller::{
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{AppRunnerService, BuiltBy, RequestedStatus, WarningStatus},
    diagnostic::{Diagnostics, FieldPath, Reason, Subject},
    image::TaggedImage,
    input::{AppRunnerInput, ServiceInput},
    settings::{START_DEPLOYMENT, Settings},
    source::read_app_runner_service,
    translate::{WORKLOAD_LENGTH, kname, translate_service},
};

/// What stands for the image of a service as long as a builder has made none.
const NO_IMAGE: &str =
    "no.image.invalid/yet@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What an App Runner service says.
pub(super) struct Asked {
    input: AppRunnerInput,
    findings: Diagnostics,
    settings: Settings,
}

/// An App Runner service that is not rejected.
pub(super) struct Accepted {
    /// The ECS requests.
    pub(super) equal: ServiceInput,
    /// What it asks for besides.
    pub(super) requested: RequestedStatus,
    /// What begins a deployment besides an edit.
    pub(super) start: Start,
    /// Whether App Runner would deploy what is new by itself.
    pub(super) deploys_itself: bool,
    /// The image whose tag is looked up, if the service deploys what is pushed.
    pub(super) watched: Option<String>,
    /// The differences from AWS.
    pub(super) warnings: Vec<WarningStatus>,
    /// Those that there are while what is pushed is deployed.
    pub(super) watched_warnings: Vec<WarningStatus>,
}

impl Asked {
    /// Reads what a service says.
    pub(super) fn read(cx: &Context, service: &AppRunnerService) -> Self {
        let name = service.name_any();
        let (request, extensions, mut findings) =
            read_app_runner_service(&name, service.spec.text());
        if extensions.built_by.is_some() {
            findings.forget(Reason::CodeRepositoryNeedsBuild);
        }
        let path = FieldPath::root(Subject::AppRunnerService).field("metadata");
        let path = path.field("annotations");
        let settings = cx.settings(&service.namespace().unwrap_or_default());
        let settings = settings.with_annotations(service.annotations(), &path, &mut findings);
        let input = AppRunnerInput {
            request,
            auto_scaling: None,
            extensions,
        };
        Self {
            input,
            findings,
            settings,
        }
    }

    /// The object of the builder that makes its image, if one does.
    pub(super) const fn built_by(&self) -> Option<&BuiltBy> {
        self.input.extensions.built_by.as_ref()
    }

    /// Returns the service with the image that a builder has made, if one makes it and has; or everything that is wrong.
    pub(super) fn judge(
        &self,
        cx: &Context,
        service: &AppRunnerService,
        image: Option<&str>,
    ) -> Result<Accepted, Refusal> {
        let built = self.built_by();
        let with_built = built.map(|_| with_image(&self.input, image.unwrap_or(NO_IMAGE)));
        let input = with_built.as_ref().unwrap_or(&self.input);
        let at_members = |findings: Diagnostics| match built {
            Some(_) => of_source(&findings),
            None => findings,
        };
        let mut findings = self.findings.clone();
        // What is left out has a default here, so that what is said of the rest may not be so.
        let checked = validate_app_runner(input, &self.settings);
        if findings.has_errors() {
            return Err(refused(findings));
        }
        let Checked {
            input: equal,
            service: checked,
            notes,
        } = checked.map_err(|errors| refused(at_members(errors)))?;
        let name = service.name_any();
        let own = input.request.service_name.as_deref().unwrap_or(&name);
        let expected = kname(own, WORKLOAD_LENGTH);
        if expected != name {
            return Err(Refusal::name_differs("ServiceName", own, &expected));
        }
        let (_, of_translation) = translate_service(&checked, &self.settings);
        findings.append(at_members(notes));
        findings.append(at_members(placed(&of_translation, input)));
        let source = input.request.source_configuration.as_ref();
        let is_asked_for = source.and_then(|it| it.auto_deployments_enabled);
        let watched = self.watched(cx, input, &findings);
        let warnings = Refusal::warnings(findings.clone());
        findings.forget(Reason::AutoDeploymentsNotWatched);
        Ok(Accepted {
            equal,
            requested: RequestedStatus {
                generation: service.metadata.generation,
                paused: input.is_paused(),
                start_deployment: service.annotations().get(START_DEPLOYMENT).cloned(),
                image: image.filter(|_| built.is_some()).map(str::to_owned),
            },
            start: Start::default(),
            deploys_itself: is_asked_for.unwrap_or(true),
            watched,
            warnings,
            watched_warnings: Refusal::warnings(findings),
        })
    }

    /// Returns the image whose tag is looked up, if that of the service is.
    fn watched(
        &self,
        cx: &Context,
        input: &AppRunnerInput,
        findings: &Diagnostics,
    ) -> Option<String> {
        // The one that says so is reported wherever a service would deploy by itself.
        let deploys_itself = findings.has(Reason::AutoDeploymentsNotWatched);
        let source = input.request.source_configuration.as_ref()?;
        let is_asked_for = source.auto_deployments_enabled == Some(true);
        let image = source.image_repository.as_ref()?.image_identifier.as_ref();
        let image = image.filter(|image| {
            deploys_itself
                && is_looked_up(cx, image)
                && (is_asked_for || is_of_account(image, self.settings.aws_account_id.as_deref()))
        });
        image.cloned()
    }
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
    let registries = cx.registries.as_ref().filter(|_| cx.lookups.are_of_tags());
    registries.is_some_and(|registries| registries.asks(image))
}

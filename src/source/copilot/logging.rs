//! Where the output of containers goes (<https://aws.github.io/copilot-cli/docs/developing/sidecars/#sidecar-patterns>).

use super::{
    super::{
        manifest::{Object, Report, Section, is_true, text},
        text::Span,
        tree::Node,
    },
    container::texts_of,
    member::{named, secret},
    variables::{self, Part, Provided},
    workload::Workload,
};

/// The container that routes logs, and its image if the manifest names none.
const ROUTER: &str = "firelens_log_router";
const ROUTER_IMAGE: &str = "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable";

/// What `logging` says.
#[derive(Debug)]
pub(super) struct Logging<'a> {
    /// The configuration of the main container, if there is a router.
    main: Option<Node<'a>>,
    /// The router.
    pub(super) router: Option<Node<'a>>,
    span: Span,
}

impl<'a> Logging<'a> {
    /// Takes the configuration.
    pub(super) fn take(
        workload: &Workload<'a>,
        top: &mut Section<'a>,
        provided: &Provided,
        report: &mut Report<'_>,
    ) -> Self {
        let span = workload.span();
        let mut made = Self {
            main: None,
            router: None,
            span,
        };
        let Some(mut section) = top.section("logging") else {
            return made;
        };
        section.unused(&["retention"], "the log group keeps what it has", report);
        if !section.is_empty() {
            let (main, router) = routed(workload, &mut section, provided, report);
            made.main = Some(main);
            made.router = Some(with_log(router, made.awslogs(workload)));
        }
        section.finish(report);
        made
    }

    /// Returns the log configuration of the main container.
    pub(super) fn of_main(&self, workload: &Workload<'a>) -> Node<'a> {
        self.main.clone().unwrap_or_else(|| self.awslogs(workload))
    }

    /// Returns that of the others.
    pub(super) fn of_others(&self, workload: &Workload<'a>) -> Node<'a> {
        self.awslogs(workload)
    }

    fn awslogs(&self, workload: &Workload<'a>) -> Node<'a> {
        let span = self.span;
        let mut options = Object::new(span);
        let group = format!("/copilot/{}", workload.stack());
        options.put("awslogs-group", text(span, group));
        options.put("awslogs-region", text(span, workload.region().to_owned()));
        options.put("awslogs-stream-prefix", text(span, "copilot"));
        let mut made = Object::new(span);
        made.put("logDriver", text(span, "awslogs"));
        made.put("options", options.node());
        made.node()
    }
}

/// Returns the log configuration of the main container, and the router.
fn routed<'a>(
    workload: &Workload<'a>,
    section: &mut Section<'a>,
    provided: &Provided,
    report: &mut Report<'_>,
) -> (Node<'a>, Object<'a>) {
    let span = section.span;
    let mut main = Object::new(span);
    main.put("logDriver", text(span, "awsfirelens"));
    main.maybe("options", section.section("destination").map(texts_of));
    let secrets = named(
        section,
        "secretOptions",
        "valueFrom",
        report,
        |member, report| secret(workload, &member.value, report),
    );
    main.elements("secretOptions", secrets);
    let mut router = Object::new(span);
    router.put("name", text(span, ROUTER));
    let image = section.text("image");
    router.put("image", image.unwrap_or_else(|| text(span, ROUTER_IMAGE)));
    let mut options = Object::new(span);
    let metadata = section.take("enableMetadata");
    let metadata = metadata.is_none_or(|node| is_true(&node));
    options.put("enable-ecs-log-metadata", text(span, metadata.to_string()));
    if let Some(path) = section.text("configFilePath") {
        options.put("config-file-type", text(span, "file"));
        options.put("config-file-value", path);
    }
    let mut firelens = Object::new(span);
    firelens.put("type", text(span, "fluentbit"));
    firelens.put("options", options.node());
    router.put("firelensConfiguration", firelens.node());
    variables::add(
        &mut router,
        Part::Other,
        section,
        workload,
        provided,
        report,
    );
    (main.node(), router)
}

fn with_log<'a>(mut router: Object<'a>, log: Node<'a>) -> Node<'a> {
    router.put("logConfiguration", log);
    router.node()
}

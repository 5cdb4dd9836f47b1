//! `ecs-operator controller`: runs the operator.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};
use http::Uri;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    Error,
    image_scan::ImageScanOptions,
    settings::SettingsOptions,
    values::{endpoint_url, event_queue, namespace, region, role_arn},
};
use crate::{
    controller::{
        self, CloudWatchOptions, ListedRegistry, Options, PrometheusOptions, RegistryOptions,
        SqsOptions,
    },
    ecr::ScanRules,
    policy::Tenancy,
    settings::{ExternalMetric, ListedMetric, MetricQuery, MetricSources, Settings},
    telemetry,
    validate::Queue,
};

#[derive(Debug, Args)]
pub(super) struct ControllerOptions {
    /// Watch only these namespaces [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = namespace)]
    namespaces: Vec<String>,
    /// Who shares the cluster: several teams, whose specs may use what EcsPolicies allow, or one, whose specs may use
    /// everything
    #[arg(long, value_enum, default_value = "multiple")]
    tenancy: TenancyOption,
    /// The address that serves health and metrics
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// The namespace of the lease for leader election
    #[arg(long, value_name = "NAME", default_value = "ecs-operator", value_parser = namespace)]
    lease_namespace: String,
    /// The name of the lease for leader election
    #[arg(long, value_name = "NAME", default_value = "ecs-operator")]
    lease_name: String,
    /// The identity of this replica [default: HOSTNAME and the process ID]
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// How many objects of a kind are reconciled concurrently
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Who starts a deployment of services that would be rendered differently now: a user with `ecs-operator renew`, or
    /// the operator
    #[arg(long, value_enum, default_value = "manual")]
    renewal: Renewal,
    /// How many services may have a deployment at a time when the operator renews them
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    renewal_max_in_flight: u16,
    /// The URL of the Prometheus that has the metrics of --metric-query
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    prometheus_url: Option<Uri>,
    /// The file with the bearer token for Prometheus
    #[arg(long, value_name = "FILE", requires = "prometheus_url")]
    prometheus_token_file: Option<PathBuf>,
    /// The file with the certificates of the authorities of Prometheus; required with https
    #[arg(long, value_name = "FILE", requires = "prometheus_url")]
    prometheus_ca_file: Option<PathBuf>,
    /// The Prometheus query for a CloudWatch metric, with the placeholders <<namespace>>, <<service>>, <<tasks>>,
    /// <<statistic>> and <<dimension.NAME>> (repeatable)
    #[arg(
        long,
        value_name = "NAMESPACE/METRIC=QUERY",
        requires = "prometheus_url"
    )]
    metric_query: Vec<MetricQuery>,
    /// The metric of external.metrics.k8s.io for a CloudWatch metric, as NAME or NAME{LABEL="VALUE"}, with the placeholders
    /// of --metric-query in values (repeatable)
    #[arg(long, value_name = "NAMESPACE/METRIC=NAME")]
    external_metric: Vec<ExternalMetric>,
    /// A metric that the operator reads from CloudWatch, or NAMESPACE/* for all of a namespace (repeatable)
    #[arg(long, value_name = "NAMESPACE/METRIC")]
    cloud_watch_metric: Vec<ListedMetric>,
    /// The region of these metrics [default: that of --aws-region]
    #[arg(long, value_name = "REGION", value_parser = region, requires = "cloud_watch_metric")]
    cloud_watch_region: Option<String>,
    /// The URL of CloudWatch, for instance of a VPC endpoint [default: the public one of the region]
    #[arg(long, value_name = "URL", value_parser = endpoint_url, requires = "cloud_watch_metric")]
    cloud_watch_endpoint: Option<Uri>,
    /// The role that the operator assumes to read CloudWatch [default: its own]
    #[arg(long, value_name = "ARN", value_parser = role_arn, requires = "cloud_watch_metric")]
    cloud_watch_role_arn: Option<String>,
    /// The file with the certificates of more authorities of CloudWatch than the public ones
    #[arg(long, value_name = "FILE", requires = "cloud_watch_metric")]
    cloud_watch_ca_file: Option<PathBuf>,
    /// Receive the messages of SQS queues for EcsPipes, and send dead letters of EcsSchedules and EcsRules
    #[arg(long)]
    sqs: bool,
    /// The URL of SQS, for instance of a VPC endpoint [default: the public one of the region of a queue]
    #[arg(long, value_name = "URL", value_parser = endpoint_url, requires = "sqs")]
    sqs_endpoint: Option<Uri>,
    /// The role that the operator assumes to receive messages [default: its own]
    #[arg(long, value_name = "ARN", value_parser = role_arn, requires = "sqs")]
    sqs_role_arn: Option<String>,
    /// The file with the certificates of more authorities of SQS than the public ones
    #[arg(long, value_name = "FILE", requires = "sqs")]
    sqs_ca_file: Option<PathBuf>,
    /// The queue to which rules in AWS send events for EcsRules
    #[arg(long, value_name = "ARN", value_parser = event_queue, requires = "sqs")]
    event_queue: Option<Queue>,
    /// A registry that is asked what tags mean when a deployment begins, such as docker.io or
    /// *.dkr.ecr.eu-west-1.amazonaws.com; with http:// before it, without TLS (repeatable)
    #[arg(long, value_name = "REGISTRY")]
    digest_registry: Vec<ListedRegistry>,
    /// The URL of the API of ECR, for instance of a VPC endpoint [default: the public one of each region]
    #[arg(long, value_name = "URL", value_parser = endpoint_url, requires = "digest_registry")]
    digest_ecr_endpoint: Option<Uri>,
    /// The role that the operator assumes to ask ECR [default: its own]
    #[arg(long, value_name = "ARN", value_parser = role_arn, requires = "digest_registry")]
    digest_role_arn: Option<String>,
    /// The file with the certificates of more authorities of registries than the public ones
    #[arg(long, value_name = "FILE", requires = "digest_registry")]
    digest_ca_file: Option<PathBuf>,
    #[command(flatten)]
    image_scan: ImageScanOptions,
    /// How often, in seconds, to look up the tags of App Runner services that deploy what is pushed [default: not at all]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86400), requires = "digest_registry")]
    auto_deployment_seconds: Option<u32>,
    /// The format of the log
    #[arg(long, value_enum, default_value = "json")]
    log_format: LogFormat,
    /// The log level, or levels of targets such as info,kube_client=debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,
    #[command(flatten)]
    settings: SettingsOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// One JSON object per line
    Json,
    /// Text for people
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TenancyOption {
    /// Several teams
    Multiple,
    /// One team
    Single,
}

impl From<TenancyOption> for Tenancy {
    fn from(option: TenancyOption) -> Self {
        match option {
            TenancyOption::Multiple => Self::Multiple,
            TenancyOption::Single => Self::Single,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Renewal {
    /// A user
    Manual,
    /// The operator
    Automatic,
}

/// Runs the operator until it is asked to terminate.
pub(super) fn run(options: &ControllerOptions) -> Result<ExitCode, Error> {
    options.check()?;
    let format = match options.log_format {
        LogFormat::Json => telemetry::Format::Json,
        LogFormat::Text => telemetry::Format::Text,
    };
    let level = telemetry::start(format, &options.log_level).map_err(Error::Log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let result = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("shutting down");
        };
        let run = Box::pin(controller::run(options.operator(), level, shutdown));
        Ok::<_, Error>(run.await)
    })?;
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            tracing::error!(%error, "the operator exits with an error");
            Ok(ExitCode::FAILURE)
        }
    }
}

impl ControllerOptions {
    /// Checks what no option shows by itself.
    fn check(&self) -> Result<(), Error> {
        let scheme = self.prometheus_url.as_ref().and_then(Uri::scheme_str);
        if scheme == Some("https") && self.prometheus_ca_file.is_none() {
            return Err(Error::PrometheusAuthorities);
        }
        let settings = self.settings();
        if !self.cloud_watch_metric.is_empty() && self.region().is_none() {
            return Err(Error::CloudWatchRegion);
        }
        if let Some(metric) = settings.metric_sources.ambiguous() {
            return Err(Error::TwoSources { metric });
        }
        // A single team owns all metrics.
        let of_others = match self.tenancy {
            TenancyOption::Multiple => settings.metric_sources.unbound(),
            TenancyOption::Single => None,
        };
        of_others.map_or(Ok(()), |metric| Err(Error::UnboundQuery { metric }))
    }

    /// Returns the settings of every translation.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            metric_sources: MetricSources {
                queries: self.metric_query.iter().cloned().collect(),
                external: self.external_metric.iter().cloned().collect(),
                listed: self.cloud_watch_metric.iter().cloned().collect(),
            },
            ..self.settings.settings()
        }
    }

    /// Returns who shares the cluster.
    pub(super) fn tenancy(&self) -> Tenancy {
        self.tenancy.into()
    }

    /// Whether the operator starts renewals.
    pub(super) fn renews(&self) -> bool {
        self.renewal == Renewal::Automatic
    }

    /// Whether the operator watches a namespace.
    pub(super) fn watches(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|it| it == namespace)
    }

    /// Returns the region of CloudWatch.
    fn region(&self) -> Option<String> {
        let own = self.cloud_watch_region.clone();
        own.or_else(|| self.settings.settings().aws_region)
    }

    /// Returns where CloudWatch is, if it is asked for anything.
    fn cloud_watch(&self) -> Option<CloudWatchOptions> {
        if self.cloud_watch_metric.is_empty() {
            return None;
        }
        Some(CloudWatchOptions {
            region: self.region()?,
            endpoint: self.cloud_watch_endpoint.clone(),
            role_arn: self.cloud_watch_role_arn.clone(),
            ca_file: self.cloud_watch_ca_file.clone(),
        })
    }

    /// Returns the registries that are asked for digests, if any are.
    fn registries(&self) -> Option<RegistryOptions> {
        (!self.digest_registry.is_empty()).then(|| RegistryOptions {
            listed: self.digest_registry.clone(),
            ecr_endpoint: self.digest_ecr_endpoint.clone(),
            role_arn: self.digest_role_arn.clone(),
            ca_file: self.digest_ca_file.clone(),
        })
    }

    /// Returns what in images holds deployments back, if anything does.
    pub(super) fn scan_rules(&self) -> Option<ScanRules> {
        self.image_scan.rules()
    }

    fn operator(&self) -> Options {
        let identity = self.identity.clone().unwrap_or_else(|| {
            let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "ecs-operator".to_owned());
            format!("{host}_{}", std::process::id())
        });
        Options {
            settings: self.settings(),
            tenancy: self.tenancy(),
            namespaces: self.namespaces.clone(),
            lease_namespace: self.lease_namespace.clone(),
            lease_name: self.lease_name.clone(),
            identity,
            listen: self.listen,
            concurrency: self.concurrency,
            prometheus: self.prometheus_url.clone().map(|url| PrometheusOptions {
                url,
                token_file: self.prometheus_token_file.clone(),
                ca_file: self.prometheus_ca_file.clone(),
            }),
            cloud_watch: self.cloud_watch(),
            sqs: self.sqs.then(|| SqsOptions {
                endpoint: self.sqs_endpoint.clone(),
                role_arn: self.sqs_role_arn.clone(),
                ca_file: self.sqs_ca_file.clone(),
            }),
            event_queue: self.event_queue.clone(),
            registries: self.registries(),
            scan_rules: self.scan_rules(),
            auto_deployments: self
                .auto_deployment_seconds
                .map(|it| Duration::from_secs(it.into())),
            renewals: (self.renewal == Renewal::Automatic).then_some(self.renewal_max_in_flight),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::arguments::{Arguments, Command};

    /// Parses flags of the operator, and returns why it would not start with them.
    fn refusal(flags: &[&str]) -> Option<String> {
        let program = ["ecs-operator", "controller"];
        let arguments = Arguments::try_parse_from(program.iter().chain(flags));
        match arguments.map(|arguments| arguments.command) {
            Ok(Command::Controller(options)) => options.check().err().map(|it| it.to_string()),
            Ok(_) => panic!("it is another command"),
            Err(error) => Some(error.to_string()),
        }
    }

    #[test]
    fn queries_that_cannot_be_asked_or_show_metrics_of_others_are_refused() {
        let url = "--prometheus-url=http://prometheus:9090/prefix";
        let by_queue = "--metric-query=Shop/Backlog=backlog{queue=\"<<dimension.Queue>>\"}";
        let bound = "--metric-query=Shop/Backlog=backlog{queue=\"<<dimension.Queue>>\",ns=\"<<namespace>>\"}";
        for flags in [
            &[url][..],
            &[url, bound, "--prometheus-token-file=/token"],
            &[url, by_queue, "--tenancy=single"],
            &[url, "--metric-query=Shop/Backlog=backlog"],
            &[
                "--prometheus-url=https://prometheus",
                "--prometheus-ca-file=/ca.crt",
            ],
        ] {
            assert_eq!(refusal(flags), None, "{flags:?}");
        }
        for (flags, expected) in [
            (
                &[url, by_queue][..],
                "the query or external metric for Shop/Backlog selects by a dimension",
            ),
            (&[bound], "--prometheus-url"),
            (
                &["--prometheus-url=https://prometheus"],
                "--prometheus-ca-file",
            ),
            (
                &["--prometheus-url=prometheus:9090"],
                "expected http://HOST",
            ),
            (
                &["--prometheus-url=http://user:word@prometheus"],
                "expected http://HOST",
            ),
            (
                &["--prometheus-url=http://prometheus?x=y"],
                "expected http://HOST",
            ),
            (
                &[url, "--metric-query=Shop/Backlog=<<dimension.Queue>>"],
                "label matcher",
            ),
        ] {
            let found = refusal(flags).unwrap_or_default();
            assert!(found.contains(expected), "{flags:?}: {found}");
        }
    }

    #[test]
    fn external_metrics_are_selected_by_labels_and_the_namespace() {
        let all = "--external-metric=Shop/Backlog=backlog";
        let by_queue = "--external-metric=Shop/Backlog=backlog{queue=\"<<dimension.Queue>>\"}";
        let bound = "--external-metric=Shop/Backlog=backlog{queue=\"<<dimension.Queue>>\",ns=\"<<namespace>>\"}";
        for flags in [&[all][..], &[bound], &[by_queue, "--tenancy=single"]] {
            assert_eq!(refusal(flags), None, "{flags:?}");
        }
        let listed = "--cloud-watch-metric=Shop/*";
        for (flags, expected) in [
            (
                &[by_queue][..],
                "or external metric for Shop/Backlog selects",
            ),
            (&["--external-metric=Shop/Backlog=sum(a)"], "NAME{LABEL="),
            (&["--external-metric=backlog"], "must be NAMESPACE/METRIC"),
            (&[all, listed, "--aws-region=eu-west-1"], "two sources"),
        ] {
            let found = refusal(flags).unwrap_or_default();
            assert!(found.contains(expected), "{flags:?}: {found}");
        }
    }

    #[test]
    fn metrics_of_cloudwatch_have_a_region_and_no_query() {
        let url = "--prometheus-url=http://prometheus:9090/prefix";
        let query = "--metric-query=Shop/Backlog=backlog";
        let (metric, region) = (
            "--cloud-watch-metric=AWS/SQS/Sent",
            "--aws-region=eu-west-1",
        );
        let all = "--cloud-watch-metric=Shop/*";
        let role = "--cloud-watch-role-arn=arn:aws:iam::123456789012:role/reader";
        for flags in [
            &[metric, region][..],
            &[metric, "--cloud-watch-region=us-east-1", role],
            &[metric, region, url, query],
            &[
                metric,
                region,
                "--cloud-watch-endpoint=https://vpce-1.example",
            ],
            // A region for other things reads no metric.
            &[region],
        ] {
            assert_eq!(refusal(flags), None, "{flags:?}");
        }
        for (flags, expected) in [
            (&[metric][..], "--cloud-watch-region"),
            (&["--cloud-watch-region=eu-west-1"], "--cloud-watch-metric"),
            (
                &[metric, "--cloud-watch-region=Ireland"],
                "expected a region",
            ),
            (
                &[metric, region, "--cloud-watch-role-arn=reader"],
                "expected an ARN",
            ),
            (&["--cloud-watch-metric=Sent", region], "NAMESPACE/METRIC"),
            (&[all, region, url, query], "Shop/Backlog has two sources"),
        ] {
            let found = refusal(flags).unwrap_or_default();
            assert!(found.contains(expected), "{flags:?}: {found}");
        }
    }
}

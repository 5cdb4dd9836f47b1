//! From where a service is reached.

use super::{probes::checked_path, root};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    input::AppRunnerInput,
    settings::Settings,
};

/// The class of Ingress that has a scheme, so that it can be closed to the internet.
const ALB: &str = "alb";

/// Returns the load balancer of a service; none for a private one that could not be kept private.
pub(super) fn expose(
    input: &AppRunnerInput,
    name: &str,
    port: i64,
    settings: &Settings,
    sink: &mut Diagnostics,
) -> Option<crd::Expose> {
    let request = &input.request;
    let network = request.network_configuration.as_ref();
    let path = root().field("NetworkConfiguration");
    if network.is_some_and(|it| it.ip_address_type.as_deref() == Some("DUAL_STACK")) {
        let path = path.field("IpAddressType");
        sink.report(path, Message::DualStackNotConfigured);
    }
    let ingress = network.and_then(|it| it.ingress_configuration.as_ref());
    let is_public = ingress.and_then(|it| it.is_publicly_accessible);
    let is_public = is_public.unwrap_or(ecs::IngressConfiguration::DEFAULT_IS_PUBLICLY_ACCESSIBLE);
    let path = path.field("IngressConfiguration");
    let path = path.field("IsPubliclyAccessible");
    let is_alb = settings.ingress_class == ALB;
    if !is_public && !is_alb {
        let name = format!("{name}:{port}");
        sink.report(path, Message::PrivateIngressNotProvided { name });
        return None;
    }
    sink.report(path, Message::AppRunnerDomainNotProvided);
    if is_alb {
        report_check(request, sink);
    }
    Some(crd::Expose {
        r#type: Some(ALB.to_owned()),
        container_name: Some(name.to_owned()),
        container_port: Some(port),
        scheme: (!is_public).then(|| "internal".to_owned()),
        hosts: hosts(&input.extensions.custom_domains),
        ..crd::Expose::default()
    })
}

/// Returns the host names of custom domains, each once.
fn hosts(domains: &[crd::CustomDomain]) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for domain in domains {
        let name = &domain.domain_name;
        // A wildcard stands for `www` too.
        let has_www = domain.enable_www_subdomain != Some(false) && !name.starts_with("*.");
        let www = has_www.then(|| format!("www.{name}"));
        for host in [Some(name.clone()), www].into_iter().flatten() {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
    hosts
}

/// Says that an Application Load Balancer checks instances by itself, unless its check is that of the service.
fn report_check(request: &ecs::AppRunnerService, sink: &mut Diagnostics) {
    let check = root().field("HealthCheckConfiguration");
    let (path, what): (FieldPath, _) = match checked_path(request) {
        Some("/") => return,
        Some(path) => (check.field("Path"), path.to_owned()),
        None => (check.field("Protocol"), "TCP".to_owned()),
    };
    sink.report(path, Message::LoadBalancerChecksRoot { what });
}

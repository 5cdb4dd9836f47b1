//! Network mode, DNS and hosts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::{
        core::v1::{HostAlias, PodDNSConfig},
        networking::v1::{NetworkPolicy, NetworkPolicySpec},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::NO_NETWORK,
    translate::{Context, Object, Workload},
    validate::{DnsSetting, HostName, Link, Network, NetworkMode},
};

/// The first version with `hostnameOverride` by default.
const HOSTNAME_OVERRIDE_MINOR: u32 = 35;

/// Adds the network settings that the containers share.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let Network {
        mode,
        isolated,
        hostname,
        dns_servers,
        dns_search_domains,
        hosts,
        links,
        // Translated with the ports.
        unlisted_ranges: _,
    } = &cx.task_definition.network;
    network_mode(cx, *mode, *isolated, draft, notes);
    if let Some(hostname) = hostname {
        set_hostname(cx, hostname, draft, notes);
    }
    dns(
        dns_servers.as_ref(),
        dns_search_domains.as_ref(),
        draft,
        notes,
    );
    for link in links {
        let Link {
            container,
            index,
            alias,
        } = link;
        let path = path(*container).field("links").index(*index);
        let alias = alias.clone();
        let variable = format!("{}_PORT", alias.to_uppercase().replace('-', "_"));
        notes.report(path, Message::LinksBecomeLocalhost { alias, variable });
    }
    let aliases = hosts.iter().map(|host| HostAlias {
        ip: host.ip.clone(),
        hostnames: Some(host.names.clone()),
    });
    let mut aliases: Vec<HostAlias> = aliases.collect();
    aliases.extend(connect_hosts(cx, &aliases));
    draft.spec.host_aliases = (!aliases.is_empty()).then_some(aliases);
}

/// The names of the Service Connect namespace, by address. ECS writes them to `/etc/hosts` too, as they are when a
/// deployment begins
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts-deploy.html>). The task
/// definition's own names win.
fn connect_hosts(cx: &Context<'_>, own: &[HostAlias]) -> Vec<HostAlias> {
    let Workload::Service(service) = cx.workload else {
        return Vec::new();
    };
    let Some(connect) = &service.service_connect else {
        return Vec::new();
    };
    let own: BTreeSet<&String> = own
        .iter()
        .flat_map(|host| &host.hostnames)
        .flatten()
        .collect();
    let mut by_address: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, address) in &connect.hosts {
        if !own.contains(name) {
            by_address.entry(address).or_default().push(name.clone());
        }
    }
    let hosts = by_address.into_iter();
    hosts
        .map(|(address, names)| HostAlias {
            ip: address.to_owned(),
            hostnames: Some(names),
        })
        .collect()
}

fn network_mode(
    cx: &Context<'_>,
    mode: NetworkMode,
    isolated: bool,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) {
    let root = FieldPath::root(Subject::TaskDefinition);
    match mode {
        NetworkMode::Awsvpc | NetworkMode::None => {}
        NetworkMode::Bridge => {
            let containers = &cx.task_definition.containers;
            if containers.len() > 1 {
                let are_mapped = containers.iter().any(|it| !it.ports.is_empty());
                let ports = if are_mapped {
                    ", and host ports are not assigned dynamically"
                } else {
                    ""
                };
                let message = Message::BridgeNetworkSharesPodNamespace {
                    ports: ports.to_owned(),
                };
                notes.report(root.field("networkMode"), message);
            }
        }
        NetworkMode::Host => {
            draft.spec.host_network = Some(true);
            draft.spec.dns_policy = Some("ClusterFirstWithHostNet".to_owned());
        }
    }
    let reason = match mode {
        NetworkMode::None => root.field("networkMode"),
        _ if isolated => path(0).field("disableNetworking"),
        _ => return,
    };
    notes.report(reason, Message::NetworkNoneIsNetworkPolicy);
    draft
        .labels
        .insert(NO_NETWORK.to_owned(), "true".to_owned());
    draft.objects.push(Object::NetworkPolicy(deny_all(cx)));
}

/// Returns a policy that selects the pods without a network and allows nothing. Pods of another revision may have one.
fn deny_all(cx: &Context<'_>) -> NetworkPolicy {
    let mut labels = cx.selector();
    labels.insert(NO_NETWORK.to_owned(), "true".to_owned());
    NetworkPolicy {
        metadata: cx.metadata(format!("{}-no-network", cx.object_name())),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(labels),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// Sets the host name of all containers. A name of several labels needs `hostnameOverride`; on the host's network, the
/// node's name cannot be hidden.
fn set_hostname(cx: &Context<'_>, hostname: &HostName, draft: &mut Draft, notes: &mut Diagnostics) {
    let HostName { container, name } = hostname;
    let path = path(*container).field("hostname");
    if draft.spec.host_network == Some(true) {
        notes.report(path, Message::HostnameOfTheNode);
        return;
    }
    match name.split_once('.') {
        None => draft.spec.hostname = Some(name.clone()),
        Some(_) if cx.settings.kubernetes_minor >= HOSTNAME_OVERRIDE_MINOR => {
            draft.spec.hostname_override = Some(name.clone());
        }
        Some((first, _)) => {
            draft.spec.hostname = Some(first.to_owned());
            let value = first.to_owned();
            notes.report(path, Message::HostnameTruncated { value });
        }
    }
}

fn dns(
    servers: Option<&DnsSetting>,
    domains: Option<&DnsSetting>,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) {
    if servers.is_none() && domains.is_none() {
        return;
    }
    if let Some(DnsSetting {
        container,
        values: _,
    }) = servers
    {
        draft.spec.dns_policy = Some("None".to_owned());
        notes.report(
            path(*container).field("dnsServers"),
            Message::ClusterDnsReplaced,
        );
    }
    if let (None, Some(domains)) = (servers, domains) {
        let path = path(domains.container).field("dnsSearchDomains");
        notes.report(path, Message::DnsSearchAfterCluster);
    }
    let values = |setting: Option<&DnsSetting>| setting.map(|setting| setting.values.clone());
    draft.spec.dns_config = Some(PodDNSConfig {
        nameservers: values(servers),
        searches: values(domains),
        options: None,
    });
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::{Scenario, yaml};

    const EC2: &str = r#""networkMode": "bridge""#;

    /// Returns a service whose task definition has `members`, with containers that have these members.
    fn service(members: &str, containers: &[&str]) -> Scenario {
        let containers: Vec<String> = containers
            .iter()
            .enumerate()
            .map(|(index, members)| {
                let comma = if members.is_empty() { "" } else { "," };
                format!(r#"{{"name": "c{index}", "image": "i", "memory": 64{comma} {members}}}"#)
            })
            .collect();
        Scenario::service(format!(
            r#"{{"family": "web", {members}, "containerDefinitions": [{}]}}"#,
            containers.join(",")
        ))
    }

    fn mode(mode: &str) -> String {
        format!(r#""networkMode": "{mode}""#)
    }

    #[test]
    fn network_modes_become_pod_networks() {
        for (members, containers, spec, warnings) in [
            (mode("awsvpc"), 2, "{}", &[][..]),
            (mode("bridge"), 1, "{}", &[]),
            (
                mode("bridge"),
                2,
                "{}",
                &["networkMode: BridgeNetworkSharesPodNamespace"],
            ),
            (
                r#""cpu": "256""#.to_owned(),
                2,
                "{}",
                &["networkMode: BridgeNetworkSharesPodNamespace"],
            ),
            (
                mode("host"),
                2,
                "{hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet}",
                &[],
            ),
            (
                mode("none"),
                1,
                "{}",
                &["networkMode: NetworkNoneIsNetworkPolicy"],
            ),
        ] {
            let outcome = service(&members, &vec![""; containers]).run();
            let wanted = yaml(spec);
            for field in ["hostNetwork", "dnsPolicy"] {
                assert_eq!(outcome.pod_spec()[field], wanted[field], "{members}");
            }
            let found: Vec<String> = outcome
                .warnings()
                .into_iter()
                .filter(|line| line.starts_with("networkMode"))
                .collect();
            assert_eq!(found, warnings, "{members}");
            let policies = usize::from(members.contains("none"));
            assert_eq!(outcome.objects_of("NetworkPolicy").len(), policies);
        }
    }

    #[test]
    fn no_network_is_a_policy_that_allows_nothing() {
        let spec = "{podSelector: {matchLabels: {ecs-operator.dev/service: web, ecs-operator.dev/no-network: 'true'}}, policyTypes: [Ingress, Egress]}";
        let outcome = service(EC2, &[r#""disableNetworking": true"#]).run();
        assert_eq!(
            outcome.object("NetworkPolicy", "web-no-network")["spec"],
            yaml(spec)
        );
        assert_eq!(
            outcome.warnings(),
            ["containerDefinitions[0].disableNetworking: NetworkNoneIsNetworkPolicy"]
        );
        let task = Scenario::task(
            r#"{"family": "job", "networkMode": "none", "containerDefinitions": [{"name": "a", "image": "i", "memory": 64}]}"#,
        )
        .run();
        assert_eq!(
            task.object("NetworkPolicy", "job-task-no-network")["spec"]["podSelector"],
            yaml(
                "{matchLabels: {ecs-operator.dev/task: job, ecs-operator.dev/no-network: 'true'}}"
            )
        );
        assert_eq!(
            task.pod()["metadata"]["labels"]["ecs-operator.dev/no-network"],
            "true"
        );
        let networked = service(EC2, &[r#""disableNetworking": false"#, ""]).run();
        assert!(networked.objects_of("NetworkPolicy").is_empty());
    }

    #[test]
    fn networks_that_cannot_be_are_rejected() {
        let fargate = |mode: &str| {
            format!(
                r#"{mode} "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512""#
            )
        };
        let off = r#""disableNetworking": true"#;
        for (members, containers, rejection) in [
            (
                fargate(""),
                &[""][..],
                "networkMode: FargateNetworkMode: Fargate needs networkMode awsvpc; set networkMode: awsvpc, or use EC2 capacity",
            ),
            (
                fargate(r#""networkMode": "bridge","#),
                &[""],
                "networkMode: FargateNetworkMode: Fargate needs networkMode awsvpc; set networkMode: awsvpc, or use EC2 capacity",
            ),
            (
                fargate(r#""networkMode": "host","#),
                &[""],
                "networkMode: FargateNetworkMode: Fargate needs networkMode awsvpc; set networkMode: awsvpc, or use EC2 capacity",
            ),
            (
                fargate(r#""networkMode": "awsvpc","#),
                &[off],
                "containerDefinitions[0].disableNetworking: FargateUnsupportedParameter: disableNetworking is not supported on Fargate; remove it, or use EC2 capacity",
            ),
            (
                mode("bridge"),
                &["", off],
                "containerDefinitions[1].disableNetworking: DisableNetworkingUnsupported: networking cannot be disabled for one container of several; move c1 to its own task definition, or remove disableNetworking",
            ),
            (
                mode("bridge"),
                &[r#""disableNetworking": true, "portMappings": [{"containerPort": 80}]"#],
                "containerDefinitions[0].portMappings: PortMappingsWithNetworkNone: portMappings are not allowed with disableNetworking; remove portMappings, or use networkMode awsvpc",
            ),
            (
                r#""networkMode": "host", "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}"#.to_owned(),
                &[""],
                "networkMode: WindowsUnsupportedParameter: networkMode host is not supported for Windows containers; remove it, or set operatingSystemFamily to LINUX if the task is for Linux",
            ),
        ] {
            assert_eq!(service(&members, containers).rejections(), [rejection], "{members}");
        }
        let eks = |mode: &str| {
            service(&fargate(&format!(r#""networkMode": "{mode}","#)), &[""])
                .settings(|settings| settings.compute = crate::settings::Compute::EksFargate)
                .rejections()
        };
        assert_eq!(
            eks("host"),
            [
                "networkMode: HostNetworkOnFargate: EKS Fargate has no host network; use networkMode awsvpc, or run on nodes"
            ]
        );
        assert_eq!(
            eks("none"),
            [
                "networkMode: FargateNetworkMode: Fargate needs networkMode awsvpc; set networkMode: awsvpc, or use EC2 capacity"
            ]
        );
    }

    #[test]
    fn what_a_service_asks_of_fargate_is_checked_too() {
        let scenario = service(EC2, &[""]).request(r#"{"launchType": "FARGATE"}"#);
        let rejections = scenario.rejections();
        assert!(
            rejections.contains(
                &"networkMode: FargateNetworkMode: Fargate needs networkMode awsvpc; set networkMode: awsvpc, or use EC2 capacity".to_owned()
            ),
            "{rejections:?}"
        );
    }

    #[test]
    fn links_and_extra_hosts_are_host_aliases() {
        let outcome = service(
            EC2,
            &[
                r#""links": ["c1:DB", "c2"], "extraHosts": [{"hostname": "a.example", "ipAddress": "10.0.0.1"}, {"hostname": "B.example", "ipAddress": "10.0.0.2"}]"#,
                r#""extraHosts": [{"hostname": "c.example", "ipAddress": "10.0.0.1"}, {"hostname": "both", "ipAddress": "10.0.0.3"}, {"hostname": "both", "ipAddress": "fd00::3"}]"#,
                r#""links": ["c1:db"], "extraHosts": [{"hostname": "a.example", "ipAddress": "10.0.0.1"}]"#,
            ],
        )
        .run();
        assert_eq!(
            outcome.pod_spec()["hostAliases"],
            yaml(
                "[{ip: 127.0.0.1, hostnames: [db, c2]}, {ip: 10.0.0.1, hostnames: [a.example, c.example]},
                {ip: 10.0.0.2, hostnames: [b.example]}, {ip: 10.0.0.3, hostnames: [both]}, {ip: 'fd00::3', hostnames: [both]}]"
            )
        );
        let links: Vec<String> = outcome
            .messages()
            .into_iter()
            .filter(|line| line.contains("LinksBecomeLocalhost"))
            .collect();
        assert_eq!(
            links,
            [
                "containerDefinitions[0].links[0]: LinksBecomeLocalhost: db resolves to 127.0.0.1, because the containers of a pod share one network namespace, and the variables that Docker sets for a link, such as DB_PORT, are not set; make sure that linked containers listen on different ports, and set the variables in environment if the image reads them",
                "containerDefinitions[0].links[1]: LinksBecomeLocalhost: c2 resolves to 127.0.0.1, because the containers of a pod share one network namespace, and the variables that Docker sets for a link, such as C2_PORT, are not set; make sure that linked containers listen on different ports, and set the variables in environment if the image reads them",
                "containerDefinitions[2].links[0]: LinksBecomeLocalhost: db resolves to 127.0.0.1, because the containers of a pod share one network namespace, and the variables that Docker sets for a link, such as DB_PORT, are not set; make sure that linked containers listen on different ports, and set the variables in environment if the image reads them",
            ]
        );
    }

    #[test]
    fn hosts_that_cannot_be_are_rejected() {
        let host = |name: &str, ip: &str| {
            format!(r#""extraHosts": [{{"hostname": "{name}", "ipAddress": "{ip}"}}]"#)
        };
        let extra = "containerDefinitions[0].extraHosts";
        let conflict = "ExtraHostsConflict: a has two addresses in this task; a pod has one /etc/hosts: keep one of the addresses";
        for (members, containers, rejection) in [
            (
                mode("awsvpc"),
                vec![r#""links": ["c1"]"#.to_owned(), String::new()],
                "containerDefinitions[0].links: LinksNeedBridge: links need networkMode bridge; remove links, and connect to the other container on localhost".to_owned(),
            ),
            (
                mode("host"),
                vec![r#""links": ["c1"]"#.to_owned(), String::new()],
                "containerDefinitions[0].links: LinksNeedBridge: links need networkMode bridge; remove links, and connect to the other container on localhost".to_owned(),
            ),
            (
                mode("bridge"),
                vec![r#""links": ["c1:my_db"]"#.to_owned(), String::new()],
                "containerDefinitions[0].links[0]: InvalidValue: c1:my_db: give a name that DNS allows, as in name:alias, with letters, digits and -".to_owned(),
            ),
            (
                mode("awsvpc"),
                vec![host("a", "10.0.0.1")],
                format!("{extra}: ExtraHostsWithAwsvpc: extraHosts is not supported with networkMode awsvpc; remove extraHosts, or use networkMode bridge on EC2 capacity"),
            ),
            (
                mode("bridge"),
                vec![host("host.docker.internal", "host-gateway")],
                format!("{extra}[0].ipAddress: InvalidValue: host-gateway: must be an IP address"),
            ),
            (
                mode("bridge"),
                vec![host("a_b", "10.0.0.1")],
                format!("{extra}[0].hostname: InvalidValue: a_b: must be a DNS name of letters, digits, - and ."),
            ),
            (
                mode("bridge"),
                vec![host("a", "10.0.0.1"), host("A", "10.0.0.2")],
                format!("containerDefinitions[1].extraHosts[0].hostname: {conflict}"),
            ),
            (
                mode("bridge"),
                vec![format!(r#""links": ["c1:a"], {}"#, host("a", "10.0.0.1")), String::new()],
                format!("{extra}[0].hostname: {conflict}"),
            ),
        ] {
            let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
            assert_eq!(service(&members, &containers).rejections(), [rejection]);
        }
    }

    #[test]
    fn a_pod_has_one_host_name() {
        let named = |members: &str, name: &str| {
            service(members, &["", &format!(r#""hostname": "{name}""#)])
        };
        let short = service(EC2, &[r#""hostname": "shop""#, r#""hostname": "shop""#]).run();
        assert_eq!(short.pod_spec()["hostname"], "shop");
        let long = named(EC2, "shop.example.com");
        let outcome = long.clone().run();
        assert_eq!(outcome.pod_spec()["hostnameOverride"], "shop.example.com");
        assert!(outcome.pod_spec()["hostname"].is_null());
        let outcome = long
            .settings(|settings| settings.kubernetes_minor = 34)
            .run();
        assert_eq!(outcome.pod_spec()["hostname"], "shop");
        let at = "containerDefinitions[1].hostname";
        assert!(outcome.messages().contains(&format!(
            "{at}: HostnameTruncated: Kubernetes before 1.35 uses only shop of the hostname; choose a shorter hostname without dots"
        )));
        let outcome = named(r#""networkMode": "host""#, "shop").run();
        assert!(outcome.pod_spec()["hostname"].is_null());
        assert_eq!(outcome.warnings(), [format!("{at}: HostnameOfTheNode")]);

        let long = "x".repeat(64);
        for (members, names, rejection) in [
            (
                mode("awsvpc"),
                ["", "shop"],
                "HostnameWithAwsvpc: hostname is not supported with networkMode awsvpc; remove hostname, or use networkMode bridge on EC2 capacity".to_owned(),
            ),
            (
                mode("bridge"),
                ["shop", "till"],
                "HostnameConflict: containers have different hostnames; a pod has one: give all containers the same".to_owned(),
            ),
            (
                mode("bridge"),
                ["", long.as_str()],
                format!(
                    "InvalidValue: {long}: must be a DNS name of lower-case letters, digits, - and ., at most 64 characters in all and 63 between dots"
                ),
            ),
        ] {
            let containers = names.map(|name| match name {
                "" => String::new(),
                _ => format!(r#""hostname": "{name}""#),
            });
            let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
            assert_eq!(
                service(&members, &containers).rejections(),
                [format!("{at}: {rejection}")]
            );
        }
    }

    #[test]
    fn a_pod_has_one_dns() {
        for (members, containers, policy, config) in [
            (
                EC2,
                [
                    r#""dnsServers": ["10.0.0.2", "fd00:0::2"], "dnsSearchDomains": ["Example.com"]"#,
                    "",
                ],
                "None",
                "{nameservers: [10.0.0.2, 'fd00::2'], searches: [example.com]}",
            ),
            (
                EC2,
                [
                    "",
                    r#""dnsSearchDomains": ["example.com", "a_b.internal."]"#,
                ],
                "null",
                "{searches: [example.com, a_b.internal.]}",
            ),
            (
                r#""networkMode": "host""#,
                [
                    r#""dnsServers": ["10.0.0.2"]"#,
                    r#""dnsServers": ["10.0.0.2"]"#,
                ],
                "None",
                "{nameservers: [10.0.0.2]}",
            ),
            (EC2, ["", ""], "null", "null"),
        ] {
            let outcome = service(members, &containers).run();
            let policy = if policy == "None" { "'None'" } else { policy };
            assert_eq!(outcome.pod_spec()["dnsPolicy"], yaml(policy));
            assert_eq!(outcome.pod_spec()["dnsConfig"], yaml(config));
            assert_eq!(outcome.has("ClusterDnsReplaced"), policy == "'None'");
        }
    }

    #[test]
    fn dns_that_a_pod_cannot_have_is_rejected() {
        let many: Vec<String> = (0..33).map(|i| format!(r#""d{i}.example""#)).collect();
        let many = format!(r#""dnsSearchDomains": [{}]"#, many.join(","));
        for (containers, rejection) in [
            (
                [
                    r#""dnsServers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]"#,
                    "",
                ],
                "[0].dnsServers: TooManyDnsServers: a pod takes at most 3 DNS servers; keep three of them",
            ),
            (
                [r#""dnsServers": ["dns.example.com"]"#, ""],
                "[0].dnsServers[0]: InvalidValue: dns.example.com: must be an IP address",
            ),
            (
                [
                    r#""dnsServers": ["1.1.1.1"]"#,
                    r#""dnsServers": ["1.1.1.2"]"#,
                ],
                "[1].dnsServers: DnsSettingsConflict: containers have different dnsServers; a pod has one DNS configuration: give all containers the same",
            ),
            (
                [
                    r#""dnsSearchDomains": ["a"]"#,
                    r#""dnsSearchDomains": ["b"]"#,
                ],
                "[1].dnsSearchDomains: DnsSettingsConflict: containers have different dnsSearchDomains; a pod has one DNS configuration: give all containers the same",
            ),
            (
                [r#""dnsSearchDomains": ["a b"]"#, ""],
                "[0].dnsSearchDomains[0]: InvalidValue: a b: must be a DNS name",
            ),
            (
                [&many, ""],
                "[0].dnsSearchDomains: InvalidValue: 33 search domains: a pod takes at most 32",
            ),
        ] {
            assert_eq!(
                service(EC2, &containers).rejections(),
                [format!("containerDefinitions{rejection}")]
            );
        }
    }
}

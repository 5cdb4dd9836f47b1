use crate::translate::testing::{Scenario, yaml};

/// A task definition in a network mode with containers that have these members.
fn definition(mode: &str, containers: &[&str]) -> String {
    let containers: Vec<String> = containers
        .iter()
        .enumerate()
        .map(|(index, members)| {
            let comma = if members.is_empty() { "" } else { "," };
            format!(r#"{{"name": "c{index}", "image": "i", "memory": 64{comma} {members}}}"#)
        })
        .collect();
    format!(
        r#"{{"family": "web", "networkMode": "{mode}", "containerDefinitions": [{}]}}"#,
        containers.join(",")
    )
}

fn rejected(definition: String, reason: &str) {
    let rejections = Scenario::service(definition).rejections();
    assert!(
        rejections.iter().any(|line| line.contains(reason)),
        "{reason}: {rejections:?}"
    );
}

#[test]
fn host_ports_follow_the_network_mode() {
    for (mode, mapping, host_port) in [
        ("awsvpc", r#"{"containerPort": 80, "hostPort": 80}"#, "null"),
        ("awsvpc", r#"{"containerPort": 80, "hostPort": 0}"#, "null"),
        ("host", r#"{"containerPort": 80}"#, "80"),
        (
            "bridge",
            r#"{"containerPort": 80, "hostPort": 8080}"#,
            "8080",
        ),
        ("bridge", r#"{"containerPort": 80, "hostPort": 0}"#, "null"),
        ("bridge", r#"{"containerPort": 80}"#, "null"),
    ] {
        let text = definition(mode, &[&format!(r#""portMappings": [{mapping}]"#)]);
        let outcome = Scenario::service(text).run();
        let port = &outcome.container("c0")["ports"][0];
        assert_eq!(port["hostPort"], yaml(host_port), "{mode} {mapping}");
        assert_eq!(
            outcome.has("StaticHostPort"),
            mode == "bridge" && host_port != "null",
            "{mode} {mapping}"
        );
    }
}

#[test]
fn ports_have_names_that_kubernetes_takes() {
    let outcome = Scenario::service(definition(
        "awsvpc",
        &[
            r#""portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 81, "name": "a_b"},
                {"containerPort": 82, "name": "much-too-long-for-a-port"}, {"containerPort": 53, "protocol": "udp"}]"#,
            r#""portMappings": [{"containerPort": 90, "name": "http"}, {"containerPortRange": "7000-7002"}]"#,
        ],
    ))
    .run();
    let names = |container: &str| -> Vec<String> {
        let ports = outcome.container(container)["ports"]
            .as_array()
            .unwrap()
            .clone();
        ports
            .iter()
            .map(|port| port["name"].as_str().unwrap_or("-").to_owned())
            .collect()
    };
    assert_eq!(names("c0"), ["http", "p81-tcp", "p82-tcp", "p53-udp"]);
    assert_eq!(names("c1"), ["-", "p7000-tcp", "p7001-tcp", "p7002-tcp"]);
}

#[test]
fn a_large_range_is_not_listed() {
    let text = |range: &str| {
        definition(
            "awsvpc",
            &[&format!(
                r#""portMappings": [{{"containerPortRange": "{range}"}}]"#
            )],
        )
    };
    let outcome = Scenario::service(text("7000-7100")).run();
    assert!(outcome.has("PortRangeTooLarge") && outcome.container("c0")["ports"].is_null());
    let outcome = Scenario::service(text("7000-7099")).run();
    assert!(!outcome.has("PortRangeTooLarge"));
    assert_eq!(
        outcome.container("c0")["ports"].as_array().unwrap().len(),
        100
    );
}

#[test]
fn ports_that_ecs_or_a_pod_cannot_have_are_rejected() {
    let one =
        |mode: &str, mapping: &str| definition(mode, &[&format!(r#""portMappings": [{mapping}]"#)]);
    rejected(
        one("awsvpc", r#"{"containerPort": 80, "hostPort": 81}"#),
        "HostPortMismatch",
    );
    rejected(
        one("host", r#"{"containerPort": 80, "hostPort": 81}"#),
        "HostPortMismatch",
    );
    rejected(
        one("none", r#"{"containerPort": 80}"#),
        "PortMappingsWithNetworkNone",
    );
    rejected(
        one(
            "awsvpc",
            r#"{"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}"#,
        ),
        "PortMultipleProtocols",
    );
    rejected(one("awsvpc", r#"{"containerPort": 0}"#), "InvalidValue");
    rejected(one("awsvpc", "{}"), "RequiredField");
    rejected(
        one("awsvpc", r#"{"containerPortRange": "9-8"}"#),
        "InvalidValue",
    );
    rejected(
        one("host", r#"{"containerPortRange": "8-9"}"#),
        "InvalidValue",
    );
    let twice = r#""portMappings": [{"containerPort": 80}]"#;
    rejected(
        definition("bridge", &[twice, twice]),
        "ContainerPortConflict",
    );
    let range = r#""portMappings": [{"containerPortRange": "70-90"}]"#;
    rejected(
        definition("bridge", &[twice, range]),
        "ContainerPortConflict",
    );
}

#[test]
fn network_modes_become_pod_networks() {
    let host = Scenario::service(definition("host", &[""])).run();
    assert_eq!(host.pod_spec()["hostNetwork"], yaml("true"));
    assert_eq!(host.pod_spec()["dnsPolicy"], "ClusterFirstWithHostNet");
    assert!(
        Scenario::service(definition("bridge", &["", ""]))
            .run()
            .has("BridgeNetworkSharesPodNamespace")
    );
    assert!(
        !Scenario::service(definition("bridge", &[""]))
            .run()
            .has("BridgeNetworkSharesPodNamespace")
    );
    for text in [
        definition("none", &[""]),
        definition("bridge", &[r#""disableNetworking": true"#]),
    ] {
        let outcome = Scenario::service(text).run();
        assert_eq!(
            outcome.object("NetworkPolicy", "web")["spec"],
            yaml(
                "{podSelector: {matchLabels: {ecs-operator.dev/service: web}}, policyTypes: [Ingress, Egress]}"
            )
        );
        assert!(outcome.has("NetworkNoneIsNetworkPolicy"));
    }
    rejected(
        definition("bridge", &[r#""disableNetworking": true"#, ""]),
        "DisableNetworkingUnsupported",
    );
    let fargate =
        definition("bridge", &[""]).replacen('{', r#"{"requiresCompatibilities": ["FARGATE"],"#, 1);
    rejected(fargate, "FargateNetworkMode");
}

#[test]
fn links_and_extra_hosts_are_host_aliases() {
    let outcome = Scenario::service(definition(
        "bridge",
        &[
            r#""links": ["c1:db"], "extraHosts": [{"hostname": "a.example", "ipAddress": "10.0.0.1"}, {"hostname": "b.example", "ipAddress": "10.0.0.2"}]"#,
            r#""extraHosts": [{"hostname": "c.example", "ipAddress": "10.0.0.1"}]"#,
        ],
    ))
    .run();
    assert_eq!(
        outcome.pod_spec()["hostAliases"],
        yaml(
            "[{ip: 127.0.0.1, hostnames: [db]}, {ip: 10.0.0.1, hostnames: [a.example, c.example]}, {ip: 10.0.0.2, hostnames: [b.example]}]"
        )
    );
    assert!(outcome.has("LinksBecomeLocalhost"));
    rejected(
        definition("awsvpc", &[r#""links": ["c1"]"#, ""]),
        "LinksNeedBridge",
    );
    let host = |ip: &str| format!(r#""extraHosts": [{{"hostname": "a", "ipAddress": "{ip}"}}]"#);
    rejected(
        definition("awsvpc", &[&host("10.0.0.1")]),
        "ExtraHostsWithAwsvpc",
    );
    rejected(
        definition("bridge", &[&host("host-gateway")]),
        "InvalidValue",
    );
    rejected(
        definition("bridge", &[&host("10.0.0.1"), &host("10.0.0.2")]),
        "ExtraHostsConflict",
    );
}

#[test]
fn a_pod_has_one_host_name_and_one_dns() {
    let fqdn = definition("bridge", &[r#""hostname": "app.example.com""#]);
    let outcome = Scenario::service(fqdn.clone()).run();
    assert_eq!(outcome.pod_spec()["hostnameOverride"], "app.example.com");
    let old = Scenario::service(fqdn)
        .settings(|settings| settings.kubernetes_minor = 34)
        .run();
    assert_eq!(old.pod_spec()["hostname"], "app");
    assert!(old.has("HostnameTruncated"));
    rejected(
        definition("bridge", &[r#""hostname": "a""#, r#""hostname": "b""#]),
        "HostnameConflict",
    );
    rejected(
        definition("awsvpc", &[r#""hostname": "a""#]),
        "HostnameWithAwsvpc",
    );

    let outcome = Scenario::service(definition(
        "bridge",
        &[
            r#""dnsServers": ["10.0.0.2"], "dnsSearchDomains": ["example.com"]"#,
            "",
        ],
    ))
    .run();
    assert_eq!(outcome.pod_spec()["dnsPolicy"], "None");
    assert_eq!(
        outcome.pod_spec()["dnsConfig"],
        yaml("{nameservers: [10.0.0.2], searches: [example.com]}")
    );
    assert!(outcome.has("ClusterDnsReplaced"));
    rejected(
        definition(
            "bridge",
            &[r#""dnsServers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]"#],
        ),
        "TooManyDnsServers",
    );
    rejected(
        definition(
            "bridge",
            &[
                r#""dnsServers": ["1.1.1.1"]"#,
                r#""dnsServers": ["1.1.1.2"]"#,
            ],
        ),
        "DnsSettingsConflict",
    );
}

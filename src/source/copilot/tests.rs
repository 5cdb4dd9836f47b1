//! Tests of manifests as a whole, and of their members.

use super::{
    super::{
        syntax::parse_one,
        testing::{expansion, units, value_after},
    },
    *,
};

fn values(environment: Option<&str>, fill: &[(&str, &str)]) -> Values {
    let fill = fill.iter();
    Values {
        fill: fill
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
        environment: environment.map(str::to_owned),
        region: Some("eu-west-1".to_owned()),
        account_id: Some("111122223333".to_owned()),
        ..Values::default()
    }
}

/// Returns the requests of a manifest, and what is said of it.
fn expanded(manifest: &str, values: &Values) -> (Vec<String>, Vec<String>) {
    let root = parse_one("manifest.yml", manifest).unwrap().unwrap();
    assert!(is_manifest(&root), "{manifest}");
    let (requests, findings) = expansion(manifest, &expand(&root, "manifest.yml", values));
    let findings = findings.iter().map(|message| {
        let help = message.help();
        format!("{}: {message}; {help}", message.reason())
    });
    (requests, findings.collect())
}

/// Returns the value after `key:` in the requests of a manifest of this type with these members.
fn made(type_: &str, members: &str, key: &str) -> String {
    let manifest = format!("name: web\ntype: {type_}\n{members}\n");
    let values = values(Some("prod"), &[("COPILOT_APPLICATION_NAME", "shop")]);
    let (requests, _) = expanded(&manifest, &values);
    value_after(&requests.join("\n"), key)
}

const BACKEND: &str = "Backend Service";
const WEB: &str = "Load Balanced Web Service";

#[test]
fn manifests_are_recognized() {
    let table = [
        ("{name: a, type: Backend Service}", true),
        ("{name: a, type: Static Site}", true),
        ("{name: a, type: Environment}", true),
        ("{name: a, type: module}", false),
        ("{type: Backend Service}", false),
        ("{name: 1, type: Backend Service}", false),
        ("[{name: a, type: Backend Service}]", false),
    ];
    for (manifest, expected) in table {
        let root = parse_one("a.yml", manifest).unwrap().unwrap();
        assert_eq!(is_manifest(&root), expected, "{manifest}");
    }
}

#[test]
fn members_of_a_task_are_translated() {
    let table = [
        ("", "cpu", r#""256""#),
        ("memory: 2048", "memory", r#""2048""#),
        ("", "family", r#""web""#),
        (
            "platform: linux/arm64",
            "runtimePlatform",
            r#"{operatingSystemFamily:"LINUX",cpuArchitecture:"ARM64"}"#,
        ),
        (
            "platform: {osfamily: windows_server_2022_core, architecture: x86_64}",
            "runtimePlatform",
            r#"{operatingSystemFamily:"WINDOWS_SERVER_2022_CORE",cpuArchitecture:"X86_64"}"#,
        ),
        ("image: {build: .}", "image", r#""${web.image}""#),
        ("image: {location: nginx}", "image", r#""nginx""#),
        ("storage: {ephemeral: 20}", "ephemeralStorage", "-"),
        (
            "storage: {ephemeral: 21}",
            "ephemeralStorage",
            "{sizeInGiB:21}",
        ),
        (
            "storage: {readonly_fs: true}",
            "readonlyRootFilesystem",
            "true",
        ),
        ("command: run 'a b' c", "command", r#"["run","a b","c"]"#),
        ("entrypoint: [run, it]", "entryPoint", r#"["run","it"]"#),
        (
            "secrets: {A: /a, B: {secretsmanager: b}, C: {from_cfn: c}}",
            "secrets",
            concat!(
                r#"[{name:"A",valueFrom:"/a"},"#,
                r#"{name:"B",valueFrom:"arn:aws:secretsmanager:eu-west-1:111122223333:secret:b"},"#,
                r#"{name:"C",valueFrom:"${c}"}]"#
            ),
        ),
        (
            "variables: {A: 1, COPILOT_SERVICE_NAME: own}",
            "environment",
            concat!(
                r#"[{name:"COPILOT_APPLICATION_NAME",value:"shop"},"#,
                r#"{name:"COPILOT_ENVIRONMENT_NAME",value:"prod"},"#,
                r#"{name:"A",value:"1"},{name:"COPILOT_SERVICE_NAME",value:"own"}]"#
            ),
        ),
        (
            "image: {location: a, healthcheck: {interval: 1m}}",
            "healthCheck",
            concat!(
                r#"{command:["CMD-SHELL","curl -f http://localhost/ || exit 1"],"#,
                "interval:60,retries:2,startPeriod:0,timeout:5}"
            ),
        ),
        (
            "image: {location: a, depends_on: {b: success}}",
            "dependsOn",
            r#"[{containerName:"b",condition:"SUCCESS"}]"#,
        ),
        (
            "storage: {volumes: {v: {path: /v, efs: {id: fs-1, auth: {iam: true, access_point_id: ap}}}}}",
            "efsVolumeConfiguration",
            concat!(
                r#"{fileSystemId:"fs-1",rootDirectory:"/",transitEncryption:"ENABLED","#,
                r#"authorizationConfig:{accessPointId:"ap",iam:"ENABLED"}}"#
            ),
        ),
        (
            "storage: {volumes: {v: {path: /v}}}",
            "mountPoints",
            r#"[{sourceVolume:"v",containerPath:"/v",readOnly:true}]"#,
        ),
        (
            "",
            "options",
            concat!(
                r#"{awslogs-group:"/copilot/shop-prod-web",awslogs-region:"eu-west-1","#,
                r#"awslogs-stream-prefix:"copilot"}"#
            ),
        ),
        (
            "logging: {destination: {Name: x}}",
            "logConfiguration",
            r#"{logDriver:"awsfirelens",options:{Name:"x"}}"#,
        ),
        (
            "logging: {enableMetadata: false, configFilePath: /a.conf}",
            "firelensConfiguration",
            concat!(
                r#"{type:"fluentbit",options:{enable-ecs-log-metadata:"false","#,
                r#"config-file-type:"file",config-file-value:"/a.conf"}}"#
            ),
        ),
    ];
    for (members, key, expected) in table {
        assert_eq!(made(BACKEND, members, key), expected, "{members}");
    }
}

#[test]
fn members_of_a_service_are_translated() {
    let image = "image: {location: a, port: 80}\n";
    let table = [
        (WEB, "count: 3", "desiredCount", "3"),
        (WEB, "", "desiredCount", "1"),
        (WEB, "count: {range: 2-9}", "desiredCount", "2"),
        (
            WEB,
            "count: {range: 2-9}",
            "scalableTarget",
            "{MinCapacity:2,MaxCapacity:9}",
        ),
        (
            WEB,
            "count: {spot: 4}",
            "capacityProviderStrategy",
            r#"[{capacityProvider:"FARGATE_SPOT",weight:1}]"#,
        ),
        (
            WEB,
            "count: {range: {min: 1, max: 5, spot_from: 3}}",
            "capacityProviderStrategy",
            concat!(
                r#"[{capacityProvider:"FARGATE_SPOT",weight:1},"#,
                r#"{capacityProvider:"FARGATE",weight:0,base:2}]"#
            ),
        ),
        (
            WEB,
            "count: {range: 1-2, cooldown: {in: 5m}, cpu_percentage: {value: 60, cooldown: {out: 30s}}}",
            "TargetTrackingScalingPolicyConfiguration",
            concat!(
                r#"{PredefinedMetricSpecification:{PredefinedMetricType:"ECSServiceAverageCPUUtilization"},"#,
                "ScaleInCooldown:300,ScaleOutCooldown:30,TargetValue:60}"
            ),
        ),
        (
            WEB,
            "deployment: {rolling: recreate}",
            "minimumHealthyPercent",
            "0",
        ),
        (WEB, "", "maximumPercent", "200"),
        (
            WEB,
            "deployment: {rollback_alarms: [a]}",
            "alarms",
            r#"{alarmNames:["a"],enable:true,rollback:true}"#,
        ),
        (WEB, "exec: true", "enableExecuteCommand", "true"),
        (WEB, "exec: false", "enableExecuteCommand", "-"),
        (
            WEB,
            "http: {path: a, alias: [x.com, y.com]}",
            "expose",
            r#"{type:"alb",containerName:"web",containerPort:80,path:"/a",hosts:["x.com","y.com"]}"#,
        ),
        (
            BACKEND,
            "http: {path: /, alias: [{name: x.com}]}",
            "expose",
            concat!(
                r#"{type:"alb",containerName:"web",containerPort:80,path:"/","#,
                r#"scheme:"internal",hosts:["x.com"]}"#
            ),
        ),
        (
            WEB,
            "http: {path: /, target_container: nginx}\nsidecars: {nginx: {image: nginx, port: 8080}}",
            "expose",
            r#"{type:"alb",containerName:"nginx",containerPort:8080,path:"/"}"#,
        ),
        (
            WEB,
            "http: {path: /, target_port: 8080}\nsidecars: {nginx: {image: nginx, port: 8080}}",
            "expose",
            r#"{type:"alb",containerName:"nginx",containerPort:8080,path:"/"}"#,
        ),
        (
            WEB,
            "http: false\nnlb: {port: 443/tls, target_port: 81}",
            "expose",
            r#"{type:"nlb",containerName:"web",containerPort:81}"#,
        ),
        (WEB, "http: false", "expose", "-"),
        (
            WEB,
            "http: {path: /, healthcheck: {grace_period: 2m}}",
            "healthCheckGracePeriodSeconds",
            "120",
        ),
        (
            BACKEND,
            "network: {connect: {alias: db}}",
            "serviceConnectConfiguration",
            concat!(
                r#"{enabled:true,namespace:"prod.shop.local",services:[{portName:"target","#,
                r#"discoveryName:"web-sc",clientAliases:[{port:80,dnsName:"db"}]}]}"#
            ),
        ),
        (
            WEB,
            "network: {vpc: {placement: {subnets: [s-1]}, security_groups: [sg-1]}}",
            "awsvpcConfiguration",
            r#"{subnets:["s-1"],securityGroups:["sg-1"]}"#,
        ),
    ];
    for (type_, members, key, expected) in table {
        let members = format!("{image}{members}");
        assert_eq!(made(type_, &members, key), expected, "{members}");
    }
}

#[test]
fn a_port_has_a_name_only_where_service_connect_sends() {
    let members = "image: {location: a, port: 80}\nsidecars: {b: {image: b, port: 53/udp}}";
    let mappings = made(WEB, members, "portMappings");
    assert_eq!(
        mappings,
        r#"[{containerPort:80,protocol:"tcp",name:"target"}]"#
    );
    let members = format!("{members}\nhttp: {{path: /, target_container: b}}");
    let mappings = made(WEB, &members, "portMappings");
    assert_eq!(mappings, r#"[{containerPort:80,protocol:"tcp"}]"#);
}

#[test]
fn a_member_that_nothing_takes_is_named() {
    let table = [
        ("colour: blue", "colour"),
        ("image: {location: a, colour: blue}", "image.colour"),
        ("http: {path: /, colour: blue}", "http.colour"),
        ("nlb: {port: 80, colour: blue}", "nlb.colour"),
        ("count: {spot: 1, colour: blue}", "count.colour"),
        (
            "count: {range: 1-2, cpu_percentage: {value: 1, colour: blue}}",
            "count.cpu_percentage.colour",
        ),
        ("network: {colour: blue}", "network.colour"),
        ("network: {vpc: {colour: blue}}", "network.vpc.colour"),
        ("storage: {colour: blue}", "storage.colour"),
        (
            "storage: {volumes: {v: {path: /v, colour: blue}}}",
            "storage.volumes.v.colour",
        ),
        (
            "storage: {volumes: {v: {path: /v, efs: {id: a, colour: blue}}}}",
            "storage.volumes.v.efs.colour",
        ),
        (
            "sidecars: {s: {image: a, colour: blue}}",
            "sidecars.s.colour",
        ),
        ("sidecars: {s: nginx}", "sidecars.s"),
        ("logging: {image: a, colour: blue}", "logging.colour"),
        ("deployment: {colour: blue}", "deployment.colour"),
        ("variables: {A: [1]}", "variables.A"),
        ("secrets: {A: [1]}", "secrets.A"),
        ("taskdef_overrides: [{path: a}]", "taskdef_overrides[0]"),
        ("env_file: a.env", "env_file"),
        ("command: {a: b}", "command"),
        ("image: nginx", "image"),
    ];
    for (members, path) in table {
        let manifest = format!("name: web\ntype: {WEB}\n{members}\n");
        let (_, findings) = expanded(&manifest, &values(None, &[]));
        let lists = findings.iter().filter_map(|it| {
            let fields = it.strip_prefix("ManifestFieldNotRead: not translated: ")?;
            fields.split(';').next()
        });
        let mut named = lists.flat_map(|fields| fields.split(", "));
        assert!(named.any(|field| field == path), "{members}: {findings:#?}");
    }
}

#[test]
fn an_environment_is_chosen() {
    let manifest =
        "name: web\ntype: Backend Service\nenvironments: {test: {cpu: 1}, prod: {cpu: 2}}\n";
    let table: [(Option<&str>, &str, &[&str]); 4] = [
        (Some("prod"), r#"cpu:"2""#, &[]),
        (Some("test"), r#"cpu:"1""#, &[]),
        (
            Some("qa"),
            r#"cpu:"256""#,
            &[
                "EnvironmentNotInManifest: the manifest has no environment qa, so it is read without one; it has test, prod",
            ],
        ),
        (
            None,
            r#"cpu:"256""#,
            &[
                "EnvironmentNotChosen: the manifest is read without an environment; it has test, prod",
            ],
        ),
    ];
    for (name, cpu, expected) in table {
        let (requests, findings) = expanded(manifest, &values(name, &[]));
        assert!(requests.join("\n").contains(cpu), "{name:?}: {requests:?}");
        let of_environments = findings.iter().filter(|it| it.starts_with("Environment"));
        let of_environments: Vec<_> = of_environments
            .filter_map(|it| it.split("; give").next())
            .collect();
        let of_environments: Vec<_> = of_environments
            .iter()
            .filter_map(|it| it.split("; choose").next())
            .collect();
        assert_eq!(of_environments, expected);
    }
}

#[test]
fn what_has_no_tasks_is_a_note() {
    for type_ in ["Static Site", "Environment"] {
        let manifest = format!("name: a\ntype: {type_}\n");
        let (requests, findings) = expanded(&manifest, &values(None, &[]));
        assert!(requests.is_empty());
        let [finding] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        assert!(finding.starts_with("ManifestWithoutTasks"), "{finding}");
    }
}

#[test]
fn what_the_manifest_does_not_say_is_asked_for() {
    let manifest = "name: web\ntype: Worker Service\nimage: {build: .}\n";
    let (_, findings) = expanded(manifest, &values(None, &[]));
    let expected = [
        "CopilotVariablesNotSet: Copilot sets COPILOT_APPLICATION_NAME, COPILOT_ENVIRONMENT_NAME, \
         COPILOT_SERVICE_DISCOVERY_ENDPOINT, COPILOT_QUEUE_URI",
        "ManifestValuesOpen: the file does not say web.ExecutionRole, web.TaskRole, web.image",
    ];
    for expected in expected {
        assert!(
            findings.iter().any(|it| it.starts_with(expected)),
            "{findings:#?}"
        );
    }
    let given = [
        ("web.image", "a:1"),
        ("web.TaskRole", "b"),
        ("web.ExecutionRole", "c"),
    ];
    let (_, findings) = expanded(manifest, &values(None, &given));
    assert!(!findings.iter().any(|it| it.contains("ManifestValuesOpen")));
}

#[test]
fn a_manifest_becomes_a_service_with_its_task_definition() {
    let manifest = "name: web\ntype: Backend Service\nimage: {location: 'nginx:1'}\n";
    let fill = [
        ("web.TaskRole", "arn:aws:iam::111122223333:role/a"),
        ("web.ExecutionRole", "arn:aws:iam::111122223333:role/b"),
    ];
    let (units, problems) = units(&[("copilot/web/manifest.yml", manifest)], &fill);
    let [unit] = units.as_slice() else {
        panic!("{units:?} {problems:?}");
    };
    assert_eq!(
        super::super::testing::summary(unit),
        "service web runs web -"
    );
}

#[test]
fn an_environment_that_says_nothing_replaces_nothing() {
    let manifest = |environments: &str| {
        format!("name: web\ntype: {BACKEND}\nimage: {{location: nginx}}\n{environments}")
    };
    let values = values(Some("prod"), &[]);
    let (plain, _) = expanded(&manifest(""), &values);
    let (with, _) = expanded(&manifest("environments:\n  prod:\n"), &values);
    assert!(!plain.is_empty());
    assert_eq!(with, plain);
}

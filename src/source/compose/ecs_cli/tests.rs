//! Tests of projects as a whole.

use super::super::super::testing::{summary, units};

const COMPOSE: &str = "version: '3'\nservices:\n  web:\n    image: nginx\n    ports: ['80:8080']\n    links: [db]\n    mem_limit: 268435456\n    volumes: ['data:/data', 'own:/own', '/tmp']\n  db:\n    image: postgres\n    cpu_shares: 128\n    restart: always\n";

const PARAMS: &str = "version: 1\ntask_definition:\n  task_execution_role: exec\n  services:\n    web: {essential: false, mem_limit: 512m, cpu_shares: 64, init_process_enabled: true, healthcheck: {test: curl localhost, interval: 10s}, secrets: [{name: A, value_from: /a}], depends_on: [{container_name: db, condition: START}]}\n  efs_volumes: [{name: data, filesystem_id: fs-1, iam: ENABLED, transit_encryption: ENABLED}]\nrun_params:\n  task_placement: {strategy: [{type: spread, field: host}]}\n";

/// Returns the units and the problems of files.
fn read(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let (units, problems) = units(files, &[]);
    (units.iter().map(summary).collect(), problems)
}

/// Returns the task definition and the service of two files, as text.
fn made(compose: &str, params: &str) -> String {
    let files = [
        ("shop/docker-compose.yml", compose),
        ("shop/ecs-params.yml", params),
    ];
    let (units, problems) = units(&files, &[]);
    assert_eq!(units.len(), 1, "{problems:?}");
    format!("{:?}", units[0].content)
}

#[test]
fn all_services_are_one_task_definition() {
    let (found, problems) = read(&[
        ("shop/docker-compose.yml", COMPOSE),
        ("shop/ecs-params.yml", PARAMS),
    ]);
    assert_eq!(found, ["service shop runs shop -"], "{problems:?}");
    let used = "EcsParamsUsed: the services of this file are containers of one task definition named shop, as shop/ecs-params.yml has it";
    assert!(problems.iter().any(|it| it.ends_with(used)), "{problems:?}");
    let found = made(COMPOSE, PARAMS);
    for expected in [
        r#"name: Some("web")"#,
        r#"name: Some("db")"#,
        "host_port: Some(80)",
        "essential: Some(false)",
        "memory: Some(512)",
        "cpu: Some(64)",
        "init_process_enabled: Some(true)",
        r#"command: ["CMD-SHELL", "curl localhost"]"#,
        r#"value_from: Some("/a")"#,
        r#"file_system_id: Some("fs-1")"#,
        r#"name: Some("web-tmp")"#,
        r#"launch_type: Some("EC2")"#,
        r#"field: Some("host")"#,
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
}

#[test]
fn the_network_and_the_size_decide_where_it_runs() {
    let size = "task_size: {cpu_limit: 256, mem_limit: 0.5GB}";
    let network = "run_params: {network_configuration: {awsvpc_configuration: {subnets: [subnet-1], assign_public_ip: ENABLED}}}";
    for (definition, expected) in [
        (format!("{{ecs_network_mode: awsvpc, {size}}}"), "FARGATE"),
        (format!("{{ecs_network_mode: bridge, {size}}}"), "EC2"),
        ("{ecs_network_mode: awsvpc}".to_owned(), "EC2"),
    ] {
        let params = format!("task_definition: {definition}\n{network}\n");
        let found = made("services: {web: {image: a, mem_limit: 64m}}", &params);
        let launch = format!("launch_type: Some({expected:?})");
        assert!(found.contains(&launch), "{launch}\n{found}");
        let is_own = definition.contains("awsvpc");
        assert_eq!(found.contains("subnet-1"), is_own, "{definition}");
    }
}

#[test]
fn files_belong_together_by_their_folder_or_by_being_named() {
    let compose = "services: {web: {image: a}}";
    let params = "task_definition: {ecs_network_mode: bridge}";
    let one = "service a runs a -";
    let table: &[(&[(&str, &str)], &[&str], usize)] = &[
        (
            &[("a/c.yml", compose), ("a/ecs-params.yml", params)],
            &[one],
            0,
        ),
        (
            &[("a/c.yml", compose), ("b/ecs-params-prod.yml", params)],
            &[one],
            0,
        ),
        (&[("a/c.yml", compose)], &["service web runs web -"], 0),
        (&[("a/ecs-params.yml", params)], &[], 1),
        (
            &[
                ("a/c.yml", compose),
                ("a/d.yml", compose),
                ("a/ecs-params.yml", params),
            ],
            &[],
            1,
        ),
        (
            &[
                ("a/c.yml", compose),
                ("a/ecs-params.yml", params),
                ("a/ecs-params-b.yml", params),
            ],
            &[],
            2,
        ),
    ];
    for (files, expected, errors) in table {
        let (found, problems) = read(files);
        let wrong = problems
            .iter()
            .filter(|it| it.contains("EcsParamsUnclear") || it.contains("AmbiguousDocument"));
        assert_eq!(
            (&*found, wrong.count()),
            (
                &expected
                    .iter()
                    .map(|it| (*it).to_owned())
                    .collect::<Vec<_>>()[..],
                *errors
            ),
            "{files:?} {problems:?}"
        );
    }
}

#[test]
fn what_is_not_read_is_named() {
    let params = "task_definition:\n  colour: blue\n  services: {other: {essential: true}, web: {size: 1}}\nrun_params: {service_discovery: {container_name: web}}\n";
    let (_, problems) = read(&[
        ("a/c.yml", "services: {web: {image: a}}"),
        ("a/ecs-params.yml", params),
    ]);
    let all = problems.join("\n");
    for expected in [
        "task_definition.colour",
        "task_definition.services.other",
        "task_definition.services.web.size",
        "run_params.service_discovery",
    ] {
        assert!(all.contains(expected), "{expected}\n{all}");
    }
}

//! How parts are found and fetched, through the real binary with an environment of its own.

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// A zip archive with one stored member, `consul`: a script that says who it is.
fn archive() -> Vec<u8> {
    let script = b"#!/bin/sh\necho Consul v1.22.6 from the mirror\n";
    let crc = script.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    });
    let size = u32::try_from(script.len()).unwrap().to_le_bytes();
    let sums = [&(!crc).to_le_bytes()[..], &size, &size].concat();
    let shared = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sums, &[6, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04", &shared[..], b"consul", script].concat();
    let central = [b"PK\x01\x02", &[20, 0][..], &shared, &[0; 14], b"consul"].concat();
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_le_bytes();
    let end = [
        b"PK\x05\x06",
        &[0, 0, 0, 0, 1, 0, 1, 0][..],
        &length(&central),
        &length(&local),
        &[0, 0],
    ]
    .concat();
    [local, central, end].concat()
}

/// The publisher's server, with an archive and a checksum for it.
async fn mirror(archive: Vec<u8>, sum: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let name = if cfg!(target_arch = "aarch64") {
        "consul_1.22.6_linux_arm64.zip"
    } else {
        "consul_1.22.6_linux_amd64.zip"
    };
    let sums = Bytes::from(format!("{sum}  {name}\n"));
    let archive = Bytes::from(archive);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (archive, sums) = (archive.clone(), sums.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let path = request.uri().path().to_owned();
                let (status, body) = if path == format!("/consul/1.22.6/{name}") {
                    (StatusCode::OK, archive.clone())
                } else if path == "/consul/1.22.6/consul_1.22.6_SHA256SUMS" {
                    (StatusCode::OK, sums.clone())
                } else {
                    (StatusCode::NOT_FOUND, Bytes::new())
                };
                async move {
                    Ok::<_, Infallible>(
                        Response::builder()
                            .status(status)
                            .body(Full::new(body))
                            .unwrap(),
                    )
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    url
}

/// `cargo stack doctor --fetch consul` with an empty cache and a `PATH` without Go and Consul; whether it succeeded, and what it said.
async fn fetch(cache: &Path, mirror: &str) -> (bool, String) {
    let tools = cache.join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    for tool in ["curl", "unzip", "sh"] {
        if let Some(path) = stack::parts::on_path(tool) {
            let _ = std::os::unix::fs::symlink(path, tools.join(tool));
        }
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
    command
        .args(["doctor", "--fetch", "consul"])
        .env("PATH", &tools)
        .env("XDG_CACHE_HOME", cache);
    command
        .env("STACK_RELEASES", mirror)
        .env_remove("CONSUL_BIN");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn cached(cache: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(cache.join("lictor/bin"))
        .into_iter()
        .flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_with_the_right_checksum_is_unpacked_into_the_cache_and_found_there_next_time() {
    let cache = tempfile::tempdir().unwrap();
    let archive = archive();
    let sum = Sha256::digest(&archive)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mirror = mirror(archive, sum).await;
    let (fetched, said) = fetch(cache.path(), &mirror).await;
    assert!(
        fetched && said.contains("from the mirror") && said.contains("fetched from"),
        "{said}"
    );
    assert_eq!(cached(cache.path()), ["consul-1.22.6"]);
    let (found, said) = fetch(cache.path(), "http://127.0.0.1:9").await;
    assert!(found && said.contains("from the cache"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_with_another_checksum_is_thrown_away() {
    let cache = tempfile::tempdir().unwrap();
    let mirror = mirror(archive(), "00".repeat(32)).await;
    let (fetched, said) = fetch(cache.path(), &mirror).await;
    assert!(
        !fetched && said.contains("does not have the publisher's checksum"),
        "{said}"
    );
    assert!(
        cached(cache.path()).is_empty(),
        "{:?}",
        cached(cache.path())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_network_and_go_the_line_that_helps_is_given() {
    let cache = tempfile::tempdir().unwrap();
    let (fetched, said) = fetch(cache.path(), "http://127.0.0.1:9").await;
    assert!(
        !fetched
            && said.contains("cannot be fetched")
            && said.contains("cannot be built without Go"),
        "{said}"
    );
    assert!(said.contains("CONSUL_BIN=/path/to/consul"), "{said}");
    assert!(cached(cache.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_names_no_program_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_stack"))
        .arg("doctor")
        .env("CONSUL_BIN", "/nowhere/consul")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("CONSUL_BIN=/nowhere/consul is not a program"),
        "{said}"
    );
}

/// `cargo stack doctor` with these arguments, where `PATH` is one folder and the cache another; whether it succeeded, and what it said.
fn doctor(path: &Path, cache: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
    command
        .arg("doctor")
        .args(args)
        .env("PATH", path)
        .env("XDG_CACHE_HOME", cache);
    for part in stack::parts::ALL {
        command.env_remove(part.variable);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), said)
}

/// A program that says only this.
fn program(path: &Path, says: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_too_old_on_path_is_passed_over_and_told() {
    let (path, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = path.path().join("prometheus");
    let says = |version: &str| format!("prometheus, version {version} (branch: HEAD)");
    program(&old, &says("2.42.0+ds"));
    let (_, said) = doctor(path.path(), cache.path(), &[]);
    let line = said.lines().find(|line| line.contains(" prometheus "));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(
        line.starts_with("missing") && line.contains("is 2.42.0, at least 3 is needed"),
        "{line}"
    );

    let pinned = format!("prometheus-{}", stack::parts::PROMETHEUS.version);
    program(&cache.path().join("lictor/bin").join(pinned), "the pinned");
    let fetch = ["--fetch", "prometheus"];
    let (found, said) = doctor(path.path(), cache.path(), &fetch);
    assert!(
        found && said.contains("the pinned (from the cache") && said.contains("is 2.42.0"),
        "{said}"
    );

    program(&old, &says("3.20.1"));
    let (found, said) = doctor(path.path(), cache.path(), &fetch);
    assert!(found && said.contains("on PATH"), "{said}");
}

#[test]
fn the_doctor_says_who_needs_what_is_missing_and_fails_for_consul_alone() {
    let (path, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (complete, said) = doctor(path.path(), cache.path(), &[]);
    assert!(!complete, "nothing runs without Consul: {said}");
    for (name, purpose) in [
        ("consul", "for everything;"),
        (
            "prometheus",
            "for cargo stack up --with prometheus, cargo stack k6, cargo stack test;",
        ),
        ("promtool", "for cargo stack test;"),
        (
            "jaeger",
            "for cargo stack up --with jaeger, cargo stack test;",
        ),
        ("k6", "for cargo stack k6, cargo stack test;"),
        ("docker-compose", "for docker compose up, cargo stack test;"),
        (
            "docker-buildx",
            "for docker build, cargo stack test --only compose;",
        ),
        (
            "docker",
            "for docker compose up, cargo stack test --only compose;",
        ),
    ] {
        let words = format!("missing  {name:<11} {purpose}");
        assert!(
            said.lines().any(|line| line.starts_with(&words)),
            "{words}: {said}"
        );
    }
    program(&path.path().join("consul"), "Consul v1.22.6");
    let (complete, said) = doctor(path.path(), cache.path(), &[]);
    assert!(complete, "{said}");
}
